"""Basic Access Control (Doc 9303-11 §4.3): the printed data opens the chip."""

import hashlib
import secrets
from dataclasses import dataclass
from hmac import compare_digest

from hardware.card.apdu import OK, Channel, Command
from hardware.card.errors import BadData, CardError
from hardware.card.mrz import check_digit, yymmdd
from hardware.card.secure_messaging import SecureMessaging, TripleDes
from kiosk.citizen import AccessKey
from kiosk.health import Reason

REFUSED = frozenset({0x6982, 0x6985, 0x6988, 0x6A80})
"""Status words, beside 63xx, by which chips in the field refuse a wrong key (chip-card reference §4)."""


@dataclass(frozen=True, slots=True, repr=False)
class PrintedKey:
    """The three values of any document's zone as printed: dates YYMMDD, the number without fillers."""

    document_number: str
    birth: str
    expiry: str


def mrz_information(key: AccessKey | PrintedKey) -> str:
    """Document number, birth and expiry, each with its check digit."""
    birth, expiry = (key.birth, key.expiry) if isinstance(key, PrintedKey) else (yymmdd(key.birth), yymmdd(key.expiry))
    number = key.document_number.ljust(9, "<")
    return "".join(part + check_digit(part) for part in (number, birth, expiry))


def key_seed(information: str) -> bytes:
    """K_seed (§4.3.2)."""
    return hashlib.sha1(information.encode("ascii"), usedforsecurity=False).digest()[:16]


def derive(seed: bytes, counter: int) -> bytes:
    """A two-key 3DES key (§9.7.1): counter 1 enciphers, 2 authenticates. DES parity set, as the specification shows."""
    digest = hashlib.sha1(seed + counter.to_bytes(4, "big"), usedforsecurity=False).digest()
    return bytes(octet & 0xFE | ((octet >> 1).bit_count() + 1) % 2 for octet in digest[:16])


def keys_from(seed: bytes) -> TripleDes:
    """Both keys of one seed."""
    return TripleDes(derive(seed, 1), derive(seed, 2))


@dataclass(frozen=True, slots=True, repr=False)
class Handshake:
    """The terminal's part of one mutual authentication."""

    keys: TripleDes
    rnd_ic: bytes
    rnd_ifd: bytes
    k_ifd: bytes

    def token(self) -> bytes:
        """E_IFD and M_IFD: what EXTERNAL AUTHENTICATE carries."""
        sealed = self.keys.encrypt(self.rnd_ifd + self.rnd_ic + self.k_ifd)
        return sealed + self.keys.mac(sealed)

    def finish(self, answer: bytes) -> SecureMessaging:
        """The session, once checksum and both nonces of the chip's answer are right; else BadData."""
        if len(answer) != 40 or not compare_digest(self.keys.mac(answer[:32]), answer[32:]):
            raise BadData("BAC: the chip's answer has a wrong checksum")
        plain = self.keys.decrypt(answer[:32])
        if not compare_digest(plain[:16], self.rnd_ic + self.rnd_ifd):
            raise BadData("BAC: the chip's answer has wrong nonces")
        seed = bytes(a ^ b for a, b in zip(self.k_ifd, plain[16:], strict=True))
        return SecureMessaging(keys_from(seed), self.rnd_ic[4:] + self.rnd_ifd[4:])


def authenticate(channel: Channel, key: AccessKey | PrintedKey) -> SecureMessaging | None:
    """Open the selected eMRTD application; None if the chip refuses this key. Raises CardError on anything else."""
    challenge = channel.send(Command(0x00, 0x84, 0, 0, le=8))
    if challenge.sw != OK or len(challenge.data) != 8:
        raise CardError(Reason.CARD_MUTE, f"GET CHALLENGE {challenge.sw:04X}")
    seed = key_seed(mrz_information(key))
    handshake = Handshake(keys_from(seed), challenge.data, secrets.token_bytes(8), secrets.token_bytes(16))
    answer = channel.send(Command(0x00, 0x82, 0, 0, handshake.token(), 40))
    if answer.sw >> 8 == 0x63 or answer.sw in REFUSED:
        return None
    if answer.sw != OK:
        raise CardError(Reason.CARD_MUTE, f"EXTERNAL AUTHENTICATE {answer.sw:04X}")
    return handshake.finish(answer.data)
