"""Signatures of documents and certificates: keys, hashes and schemes from the structure, never guessed."""

import logging
from typing import Final

from asn1crypto.algos import AlgorithmIdentifier, RSASSAPSSParams
from asn1crypto.keys import PublicKeyInfo
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hardware.card.curves import curve_of
from hardware.card.errors import BadData

log = logging.getLogger(__name__)

HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}

STRICT: Final = frozenset(HASHES) - {"sha1"}
"""Doc 9303-12 §4.1.6.4."""
DEPRECATED_TOO: Final = frozenset(HASHES)
"""With SHA-1, which occurs abroad (BSI TR-03105 part 5.1 wants such documents to verify)."""

RSA_BITS = range(2048, 8193)
MAX_SALT = 64
"""Octets of salt in a PSS signature: the longest hash."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def hash_of(name: str, accepted: frozenset[str] = STRICT) -> hashes.HashAlgorithm:
    """The hash by asn1crypto's name; BadData if it may not be used."""
    if name not in accepted:
        raise BadData(f"hash {name} is not accepted")
    return HASHES[name]()


def digest(name: str, data: bytes, accepted: frozenset[str] = STRICT) -> bytes:
    """The hash of `data`."""
    context = hashes.Hash(hash_of(name, accepted))
    context.update(data)
    return context.finalize()


def public_key(info: PublicKeyInfo, rsa_bits: range = RSA_BITS) -> PublicKey:
    """The key, within sane sizes; BadData otherwise."""
    if info.algorithm in ("rsa", "rsassa_pss"):
        numbers = info["public_key"].parsed
        modulus, exponent = int(numbers["modulus"].native), int(numbers["public_exponent"].native)
        if modulus.bit_length() not in rsa_bits or not 3 <= exponent < 1 << 32:
            raise BadData("an RSA key of unacceptable size")
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if info.algorithm == "ec":
        curve = curve_of(info["algorithm"]["parameters"])
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, info["public_key"].native)
    raise BadData("a public key of an unknown kind")


def signature_ok(
    key: PublicKey,
    algorithm: AlgorithmIdentifier,
    hash_name: str,
    signature: bytes,
    message: bytes,
    accepted: frozenset[str] = STRICT,
) -> bool:
    """Scheme and hash as the structure states them; a bare rsaEncryption or ecPublicKey takes `hash_name`."""
    try:
        hash_name = algorithm.hash_algo
    except ValueError:  # the identifier names no hash
        log.debug("signature algorithm without a hash: %s", algorithm["algorithm"].native)
    pss = algorithm["parameters"]
    return verify(key, algorithm.signature_algo, hash_name, pss, signature, message, accepted)


def verify(
    key: PublicKey,
    scheme: str,
    hash_name: str,
    pss: RSASSAPSSParams,
    signature: bytes,
    message: bytes,
    accepted: frozenset[str] = STRICT,
) -> bool:
    """Whether the signature is right. `scheme` is asn1crypto's name; `pss` is read for rsassa_pss only."""
    hashing = hash_of(hash_name, accepted)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if scheme != "ecdsa":
                return False
            key.verify(signature, message, ec.ECDSA(hashing))
        else:
            key.verify(signature, message, _rsa_padding(scheme, pss, accepted), hashing)
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _rsa_padding(scheme: str, pss: RSASSAPSSParams, accepted: frozenset[str]) -> padding.AsymmetricPadding:
    if scheme == "rsassa_pkcs1v15":
        return padding.PKCS1v15()
    if scheme != "rsassa_pss":
        raise BadData("a signature scheme that does not fit the key")
    mask, salt = pss["mask_gen_algorithm"], int(pss["salt_length"].native)
    if mask["algorithm"].native != "mgf1" or int(pss["trailer_field"]) != 1 or not 0 <= salt <= MAX_SALT:
        raise BadData("PSS parameters that nobody uses")
    return padding.PSS(padding.MGF1(hash_of(mask["parameters"]["algorithm"].native, accepted)), salt)
