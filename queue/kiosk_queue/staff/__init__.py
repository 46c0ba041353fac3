"""Accounts, sign-in and the officers' console."""
