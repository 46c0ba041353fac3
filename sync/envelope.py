"""Sealed envelopes: a dossier that only the province can open, with a signed manifest that says nothing personal.

Content: each blob (blob 0 the payload, then the files) is AES-256-GCM in 1 MiB chunks under one random key. A chunk's
nonce is blob number, counter and final flag; its associated data are kiosk, submission and sequence. So no chunk can be
flipped, dropped, reordered or moved to another blob or envelope. The key is sealed by HPKE (RFC 9180, base mode,
X25519, HKDF-SHA256, AES-256-GCM) with the hash of the rest of the manifest as `info`; the kiosk signs the whole.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiosk.catalogue import PROCEDURE_CODE
from kiosk.clock import utc_iso
from sync import signed

CHUNK = 1024 * 1024
TAG = 16
MOST_BLOBS = 500
MOST_BYTES = 200 * 1024 * 1024
"""Of one envelope, sealed; a dossier above it is refused at the kiosk."""

KIOSK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SUBMISSION_ID = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
_PROVISIONAL_REF = re.compile(r"[A-Z0-9-]{1,40}")
_SEALED_KEY = 32 + 32 + TAG  # encapsulated X25519 key, content key, tag
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class EnvelopeError(ValueError):
    """The envelope is not what its maker sealed; the message is for technicians and holds nothing personal."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One sealed part, named by its content: SHA-256 of the ciphertext and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Label:
    """What an envelope says of itself before it is sealed."""

    kiosk: str
    submission: str
    sequence: int
    provisional_ref: str
    procedure_code: str
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as received: checked in form, and its signature verified unless said otherwise."""

    kiosk: str
    submission: str
    sequence: int
    blobs: tuple[Blob, ...]
    key_id: str
    sealed_key: bytes
    info: bytes
    """What HPKE binds the sealed key to."""
    sha256: str
    """The identity of this manifest."""

    @property
    def context(self) -> bytes:
        """Associated data of every chunk."""
        return _context(self.kiosk, self.submission, self.sequence)


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """An envelope ready to be stored: the signed manifest, and ciphertexts by SHA-256."""

    manifest: bytes
    blobs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What was inside."""

    payload: dict[str, Any]
    files: dict[str, bytes]


def new_submission_id() -> str:
    """128 random bits, hex: not derived from the time or the citizen."""
    return secrets.token_hex(16)


def key_id(key: X25519PublicKey) -> str:
    """Names a receiver's key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def seal(
    label: Label, payload: Mapping[str, Any], files: Mapping[str, bytes], to: X25519PublicKey, by: Ed25519PrivateKey
) -> Sealed:
    """An envelope to the holder of `to`, signed `by` this kiosk. Raises EnvelopeError if it is too large."""
    content_key = AESGCM.generate_key(256)
    index = json.dumps({"payload": payload, "files": list(files)}, ensure_ascii=False).encode()
    context = _context(label.kiosk, label.submission, label.sequence)
    ciphertexts = [_encrypt(content_key, n, part, context) for n, part in enumerate((index, *files.values()))]
    if len(ciphertexts) > MOST_BLOBS or sum(map(len, ciphertexts)) > MOST_BYTES:
        raise EnvelopeError(f"{len(files)} files, more than {MOST_BLOBS} or than {MOST_BYTES} bytes")
    blobs = {hashlib.sha256(c).hexdigest(): c for c in ciphertexts}
    head = _head(label, blobs, key_id(to))
    sealed_key = _SUITE.encrypt(content_key, to, _info(head))
    document = {**head, "sealed_key": base64.b64encode(sealed_key).decode()}
    return Sealed(signed.sign("manifest", document, by), blobs)


def read_manifest(text: bytes, key: Ed25519PublicKey | None) -> Manifest:
    """The manifest if `key` signed it (None: one's own, unverified); raises EnvelopeError."""
    try:
        document = signed.verify("manifest", text, key) if key else signed.unverified("manifest", text)
        sealed_key = base64.b64decode(document.pop("sealed_key"), validate=True)
        if len(sealed_key) != _SEALED_KEY:
            raise ValueError("the sealed key has another length")
        return Manifest(
            kiosk=_matching(KIOSK_ID, document["kiosk"]),
            submission=_matching(SUBMISSION_ID, document["submission"]),
            sequence=_natural(document["sequence"]),
            blobs=_blobs(document["blobs"]),
            key_id=_matching(re.compile(r"[0-9a-f]{16}"), document["key_id"]),
            sealed_key=sealed_key,
            info=_info(document),
            sha256=signed.digest(text),
        )
    except (signed.SignatureError, KeyError, TypeError, ValueError) as error:
        raise EnvelopeError(f"manifest refused: {type(error).__name__}: {error}") from None


def open_envelope(manifest: Manifest, read: Callable[[str], bytes], key: X25519PrivateKey) -> Opened:
    """Everything inside; `read` fetches a ciphertext by SHA-256. Raises EnvelopeError if anything was altered."""
    try:
        content_key = _SUITE.decrypt(manifest.sealed_key, key, manifest.info)
    except (InvalidTag, ValueError):
        raise EnvelopeError("the content key does not open: altered, or sealed to another key") from None
    parts = [_open_blob(content_key, n, blob, read, manifest.context) for n, blob in enumerate(manifest.blobs)]
    try:
        index = json.loads(parts[0])
        names, payload = index["files"], index["payload"]
        return Opened(payload, dict(zip(names, parts[1:], strict=True)))
    except (ValueError, KeyError, TypeError):
        raise EnvelopeError("the index does not fit the files") from None


def _open_blob(content_key: bytes, number: int, blob: Blob, read: Callable[[str], bytes], context: bytes) -> bytes:
    ciphertext = read(blob.sha256)
    if len(ciphertext) != blob.size or hashlib.sha256(ciphertext).hexdigest() != blob.sha256:
        raise EnvelopeError(f"blob {number} is not the one of the manifest")
    return _decrypt(content_key, number, ciphertext, context)


def _encrypt(key: bytes, number: int, plain: bytes, context: bytes) -> bytes:
    aead = AESGCM(key)
    return b"".join(aead.encrypt(nonce, chunk, context) for nonce, chunk in _chunks(number, plain, CHUNK))


def _decrypt(key: bytes, number: int, ciphertext: bytes, context: bytes) -> bytes:
    aead = AESGCM(key)
    try:
        return b"".join(
            aead.decrypt(nonce, chunk, context) for nonce, chunk in _chunks(number, ciphertext, CHUNK + TAG)
        )
    except (InvalidTag, ValueError):
        raise EnvelopeError(f"blob {number} was altered") from None


def _chunks(number: int, content: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Nonce and chunk in order: blob (4 bytes), counter (7 bytes), final flag (1 byte). Empty content is one chunk."""
    starts = range(0, max(len(content), 1), size)
    for counter, start in enumerate(starts):
        final = counter == len(starts) - 1
        yield number.to_bytes(4) + counter.to_bytes(7) + final.to_bytes(1), content[start : start + size]


def _context(kiosk: str, submission: str, sequence: int) -> bytes:
    return f"motcua envelope 1\n{kiosk}\n{submission}\n{sequence}".encode()


def _head(label: Label, blobs: Mapping[str, bytes], receiver_key: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "kiosk": _matching(KIOSK_ID, label.kiosk),
        "submission": _matching(SUBMISSION_ID, label.submission),
        "sequence": _natural(label.sequence),
        "provisional_ref": _matching(_PROVISIONAL_REF, label.provisional_ref),
        "procedure_code": _matching(PROCEDURE_CODE, label.procedure_code),
        "clock": {"utc": utc_iso(label.sealed_at), "since_boot": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)},
        "key_id": receiver_key,
        "blobs": [{"sha256": sha256, "size": len(content)} for sha256, content in blobs.items()],
    }


def _info(head: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    return b"motcua content key 1\n" + hashlib.sha256(canonical).digest()


def _blobs(raw: list[dict[str, Any]]) -> tuple[Blob, ...]:
    blobs = tuple(Blob(_matching(SHA256, blob["sha256"]), _natural(blob["size"])) for blob in raw)
    if not 1 <= len(blobs) <= MOST_BLOBS or sum(blob.size for blob in blobs) > MOST_BYTES:
        raise ValueError(f"{len(blobs)} blobs or their sizes are out of bounds")
    if len({blob.sha256 for blob in blobs}) != len(blobs):
        raise ValueError("a blob is listed twice")
    return blobs


def _matching(pattern: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"a value does not match {pattern.pattern}")
    return text


def _natural(number: object) -> int:
    if type(number) is not int or not 0 < number < 2**53:
        raise ValueError("a number is not a positive whole one")
    return number
