"""Readers that speak a vendor's protocol instead of PC/SC: what they say is judged by the kiosk, never believed."""
