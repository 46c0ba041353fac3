"""Personalising virtual ID cards: invented persons, their files, a test issuer and the applet that serves them."""
