"""Codes out of a stream of bytes: lines ended by CR or LF, UTF-8, NFC."""

from kiosk.text import nfc

LONGEST = 1000
"""Bytes of one code; the QR code of an ID card has about 200."""


class Unreadable(ValueError):
    """A line that is no code; the message says why and holds nothing of it."""


class Lines:
    """Puts bytes together into lines."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[str | Unreadable]:
        """The codes that `data` completes, in order; empty lines are none."""
        read: list[str | Unreadable] = []
        for byte in data:
            if byte in b"\r\n":
                read += self._finished()
            elif len(self._line) <= LONGEST:
                self._line.append(byte)
        return read

    def forget(self) -> None:
        """Drop the line that has begun, and its rest when it comes."""
        self._skipping = self._skipping or bool(self._line)
        self._line.clear()

    def give_up(self) -> list[Unreadable]:
        """Drop the line that has begun: its end does not come."""
        begun = bool(self._line) and not self._skipping
        self._line.clear()
        self._skipping = False
        return [Unreadable("a code without an end")] if begun else []

    def _finished(self) -> list[str | Unreadable]:
        line, skipped = bytes(self._line), self._skipping
        self._line.clear()
        self._skipping = False
        if skipped:
            return []
        if len(line) > LONGEST:
            return [Unreadable(f"a code of more than {LONGEST} bytes")]
        try:
            code = nfc(line.decode("utf-8"))
        except UnicodeDecodeError:
            return [Unreadable("a code that is not UTF-8")]
        return [code] if code else []
