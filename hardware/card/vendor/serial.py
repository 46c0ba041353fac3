"""A serial CCCD reader (8N1): it reads the chip itself and brings no proof, so the grade is CHIP_READ."""

import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import serial

from hardware.card.device import Attempt
from hardware.card.errors import CardError
from hardware.card.portrait import PortraitDecoder
from hardware.card.vendor.claims import Claims, claimed_citizen
from hardware.card.vendor.device import Link, VendorReader
from hardware.card.vendor.lines import PING, Message, Messages, Portrait, Word, key_line, require_claims
from kiosk.citizen import AccessKey, Citizen
from kiosk.config import CardSettings
from kiosk.health import Reason

LOOK = 0.1
"""Seconds of the longest wait for bytes: how fast the thread notices that it shall end."""
PING_EVERY = 2.0
SILENCE = 6.0
"""Seconds without an answer until the reader counts as missing: three PINGs, and a board resets when it is opened."""
READ_SILENCE = 12.0
"""Seconds without a word in a read; chips take up to seven to be opened (chip-card reference §3)."""
LINE_SECONDS = 2.0
"""Seconds of silence after which the rest of a line is not coming: noise."""
TYPICAL_PORTRAIT = 23_000
"""Characters of base64 of a portrait, until it has come (chip-card reference §3)."""


class SerialCardReader(VendorReader):
    """Chip ID cards on a serial reader at `[card] address`."""

    def __init__(self, settings: CardSettings) -> None:
        super().__init__(lambda: _open(settings))


@contextmanager
def _open(settings: CardSettings) -> Iterator[Link]:
    with _plugged(settings.address):
        line = serial.Serial(settings.address, settings.baud, timeout=LOOK, write_timeout=1.0)
    try:
        yield SerialLink(line)
    finally:
        line.close()


@contextmanager
def _plugged(address: str) -> Iterator[None]:
    """The errors of a cable as CardError."""
    try:
        yield
    except (OSError, ValueError, OverflowError, termios.error) as error:  # the second and third: baud rate
        detail = getattr(error, "strerror", None) or type(error).__name__
        raise CardError(Reason.NO_READER, f"{address}: {detail}") from None


class SerialLink:
    """The open line. After a read that was given up it waits until the reader has ended it, too."""

    def __init__(self, line: serial.Serial) -> None:
        self.alive = False
        self.present = False
        self._line = line
        self._messages = Messages()
        self._heard = self._byte = time.monotonic()
        self._next_ping = 0.0
        self._busy = False

    def listen(self) -> None:
        """Take in what the reader says, and ask whether it is there."""
        if time.monotonic() >= self._next_ping:
            self._next_ping = time.monotonic() + PING_EVERY
            self._send(PING)
        self._receive()
        if self._silent(SILENCE):
            raise CardError(Reason.NO_READER, f"{self._line.port}: no answer to PING")

    def read(self, attempt: Attempt) -> Citizen:
        """Hand over one key after the other. The reader does not tell a wrong key from other failures."""
        if not self.alive or not self.present:
            raise CardError(Reason.NO_CARD if self.alive else Reason.NO_READER, "at the start of the read")
        with PortraitDecoder() as decoder:
            decoder.start()
            for key in attempt.keys:
                self._until_idle(attempt)
                scan = _Scan(key, attempt)
                if self._scan(scan):
                    citizen = scan.citizen(decoder)
                    attempt.progress(1.0)
                    return citizen
        raise CardError(Reason.ACCESS_KEY_REFUSED, f"SCAN_FAIL for {len(attempt.keys)} keys")

    def _scan(self, scan: "_Scan") -> bool:
        """Whether the reader read the card; False if it failed before it knew anything. Raises CardError."""
        self._send(key_line(scan.key))
        self._busy, self._heard = True, time.monotonic()
        try:
            while True:
                scan.attempt.go_on()
                for message in self._receive():
                    ended = scan.take(message)
                    if ended is not None:
                        return ended
                scan.show(self._messages.portrait_bytes)
                if self._silent(READ_SILENCE):
                    raise CardError(Reason.CARD_TIMEOUT, "the reader went silent")
        finally:
            self._messages.forget()

    def _until_idle(self, attempt: Attempt) -> None:
        """What is left of a read that was given up must not get into this one."""
        self._heard = time.monotonic()
        while self._busy and not self._silent(READ_SILENCE):
            attempt.go_on()
            self._receive()
        if not self.present:
            raise CardError(Reason.CARD_REMOVED, "before the key was sent")

    def _receive(self) -> list[Message]:
        """What came within LOOK seconds; the card's state is kept from it."""
        with _plugged(str(self._line.port)):
            data = self._line.read(max(1, self._line.in_waiting))
        now = time.monotonic()
        if data:
            self._byte = now
        elif now - self._byte > LINE_SECONDS:
            self._messages.give_up()
        progress = self._messages.portrait_bytes
        messages = self._messages.feed(data)
        if messages or self._messages.portrait_bytes > progress:
            self._heard = now
        for message in messages:
            self._keep(message)
        return messages

    def _keep(self, message: Message) -> None:
        self.alive = True
        if message is Word.DETECTED:
            self.present = True
        elif message is Word.REMOVED:
            self.present = self._busy = False
        elif message in (Word.DONE, Word.FAIL):
            self._busy = False

    def _send(self, line: bytes) -> None:
        with _plugged(str(self._line.port)):
            self._line.write(line)

    def _silent(self, seconds: float) -> bool:
        return time.monotonic() - self._heard > seconds


class _Scan:
    """What has come of one card in one read."""

    def __init__(self, key: AccessKey, attempt: Attempt) -> None:
        self.key = key
        self.attempt = attempt
        self._claims: Claims | None = None
        self._portrait: Portrait | None = None
        self._shown = 0.0

    def take(self, message: Message) -> bool | None:
        """True if the read has ended well, False if it came to nothing, None if it goes on. Raises CardError."""
        if isinstance(message, Claims):
            self._claims = message
        elif isinstance(message, Portrait):
            self._portrait = message
        elif message is Word.REMOVED:
            raise CardError(Reason.CARD_REMOVED, "while the reader read it")
        elif message is Word.FAIL and self._claims is not None:
            raise CardError(Reason.CARD_MUTE, "SCAN_FAIL in the middle of the read")
        elif message in (Word.DONE, Word.FAIL):
            return message is Word.DONE
        return None

    def show(self, portrait_bytes: int) -> None:
        """Tell the share of the whole; never goes back."""
        share = 0.1 if self._claims is None else 0.2
        share += min(portrait_bytes / TYPICAL_PORTRAIT, 1.0) * 0.75 if self._portrait is None else 0.79
        if share > self._shown:
            self._shown = share
            self.attempt.progress(min(share, 0.99))

    def citizen(self, decoder: PortraitDecoder) -> Citizen:
        """The holder; BadData if what came makes no sense."""
        portrait = b"" if self._portrait is None else decoder.decode(self._portrait.image())
        return claimed_citizen(require_claims(self._claims), self.key, portrait)
