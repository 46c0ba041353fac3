"""Signatures of documents and certificates: keys, hashes and schemes from the structure, never guessed."""

from typing import Final

from asn1crypto.algos import RSASSAPSSParams
from asn1crypto.keys import PublicKeyInfo
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hardware.card.curves import curve_of
from hardware.card.errors import BadData

HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
"""Doc 9303-12 §4.1.6.4. SHA-1 occurs abroad; an ID card of this country is held to the specification."""

RSA_BITS = range(2048, 8193)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def hash_of(name: str) -> hashes.HashAlgorithm:
    """The hash by asn1crypto's name; BadData if it may not be used."""
    if name not in HASHES:
        raise BadData(f"hash {name} is not accepted")
    return HASHES[name]()


def digest(name: str, data: bytes) -> bytes:
    """The hash of `data`."""
    context = hashes.Hash(hash_of(name))
    context.update(data)
    return context.finalize()


def public_key(info: PublicKeyInfo) -> PublicKey:
    """The key, within sane sizes; BadData otherwise."""
    if info.algorithm in ("rsa", "rsassa_pss"):
        numbers = info["public_key"].parsed
        modulus, exponent = int(numbers["modulus"].native), int(numbers["public_exponent"].native)
        if modulus.bit_length() not in RSA_BITS or not 3 <= exponent < 1 << 32:
            raise BadData("an RSA key of unacceptable size")
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if info.algorithm == "ec":
        curve = curve_of(info["algorithm"]["parameters"])
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, info["public_key"].native)
    raise BadData("a public key of an unknown kind")


def verify(key: PublicKey, scheme: str, hash_name: str, pss: RSASSAPSSParams, signature: bytes, message: bytes) -> bool:
    """Whether the signature is right. `scheme` is asn1crypto's name; `pss` is read for rsassa_pss only."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if scheme != "ecdsa":
                return False
            key.verify(signature, message, ec.ECDSA(hash_of(hash_name)))
        else:
            key.verify(signature, message, _rsa_padding(scheme, pss), hash_of(hash_name))
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _rsa_padding(scheme: str, pss: RSASSAPSSParams) -> padding.AsymmetricPadding:
    if scheme == "rsassa_pkcs1v15":
        return padding.PKCS1v15()
    if scheme != "rsassa_pss":
        raise BadData("a signature scheme that does not fit the key")
    masking = pss["mask_gen_algorithm"]["parameters"]["algorithm"].native
    return padding.PSS(padding.MGF1(hash_of(masking)), int(pss["salt_length"].native))
