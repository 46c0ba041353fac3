"""The one way to open a database: SQLite ≥ 3.51.3, WAL, synchronous FULL, set and read back (delivery reference §5)."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from pysqlite3 import dbapi2

Connection: TypeAlias = Any  # pysqlite3 carries no type information
DatabaseError = dbapi2.Error
IntegrityError = dbapi2.IntegrityError

_DAMAGE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
_OLDEST = (3, 51, 3)  # earlier ones may lose committed pages in WAL (sqlite.org/wal.html#walresetbug)


class Unusable(OSError):
    """The database cannot be opened, or durability cannot be had; the message is one line."""


class Damaged(Unusable):
    """The file is there and is no sound database."""


class NoRoom(Unusable):
    """The disk is too full to open it."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a full disk, a full quota or a limit says."""


def is_full(error: Exception) -> bool:
    """Whether there is no room, by the word of the system or of SQLite."""
    number = error.errno if isinstance(error, OSError) else None
    return number in FULL or isinstance(error, NoRoom) or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def connect(path: Path, schema: Sequence[Sequence[str]]) -> Connection:
    """An open database, migrated to `schema`: one list of statements per version. One thread at a time may use it.

    Raises Unusable.
    """
    if dbapi2.sqlite_version_info < _OLDEST:
        raise Unusable(f"SQLite {dbapi2.sqlite_version} is older than 3.51.3: committed rows could be lost")
    try:
        database = dbapi2.connect(str(path), timeout=10, isolation_level=None, check_same_thread=False)
        _prepare(database, path, schema)
    except DatabaseError as error:
        name = getattr(error, "sqlite_errorname", str(error))
        kind = Damaged if name.startswith(_DAMAGE) else NoRoom if name == "SQLITE_FULL" else Unusable
        raise kind(f"{path}: cannot be used ({name})") from None
    return database


def quick_check(database: Connection, path: Path) -> None:
    """Raises Damaged if SQLite finds the file unsound."""
    try:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except DatabaseError as error:
        found = getattr(error, "sqlite_errorname", "unreadable")
        if not found.startswith(_DAMAGE):
            raise
    if found != "ok":
        raise Damaged(f"{path}: the database is damaged")


def _prepare(database: Connection, path: Path, schema: Sequence[Sequence[str]]) -> None:
    database.row_factory = dbapi2.Row
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        database.execute(f"PRAGMA {pragma}={value}")
        if database.execute(f"PRAGMA {pragma}").fetchone()[0] != value:
            raise Unusable(f"{path}: {pragma} is not {value}")
    database.execute("PRAGMA journal_size_limit=16777216")
    _migrate(database, path, schema)


def _migrate(database: Connection, path: Path, schema: Sequence[Sequence[str]]) -> None:
    """Immediate transactions: several processes may start at once. Nothing is written if nothing is to be done."""
    if database.execute("PRAGMA user_version").fetchone()[0] == len(schema):
        return
    with transaction(database):
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > len(schema):
            raise Unusable(
                f"{path}: written by a newer program (schema {version}, known {len(schema)}); nothing was changed: "
                "install that program again"
            )
        for statements in schema[version:]:
            for statement in statements:
                database.execute(statement)
        database.execute(f"PRAGMA user_version={len(schema)}")


@contextmanager
def transaction(database: Connection) -> Iterator[Connection]:
    """`BEGIN IMMEDIATE … COMMIT`; rolled back if anything raises."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def write_durably(path: Path, content: bytes) -> None:
    """A new file whose bytes are on disk when this returns; its folder is the caller's to sync."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_pieces(path: Path, pieces: Iterable[bytes]) -> tuple[str, int]:
    """A new durable file from pieces as they come: its SHA-256 (hex) and size."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def read_disk(path: Path) -> bytes:
    """From the disk and not from memory, as far as the kernel can be asked for it."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def replace_durably(path: Path, content: bytes) -> None:
    """Write beside, sync, rename over `path`, sync the folder: the old content or the new, never a mixture."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    write_durably(beside, content)
    beside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class AlreadyHeld(OSError):
    """Another process does this work."""


def hold(path: Path) -> int:
    """Take a lock that ends with this process, however it ends; close the descriptor to release it earlier.

    Raises AlreadyHeld.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyHeld(f"{path}: held by another process; only one may work in this folder") from None
    return descriptor
