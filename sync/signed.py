"""Signed documents: one line of JSON, one line with its Ed25519 signature (base64). Manifests and receipts.

Signature and hash are over the JSON line exactly as it stands, so nothing depends on how JSON is written.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from kiosk.config import ConfigError, secret, text_of

MOST_BYTES = 256 * 1024
"""No signed document is larger; anything larger is refused unread."""


class SignatureError(ValueError):
    """Not a document of the expected kind signed by the expected key."""


class Signer(Protocol):
    """A private key as documents are signed with it; Ed25519 keys are such."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature."""


class Verifier(Protocol):
    """Whose signature counts; Ed25519 public keys are such."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises InvalidSignature."""


class AnyOf:
    """A signature of any of `keys` counts: while a key is replaced, the old and the new one are good."""

    def __init__(self, keys: Iterable[Verifier]) -> None:
        self._keys = tuple(keys)

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises InvalidSignature."""
        for key in self._keys:
            try:
                return key.verify(signature, data)
            except InvalidSignature:
                continue
        raise InvalidSignature


def sign(kind: str, document: Mapping[str, Any], key: Signer) -> bytes:
    """`document` with its kind, signed. Raises ValueError over MOST_BYTES."""
    line = json.dumps({**document, "kind": kind}, ensure_ascii=True, separators=(",", ":")).encode()
    signed = line + b"\n" + base64.b64encode(key.sign(line)) + b"\n"
    if len(signed) > MOST_BYTES:
        raise ValueError(f"{kind} of {len(signed)} bytes; allowed: {MOST_BYTES}")
    return signed


def verify(kind: str, signed: bytes, key: Verifier) -> dict[str, Any]:
    """The document if `key` signed it as this kind; raises SignatureError."""
    document = unverified(kind, signed)
    line, signature = _lines(signed)
    try:
        key.verify(signature, line)
    except InvalidSignature:
        raise SignatureError(f"signature of the {kind} is wrong") from None
    return document


def unverified(kind: str, signed: bytes) -> dict[str, Any]:
    """The document without asking who signed it: only for one's own, or to learn whose key to ask for."""
    line, _ = _lines(signed)
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise SignatureError(f"the {kind} is not JSON") from None
    if not isinstance(document, dict) or document.pop("kind", None) != kind:
        raise SignatureError(f"this is not a {kind}")
    return document


def digest(signed: bytes) -> str:
    """SHA-256 (hex) of the JSON line: the identity of a document."""
    return hashlib.sha256(_lines(signed)[0]).hexdigest()


def _lines(signed: bytes) -> tuple[bytes, bytes]:
    parts = signed.split(b"\n")
    if len(signed) > MOST_BYTES or len(parts) != 3 or parts[2]:
        raise SignatureError("not one line of JSON and one of signature")
    try:
        signature = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the signature line is not base64") from None
    if base64.b64encode(signature) != parts[1]:
        raise SignatureError("the signature line is not canonical base64")
    return parts[0], signature


def signing_key(path: Path, what: str) -> Ed25519PrivateKey:
    """The Ed25519 private key in a PEM file; raises ConfigError."""
    key = _loaded(path, what, _private)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: {what} must be an Ed25519 private key in PEM")
    return key


def opening_key(path: Path, what: str) -> X25519PrivateKey:
    """The X25519 private key in a PEM file; raises ConfigError."""
    key = _loaded(path, what, _private)
    if not isinstance(key, X25519PrivateKey):
        raise ConfigError(f"{path}: {what} must be an X25519 private key in PEM")
    return key


_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def verifying_key(path: Path, what: str) -> Verifier:
    """The Ed25519 public key in a PEM file, or any of those in it; raises ConfigError."""
    keys = _loaded(path, what, _public_keys)
    if not isinstance(keys, list) or not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise ConfigError(f"{path}: {what} must be an Ed25519 public key in PEM")
    return AnyOf(keys)


def _public_keys(pem: bytes) -> object:
    found = _PEM.findall(pem)
    if not found:
        raise ValueError("no public key")
    return [load_pem_public_key(one) for one in found]


def sealing_key(path: Path, what: str) -> X25519PublicKey:
    """The X25519 public key in a PEM file; raises ConfigError."""
    key = _loaded(path, what, load_pem_public_key)
    if not isinstance(key, X25519PublicKey):
        raise ConfigError(f"{path}: {what} must be an X25519 public key in PEM")
    return key


def _private(pem: bytes) -> object:
    return load_pem_private_key(pem, None)


def _loaded(path: Path, what: str, load: Callable[[bytes], object]) -> object:
    pem = (secret if load is _private else text_of)(path, what).encode()
    try:
        return load(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"{path}: {what} is not a key in PEM") from None
