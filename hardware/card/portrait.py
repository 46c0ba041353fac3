"""The portrait, decoded where a hostile picture can do no harm: `python -m hardware.card.portrait`, a limited process.

The picture goes in by standard input, a baseline JPEG without anything but pixels comes out. Nothing touches the disk.
"""

import io
import os
import resource
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final, Self

from hardware.card.errors import BadData, CardError
from kiosk.health import Reason

SMALLEST, LARGEST = (60, 80), (4000, 4000)
"""Width and height in pixels of what may be a portrait."""
SHOWN = (1200, 1200)
"""No screen shows more of a face: larger ones are shrunk."""
MOST_BYTES = 65_536
"""Of a picture on a chip (chip-card reference §9.12)."""
MOST_DECODED = 4_000_000
SECONDS = 5.0

_MEMORY, _CPU_SECONDS = 768 * 2**20, 4
_SIZE, _UNREADABLE = 3, 4
_REASONS: Final = {_SIZE: "its size in pixels is no portrait's", _UNREADABLE: "it cannot be decoded"}
_PACKAGES = Path(__file__).parents[2]


class PortraitDecoder:
    """One process for one picture at a time. Leaving the context, or `close`, ends it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Let the process get ready while the card is still read. CardError if this machine cannot start it."""
        if self._process is not None:
            return
        environment = os.environ | {"PYTHONPATH": str(_PACKAGES)}
        command = [sys.executable, "-m", "hardware.card.portrait"]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, bufsize=0, stdin=pipe, stdout=pipe, stderr=nothing, env=environment
            )
        except OSError as error:
            raise CardError(Reason.KIOSK_FAULT, f"no process for the portrait: {error.strerror}") from None

    def decode(self, image: bytes) -> bytes:
        """The picture as a JPEG for the screen; BadData if it is no sane portrait, or takes too long or too much."""
        if len(image) > MOST_BYTES:
            raise BadData("DG2: the picture has too many bytes")
        self.start()
        assert self._process is not None
        try:
            decoded = _exchange(self._process, image, time.monotonic() + self._seconds)
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            raise BadData("DG2: the picture takes too long to decode") from None
        finally:
            self.close()
        if code != 0 or not decoded:
            raise BadData(f"DG2: {_REASONS.get(code, 'decoding the picture takes too much')}")
        return decoded

    def close(self) -> None:
        """End the process, whatever it does, and wait for it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:  # closes the pipes and waits
                pass


def _exchange(process: subprocess.Popen[bytes], image: bytes, deadline: float) -> bytes:
    """Everything the process answers to the image. Bounded in time and length."""
    assert process.stdin is not None
    assert process.stdout is not None
    left, answer = memoryview(image), bytearray()
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        while ready := selector.select(max(deadline - time.monotonic(), 0)):
            if any(key.fileobj is process.stdin for key, _ in ready):
                left = _written(process.stdin, left)
                if not left:
                    selector.unregister(process.stdin)
                    process.stdin.close()
            if any(key.fileobj is process.stdout for key, _ in ready):
                part = process.stdout.read(65_536)
                answer += part
                if not part or len(answer) > MOST_DECODED:
                    return bytes(answer) if not part else b""
    raise BadData("DG2: the picture takes too long to decode")


def _written(pipe: IO[bytes], left: memoryview) -> memoryview:
    """What is still to be written; nothing if nobody reads on."""
    try:
        return left[os.write(pipe.fileno(), left) :]
    except BrokenPipeError:
        return left[len(left) :]


def decoded_jpeg(image: bytes) -> bytes:
    """A JPEG or JPEG 2000 picture as baseline JPEG, RGB. Only for the limited process: Pillow raises what it likes.

    ValueError if its size is none of a portrait.
    """
    from PIL import Jpeg2KImagePlugin, JpegImagePlugin

    plugin = JpegImagePlugin.JpegImageFile if image.startswith(b"\xff\xd8") else Jpeg2KImagePlugin.Jpeg2KImageFile
    with plugin(io.BytesIO(image)) as picture:
        if not all(least <= size <= most for least, size, most in zip(SMALLEST, picture.size, LARGEST, strict=True)):
            raise _WrongSizeError  # only the header was read so far
        picture.draft("RGB", SHOWN)
        rgb = picture.convert("RGB")
    rgb.thumbnail(SHOWN)
    rgb.info.clear()  # comments and profiles would be written again
    file = io.BytesIO()
    rgb.save(file, "JPEG", quality=92)
    return file.getvalue()


class _WrongSizeError(ValueError):
    pass


def main() -> int:
    """Take a picture, give a JPEG; the status tells why not."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),  # no citizen's face in a core file
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
    ):
        resource.setrlimit(limit, (value, value))
    from PIL import Jpeg2KImagePlugin, JpegImagePlugin  # noqa: F401  # ready before the picture comes

    image = sys.stdin.buffer.read(MOST_BYTES)
    try:
        sys.stdout.buffer.write(decoded_jpeg(image))
        sys.stdout.buffer.flush()
    except _WrongSizeError:
        return _SIZE
    except Exception:  # noqa: BLE001  # whatever a broken picture makes of a decoder
        return _UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
