"""What lies outside the application (Doc 9303-10 §3.11): EF.CardAccess, EF.CardSecurity, EF.ATR/INFO, the ATR."""

from functools import reduce
from operator import xor

from hardware.card.apdu import FILE_NOT_FOUND
from hardware.card.card_access import CARD_ACCESS
from hardware.card.tlv import encode
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.traits import Traits

ATR_INFO = 0x01
CARD_SECURITY = 0x1D
"""Readable only under a session of PACE."""
IDENTIFIERS = {0x2F01: ATR_INFO, 0x011C: CARD_ACCESS.sfi, 0x011D: CARD_SECURITY}
"""Short identifiers by the files' long ones."""

CAPABILITIES = bytes.fromhex("842160")
"""Selection by whole name and short identifier; octets; extended length, its limits in EF.ATR/INFO (7816-4 §12.1)."""


def root_files(pace: PaceProfile | None, traits: Traits) -> dict[int, bytes]:
    """EF.CardAccess of a chip with PACE, EF.ATR/INFO of one with extended length, by short identifier."""
    files = {CARD_ACCESS.sfi: pace.card_access()} if pace else {}
    return files | ({ATR_INFO: _atr_info(traits.buffer)} if traits.buffer else {})


def _atr_info(buffer: int) -> bytes:
    """Card capabilities, and the most bytes of a command and of an answer."""
    size = encode(0x02, buffer.to_bytes(2, "big"))
    return encode(0x47, CAPABILITIES) + encode(0x7F66, size + size)


def refusal_of(sfi: int, traits: Traits) -> int:
    """The status word for a file that is not there."""
    return traits.card_access_refusal if sfi == CARD_ACCESS.sfi else FILE_NOT_FOUND


def sfi_of(identifier: bytes, *, in_application: bool) -> int:
    """The short identifier of the file that SELECT names; 0 for none that can be."""
    if len(identifier) != 2:
        return 0
    if in_application:
        return identifier[1] if identifier[0] == 1 else 0
    return IDENTIFIERS.get(int.from_bytes(identifier, "big"), 0)


def answer_to_reset(traits: Traits) -> bytes:
    """A contactless card's (PC/SC part 3 §3.1.3.2.3); historical bytes only where there is extended length to tell."""
    history = b"\x80\x73" + CAPABILITIES if traits.buffer else b""
    body = bytes([0x80 | len(history), 0x80, 0x01]) + history
    return b"\x3b" + body + bytes([reduce(xor, body)])
