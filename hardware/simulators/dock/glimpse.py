"""One picture out of an MJPEG stream, for the page to show what the simulated camera shows the kiosk."""

import asyncio
from urllib.parse import urlsplit

LIMIT = 4_000_000  # bytes of one frame
PATIENCE = 1.5  # s


async def glimpse(url: str) -> bytes | None:
    """The next JPEG of the stream at `url`; None if the camera is unplugged, stalled or sends something else."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _first_frame(url)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):  # TimeoutError is an OSError
        return None


async def _first_frame(url: str) -> bytes:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        part = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(_length(part))
    finally:
        writer.close()


def _length(head: bytes) -> int:
    """The Content-Length in the head of a part; raises ValueError if there is none within the limit."""
    for line in head.decode("ascii").splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and 0 < int(value) <= LIMIT:
            return int(value)
    raise ValueError("no length of the frame")
