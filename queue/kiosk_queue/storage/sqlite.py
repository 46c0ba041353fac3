"""The queue in an SQLite file: one writer thread with group commit, reader threads, durable before acknowledged.

WAL and synchronous=FULL, read back (delivery reference §5.1); refused below the fix of the WAL-reset bug (§5.2).
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from kiosk.config import ConfigError
from kiosk_queue.storage import schema
from kiosk_queue.storage.store import BATCH, CENTRE, Conflict, Job, Row, StorageFault, T

log = logging.getLogger(__name__)

OLDEST_SQLITE = (3, 51, 3)
READERS = 2
CHECKPOINT_PAGES = 4000
"""Pages of the log after which they go into the file. Everybody waits for that, so it is seldom and larger."""
CACHE_KIB = 16384
"""Of the file's pages, for each connection; the default of 2 MiB does not hold what a day touches."""

_LOCK = f"SELECT {CENTRE} FROM centre c WHERE c.id = :centre"  # noqa: S608  # our own columns
_LOCK_AND_ANSWER = (
    f"SELECT {CENTRE}, a.request, a.body FROM centre c"  # noqa: S608
    " LEFT JOIN answer a ON a.centre = c.id AND a.key = :key WHERE c.id = :centre"
)

Pending = tuple[str, Job[Any], "Future[Any]"]
Answer = Callable[[], None]


class _Undone(Exception):
    """A job failed after it had written, beside others in one transaction."""


class SqliteTx:
    """A transaction on one connection."""

    def __init__(self, connection: Any) -> None:
        self._run = connection.execute

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""
        cursor = self._execute(sql, values)
        row: Row | None = cursor.fetchone()
        cursor.close()  # or an unfinished statement would keep the transaction open
        return row

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""
        rows: list[Row] = self._execute(sql, values).fetchall()
        return rows

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""
        return int(self._execute(sql, values).rowcount)

    def put(self, sql: str, **values: Any) -> None:
        """Write; here there is nothing to wait for."""
        self._execute(sql, values)

    def lock(self, centre: str, key: str = "") -> Row | None:
        """The centre's row; the one writer thread is the lock."""
        return self.one(_LOCK_AND_ANSWER, centre=centre, key=key) if key else self.one(_LOCK, centre=centre)

    def _execute(self, sql: str, values: dict[str, Any]) -> Any:
        try:
            return self._run(sql, values)
        except sqlite.IntegrityError as error:
            raise Conflict(str(error)) from error


class SqliteStore:
    """Owns the connections to one file."""

    def __init__(self, path: Path) -> None:
        self.on_commit: Callable[[Iterable[str]], None] | None = None
        self.on_undo: Callable[[], None] | None = None
        self._path = path
        self._writer = _connect(path)
        schema.migrate_sqlite(self._writer, path)
        self._tx = SqliteTx(self._writer)
        self._local = threading.local()
        self._opened: list[Any] = []
        self._jobs: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._ended = False
        self._changed: set[str] = set()
        self._readers = ThreadPoolExecutor(READERS, "queue-reader")
        self._thread = threading.Thread(target=self._write_loop, name="queue-writer", daemon=True)
        self._thread.start()

    def write(self, centre: str, job: Job[T]) -> "Future[T]":
        """Run `job` in a transaction; the result is there once it is on the disk. An exception undoes the job."""
        future: Future[T] = Future()
        if self._ended:
            future.set_exception(StorageFault("the queue database is closed"))
        else:
            self._jobs.put((centre, job, future))
        return future

    def read(self, job: Job[T]) -> "Future[T]":
        """Run `job` on one consistent view of what is committed."""
        return self._readers.submit(self._read, job)

    def close(self) -> None:
        """Finish what was accepted and close the file."""
        self._ended = True
        self._jobs.put(None)
        self._thread.join()
        self._readers.shutdown()
        for connection in (*self._opened, self._writer):
            connection.close()

    def _read(self, job: Job[T]) -> T:
        connection = self._reader()
        try:
            connection.execute("BEGIN")
            try:
                return job(SqliteTx(connection))
            finally:
                connection.execute("COMMIT")
        except sqlite.Error as error:
            raise StorageFault(str(error)) from error

    def _reader(self) -> Any:
        """This thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path)
            connection.execute("PRAGMA query_only = 1")
            self._opened.append(connection)
        return connection

    def _write_loop(self) -> None:
        going = True
        while going:
            batch = [self._jobs.get()]
            while len(batch) < BATCH and not self._jobs.empty():
                batch.append(self._jobs.get())
            going = None not in batch
            # A caller that gave up before its job began wants nothing done.
            accepted = [job for job in batch if job is not None and job[2].set_running_or_notify_cancel()]
            if accepted:
                self._commit(accepted)
        while not self._jobs.empty():
            late = self._jobs.get()
            if late is not None and late[2].set_running_or_notify_cancel():
                late[2].set_exception(StorageFault("the queue database is closed"))

    def _commit(self, batch: list[Pending]) -> None:
        """Run all jobs in one transaction and answer only after it is durable."""
        try:
            answers = self._group(batch)
        except sqlite.Error as error:
            log.error("queue database: %s", error)
            self._undo()
            for _, _, future in batch:
                future.set_exception(StorageFault(str(error)))
            return
        for answer in answers:
            answer()
        changed, self._changed = self._changed, set()
        if changed and self.on_commit is not None:
            try:
                self.on_commit(changed)
            except Exception:
                log.exception("queue database: the listeners were not told")

    def _group(self, batch: list[Pending]) -> list[Answer]:
        """One durable transaction. Most jobs that fail have written nothing; for the others all is done once more."""
        run = self._writer.execute
        run("BEGIN IMMEDIATE")
        try:
            answers = [self._attempt(*pending) for pending in batch]
        except _Undone:
            self._undo()
            run("BEGIN IMMEDIATE")
            answers = [self._attempt_apart(*pending) for pending in batch]
        run("COMMIT")
        return answers

    def _attempt(self, centre: str, job: Job[Any], future: "Future[Any]") -> Answer:
        """Run one job; return how to answer for it once the group is durable. Raises _Undone."""
        before = self._writer.total_changes
        try:
            result = job(self._tx)
        except (sqlite.OperationalError, sqlite.InternalError):
            raise  # the disk, not the job: the whole group fails
        except Exception as error:  # it belongs to whoever handed in the job
            if self._writer.total_changes != before:
                raise _Undone from error
            return partial(future.set_exception, error)
        if self._writer.total_changes != before:
            self._changed.add(centre)
        return partial(future.set_result, result)

    def _attempt_apart(self, centre: str, job: Job[Any], future: "Future[Any]") -> Answer:
        """The same in a savepoint of its own."""
        self._writer.execute("SAVEPOINT job")
        try:
            answer = self._attempt(centre, job, future)
        except _Undone as undone:
            self._writer.execute("ROLLBACK TO job")
            answer = partial(future.set_exception, undone.__cause__)
        self._writer.execute("RELEASE job")
        return answer

    def _undo(self) -> None:
        """Take back the group; the database itself may have done it already."""
        self._changed.clear()
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        if self.on_undo is not None:
            self.on_undo()


def _connect(path: Path) -> Any:
    """A connection with its settings made and read back; raises ConfigError."""
    if sqlite.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigError(f"SQLite {sqlite.sqlite_version} can lose data in WAL mode; 3.51.3 or newer is needed")
    try:
        connection = sqlite.connect(
            str(path), timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            connection.execute(f"PRAGMA {pragma} = {wanted}")
            found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if found != wanted:
                raise ConfigError(f"{path}: {pragma} is {found}, {wanted} is needed; use a local disk")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * 4096}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except sqlite.Error as error:
        raise ConfigError(f"{path}: the queue database cannot be opened ({error})") from None
    connection.row_factory = sqlite.Row
    return connection
