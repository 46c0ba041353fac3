"""The chip's own keys and how its files show them (Doc 9303-11 §6, §9.2): EF.DG14, EF.DG15, EF.CardSecurity."""

import hashlib
import secrets
from dataclasses import dataclass

from asn1crypto import core
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hardware.card.domain_parameters import STANDARDISED
from hardware.card.groups import Curve, Group, PrimeField
from hardware.card.key_derivation import Algorithm
from hardware.card.lds import data_group
from hardware.card.tlv import encode, need
from hardware.simulators.personalisation.pace import PaceProfile

TRAILERS = {"sha1": b"\xbc", "sha224": b"\x38\xcc", "sha256": b"\x34\xcc", "sha384": b"\x36\xcc", "sha512": b"\x35\xcc"}
"""The end of the block that an RSA key signs (ISO/IEC 10118-3 hash identifiers)."""
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
"""In the order of the arcs of ecdsa-plain-signatures (BSI TR-03111 §5.2.1)."""

PUBLIC_KEY = bytes.fromhex("04007F0007020201")
CHIP_AUTHENTICATION = bytes.fromhex("04007F0007020203")
ACTIVE_AUTHENTICATION = bytes.fromhex("678108010105")
PLAIN_ECDSA = bytes.fromhex("04007F000701010401")
STANDARDISED_PARAMETERS = bytes.fromhex("04007F00070102")
EC_PUBLIC_KEY = bytes.fromhex("2A8648CE3D0201")
PRIME_FIELD = bytes.fromhex("2A8648CE3D0101")
DH_PUBLIC_NUMBER = bytes.fromhex("2A8648CE3E0201")


@dataclass(frozen=True, slots=True, repr=False)
class ActiveSecret:
    """The key of Active Authentication. `der`: its ECDSA answers are DER, as some chips have it, not plain r‖s."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    hash_name: str
    der: bool = False

    def answer(self, challenge: bytes) -> bytes:
        """What INTERNAL AUTHENTICATE returns."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self._recoverable(self.key, challenge)
        signature = self.key.sign(challenge, ec.ECDSA(HASHES[self.hash_name]()))
        size = (self.key.curve.key_size + 7) // 8
        plain = b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(signature))
        return signature if self.der else plain

    def _recoverable(self, key: rsa.RSAPrivateKey, challenge: bytes) -> bytes:
        """ISO/IEC 9796-2 scheme 1: header, random M1, hash over M1 and the challenge, trailer."""
        trailer, size = TRAILERS[self.hash_name], key.key_size // 8
        digest_size = hashlib.new(self.hash_name).digest_size
        recoverable = secrets.token_bytes(size - 1 - digest_size - len(trailer))
        digest = hashlib.new(self.hash_name, recoverable + challenge).digest()
        numbers = key.private_numbers()
        block = int.from_bytes(b"\x6a" + recoverable + digest + trailer, "big")
        return pow(block, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")

    def dg15(self) -> bytes:
        """EF.DG15 with the public key; a curve is spelled out."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            return encode(data_group(15).tag, self.key.public_key().public_bytes(*form))
        curve = _curve_of(self.key.curve)
        numbers = self.key.public_key().public_numbers()
        return encode(data_group(15).tag, _curve_key(curve, curve.encode((numbers.x, numbers.y))))

    def info(self) -> bytes:
        """ActiveAuthenticationInfo, which only ECDSA needs."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return b""
        algorithm = PLAIN_ECDSA + bytes([1 + list(HASHES).index(self.hash_name)])
        return _info(ACTIVE_AUTHENTICATION, _number(1), encode(0x06, algorithm))


@dataclass(frozen=True, slots=True, repr=False)
class StaticSecret:
    """The key of Chip Authentication. Not `announced`: EF.DG14 has the key without a protocol, which means 3DES."""

    algorithm: Algorithm
    parameters: int
    """Identifier of the domain parameters, as PACE numbers them."""
    secret: int
    key_id: int | None = None
    announced: bool = True

    @property
    def group(self) -> Group:
        """Where the agreement takes place."""
        return STANDARDISED[self.parameters]

    @property
    def protocol(self) -> bytes:
        """id-CA with agreement and cipher."""
        return CHIP_AUTHENTICATION + bytes([self._agreement, self.algorithm])

    @property
    def _agreement(self) -> int:
        return 2 if isinstance(self.group, Curve) else 1

    def infos(self) -> bytes:
        """ChipAuthenticationInfo and ChipAuthenticationPublicKeyInfo."""
        number = b"" if self.key_id is None else _number(self.key_id)
        public = self.group.multiply(self.group.generator, self.secret)
        key = _info(PUBLIC_KEY + bytes([self._agreement]), _key_info(self.group, public), number)
        return (_info(self.protocol, _number(1), number) if self.announced else b"") + key


@dataclass(frozen=True, slots=True, repr=False)
class ChipSecrets:
    """The private keys inside one chip."""

    active: ActiveSecret | None = None
    chip: StaticSecret | None = None


NO_SECRETS = ChipSecrets()


def security_groups(chip: ChipSecrets, pace: PaceProfile | None) -> dict[int, bytes]:
    """EF.DG14, which repeats the infos of EF.CardAccess, and EF.DG15; those that the chip needs."""
    infos = need(pace.card_access(), 0x31) if pace else b""
    infos += chip.chip.infos() if chip.chip else b""
    infos += chip.active.info() if chip.active else b""
    groups = {14: encode(data_group(14).tag, encode(0x31, infos))} if infos else {}
    return groups | ({15: chip.active.dg15()} if chip.active else {})


def card_security_infos(pace: PaceProfile) -> bytes:
    """SecurityInfos of EF.CardSecurity: those of EF.CardAccess and the static key of the mapping (§9.2).

    The key names the standardised parameters of PACE, and bears their number.
    """
    group = STANDARDISED[pace.parameters]
    algorithm = encode(0x06, STANDARDISED_PARAMETERS) + _number(pace.parameters)
    public = group.multiply(group.generator, pace.chip_secret)
    key = encode(0x30, encode(0x30, algorithm) + encode(0x03, b"\x00" + public))
    own = _info(PUBLIC_KEY + b"\x02", key, _number(pace.parameters))
    return encode(0x31, need(pace.card_access(), 0x31) + own)


def _info(protocol: bytes, *values: bytes) -> bytes:
    return encode(0x30, encode(0x06, protocol) + b"".join(values))


def _number(value: int) -> bytes:
    return bytes(core.Integer(value).dump())


def _curve_of(engine: ec.EllipticCurve) -> Curve:
    return next(group for group in STANDARDISED.values() if isinstance(group, Curve) and group.is_of(engine))


def _key_info(group: Group, public: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return _curve_key(group, public) if isinstance(group, Curve) else _field_key(group, public)


def _curve_key(curve: Curve, point: bytes) -> bytes:
    """With explicit parameters (Doc 9303-12 §4.1.6.3)."""
    field = encode(0x30, encode(0x06, PRIME_FIELD) + _number(curve.prime))
    a, b = (encode(0x04, number.to_bytes(curve.size, "big")) for number in (curve.a, curve.b))
    domain = _number(1) + field + encode(0x30, a + b) + encode(0x04, curve.generator)
    parameters = encode(0x30, domain + _number(curve.order) + _number(1))
    algorithm = encode(0x30, encode(0x06, EC_PUBLIC_KEY) + parameters)
    return encode(0x30, algorithm + encode(0x03, b"\x00" + point))


def _field_key(group: Group, public: bytes) -> bytes:
    """In the form of X9.42: p, g, q."""
    assert isinstance(group, PrimeField)
    numbers = (group.prime, int.from_bytes(group.generator, "big"), group.order)
    parameters = encode(0x30, b"".join(map(_number, numbers)))
    algorithm = encode(0x30, encode(0x06, DH_PUBLIC_NUMBER) + parameters)
    return encode(0x30, algorithm + encode(0x03, b"\x00" + _number(int.from_bytes(public, "big"))))
