"""An open line to the printer: python-escpos builds the commands, every wait on the line has an end."""

import contextlib
import errno
import io
import os
import select
import socket
import stat
import termios
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import serial
from PIL import Image

from hardware.printer.status import ASK, BARRIER, CLEAR, MUTE, RECOVER, Answers, Condition, judge

BAND = 24
"""Rows sent at once: two bands on their way fit into the 4 KB of a small printer, so real-time commands get through."""

PATIENT = 0.25  # s without an answer before the printer is asked what is the matter
EMPTY = 0.02  # s of rest after an empty read


class AddressWrong(ValueError):
    """`printer.address` is none of the three kinds."""


class Stopped(Exception):
    """The printer stopped in the middle of a job."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.reason.value)
        self.condition = condition


class Link:
    """A connection to the printer at `address`; raises OSError when it cannot be opened, used or is silent.

    `timeout` is the longest wait in seconds for a connection, for room to write, and for an answer.
    """

    def __init__(self, address: str, dots: int, timeout: float) -> None:
        self.clean = False
        """Whether what an earlier job or connection left in the printer has been dealt with."""
        self._timeout = timeout
        self._answers = Answers()
        self._awaited = 0
        self._escpos = _connect(address, timeout)
        self._device = self._escpos.device
        # Without a width in its profile python-escpos prints a remark on standard output for every picture.
        self._escpos.profile.profile_data = {"media": {"width": {"mm": dots // 8, "pixels": dots}}}

    def close(self) -> None:
        """Hang up; what was not sent yet is dropped."""
        self._escpos.device = False  # python-escpos's sign for «closed»
        if isinstance(self._device, serial.Serial):
            with contextlib.suppress(termios.error):  # unplugged
                self._device.reset_output_buffer()
        self._device.close()

    def condition(self) -> Condition:
        """Ask for the state (DLE EOT 1–4); raises TimeoutError when the printer is silent."""
        self._take(0)
        self._answers.status.clear()
        self._write(ASK)
        deadline = time.monotonic() + self._timeout
        while len(self._answers.status) < 4:
            if (left := deadline - time.monotonic()) < 0:
                raise TimeoutError("no answer to DLE EOT")
            self._take(left)
        return judge(*self._answers.status[:4])

    def begin(self) -> None:
        """Start from a printer in its basic state (ESC @)."""
        self._take(0)
        self._answers.barriers = self._awaited = 0
        self._escpos.hw("INIT")

    def picture(self, band: Image.Image) -> None:
        """Send a band as GS v 0, followed by a barrier."""
        self._escpos.image(band, impl="bitImageRaster", fragment_height=band.height)
        self.barrier()

    def end(self, cut: bool) -> None:
        """Move the paper out and cut it (GS V 66) or feed it to the tear bar, followed by a barrier."""
        if cut:
            self._escpos.cut(feed=False)
        else:
            self._escpos.print_and_feed(5)
        self.barrier()

    def barrier(self) -> None:
        """Ask for an answer in its turn: `wait` returns when it has come."""
        self._write(BARRIER)
        self._awaited += 1

    def wait(self, outstanding: int, deadline: float) -> None:
        """Return when no more than so many barriers are unanswered; raises Stopped if the printer cannot go on."""
        while self._awaited - self._answers.barriers > outstanding:
            if self._take(PATIENT) and time.monotonic() < deadline:
                continue
            condition = self.condition()
            if not condition.prints:
                raise Stopped(condition)
            if time.monotonic() > deadline:
                raise Stopped(MUTE)

    def clear(self, recover: bool) -> Condition:
        """Have the printer forget all it has not printed (and leave its error state, if `recover`).

        Returns, with its condition, when it has: it answers the commands in their order.
        """
        self._write(RECOVER + CLEAR if recover else CLEAR)
        return self.condition()

    def complete(self, row_bytes: int) -> None:
        """Complete a picture that a lost connection cut off: bytes it takes for white dots, and ignores otherwise."""
        self._write(bytes(BAND * row_bytes))

    def drain(self, quiet: float) -> None:
        """Swallow answers to what was sent before, until none has come for `quiet` seconds."""
        deadline = time.monotonic() + self._timeout
        while self._take(quiet) and time.monotonic() < deadline:
            pass

    def _write(self, data: bytes) -> None:
        self._escpos._raw(data)  # noqa: SLF001  # python-escpos's name of its public primitive

    def _take(self, seconds: float) -> bool:
        """Wait for bytes and sort them; False when none came."""
        poll = select.poll()
        poll.register(self._device.fileno(), select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        data = os.read(self._device.fileno(), 256)
        if not data and isinstance(self._device, socket.socket):
            raise ConnectionResetError("the printer hung up")
        if not data:  # a USB printer with nothing to say may answer so all the time
            time.sleep(min(seconds, EMPTY))
        self._answers.take(data)
        return bool(data)


def _connect(address: str, timeout: float) -> Any:
    """A python-escpos printer on a device of ours: its own opening and closing log every time, and may wait for ever.

    Raises AddressWrong or OSError.
    """
    scheme, host, port, path, baud = _parsed(address)
    # Imported here: it takes a third of a second, and sets up logging unless the program has.
    from escpos import printer

    if scheme == "tcp":
        escpos = printer.Network(host, port)
        escpos.device = socket.create_connection((host, port), timeout)
        escpos.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    elif scheme == "serial":
        escpos = printer.Serial(path)
        escpos.device = serial.Serial(path, baud, timeout=0, write_timeout=timeout)
    else:
        escpos = printer.File(path)
        escpos.device = _DeviceFile(Path(path), timeout)
    return escpos


def _parsed(address: str) -> tuple[str, str, int, str, int]:
    """Scheme, host, port, path and baud rate; raises AddressWrong."""
    try:
        parts = urlsplit(address)
        scheme, host, port, path = parts.scheme, parts.hostname or "", parts.port or 0, parts.path
        host.encode("idna")  # connecting does it too, and would raise its UnicodeError there
        baud = int(parse_qs(parts.query).get("baud", ["38400"])[0])
        if (scheme == "tcp" and host and port) or (
            scheme in ("serial", "file") and path and baud in serial.Serial.BAUDRATES
        ):
            return scheme, host, port, path, baud
    except ValueError:
        pass
    raise AddressWrong(
        f"printer.address is {address!r}; allowed: tcp://host:port, serial:///dev/…?baud=38400, file:///dev/…"
    )


class _DeviceFile(io.RawIOBase):
    """A character device for reading and writing: a printer without paper would block an ordinary write for ever."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        self._timeout = timeout
        if not stat.S_ISCHR(os.fstat(self._fd).st_mode):  # commands would overwrite somebody's file
            self.close()
            raise OSError(errno.ENODEV, "it is no character device")

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        """Write all of `data`; raises TimeoutError when the device takes nothing for too long."""
        rest = memoryview(data)
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while rest:
            if not poll.poll(self._timeout * 1000):
                raise TimeoutError("the printer takes no data")
            rest = rest[os.write(self._fd, rest) :]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()
