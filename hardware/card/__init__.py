"""Reading chip ID cards (CCCD): an ICAO 9303 reader over PC/SC, and the device the kiosk uses."""
