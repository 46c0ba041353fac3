"""ESC/POS as a printer understands it."""
