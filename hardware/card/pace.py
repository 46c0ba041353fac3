"""Password Authenticated Connection Establishment (Doc 9303-11 §4.4), the terminal's side: crypto, then dialogue."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest

from hardware.card.apdu import OK, Channel, Command, Response
from hardware.card.bac import REFUSED, PrintedKey, mrz_information
from hardware.card.card_access import Offer
from hardware.card.errors import BadData, CardError
from hardware.card.groups import Group
from hardware.card.key_derivation import PASSWORD, fresh_session
from hardware.card.mapping import Mapping, generic, integrated
from hardware.card.secure_messaging import BlockCipher, SecureMessaging, unpad
from hardware.card.tlv import encode, find, need
from kiosk.citizen import AccessKey
from kiosk.health import Reason

NONCE, MAP_TO_CHIP, MAP_FROM_CHIP, KEY_TO_CHIP, KEY_FROM_CHIP = 0x80, 0x81, 0x82, 0x83, 0x84
TOKEN_TO_CHIP, TOKEN_FROM_CHIP, SEALED_CHIP_KEY = 0x85, 0x86, 0x8A
"""Data objects of the dialogue (§4.4.4.1)."""
DYNAMIC = 0x7C
MAX_NONCE = 64
UNKNOWN_PASSWORD = 0x6A88
LONG, MOST = 240, 65_536
"""Elements beyond so many bytes (2048-bit fields) need extended length."""


class Kind(IntEnum):
    """What the password is, as MSE:Set AT references it."""

    MRZ = 1
    CAN = 2


@dataclass(frozen=True, slots=True, repr=False)
class Password:
    """A password: `secret` is f(π) of §4.4.3.1."""

    kind: Kind
    secret: bytes

    @classmethod
    def from_key(cls, key: AccessKey | PrintedKey) -> "Password":
        """The printed data that also opens by BAC."""
        digest = hashlib.sha1(mrz_information(key).encode("ascii"), usedforsecurity=False).digest()
        return cls(Kind.MRZ, digest)

    @classmethod
    def from_can(cls, digits: str) -> "Password":
        """The card access number."""
        return cls(Kind.CAN, digits.encode("ascii"))


@dataclass(frozen=True, slots=True, repr=False)
class ChipProof:
    """What PACE-CAM brought: true chips know the `ratio` of their mapping key to their signed one."""

    group: Group
    mapping_key: bytes
    ratio: int

    def fits(self, public_key: bytes) -> bool:
        """Whether the chip holds the secret of the key in EF.CardSecurity (its signature is another question)."""
        self.group.check(public_key)
        return compare_digest(self.group.multiply(public_key, self.ratio), self.mapping_key)


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A session that PACE opened; `proof` after chip authentication mapping only."""

    session: SecureMessaging
    proof: ChipProof | None = None


def random_scalar(order: int) -> int:
    """A secret: neither zero nor plus or minus one."""
    return 2 + secrets.randbelow(order - 3)


class Terminal:
    """One run. Its four calls follow the four exchanges; each takes what the chip said and returns our answer.

    Every call raises BadData where the chip breaks the protocol. `scalar` and `octets` draw the secrets.
    """

    def __init__(
        self,
        offer: Offer,
        password: Password,
        scalar: Callable[[int], int] = random_scalar,
        octets: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._offer = offer
        self._group = offer.group
        self._password_key = offer.algorithm.key(password.secret, PASSWORD)
        self._scalar = scalar
        self._octets = octets
        self._chip_mapping_key = b""

    def mapping_data(self, sealed_nonce: bytes) -> bytes:
        """The chip's nonce opened; our mapping key, or our nonce for the integrated mapping."""
        cipher = self._offer.algorithm.cipher(self._password_key, self._password_key)
        if not cipher.block <= len(sealed_nonce) <= MAX_NONCE or len(sealed_nonce) % cipher.block:
            raise BadData(f"PACE: a nonce of {len(sealed_nonce)} bytes")
        self._nonce = cipher.decrypt(sealed_nonce)
        if self._offer.mapping is Mapping.INTEGRATED:
            self._mapping_data = self._octets(self._offer.algorithm.key_size)
        else:
            self._mapping_secret, self._mapping_data = self._key_pair(self._group.generator)
        return self._mapping_data

    def public_key(self, mapping_answer: bytes) -> bytes:
        """The generator mapped; our ephemeral key on it."""
        self._secret, self._public = self._key_pair(self._mapped(mapping_answer))
        return self._public

    def token(self, chip_public: bytes) -> bytes:
        """The keys agreed on; our authentication token."""
        self._check(chip_public, self._public)
        self._keys = self._offer.algorithm.session_keys(self._group.shared(chip_public, self._secret))
        return authentication_token(self._keys, self._offer, chip_public)

    def finish(self, token: bytes, sealed_chip_key: bytes | None) -> Opened:
        """The session, if the chip's token is right."""
        if not compare_digest(authentication_token(self._keys, self._offer, self._public), token):
            raise BadData("PACE: the chip's token is wrong")
        proof = self._proof(sealed_chip_key) if self._offer.mapping is Mapping.CHIP_AUTHENTICATION else None
        return Opened(fresh_session(self._keys), proof)

    def _mapped(self, answer: bytes) -> bytes:
        if self._offer.mapping is Mapping.INTEGRATED:
            return integrated(self._group, self._offer.algorithm, self._nonce, self._mapping_data)
        self._check(answer, self._mapping_data)
        self._chip_mapping_key = answer
        return generic(self._group, self._nonce, self._mapping_secret, answer)

    def _key_pair(self, generator: bytes) -> tuple[int, bytes]:
        """Drawn again if the public key begins with a zero: of a field element, some chips cut it and some do not."""
        while True:
            secret = self._scalar(self._group.order)
            public = self._group.multiply(generator, secret)
            if public[0] != 0:
                return secret, public

    def _check(self, chips: bytes, ours: bytes) -> None:
        """An element of the group, and not our own thrown back."""
        self._group.check(chips)
        if compare_digest(chips, ours):
            raise BadData("PACE: the chip echoed our key")

    def _proof(self, sealed: bytes | None) -> ChipProof:
        """Chip authentication data (§4.4.3.5.1), enciphered under a counter of minus one."""
        if sealed is None or not sealed or len(sealed) % self._keys.block:
            raise BadData("PACE: no chip authentication data")
        ratio = int.from_bytes(unpad(self._keys.decrypt(sealed, b"\xff" * self._keys.block)), "big")
        if not 1 < ratio < self._group.order - 1:
            raise BadData("PACE: chip authentication data out of range")
        return ChipProof(self._group, self._chip_mapping_key, ratio)


def authentication_token(keys: BlockCipher, offer: Offer, public: bytes) -> bytes:
    """The token over the other side's public key (§4.4.3.4)."""
    return keys.token(encode(0x7F49, encode(0x06, offer.protocol) + encode(offer.group.tag, public)))


def establish(channel: Channel, offer: Offer, password: Password, *, ambiguous: bool) -> Opened | None:
    """Open the chip; None if it refuses this password. Raises CardError on anything else.

    `ambiguous`: the chip offers several domain parameters, so it must be told which.
    """
    if not _set_template(channel, offer, password.kind, ambiguous=ambiguous):
        return None
    terminal = Terminal(offer, password)
    le = MOST if len(offer.group.generator) > LONG else 256
    sealed = need(_exchange(channel, b"", le), NONCE)
    mapping = _exchange(channel, encode(MAP_TO_CHIP, terminal.mapping_data(sealed)), le)
    public = terminal.public_key(find(mapping, MAP_FROM_CHIP) or b"")
    answer = _exchange(channel, encode(KEY_TO_CHIP, public), le)
    token = terminal.token(need(answer, KEY_FROM_CHIP))
    last = channel.send(Command(0x00, 0x86, 0, 0, encode(DYNAMIC, encode(TOKEN_TO_CHIP, token)), 256))
    if last.sw >> 8 == 0x63 or last.sw in REFUSED:
        return None
    final = _dynamic(last)
    return terminal.finish(need(final, TOKEN_FROM_CHIP), find(final, SEALED_CHIP_KEY))


def _set_template(channel: Channel, offer: Offer, kind: Kind, *, ambiguous: bool) -> bool:
    """MSE:Set AT; False if the chip has no card access number. 63Cx only warns of tries left."""
    data = encode(0x80, offer.protocol) + encode(0x83, bytes([kind]))
    if ambiguous:
        data += encode(0x84, bytes([offer.parameters]))
    answer = channel.send(Command(0x00, 0x22, 0xC1, 0xA4, data))
    if answer.sw == UNKNOWN_PASSWORD and kind is Kind.CAN:
        return False
    if answer.sw != OK and answer.sw >> 4 != 0x63C:
        raise CardError(Reason.CARD_MUTE, f"MSE:Set AT {answer.sw:04X}")
    return True


def _exchange(channel: Channel, data: bytes, le: int) -> bytes:
    """One GENERAL AUTHENTICATE of the chain, the last excepted."""
    return _dynamic(channel.send(Command(0x10, 0x86, 0, 0, encode(DYNAMIC, data), le)))


def _dynamic(answer: Response) -> bytes:
    if answer.sw != OK:
        raise CardError(Reason.CARD_MUTE, f"GENERAL AUTHENTICATE {answer.sw:04X}")
    return need(answer.data, DYNAMIC)
