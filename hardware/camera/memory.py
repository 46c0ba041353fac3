"""Frames shared between the reading process and the kiosk: anonymous memory that no name in /dev/shm leads to.

A memfd instead of multiprocessing.shared_memory: it vanishes with its last process, however that ended, and pages are
given back (and so read as zeros) with one call.
"""

import mmap
import os
import struct
from dataclasses import dataclass

SLOTS = 3
"""The writer is always at least one slot away from the newest frame."""
PREVIEW_BYTES = 961 * 1281 * 3
"""Room for a preview: 720×1280 portrait, 1280×720 landscape, and rounding."""
FULL_BYTES = 4208 * 3120 * 3
"""Room for a whole frame: 13 MP. Only what is written takes memory."""

_STAMP = struct.Struct("=Q")
_HEAD = mmap.PAGESIZE
_SLOT = -(-(_HEAD + PREVIEW_BYTES + FULL_BYTES) // mmap.PAGESIZE) * mmap.PAGESIZE
_STILL = SLOTS * _SLOT  # where the still's slot begins
_BYTES = _STILL + _SLOT


@dataclass(frozen=True, slots=True)
class _Place:
    start: int

    @property
    def preview(self) -> int:
        return self.start + _HEAD

    @property
    def full(self) -> int:
        return self.start + _HEAD + PREVIEW_BYTES


class FrameMemory:
    """A ring of frames and one still; each slot carries the number of its frame, so that a torn read is noticed."""

    def __init__(self, fd: int | None = None) -> None:
        self.fd = os.memfd_create("motcua-camera") if fd is None else fd
        if fd is None:
            os.ftruncate(self.fd, _BYTES)
        self._map = mmap.mmap(self.fd, _BYTES)

    def write(self, number: int, preview: memoryview, full: memoryview) -> None:
        """Put frame `number` (from 1) into its slot; `full` may be empty."""
        place = _Place(number % SLOTS * _SLOT)
        _STAMP.pack_into(self._map, place.start, 0)
        self._map[place.preview : place.preview + len(preview)] = preview
        self._map[place.full : place.full + len(full)] = full
        _STAMP.pack_into(self._map, place.start, number)

    def write_still(self, number: int, full: memoryview) -> None:
        """Put still `number` (from 1) into its slot."""
        place = _Place(_STILL)
        _STAMP.pack_into(self._map, place.start, 0)
        self._map[place.full : place.full + len(full)] = full
        _STAMP.pack_into(self._map, place.start, number)

    def preview(self, number: int, size: int) -> bytes | None:
        """The preview of frame `number`; None if it is gone."""
        place = _Place(number % SLOTS * _SLOT)
        return self._read(number, place.start, place.preview, size)

    def full(self, number: int, size: int) -> bytes | None:
        """The whole frame `number`; None if it is gone."""
        place = _Place(number % SLOTS * _SLOT)
        return self._read(number, place.start, place.full, size)

    def still(self, number: int, size: int) -> bytes | None:
        """Still `number`; None if it is gone."""
        return self._read(number, _STILL, _Place(_STILL).full, size)

    def _read(self, number: int, stamp: int, start: int, size: int) -> bytes | None:
        if _STAMP.unpack_from(self._map, stamp) != (number,):
            return None
        data = self._map[start : start + size]
        return data if _STAMP.unpack_from(self._map, stamp) == (number,) else None

    def wipe(self) -> None:
        """Give all pages back: every byte reads as zero from now on, in both processes."""
        self._map.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Wipe and let go."""
        self.wipe()
        self._map.close()
        os.close(self.fd)
