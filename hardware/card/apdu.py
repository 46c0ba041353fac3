"""Commands and answers of ISO/IEC 7816-4, and the channel that counts and bounds them."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hardware.card.errors import BadData, CardError
from kiosk.health import Reason

OK = 0x9000
END_OF_FILE = 0x6282
FILE_NOT_FOUND = 0x6A82

MAX_COMMANDS = 1000
"""Commands in one read; a chip that needs more wears us out on purpose (chip-card reference §9.12)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command, in extended form where more than 255 bytes go or more than 256 may come. `le` None: no answer."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes([self.cla, self.ins, self.p1, self.p2])

    def encode(self) -> bytes:
        """The bytes on the wire."""
        if len(self.data) > 255 or (self.le or 0) > 256:
            return self.header + b"\x00" + self._body(2)
        return self.header + self._body(1)

    def _body(self, octets: int) -> bytes:
        """Lc, data and Le with lengths of so many octets; all zeros mean the most."""
        body = len(self.data).to_bytes(octets, "big") + self.data if self.data else b""
        return body + (b"" if self.le is None else (self.le % (1 << 8 * octets)).to_bytes(octets, "big"))


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: data and status word."""

    data: bytes
    sw: int


class Channel:
    """One card's command channel: counts commands and bytes, ends at its deadline or when told to.

    `transmit` carries raw bytes both ways, `reset` makes the card forget every session; both raise CardError.
    `deadline` is on the monotonic clock, `atr` the card's answer to reset, `largest` the bytes of an APDU that the
    reader says it passes: 0 where it does not say, then only short ones go.
    """

    def __init__(
        self,
        transmit: Callable[[bytes], bytes],
        deadline: float = float("inf"),
        cancelled: Callable[[], bool] = lambda: False,
        *,
        reset: Callable[[], None] = lambda: None,
        atr: bytes = b"",
        largest: int = 0,
    ) -> None:
        self._transmit = transmit
        self._deadline = deadline
        self._cancelled = cancelled
        self.reset = reset
        self.atr = atr
        self.largest = largest
        self.commands = 0
        self.bytes = 0

    def send(self, command: Command) -> Response:
        """The card's answer; data that waits on the card (61xx) is fetched."""
        response = self._once(command.encode(), max(command.le or 0, 256))
        data = response.data
        while response.sw >> 8 == 0x61:
            response = self._once(Command(0, 0xC0, 0, 0, le=response.sw & 0xFF or 256).encode(), 256)
            data += response.data
        return Response(data, response.sw)

    def _once(self, raw: bytes, most: int) -> Response:
        if self._cancelled():
            raise CardError(Reason.CARD_REMOVED, "the visit ended")
        if time.monotonic() > self._deadline or self.commands >= MAX_COMMANDS:
            raise CardError(Reason.CARD_TIMEOUT, f"after {self.commands} commands")
        answer = self._transmit(raw)
        self.commands += 1
        self.bytes += len(raw) + len(answer)
        if not 2 <= len(answer) <= most + 2:
            raise BadData(f"an answer of {len(answer)} bytes")
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))
