"""Envelopes from a stick: taken in as if their kiosk had sent them. Twice does no harm, the ids decide."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync import stick
from sync.envelope import Blob, EnvelopeError, Manifest, read_manifest
from sync.receiver.blobs import Damaged
from sync.receiver.database import Conflict
from sync.receiver.registry import Registry

PIECE = 4 * 1024 * 1024

KeysOf = Callable[[str], Sequence[Ed25519PublicKey]]
"""The enrolled signing keys of a kiosk."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """One envelope of the stick; `problem` is empty if it is durably here and has a receipt."""

    kiosk: str
    submission: str
    problem: str


def take_in(folder: Path, registry: Registry, keys_of: KeysOf) -> Iterator[TakenIn]:
    """Everything below `folder`; one bad envelope does not stop the rest. Raises OSError and DatabaseFault."""
    for text, read in stick.read(folder):
        kiosk = submission = "?"
        try:
            claimed = read_manifest(text, None)
            kiosk, submission = claimed.kiosk, claimed.submission
            manifest = verified(text, keys_of(kiosk))
            registry.announce(manifest, text)
            for blob in manifest.blobs:
                _blob(registry, kiosk, blob, read)
            registry.commit(kiosk, submission)
            yield TakenIn(kiosk, submission, "")
        except (EnvelopeError, Conflict) as problem:
            yield TakenIn(kiosk, submission, str(problem))
        except Damaged:
            yield TakenIn(kiosk, submission, "a part is not the one of the manifest")


def verified(text: bytes, keys: Sequence[Ed25519PublicKey]) -> Manifest:
    """The manifest if one of `keys` signed it; raises EnvelopeError."""
    problem = EnvelopeError("this kiosk is not enrolled")
    for key in keys:
        try:
            return read_manifest(text, key)
        except EnvelopeError as wrong:
            problem = wrong
    raise problem


def _blob(registry: Registry, kiosk: str, blob: Blob, read: stick.Read) -> None:
    content = read(blob.sha256)
    blob.check(content)
    offset, size = registry.offset(kiosk, blob.sha256)
    while offset < size:
        offset = registry.append(kiosk, blob.sha256, offset, content[offset : offset + PIECE])
