"""Sealed envelopes: a dossier that only the province can open, with a signed manifest that says nothing personal.

Content: each blob (blob 0 the payload, then the files) is AES-256-GCM in 1 MiB chunks under one random key. A chunk's
nonce is blob number, counter and final flag; its associated data are kiosk, submission and sequence. So no chunk can be
flipped, dropped, reordered or moved to another blob or envelope. The key is sealed by HPKE (RFC 9180, base mode,
X25519, HKDF-SHA256, AES-256-GCM) to each recipient, the receiver and the offline recovery key, with the hash of the
rest of the manifest and the recipients' key ids as `info`; the kiosk signs the whole. Version 1 (one recipient) is read
for ever.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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
KEY_ID = re.compile(r"[0-9a-f]{16}")
REFERENCE_UID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_RECIPIENTS = 8
_PROVISIONAL_REF = re.compile(r"[A-Z0-9-]{1,40}")
_FORM_VERSION = re.compile(r"[ -~]{0,80}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SEALED_KEY = 32 + 32 + TAG  # encapsulated X25519 key, content key, tag
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class EnvelopeError(ValueError):
    """The envelope is not what its maker sealed; the message is for technicians and holds nothing personal."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One sealed part, named by its content: SHA-256 of the ciphertext and its size in bytes."""

    sha256: str
    size: int

    def check(self, ciphertext: bytes) -> None:
        """Raises EnvelopeError if this is not the part that was sealed."""
        if len(ciphertext) != self.size or hashlib.sha256(ciphertext).hexdigest() != self.sha256:
            raise EnvelopeError("a part is not the one of the manifest")


@dataclass(frozen=True, slots=True)
class Label:
    """What an envelope says of itself before it is sealed."""

    kiosk: str
    submission: str
    sequence: int
    provisional_ref: str
    procedure_code: str
    sealed_at: datetime
    reference_uid: str
    form_version: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as received: checked in form, and its signature verified unless said otherwise."""

    kiosk: str
    submission: str
    sequence: int
    blobs: tuple[Blob, ...]
    schema: int
    sealed_keys: Mapping[str, bytes]
    """The content key, sealed to each recipient, by the id of the recipient's key."""
    info: bytes
    """What HPKE binds the sealed keys to."""
    sha256: str
    """The identity of this manifest."""
    provisional_ref: str
    reference_uid: str
    """Empty in version 1."""
    sealed_at: str
    """As the kiosk's clock had it: a label, nothing is decided by it."""

    @property
    def context(self) -> bytes:
        """Associated data of every chunk."""
        return _context(self.schema, self.kiosk, self.submission, self.sequence)


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


Keep = Callable[[Iterator[bytes]], Blob]
"""Stores a ciphertext that comes in pieces; says what it stored."""


def seal(
    label: Label,
    payload: Mapping[str, Any],
    files: Mapping[str, bytes],
    to: Sequence[X25519PublicKey],
    by: Ed25519PrivateKey,
) -> Sealed:
    """An envelope in memory to the holders of `to`, signed `by` this kiosk. Raises EnvelopeError if it is too large."""
    blobs: dict[str, bytes] = {}

    def keep(pieces: Iterator[bytes]) -> Blob:
        content = b"".join(pieces)
        blob = Blob(hashlib.sha256(content).hexdigest(), len(content))
        blobs[blob.sha256] = content
        return blob

    return Sealed(seal_into(keep, label, payload, files, to, by), blobs)


def seal_into(
    keep: Keep,
    label: Label,
    payload: Mapping[str, Any],
    files: Mapping[str, bytes],
    to: Sequence[X25519PublicKey],
    by: Ed25519PrivateKey,
) -> bytes:
    """Seal piece by piece into `keep`, so that no ciphertext is whole in memory; the signed manifest.

    Raises EnvelopeError if it is too large, before anything is kept.
    """
    index = json.dumps({"payload": payload, "files": list(files)}, ensure_ascii=False).encode()
    parts = (index, *files.values())
    if len(parts) > MOST_BLOBS or sum(len(part) + TAG * (len(part) // CHUNK + 1) for part in parts) > MOST_BYTES:
        raise EnvelopeError(f"{len(files)} files, more than {MOST_BLOBS} or than {MOST_BYTES} bytes")
    content_key = AESGCM.generate_key(256)
    context = _context(2, label.kiosk, label.submission, label.sequence)
    blobs = [keep(_encrypt(content_key, n, part, context)) for n, part in enumerate(parts)]
    recipients = {key_id(key): key for key in to}
    head = _head(label, blobs)
    info = _info(head, list(recipients))
    document = {**head, "sealed_keys": [_sealed_key(name, key, content_key, info) for name, key in recipients.items()]}
    return signed.sign("manifest", document, by)


def _sealed_key(name: str, key: X25519PublicKey, content_key: bytes, info: bytes) -> dict[str, str]:
    return {"key_id": name, "sealed_key": base64.b64encode(_SUITE.encrypt(content_key, key, info)).decode()}


def read_manifest(text: bytes, key: signed.Verifier | None) -> Manifest:
    """The manifest if `key` signed it (None: one's own, unverified); raises EnvelopeError."""
    try:
        document = signed.verify("manifest", text, key) if key else signed.unverified("manifest", text)
        schema, sealed_keys, info = _KEYS_OF[document["schema"]](document)
        return Manifest(
            kiosk=_matching(KIOSK_ID, document["kiosk"]),
            submission=_matching(SUBMISSION_ID, document["submission"]),
            sequence=_natural(document["sequence"]),
            blobs=_blobs(document["blobs"]),
            schema=schema,
            sealed_keys=sealed_keys,
            info=info,
            sha256=signed.digest(text),
            provisional_ref=_matching(_PROVISIONAL_REF, document["provisional_ref"]),
            reference_uid=_matching(REFERENCE_UID, document["reference_uid"]) if schema > 1 else "",
            sealed_at=_matching(_MOMENT, document["clock"]["utc"]),
        )
    except (signed.SignatureError, KeyError, TypeError, ValueError) as error:
        raise EnvelopeError(f"manifest refused: {type(error).__name__}: {error}") from None


def open_envelope(manifest: Manifest, read: Callable[[str], bytes], key: X25519PrivateKey) -> Opened:
    """Everything inside; `read` fetches a ciphertext by SHA-256. Raises EnvelopeError if anything was altered."""
    name = key_id(key.public_key())
    if name not in manifest.sealed_keys:
        raise EnvelopeError(f"sealed to the keys {', '.join(manifest.sealed_keys)}; this key is {name}")
    try:
        content_key = _SUITE.decrypt(manifest.sealed_keys[name], key, manifest.info)
    except (InvalidTag, ValueError):
        raise EnvelopeError("the content key does not open: altered, or not made for this envelope") from None
    parts = [_open_blob(content_key, n, blob, read, manifest.context) for n, blob in enumerate(manifest.blobs)]
    try:
        index = json.loads(parts[0])
        names, payload = index["files"], index["payload"]
        return Opened(payload, dict(zip(names, parts[1:], strict=True)))
    except (ValueError, KeyError, TypeError):
        raise EnvelopeError("the index does not fit the files") from None


def _open_blob(content_key: bytes, number: int, blob: Blob, read: Callable[[str], bytes], context: bytes) -> bytes:
    ciphertext = read(blob.sha256)
    blob.check(ciphertext)
    return _decrypt(content_key, number, ciphertext, context)


def _encrypt(key: bytes, number: int, plain: bytes, context: bytes) -> Iterator[bytes]:
    aead = AESGCM(key)
    return (aead.encrypt(nonce, chunk, context) for nonce, chunk in _chunks(number, plain, CHUNK))


def _decrypt(key: bytes, number: int, ciphertext: bytes, context: bytes) -> bytes:
    aead = AESGCM(key)
    try:
        return b"".join(
            aead.decrypt(nonce, chunk, context) for nonce, chunk in _chunks(number, ciphertext, CHUNK + TAG)
        )
    except (InvalidTag, ValueError):
        raise EnvelopeError(f"blob {number} was altered") from None


def _chunks(number: int, content: bytes, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Nonce and chunk in order: blob (4 bytes), counter (7 bytes), final flag (1 byte). Empty content is one chunk."""
    starts, view = range(0, max(len(content), 1), size), memoryview(content)
    for counter, start in enumerate(starts):
        final = counter == len(starts) - 1
        yield number.to_bytes(4) + counter.to_bytes(7) + final.to_bytes(1), view[start : start + size]


def _context(schema: int, kiosk: str, submission: str, sequence: int) -> bytes:
    return f"motcua envelope {schema}\n{kiosk}\n{submission}\n{sequence}".encode()


def _head(label: Label, blobs: Sequence[Blob]) -> dict[str, Any]:
    return {
        "schema": 2,
        "kiosk": _matching(KIOSK_ID, label.kiosk),
        "submission": _matching(SUBMISSION_ID, label.submission),
        "sequence": _natural(label.sequence),
        "reference_uid": _matching(REFERENCE_UID, label.reference_uid),
        "provisional_ref": _matching(_PROVISIONAL_REF, label.provisional_ref),
        "procedure_code": _matching(PROCEDURE_CODE, label.procedure_code),
        "form_version": _matching(_FORM_VERSION, label.form_version),
        "clock": {"utc": utc_iso(label.sealed_at), "since_boot": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)},
        "blobs": [{"sha256": blob.sha256, "size": blob.size} for blob in blobs],
    }


def _info(head: Mapping[str, Any], recipients: Sequence[str]) -> bytes:
    """What a content key of version 2 is bound to: the manifest without the sealed keys, and who can open it."""
    return b"motcua content key 2\n" + _hash_of({**head, "sealed_keys": list(recipients)})


def _hash_of(document: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).digest()


_Keys = tuple[int, dict[str, bytes], bytes]


def _keys_of_1(document: dict[str, Any]) -> _Keys:
    sealed_key = _key_bytes(document.pop("sealed_key"))
    return 1, {_matching(KEY_ID, document["key_id"]): sealed_key}, b"motcua content key 1\n" + _hash_of(document)


def _keys_of_2(document: dict[str, Any]) -> _Keys:
    listed = document.pop("sealed_keys")
    keys = {_matching(KEY_ID, entry["key_id"]): _key_bytes(entry["sealed_key"]) for entry in listed}
    if not 1 <= len(keys) == len(listed) <= MOST_RECIPIENTS:
        raise ValueError("the recipients are out of bounds or listed twice")
    return 2, keys, _info(document, list(keys))


_KEYS_OF: dict[object, Callable[[dict[str, Any]], _Keys]] = {1: _keys_of_1, 2: _keys_of_2}


def _key_bytes(text: str) -> bytes:
    sealed_key = base64.b64decode(text, validate=True)
    if len(sealed_key) != _SEALED_KEY:
        raise ValueError("the sealed key has another length")
    return sealed_key


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
