"""The queue of a centre: tickets, calling rules, staff console, hall display, voice, and the kiosk's way to it."""
