"""Ciphertexts by SHA-256: received piece by piece, resumable, durable and checked before they have their name.

In files (here) or in an object store (`s3`); several processes may work in one store at once.

    incoming/<sha256>.part    being received
    blobs/<aa>/<sha256>       complete, hash-checked, fsynced; never changed
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from kiosk.config import ConfigError, ReceiverSettings
from sync import store
from sync.envelope import Blob, EnvelopeError

_READ = 1024 * 1024


class WrongOffset(Exception):
    """The piece does not begin where the last one ended, at `args[0]`."""


class TooMuch(Exception):
    """The piece goes beyond the announced size."""


class Damaged(Exception):
    """The blob arrived whole but is not the announced one: dropped, to be sent again."""


class Blobs(Protocol):
    """Usable from any thread. Every call may raise OSError."""

    def offset(self, blob: Blob) -> int:
        """How many of its bytes are here; its size only if it is whole, true and durable."""

    def append(self, blob: Blob, offset: int, piece: bytes) -> int:
        """The next piece; the new offset. Raises WrongOffset, TooMuch or Damaged."""

    def holds(self, sha256: str) -> bool:
        """Whether it is whole and durable."""

    def read(self, sha256: str) -> bytes:
        """A whole one; raises EnvelopeError if it is lost."""

    def free(self) -> int | None:
        """Bytes of room left; None if there is no telling."""


def open_blobs(settings: ReceiverSettings) -> Blobs:
    """The configured store. Raises ConfigError or OSError."""
    if not settings.blobs:
        return FileBlobs(settings.state)
    if settings.blobs.startswith("s3://"):
        from sync.receiver.s3 import S3Blobs

        return S3Blobs(settings)
    raise ConfigError(f"receiver.blobs is {settings.blobs!r}; allowed: empty (files in receiver.state), s3://bucket")


class FileBlobs:
    """One folder on a file system that keeps locks and fsync (also shared by several machines, as NFSv4 does)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shelves = [f"blobs/{number:02x}" for number in range(256)]
        for name in ("incoming", "blobs", *shelves):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for made in (folder / "blobs", folder):
            store.sync_folder(made)

    def offset(self, blob: Blob) -> int:
        """How many of its bytes are here."""
        if self.holds(blob.sha256):
            return blob.size
        try:
            have = self._part(blob.sha256).stat().st_size
        except FileNotFoundError:
            return 0
        return have if have < blob.size else self._finish_left(blob)

    def _finish_left(self, blob: Blob) -> int:
        """A part that was whole when its process died."""
        with self._locked(blob) as part:
            return blob.size if part is None or self._finish(blob, part) else 0

    def append(self, blob: Blob, offset: int, piece: bytes) -> int:
        """The next piece; the new offset."""
        with self._locked(blob) as part:
            have = blob.size if part is None else part.seek(0, os.SEEK_END)
            if offset != have:
                raise WrongOffset(have)
            reached = have + len(piece)
            if reached > blob.size:
                raise TooMuch
            if part is not None:
                part.write(piece)
                part.flush()
                if reached == blob.size and not self._finish(blob, part):
                    raise Damaged
            return reached

    def holds(self, sha256: str) -> bool:
        """Whether it has its name."""
        return self._path(sha256).exists()

    def read(self, sha256: str) -> bytes:
        """A whole one."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise EnvelopeError("a blob is missing in the store") from None

    def free(self) -> int:
        """Of the file system."""
        room = os.statvfs(self._folder)
        return room.f_bavail * room.f_frsize

    @contextmanager
    def _locked(self, blob: Blob) -> Iterator[BinaryIO | None]:
        """The part, nobody else's until the block ends; None if the blob has become whole meanwhile."""
        while not self.holds(blob.sha256):
            with self._part(blob.sha256).open("ab+") as part:
                fcntl.flock(part, fcntl.LOCK_EX)
                if self._is_here(part, blob):  # else another process has finished or dropped it meanwhile
                    yield part
                    return
        yield None

    def _is_here(self, part: BinaryIO, blob: Blob) -> bool:
        try:
            return os.path.samestat(os.fstat(part.fileno()), self._part(blob.sha256).stat())
        except FileNotFoundError:
            return False

    def _finish(self, blob: Blob, part: BinaryIO) -> bool:
        """Make a whole part durable under its name; False and gone if it is not the announced one."""
        os.fsync(part.fileno())
        digest = hashlib.sha256()
        part.seek(0)
        while piece := part.read(_READ):
            digest.update(piece)
        path, final = self._part(blob.sha256), self._path(blob.sha256)
        if part.tell() != blob.size or digest.hexdigest() != blob.sha256:
            path.unlink()
            return False
        path.rename(final)
        store.sync_folder(final.parent)
        return True

    def _path(self, sha256: str) -> Path:
        return self._folder / "blobs" / sha256[:2] / sha256

    def _part(self, sha256: str) -> Path:
        return self._folder / "incoming" / f"{sha256}.part"
