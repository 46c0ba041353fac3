"""Delivery: from the citizen's «submit» to exactly one accepted dossier at the province.

Kiosk: `office` (what the core sees) → `outbox` (sealed `envelope`s and their states) → `forwarder` (own process).
Province: `receiver` (mTLS, receipts, opens envelopes) → `connectors` → the TTHC system (`tthc_model`).
"""
