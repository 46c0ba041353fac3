"""Active Authentication (Doc 9303-11 §6.1): the chip signs a challenge with the key of EF.DG15, so it is no copy."""

import hashlib
import secrets
from hmac import compare_digest

from asn1crypto.keys import PublicKeyInfo
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hardware.card.asn1 import parsing
from hardware.card.errors import BadData
from hardware.card.signatures import DEPRECATED_TOO, PublicKey, hash_of, public_key
from hardware.card.tlv import need

CHALLENGE_BYTES = 8
RSA_BITS = range(1024, 4097)
"""Doc 9303-12 §4.1.6.2 lets keys of chips be shorter than those of issuers: they sign for one moment only."""

TRAILERS = {0x33: "sha1", 0x34: "sha256", 0x35: "sha512", 0x36: "sha384", 0x38: "sha224"}
"""Hash identifiers before the trailer CC (ISO/IEC 10118-3); the trailer BC alone means SHA-1."""

PLAIN_ECDSA = {
    "0.4.0.127.0.7.1.1.4.1.1": "sha1",
    "0.4.0.127.0.7.1.1.4.1.2": "sha224",
    "0.4.0.127.0.7.1.1.4.1.3": "sha256",
    "0.4.0.127.0.7.1.1.4.1.4": "sha384",
    "0.4.0.127.0.7.1.1.4.1.5": "sha512",
}
"""Signature algorithms of ActiveAuthenticationInfo (BSI TR-03111 §5.2.1), which names the hash that ECDSA takes."""


def challenge() -> bytes:
    """RND.IFD: never used twice."""
    return secrets.token_bytes(CHALLENGE_BYTES)


def key_of_dg15(raw: bytes) -> PublicKey:
    """The chip's public key; BadData if it is none that we accept."""
    with parsing("EF.DG15"):
        return public_key(PublicKeyInfo.load(need(raw, 0x6F)), RSA_BITS)


def proves_key(key: PublicKey, challenged: bytes, response: bytes, algorithm: str | None = None) -> bool:
    """Whether the answer to INTERNAL AUTHENTICATE shows the key.

    `algorithm` is the dotted signature algorithm of EF.DG14; ECDSA needs it, BadData if it is missing or unknown.
    """
    if len(challenged) != CHALLENGE_BYTES:
        raise BadData("Active Authentication: not a challenge")
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa_ok(key, challenged, response)
    name = PLAIN_ECDSA.get(algorithm or "")
    if name is None:
        raise BadData("Active Authentication: EF.DG14 does not name the hash")
    return _ecdsa_ok(key, challenged, response, hash_of(name, DEPRECATED_TOO))


def _ecdsa_ok(
    key: ec.EllipticCurvePublicKey, challenged: bytes, response: bytes, hashing: hashes.HashAlgorithm
) -> bool:
    """Plain r‖s as the specification has it, or DER as some chips answer."""
    half = (key.curve.key_size + 7) // 8
    der = response
    if len(response) == 2 * half:
        r, s = (int.from_bytes(part, "big") for part in (response[:half], response[half:]))
        der = encode_dss_signature(r, s)
    try:
        key.verify(der, challenged, ec.ECDSA(hashing))
    except InvalidSignature:
        return False
    return True


def _rsa_ok(key: rsa.RSAPublicKey, challenged: bytes, response: bytes) -> bool:
    """ISO/IEC 9796-2 digital signature scheme 1 with partial recovery: every octet of the block is accounted for."""
    numbers = key.public_numbers()
    size = (key.key_size + 7) // 8
    signature = int.from_bytes(response, "big")
    if len(response) > size or not 0 < signature < numbers.n:
        return False
    number = pow(signature, numbers.e, numbers.n)
    if number & 0xF != 0xC:
        number = numbers.n - number  # the scheme lets a signer send the smaller of s and n - s
    return _block_ok(number.to_bytes(size, "big"), challenged)


def _block_ok(block: bytes, challenged: bytes) -> bool:
    """Header, M1, hash over M1 and the challenge, trailer."""
    if block[-1] == 0xBC:
        name, trailer = "sha1", 1
    elif block[-1] == 0xCC and block[-2] in TRAILERS:
        name, trailer = TRAILERS[block[-2]], 2
    else:
        return False
    start = _after_header(block)
    end = len(block) - trailer - hashlib.new(name).digest_size
    if start is None or end < start:
        return False
    expected = hashlib.new(name, block[start:end] + challenged).digest()
    return compare_digest(block[end : len(block) - trailer], expected)


def _after_header(block: bytes) -> int | None:
    """Where M1 starts: after nibbles 6 (01 and «more data») and B (padding, any number) and the border nibble A."""
    nibbles = block.hex()
    padding = len(nibbles[1:]) - len(nibbles[1:].lstrip("b"))
    border = 1 + padding
    if nibbles[0] != "6" or nibbles[border] != "a" or border % 2 == 0:
        return None
    return (border + 1) // 2
