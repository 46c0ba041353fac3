"""Chip Authentication version 1 (Doc 9303-11 §6.2), the terminal's side: EF.DG14 and the key agreement, no card needed.

The chip has shown its key only when a command under the new session keys has been answered rightly.
"""

import secrets
from dataclasses import dataclass

from asn1crypto.core import ObjectIdentifier
from asn1crypto.keys import PublicKeyInfo
from cryptography.hazmat.primitives.asymmetric import ec

from hardware.card.apdu import Command
from hardware.card.asn1 import parsing
from hardware.card.errors import BadData
from hardware.card.key_derivation import Algorithm
from hardware.card.secure_messaging import BlockCipher
from hardware.card.signatures import public_key
from hardware.card.tlv import elements, encode, need

DH, ECDH = "1", "2"
"""The arc of an agreement, in protocol and key identifiers alike."""
CA = "0.4.0.127.0.7.2.2.3."
CA_KEY = "0.4.0.127.0.7.2.2.1."
AA = "2.23.136.1.1.5"
PACE = "0.4.0.127.0.7.2.2.4."

DH_BITS = range(1024, 4097)
"""The agreement over 8192 bits takes seconds; chips have 1024 to 3072 (chip-card reference §9.12)."""
MAX_INFOS = 64
DH_PARAMETERS = frozenset({"1.2.840.113549.1.3.1", "1.2.840.10046.2.1"})
"""PKCS #3 (p, g) and X9.42 (p, g, q)."""

SEQUENCE, INTEGER, BIT_STRING, OID = 0x30, 0x02, 0x03, 0x06


@dataclass(frozen=True, slots=True)
class ChipKey:
    """A static key of the chip with the protocol it is for. `inferred`: EF.DG14 held the key only."""

    agreement: str
    algorithm: Algorithm
    key_id: bytes | None
    public: bytes
    """SubjectPublicKeyInfo."""
    inferred: bool = False

    @property
    def protocol(self) -> str:
        """The dotted object identifier that MSE:Set AT names."""
        return f"{CA}{self.agreement}.{self.algorithm.value}"


@dataclass(frozen=True, slots=True)
class SecurityInfos:
    """What EF.DG14 says. `pace` is to be compared with EF.CardAccess, which nobody signed (§9.6 of the reference)."""

    chip_keys: tuple[ChipKey, ...] = ()
    active_authentication: str | None = None
    """The dotted signature algorithm of Active Authentication."""
    pace: frozenset[str] = frozenset()


def parse_dg14(raw: bytes) -> SecurityInfos:
    """The security infos, chip keys best first; BadData if the structure breaks. Unknown infos are skipped."""
    with parsing("EF.DG14"):
        infos = [_info(value) for tag, value in elements(need(raw, 0x6E, 0x31)) if tag == SEQUENCE]
        if len(infos) > MAX_INFOS:
            raise BadData("EF.DG14: too many entries")
        keys = [(name.removeprefix(CA_KEY), parts) for name, parts in infos if name.startswith(CA_KEY)]
        offered = [(name.removeprefix(CA), parts) for name, parts in infos if name.startswith(CA)]
        active = [_oid(*parts[1]) for name, parts in infos if name == AA]
        pace = frozenset(name for name, _ in infos if name.startswith(PACE))
    return SecurityInfos(tuple(_paired(keys, offered)), active[0] if active else None, pace)


def chip_points(infos: bytes) -> list[bytes]:
    """The chip's public points in the security infos of EF.CardSecurity; BadData if the structure breaks."""
    with parsing("EF.CardSecurity"):
        entries = [_info(value) for tag, value in elements(need(infos, 0x31)) if tag == SEQUENCE]
        keys = [parts for name, parts in entries if name == CA_KEY + ECDH and parts and parts[0][0] == SEQUENCE]
        return [need(parts[0][1], BIT_STRING)[1:] for parts in keys]


_Parts = list[tuple[int, bytes]]


def _info(value: bytes) -> tuple[str, _Parts]:
    """The dotted identifier and what follows it."""
    parts = list(elements(value))
    return _oid(*parts[0]), parts[1:]


def _oid(tag: int, value: bytes) -> str:
    if tag != OID or not 1 <= len(value) <= 32:
        raise BadData("EF.DG14: not an object identifier")
    return str(ObjectIdentifier.load(encode(OID, value)).dotted)


def _key_id(parts: _Parts) -> bytes | None:
    """The optional second value."""
    return parts[1][1] if len(parts) > 1 and parts[1][0] == INTEGER else None


def _paired(keys: list[tuple[str, _Parts]], offered: list[tuple[str, _Parts]]) -> list[ChipKey]:
    """Every key with the protocols of its agreement and key number; a key that no protocol names takes 3DES.

    (Chips without ChipAuthenticationInfo are in the field and mean version 1 with 3DES: chip-card reference §4.)
    """
    pairs = []
    for agreement, parts in keys:
        if agreement not in (DH, ECDH) or not parts or parts[0][0] != SEQUENCE:
            continue
        key_id, public = _key_id(parts), encode(SEQUENCE, parts[0][1])
        for name, about in offered:
            kind, _, cipher = name.partition(".")
            version = int.from_bytes(about[0][1], "big") if about and about[0][0] == INTEGER else 0
            if kind == agreement and cipher in ("1", "2", "3", "4") and version == 1 and _key_id(about) == key_id:
                pairs.append(ChipKey(agreement, Algorithm(int(cipher)), key_id, public))
        if not offered:
            pairs.append(ChipKey(agreement, Algorithm.TRIPLE_DES, key_id, public, inferred=True))
    return sorted(pairs, key=lambda pair: (pair.algorithm, pair.agreement), reverse=True)


@dataclass(frozen=True, slots=True, repr=False)
class Agreement:
    """The terminal's fresh public key as the chip wants it, and the keys of the new session."""

    public: bytes
    keys: BlockCipher


def agree(chip: ChipKey) -> Agreement:
    """Agree with a fresh key of our own; BadData if the chip's key is none of its group."""
    with parsing("EF.DG14"):
        public, secret = (_ecdh if chip.agreement == ECDH else _dh)(chip.public)
    return Agreement(public, chip.algorithm.session_keys(secret))


def commands(chip: ChipKey, public: bytes) -> list[Command]:
    """What tells the chip our key, under the present session: MSE:Set KAT, or MSE:Set AT and GENERAL AUTHENTICATE."""
    named = encode(0x84, chip.key_id) if chip.key_id is not None else b""
    if chip.algorithm is Algorithm.TRIPLE_DES:
        return [Command(0x00, 0x22, 0x41, 0xA6, encode(0x91, public) + named)]
    protocol = encode(0x80, ObjectIdentifier(chip.protocol).contents)
    return [
        Command(0x00, 0x22, 0x41, 0xA4, protocol + named),
        Command(0x00, 0x86, 0x00, 0x00, encode(0x7C, encode(0x80, public)), 256),
    ]


def _ecdh(chip: bytes) -> tuple[bytes, bytes]:
    """Our uncompressed point, and x of the shared point at full length."""
    peer = public_key(PublicKeyInfo.load(chip))
    if not isinstance(peer, ec.EllipticCurvePublicKey):
        raise BadData("EF.DG14: not a key on a curve")
    own = ec.generate_private_key(peer.curve)
    numbers, size = own.public_key().public_numbers(), (peer.curve.key_size + 7) // 8
    public = b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
    return public, own.exchange(ec.ECDH(), peer)


def _dh(chip: bytes) -> tuple[bytes, bytes]:
    """Our public number and the shared one, both at the length of the prime."""
    prime, generator, peer, order = _dh_key(chip)
    size = (prime.bit_length() + 7) // 8
    secret = 2 + secrets.randbelow((order or prime - 1) - 3)
    return pow(generator, secret, prime).to_bytes(size, "big"), pow(peer, secret, prime).to_bytes(size, "big")


def _dh_key(chip: bytes) -> tuple[int, int, int, int | None]:
    """Prime, generator, the chip's public number, order of the subgroup if stated; BadData for weak ones."""
    (_, algorithm), (_, bits) = list(elements(need(chip, SEQUENCE)))[:2]
    (tag, name), (_, parameters) = list(elements(algorithm))[:2]
    x942 = _oid(tag, name) == "1.2.840.10046.2.1"
    if _oid(tag, name) not in DH_PARAMETERS:
        raise BadData("EF.DG14: not a Diffie-Hellman key")
    numbers = [int.from_bytes(value, "big") for tag, value in elements(parameters) if tag == INTEGER]
    prime, generator = numbers[:2]
    order = numbers[2] if x942 and len(numbers) > 2 else None
    peer = int.from_bytes(need(bits[1:], INTEGER), "big")
    weak = prime.bit_length() not in DH_BITS or prime % 2 == 0 or not 1 < generator < prime - 1
    if weak or not 1 < peer < prime - 1 or (order is not None and not _in_subgroup(prime, generator, peer, order)):
        raise BadData("EF.DG14: a weak Diffie-Hellman key")
    return prime, generator, peer, order


def _in_subgroup(prime: int, generator: int, peer: int, order: int) -> bool:
    """Both lie in the subgroup of a large stated order."""
    large = 160 <= order.bit_length() <= prime.bit_length()
    return large and pow(generator, order, prime) == 1 and pow(peer, order, prime) == 1
