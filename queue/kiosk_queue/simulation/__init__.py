"""What a calling rule does to citizens' waits, tried on a virtual clock with the product's own rules (reference §5)."""

from kiosk_queue.simulation.history import compare

__all__ = ["compare"]
