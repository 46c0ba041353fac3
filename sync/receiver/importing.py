"""Envelopes from a stick: taken in as if their kiosk had sent them. Twice does no harm, the ids decide."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.config import ConfigError, ReceiverSettings
from sync import signed, stick
from sync.envelope import Blob, EnvelopeError, Manifest, read_manifest
from sync.receiver import kiosks
from sync.receiver.blobs import Damaged, open_blobs
from sync.receiver.database import Conflict, DatabaseFault, open_database
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


def import_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver import FOLDER`: beside the running receiver, which hands on what came; 1 if something was refused."""
    if not options.folder.is_dir():
        raise ConfigError(f"{options.folder}: no such folder")
    receipt_key = signed.signing_key(settings.receipt_key_file, "the key that signs receipts")
    blobs, database = open_blobs(settings), open_database(settings)
    keys_of = partial(kiosks.last_keys if options.retired else kiosks.signing_keys, database)
    try:
        done = list(take_in(options.folder, Registry(database, blobs, receipt_key), keys_of))
    except DatabaseFault as fault:
        raise ConfigError(f"the receiver's database did not take it: {fault}; what was taken in before stays") from None
    finally:
        database.close()
    refused = [one for one in done if one.problem]
    if options.json:
        print(json.dumps([asdict(one) for one in done]))
    else:
        for one in refused:
            print(f"{one.kiosk} {one.submission}: refused: {one.problem}")
        print(f"{options.folder}: {len(done) - len(refused)} envelopes are here and have a receipt")
    return 1 if refused or not done else 0


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
