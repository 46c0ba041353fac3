"""The chip's side of PACE (Doc 9303-11 §4.4): all mappings, over the groups that both sides share."""

import secrets
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from hmac import compare_digest

from hardware.card.apdu import OK
from hardware.card.card_access import CARD_ACCESS, Offer, parse_card_access
from hardware.card.errors import BadData
from hardware.card.key_derivation import PASSWORD, Algorithm
from hardware.card.mapping import Mapping, generic, integrated
from hardware.card.pace import Kind, Password, random_scalar
from hardware.card.secure_messaging import BlockCipher, pad
from hardware.card.tlv import elements, encode, find, need

WRONG_PASSWORD = 0x6300
WRONG_DATA = 0x6A80
UNKNOWN_REFERENCE = 0x6A88
NOT_SATISFIED = 0x6985
FAMILIES = {(1, False): 1, (1, True): 2, (2, False): 3, (2, True): 4, (3, True): 6}
"""The arc of a PACE protocol by mapping and whether it is over a curve."""


@dataclass(frozen=True)
class PaceProfile:
    """How a virtual card does PACE; `chip_secret` is the static key of chip authentication mapping."""

    mapping: Mapping = Mapping.GENERIC
    algorithm: Algorithm = Algorithm.AES_128
    parameters: int = 13
    chip_secret: int = field(default=0x1234567, repr=False)

    def card_access(self) -> bytes:
        """EF.CardAccess with the one PACEInfo."""
        family = FAMILIES[self.mapping, self.parameters > 7]
        protocol = bytes.fromhex("04007F0007020204") + bytes([family, self.algorithm])
        numbers = encode(0x02, b"\x02") + encode(0x02, bytes([self.parameters]))
        return encode(CARD_ACCESS.tag, encode(0x30, encode(0x06, protocol) + numbers))

    def offer(self) -> Offer:
        """The same, as a reader sees it."""
        (offer,) = parse_card_access(self.card_access())
        return offer


class ChipPace:
    """One dialogue after another; `passwords` are those the card knows."""

    def __init__(self, profile: PaceProfile, passwords: Map[Kind, Password]) -> None:
        self._profile = profile
        self._offer = profile.offer()
        self._group = self._offer.group
        self._passwords = passwords
        self.keys: BlockCipher | None = None
        """The session keys, once the terminal has proved that it knows the password."""
        self._password: Password | None = None
        self._step = 0

    def set_template(self, data: bytes) -> int:
        """MSE:Set AT."""
        try:
            parts = dict(elements(data))
        except BadData:
            return WRONG_DATA
        if parts.get(0x80) != self._offer.protocol or parts.get(0x84, b"") not in (
            b"",
            bytes([self._offer.parameters]),
        ):
            return WRONG_DATA
        kind = int.from_bytes(parts.get(0x83, b""), "big")
        self._password = next((p for known, p in self._passwords.items() if known == kind), None)
        self._step, self.keys = 0, None
        return UNKNOWN_REFERENCE if self._password is None else OK

    def authenticate(self, data: bytes) -> tuple[bytes, int]:
        """GENERAL AUTHENTICATE: the step that is due."""
        steps = (self._nonce, self._map, self._agree, self._confirm)
        password, step = self._password, self._step
        if password is None or step == len(steps):
            return b"", NOT_SATISFIED
        self._step += 1
        try:
            answer = steps[step](need(data, 0x7C), password)
        except BadData:
            answer = None
        if answer is None:
            self._password = None
            return b"", WRONG_PASSWORD if step == 3 else WRONG_DATA
        return encode(0x7C, answer), OK

    def _nonce(self, data: bytes, password: Password) -> bytes | None:
        algorithm = self._profile.algorithm
        key = algorithm.key(password.secret, PASSWORD)
        self._s = secrets.token_bytes(16 if algorithm.key_size == 16 else 32)
        return None if data else encode(0x80, algorithm.cipher(key, key).encrypt(self._s))

    def _map(self, data: bytes, _: Password) -> bytes:
        theirs = need(data, 0x81)
        if self._profile.mapping is Mapping.INTEGRATED:
            self._generator = integrated(self._group, self._profile.algorithm, self._s, theirs)
            return encode(0x82, b"")
        self._group.check(theirs)
        self._mapping_secret = random_scalar(self._group.order)
        self._generator = generic(self._group, self._s, self._mapping_secret, theirs)
        return encode(0x82, self._group.multiply(self._group.generator, self._mapping_secret))

    def _agree(self, data: bytes, _: Password) -> bytes:
        self._theirs = need(data, 0x83)
        self._group.check(self._theirs)
        secret = random_scalar(self._group.order)
        self._ours = self._group.multiply(self._generator, secret)
        self._agreed = self._profile.algorithm.session_keys(self._group.shared(self._theirs, secret))
        return encode(0x84, self._ours)

    def _confirm(self, data: bytes, _: Password) -> bytes | None:
        if not compare_digest(self._token(self._ours), find(data, 0x85) or b""):
            return None
        self.keys = self._agreed
        return encode(0x86, self._token(self._theirs)) + self._chip_data()

    def _token(self, public: bytes) -> bytes:
        body = encode(0x06, self._offer.protocol) + encode(self._group.tag, public)
        return self._agreed.token(encode(0x7F49, body))

    def _chip_data(self) -> bytes:
        """The mapping secret divided by the static one (§4.4.3.5.1)."""
        if self._profile.mapping is not Mapping.CHIP_AUTHENTICATION:
            return b""
        order = self._group.order
        ratio = self._mapping_secret * pow(self._profile.chip_secret, -1, order) % order
        plain = ratio.to_bytes((order.bit_length() + 7) // 8, "big")
        return encode(0x8A, self._agreed.encrypt(pad(plain, 16), b"\xff" * 16))
