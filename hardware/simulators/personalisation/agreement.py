"""The chip's side of Chip Authentication version 1 (Doc 9303-11 §6.2.4): one key, new keys for secure messaging."""

from hardware.card.apdu import OK
from hardware.card.errors import BadData
from hardware.card.key_derivation import Algorithm
from hardware.card.secure_messaging import BlockCipher
from hardware.card.tlv import elements, encode, need
from hardware.simulators.personalisation.chip_keys import StaticSecret
from hardware.simulators.personalisation.messaging import Answer

WRONG_DATA = 0x6A80
UNKNOWN_REFERENCE = 0x6A88
KEY_AGREEMENT, AUTHENTICATION = 0xA6, 0xA4
"""P2 of MSE:Set: the templates KAT (3DES) and AT (AES)."""


class ChipAgreement:
    """The dialogue with a terminal; `keys` are those agreed on, until somebody takes them."""

    def __init__(self, own: StaticSecret) -> None:
        self._own = own
        self.keys: BlockCipher | None = None
        self.pending = False
        """MSE:Set AT has been; GENERAL AUTHENTICATE is due."""

    def set_template(self, template: int, data: bytes) -> int:
        """MSE:Set KAT, which agrees at once, or MSE:Set AT. Returns the status word."""
        try:
            parts = dict(elements(data))
        except BadData:
            return WRONG_DATA
        if not self._names_key(parts.get(0x84)):
            return UNKNOWN_REFERENCE
        triple_des = self._own.algorithm is Algorithm.TRIPLE_DES
        if template == KEY_AGREEMENT and triple_des:
            return self._agree(parts.get(0x91, b""))
        self.pending = template == AUTHENTICATION and not triple_des and parts.get(0x80) == self._own.protocol
        return OK if self.pending else WRONG_DATA

    def authenticate(self, data: bytes) -> Answer:
        """GENERAL AUTHENTICATE with the terminal's public key."""
        self.pending = False
        try:
            sw = self._agree(need(data, 0x7C, 0x80))
        except BadData:
            sw = WRONG_DATA
        return (encode(0x7C, b""), OK) if sw == OK else (b"", sw)

    def _names_key(self, reference: bytes | None) -> bool:
        """A key without number is not named; one with a number may be."""
        own = self._own.key_id
        return reference is None or (own is not None and int.from_bytes(reference, "big") == own)

    def _agree(self, theirs: bytes) -> int:
        group = self._own.group
        try:
            group.check(theirs)
        except BadData:
            return WRONG_DATA
        self.keys = self._own.algorithm.session_keys(group.shared(theirs, self._own.secret))
        return OK
