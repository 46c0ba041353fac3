"""Who may send bytes now: manifests always, pieces of blobs only while there is room and not too many at once.

Bytes, not rows, are the load (delivery reference §10): the province learns at once what is to come, and takes the
bytes as it can.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

from sync.receiver.blobs import Blobs

AT_ONCE = 32
"""Pieces in the hands of one process."""
BUSY_SECONDS = 2
FULL_SECONDS = 120


class Admission:
    """For one event loop."""

    def __init__(self, blobs: Blobs, least_free: int) -> None:
        self._blobs = blobs
        self._least_free = least_free
        self._pieces = 0

    @contextmanager
    def piece(self) -> Iterator[None]:
        """One piece is being taken; raises 429 or 507 with `Retry-After`."""
        if self._pieces >= AT_ONCE:
            raise HTTPException(429, "too many pieces at once", {"Retry-After": str(BUSY_SECONDS)})
        free = self._blobs.free()
        if free is not None and free < self._least_free:
            raise HTTPException(507, "the receiver's store is full", {"Retry-After": str(FULL_SECONDS)})
        self._pieces += 1
        try:
            yield
        finally:
            self._pieces -= 1
