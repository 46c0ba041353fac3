"""What a printer says about itself: ESC/POS real-time status (DLE EOT 1–4), sorted out of the bytes it sends."""

from dataclasses import dataclass

from kiosk.health import Failure, Level, Reason

ASK = b"".join(b"\x10\x04" + bytes([n]) for n in (1, 2, 3, 4))
"""DLE EOT 1 printer, 2 offline cause, 3 error, 4 paper sensors: four answers of one byte, in this order."""

BARRIER = b"\x1dr\x01"
"""GS r 1: answered in its turn, that is after everything sent before it has been executed."""

RECOVER = b"\x10\x05\x02"
"""DLE ENQ 2: leave the error state (cutter) and clear both buffers. Executed at once, even offline."""

CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 8: clear receive and print buffers. Executed at once, even offline."""

BLOCK, BLOCK_END, BLOCK_LIMIT = 0x37, 0x00, 80  # «37h … 00h»: answers in blocks, e.g. to DLE DC4 8


@dataclass(frozen=True, slots=True)
class Condition:
    """What a printer can do now and why."""

    level: Level
    reason: Reason
    detail: str = ""

    @property
    def prints(self) -> bool:
        """Whether a slip can be printed."""
        return self.level in (Level.READY, Level.DEGRADED)

    @property
    def failure(self) -> Failure:
        """The same, as the result of a job."""
        return Failure(self.reason, self.detail)


READY = Condition(Level.READY, Reason.OK)
MUTE = Condition(Level.FAULT, Reason.PRINTER_ERROR, "executes nothing and names no cause")


def judge(printer: int, offline: int, error: int, paper: int) -> Condition:
    """The condition behind the four answers; what a person has to do first comes first."""
    fault = Level.FAULT
    if offline & 0x04:
        return Condition(fault, Reason.COVER_OPEN)
    if paper & 0x60 or offline & 0x20:
        return Condition(fault, Reason.PAPER_OUT)
    if error & 0x0C:  # bit 3 cutter, bit 2 mechanical: on older models the same jam
        return Condition(fault, Reason.PAPER_JAM, "cutter or mechanical error")
    if error & 0x20:
        return Condition(fault, Reason.PRINTER_ERROR, "unrecoverable error")
    if error & 0x40:
        return Condition(fault, Reason.PRINTER_ERROR, "print head too hot, or voltage")
    if offline & 0x40 or printer & 0x08:
        return Condition(fault, Reason.PRINTER_ERROR, "offline without a named cause")
    if paper & 0x0C:
        return Condition(Level.DEGRADED, Reason.PAPER_LOW)
    return READY


class Answers:
    """Sorts the bytes that come from the printer: status bytes, barriers, and blocks that nobody waits for."""

    def __init__(self) -> None:
        self.status: list[int] = []
        """Real-time status bytes, oldest first: 0xx1xx10b."""
        self.barriers = 0
        """How many GS r have been answered: 0xx0xxxxb."""
        self._block = 0

    def take(self, data: bytes) -> None:
        """Sort `data`; anything unknown (flow control, automatic status) is dropped."""
        for byte in data:
            if self._block:
                self._block = 0 if byte == BLOCK_END else (self._block + 1) % BLOCK_LIMIT
            elif byte == BLOCK:
                self._block = 1
            elif byte & 0x93 == 0x12:
                self.status.append(byte)
            elif byte & 0x90 == 0x00:
                self.barriers += 1
