"""A file that only takes up room: removed when the disk is full, so that receipts and deletions still find some."""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

MARGIN = 64 * 1024 * 1024
"""Bytes that stay free when the ballast is laid down again."""


class Ballast:
    """`size` bytes at `path`; 0: none is wanted."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self._path = path
        self._size = size

    @property
    def in_place(self) -> bool:
        """Whether the reserve that is wanted is there."""
        try:
            return self._path.stat().st_size >= self._size
        except FileNotFoundError:
            return not self._size

    def lay(self) -> bool:
        """Take the room if there is enough and to spare; whether the reserve is there now."""
        if self.in_place:
            return True
        room = os.statvfs(self._path.parent)
        if room.f_bavail * room.f_frsize < self._size + MARGIN:
            return False
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True

    def throw(self) -> bool:
        """Give the room back; whether there was any to give."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        log.error("the disk is full: the ballast is thrown, so that receipts and deletions go on")
        return True
