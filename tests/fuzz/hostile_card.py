"""A card that bends its answers by a script: inside secure messaging, where the checksum is right again, and outside.

A script is records of four octets: which command (0 is the first), what to do, and two octets that say how.
"""

from collections.abc import Mapping
from typing import Any

from hardware.card.lds import COM, SOD
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.messaging import Answer
from kiosk.citizen import AccessKey

RECORD = 4
FIRST_FILES = (SOD.sfi, COM.sfi, 1, 2, 13, 14, 15)
STATUS_WORDS = (0x9000, 0x6282, 0x6100, 0x61FF, 0x6A82, 0x6982, 0x6C10, 0x6B00, 0x6300, 0x0000)
OUTSIDE = 6
"""From this kind on the wire is bent."""
KINDS = 12


def record(command: int, kind: int, how: int) -> bytes:
    """One record of a script."""
    return bytes([command, kind]) + how.to_bytes(2, "big")


class HostileApplet(Applet):
    """An applet with a script; `chip` is what else an Applet takes."""

    def __init__(self, script: bytes, files: Mapping[int, bytes], key: AccessKey, **chip: Any) -> None:
        self._count = -1
        self._last = b"\x90\x00"
        self._script = {
            script[at]: (script[at + 1] % KINDS, int.from_bytes(script[at + 2 : at + RECORD], "big"))
            for at in range(0, len(script) - RECORD + 1, RECORD)
        }
        super().__init__(files, key, **chip)

    def process(self, raw: bytes) -> bytes:
        """The answer to one command, bent if the script says so."""
        self._count += 1
        answer = super().process(raw)
        kind, how = self._script.get(self._count, (0, 0))
        if kind >= OUTSIDE:
            data, sw = _bent(answer[:-2], int.from_bytes(answer[-2:], "big"), kind - OUTSIDE, how, self._last[:-2])
            answer = data + sw.to_bytes(2, "big")
        self._last = answer
        return answer

    def _dispatch(self, request: Any) -> Answer:
        answer = super()._dispatch(request)
        if self._count not in self._script:
            return answer
        kind, how = self._script[self._count]
        return _bent(*answer, kind, how, b"") if kind < OUTSIDE else answer


def _bent(data: bytes, sw: int, kind: int, how: int, last: bytes) -> Answer:
    """Another status word, cut, longer, a bit flipped, a byte set, or what was said before."""
    if kind == 0:
        return data, STATUS_WORDS[how % len(STATUS_WORDS)]
    if kind == 1:
        return data[: how % (len(data) + 1)], sw
    if kind == 2:
        return data + bytes([how & 0xFF]) * (how >> 8), sw
    if kind == 5:
        return last, sw
    if not data:
        return bytes(how % 300), sw
    at = (how >> 8) % len(data) if kind == 3 else how % len(data)
    value = how & 0xFF if kind == 3 else data[at] ^ 1 << how % 8
    return data[:at] + bytes([value]) + data[at + 1 :], sw
