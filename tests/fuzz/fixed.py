"""Keys that are the same in every process, and files made with them. None of them guards anything."""

from asn1crypto.core import Integer, ObjectIdentifier
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import documents as make
from hardware.card.domain_parameters import STANDARDISED
from hardware.card.groups import PrimeField
from hardware.card.tlv import encode

CHALLENGE = bytes(range(8))
CA, CA_KEY, AA = "0.4.0.127.0.7.2.2.3", "0.4.0.127.0.7.2.2.1", "2.23.136.1.1.5"


def ec_key(number: int, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """The key with this secret."""
    return ec.derive_private_key(number, curve or ec.SECP256R1())


def _rsa(p: int, q: int) -> rsa.RSAPrivateKey:
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


AA_RSA = _rsa((18 * (1 << 511) // 10 | 1) + 632, (19 * (1 << 511) // 10 | 1) + 782)
"""1024 bits: the first primes above 0.9 and 0.95 times 2^512."""
AA_EC = ec_key(0x1234567, ec.BrainpoolP256R1())


def recoverable(block: bytes) -> bytes:
    """The signature from which the RSA key's owner lets everybody recover the block, cut to the modulus."""
    numbers = AA_RSA.private_numbers()
    number = int.from_bytes(block[:128], "big") % numbers.public_numbers.n
    return pow(number, numbers.d, numbers.public_numbers.n).to_bytes(128, "big")


def dg15(key: make.Key) -> bytes:
    """EF.DG15 with the key."""
    return encode(0x6F, make.public_info(key).dump())


def _info(oid: str, *values: bytes) -> bytes:
    return encode(0x30, ObjectIdentifier(oid).dump() + b"".join(values))


def _number(value: int) -> bytes:
    return bytes(Integer(value).dump())


def dg14s() -> list[bytes]:
    """EF.DG14 with keys on a curve (named, spelt out) and in prime fields, and with what else may be in it."""
    one, two = _number(1), _number(2)
    named, explicit = make.public_info(AA_EC).dump(), make.public_info(AA_EC, {}).dump()
    active = _info(AA, one, ObjectIdentifier("0.4.0.127.0.7.1.1.4.1.3").dump())
    pace = _info("0.4.0.127.0.7.2.2.4.2.2", two, _number(13))
    files = (
        (_info(f"{CA}.2.2", one, two), _info(f"{CA_KEY}.2", named, two), active, pace),
        (_info(f"{CA}.2.1", one), _info(f"{CA_KEY}.2", explicit)),
        (_info(f"{CA}.1.4", one), _info(f"{CA_KEY}.1", _field_key())),
        (_info(f"{CA_KEY}.1", _field_key()),),
        *((_info(f"{CA_KEY}.1", _large_field_key(bits)),) for bits in (4096, 8192)),
    )
    return [encode(0x6E, encode(0x31, b"".join(infos))) for infos in files]


def _field_key() -> bytes:
    group = STANDARDISED[0]
    assert isinstance(group, PrimeField)
    generator = int.from_bytes(group.generator, "big")
    numbers = _number(group.prime) + _number(generator) + _number(group.order)
    algorithm = encode(0x30, ObjectIdentifier("1.2.840.10046.2.1").dump() + encode(0x30, numbers))
    return encode(0x30, algorithm + encode(0x03, b"\x00" + _number(pow(generator, 12345, group.prime))))


def _large_field_key(bits: int) -> bytes:
    """A modulus of so many bits, which need not be prime, without a subgroup."""
    modulus = (1 << bits) - 1
    numbers = _number(modulus) + _number(modulus - 5)
    algorithm = encode(0x30, ObjectIdentifier("1.2.840.113549.1.3.1").dump() + encode(0x30, numbers))
    return encode(0x30, algorithm + encode(0x03, b"\x00" + _number(modulus - 7)))
