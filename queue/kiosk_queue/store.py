"""The queue's SQLite file: one writer thread with group commit, one reader thread, durable before acknowledged.

WAL and synchronous=FULL, read back (delivery reference §5.1); refused below the fix of the WAL-reset bug (§5.2).
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pysqlite3 import dbapi2 as sqlite

from kiosk.config import ConfigError
from kiosk_queue.schema import migrate

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[Any], T]
"""Works on a connection inside a transaction; returns what the caller waits for."""

OLDEST_SQLITE = (3, 51, 3)
BATCH = 64


class StorageFault(Exception):
    """The disk did not take or give it: nothing of the job happened."""


class Store:
    """Owns the connections. `on_commit` is called from the writer thread after each group of writes."""

    def __init__(self, path: Path) -> None:
        self.on_commit: Callable[[], None] | None = None
        self._writer = _connect(path)
        migrate(self._writer)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = 1")
        self._jobs: queue.SimpleQueue[tuple[Job[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(1, "queue-reader")
        self._thread = threading.Thread(target=self._write_loop, name="queue-writer", daemon=True)
        self._thread.start()

    def write(self, job: Job[T]) -> Future[T]:
        """Run `job` in a transaction; the result is there once it is on the disk. An exception undoes the job."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def read(self, job: Job[T]) -> Future[T]:
        """Run `job` on one consistent view of what is committed."""
        return self._readers.submit(self._read, job)

    def close(self) -> None:
        """Finish what was accepted and close the file."""
        self._jobs.put(None)
        self._thread.join()
        self._readers.shutdown()
        self._reader.close()
        self._writer.close()

    def _read(self, job: Job[T]) -> T:
        self._reader.execute("BEGIN")
        try:
            return job(self._reader)
        except sqlite.Error as error:
            raise StorageFault(str(error)) from error
        finally:
            self._reader.execute("COMMIT")

    def _write_loop(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch = [first]
            while len(batch) < BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    self._jobs.put(None)
                    break
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[tuple[Job[Any], Future[Any]]]) -> None:
        """Run all jobs in one transaction and answer only after it is durable."""
        answers: list[Callable[[], None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            answers.extend(self._attempt(job, future) for job, future in batch)
            self._writer.execute("COMMIT")
        except sqlite.Error as error:
            log.error("queue database: %s", error)
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for _, future in batch:
                future.set_exception(StorageFault(str(error)))
            return
        for answer in answers:
            answer()
        if self.on_commit is not None:
            self.on_commit()

    def _attempt(self, job: Job[Any], future: "Future[Any]") -> Callable[[], None]:
        """Run one job in its savepoint; return how to answer for it once the group is durable."""
        self._writer.execute("SAVEPOINT job")
        try:
            result = job(self._writer)
        except (sqlite.OperationalError, sqlite.DatabaseError) as error:
            if not isinstance(error, sqlite.IntegrityError):
                raise  # the disk, not the job: the whole group fails
            refusal: Exception = error
        except Exception as error:  # noqa: BLE001 - it belongs to whoever handed in the job
            refusal = error
        else:
            self._writer.execute("RELEASE job")
            return lambda: future.set_result(result)
        self._writer.execute("ROLLBACK TO job")
        self._writer.execute("RELEASE job")
        return lambda: future.set_exception(refusal)


def _connect(path: Path) -> Any:
    """A connection with its settings made and read back; raises ConfigError."""
    if sqlite.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigError(f"SQLite {sqlite.sqlite_version} can lose data in WAL mode; 3.51.3 or newer is needed")
    try:
        connection = sqlite.connect(str(path), timeout=10, isolation_level=None, check_same_thread=False)
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            connection.execute(f"PRAGMA {pragma} = {wanted}")
            found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if found != wanted:
                raise ConfigError(f"{path}: {pragma} is {found}, {wanted} is needed; use a local disk")
        connection.execute("PRAGMA journal_size_limit = 16777216")
    except sqlite.Error as error:
        raise ConfigError(f"{path}: the queue database cannot be opened ({error})") from None
    connection.row_factory = sqlite.Row
    return connection
