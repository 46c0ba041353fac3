"""Envelopes on a folder that travels (a USB stick): copied, read back, and read at the other end.

    <folder>/<submission>/manifest, <SHA-256>…

Nothing on it can be read by who carries it. Taking it in twice does no harm: the ids decide.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sync import signed, store
from sync.envelope import MOST_BYTES, SHA256, EnvelopeError, Manifest, read_manifest
from sync.outbox import Outbox
from sync.outbox_schema import Entry

Read = Callable[[str], bytes]
"""A ciphertext by its SHA-256; raises EnvelopeError if it is missing."""


@dataclass(frozen=True, slots=True)
class Copied:
    """One submission that was to be copied; `problem` is empty if the copy was read back and is true."""

    entry: Entry
    problem: str


def export(outbox: Outbox, folder: Path) -> Iterator[Copied]:
    """Copy everything that has no receipt, oldest first; one bad item does not stop the rest. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in outbox.undelivered():
        try:
            text = outbox.manifest(entry)
            write(folder, read_manifest(text, None), text, partial(outbox.blob, entry))
            outbox.exported(entry)
            yield Copied(entry, "")
        except EnvelopeError as error:
            yield Copied(entry, str(error))


def write(folder: Path, manifest: Manifest, text: bytes, read: Read) -> Path:
    """One envelope into `folder`, durably and read back; one that is there already is checked.

    Raises EnvelopeError if the source, or after writing the copy, is not what was sealed.
    """
    final, part = folder / manifest.submission, folder / f".{manifest.submission}.part"
    if not final.exists():
        part.mkdir(exist_ok=True)
        for name in ("manifest", *(blob.sha256 for blob in manifest.blobs)):
            store.replace_durably(part / name, text if name == "manifest" else read(name))
        check(part, manifest)
        part.rename(final)
        store.sync_folder(folder)
    check(final, manifest)
    return final


def check(folder: Path, manifest: Manifest) -> None:
    """Raises EnvelopeError unless all parts of this envelope lie whole in `folder`."""
    if signed.digest(_part(folder, "manifest")) != manifest.sha256:
        raise EnvelopeError("another manifest lies there")
    for blob in manifest.blobs:
        blob.check(_part(folder, blob.sha256))


def read(folder: Path) -> Iterator[tuple[bytes, Read]]:
    """Every envelope below `folder`: its manifest as it lies there, unverified, and how to read its parts."""
    for path in sorted(folder.rglob("manifest")):
        if path.is_file() and not path.parent.name.startswith("."):
            with path.open("rb") as file:
                yield file.read(signed.MOST_BYTES + 1), partial(_part, path.parent)


def _part(folder: Path, name: str) -> bytes:
    if name != "manifest" and not SHA256.fullmatch(name):
        raise EnvelopeError("no name of a part")
    try:
        if (folder / name).stat().st_size > MOST_BYTES:
            raise EnvelopeError("a part is larger than any envelope")
        return store.read_disk(folder / name)
    except FileNotFoundError:
        raise EnvelopeError("a part is missing") from None
