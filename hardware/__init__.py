"""Devices: one folder per kind, all of the same shape, and simulators for the far end of each wire."""
