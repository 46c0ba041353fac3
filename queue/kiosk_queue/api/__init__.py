"""What programs and devices ask: API v1, tokens, metrics, webhooks."""
