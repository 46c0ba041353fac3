"""How fast the forwarder sends: a token bucket for the commune's line, and pieces as large as the line carries."""

import io
import time

BLOCK = 16384
"""Bytes after which the bucket is asked: what the HTTP client reads of a body at once."""
LEAST_PIECE = 16 * 1024
MOST_PIECE = 4 * 1024 * 1024
"""What the receiver takes at most."""
FIRST_PIECE = 256 * 1024
AIM = 2.0
"""Seconds that a piece should take: what a cut loses, and what a stop waits for."""


class Bucket:
    """At most `kbit` kilobits a second on the average, and never faster for longer than a block; 0: no limit."""

    def __init__(self, kbit: float) -> None:
        self._rate = kbit * 125.0
        self._free_at = 0.0

    def take(self, size: int) -> None:
        """Wait until `size` bytes may go."""
        if not self._rate:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self._free_at - now))
        self._free_at = max(now, self._free_at) + size / self._rate


class Paced(io.BytesIO):
    """A body that is read no faster than the bucket allows."""

    def __init__(self, content: bytes, bucket: Bucket) -> None:
        super().__init__(content)
        self._bucket = bucket
        self._size = len(content)

    def __len__(self) -> int:
        return self._size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, in their time."""
        content = super().read(size)
        self._bucket.take(len(content))
        return content


class PieceSize:
    """How large the next piece is: doubled or halved towards AIM seconds each, halved when one did not get through.

    `kbit`: the bucket's limit; 0: none.
    """

    def __init__(self, kbit: float = 0) -> None:
        self._most = max(LEAST_PIECE, min(MOST_PIECE, int(kbit * 125 * AIM))) if kbit else MOST_PIECE
        self.bytes = min(FIRST_PIECE, self._most)

    def took(self, sent: int, seconds: float) -> None:
        """A piece got through."""
        if seconds > AIM:
            self._set(self.bytes // 2)
        elif seconds < AIM / 2 and sent == self.bytes:
            self._set(self.bytes * 2)

    def failed(self) -> None:
        """A piece got lost: on a slow line a smaller one ends before the request's time is over."""
        self._set(self.bytes // 2)

    def _set(self, size: int) -> None:
        self.bytes = min(max(size, LEAST_PIECE), self._most)
