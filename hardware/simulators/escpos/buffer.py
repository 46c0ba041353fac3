"""The receive side of a printer: a small buffer, and the real-time commands that are executed on arrival."""

import asyncio
import re
from collections.abc import Iterator

CAPACITY = 4096
"""Bytes: the smallest receive buffer in the field. A full one makes the printer «busy»: it takes nothing more."""

CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"

# DLE EOT n, DLE ENQ n, DLE DC4 1–3 m t, DLE DC4 8 with its seven keys; and how the first three may begin.
REAL_TIME = re.compile(rb"\x10(?:\x04[\x01-\x08]|\x05[\x00-\x02]|\x14[\x01-\x03]..)|" + re.escape(CLEAR), re.DOTALL)
BEGUN = re.compile(rb"\x10(?:\x04|\x05|\x14(?:[\x01-\x03].?)?)?", re.DOTALL)


class ReceiveBuffer:
    """First in, first out."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._changed = asyncio.Condition()

    async def put(self, data: bytes) -> None:
        """Append `data`, waiting for room."""
        async with self._changed:
            while data:
                await self._changed.wait_for(lambda: len(self._data) < CAPACITY)
                room = CAPACITY - len(self._data)
                self._data += data[:room]
                data = data[room:]
                self._changed.notify_all()

    async def take(self, count: int) -> bytes:
        """The next `count` bytes (no more than CAPACITY), as soon as they have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._data) >= count)
            taken = bytes(self._data[:count])
            del self._data[:count]
            self._changed.notify_all()
            return taken

    async def clear(self) -> None:
        """Drop everything."""
        async with self._changed:
            self._data.clear()
            self._changed.notify_all()


class Reception:
    """Splits what arrives on one connection into data and real-time commands.

    Real-time commands are found wherever they stand, in pictures too, as in real printers.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs of data and the real-time command after it (empty at the end)."""
        data = self._held + data
        start = 0
        for found in REAL_TIME.finditer(data):
            yield data[start : found.start()], found[0]
            start = found.end()
        rest = data[start:]
        keep = _unfinished(rest)
        self._held = rest[len(rest) - keep :]
        yield rest[: len(rest) - keep], b""


def _unfinished(data: bytes) -> int:
    """How many bytes at the end may be the beginning of a real-time command."""
    for size in range(min(len(data), len(CLEAR) - 1), 0, -1):
        tail = data[-size:]
        if CLEAR.startswith(tail) or BEGUN.fullmatch(tail):
            return size
    return 0
