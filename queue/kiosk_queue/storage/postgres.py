"""The queue in PostgreSQL: several server processes on one database, every centre's deeds one after another.

Each deed holds its centre's row (FOR NO KEY UPDATE): a lock per centre, not per ticket, because rules with memory
need it (queue reference §7). Deeds that wait in this process share a transaction (group commit). What happened is told
to the other processes by NOTIFY outside the deeds' transactions, gathered for some milliseconds, because NOTIFY inside
would serialise all commits of the database.
"""

import contextlib
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from kiosk.config import ConfigError
from kiosk_queue.storage import schema
from kiosk_queue.storage.store import BATCH, Conflict, Job, StorageFault, T
from kiosk_queue.storage.wire import LOOK, WRITE, Wire, WiredConnection

log = logging.getLogger(__name__)

WORKERS = 2
"""Transactions at once: while one commits, the next gathers what has come."""
READERS = 4
CONNECTIONS = 12
"""More than threads: when all are lost, a further one is tried at once instead of after the pool's growing pauses."""
CHANNEL = "kiosk_queue"
GATHER_SECONDS = 0.025
RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
MOST_CENTRES = 100
"""Centres named in one message, which holds 8000 bytes at most."""
ATTEMPTS = 3
"""A connection that was lost before the commit was sent has done nothing: the deeds are run again on another."""

Pending = tuple[str, Job[Any], "Future[Any]"]
Answer = Callable[[], None]


class _Undone(Exception):
    """A job failed after it had written, or by what the database refused; the transaction is lost to all."""


class _Lanes:
    """The deeds that wait in this process, by centre: a centre's deeds are in one transaction at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Pending]] = {}
        self._busy: set[str] = set()

    def add(self, pending: Pending) -> None:
        """At the end of its centre's lane."""
        self._waiting.setdefault(pending[0], deque()).append(pending)

    def take(self) -> list[Pending]:
        """What one transaction may do now; centre by centre in one order everywhere, so that locks never cross."""
        taken: list[Pending] = []
        for centre in sorted(self._waiting.keys() - self._busy):
            lane = self._waiting[centre]
            while lane and len(taken) < BATCH:
                taken.append(lane.popleft())
            if not lane:
                del self._waiting[centre]
        self._busy.update(centre for centre, *_ in taken)
        return taken

    def free(self, done: list[Pending]) -> bool:
        """These are over; whether there is more to take."""
        self._busy.difference_update(centre for centre, *_ in done)
        return bool(self._waiting.keys() - self._busy)

    def futures(self) -> list["Future[Any]"]:
        """Of everything that waits."""
        return [future for lane in self._waiting.values() for *_, future in lane]


class PostgresStore:
    """Owns pools of connections, one connection that tells and one that listens."""

    def __init__(self, address: str) -> None:
        self.on_commit: Callable[[Iterable[str]], None] | None = None
        self.on_undo: Callable[[], None] | None = None
        self._address = address
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                schema.migrate_postgres(connection)
        except psycopg.Error as error:
            raise ConfigError(f"the queue database cannot be opened ({_short(error)})") from None
        self._pool = _pool(address)
        self._workers = ThreadPoolExecutor(WORKERS, "queue-postgres")
        self._readers = ThreadPoolExecutor(READERS, "queue-reader")
        self._lanes = _Lanes()
        self._drains = 0
        self._gate = threading.Lock()
        self._closed = False
        self._changed: set[str] = set()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=loop, name=f"queue-{name}", daemon=True)
            for name, loop in (("tell", self._tell), ("listen", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    def write(self, centre: str, job: Job[T]) -> "Future[T]":
        """Run `job` in a transaction; the result is there once it is durable. An exception undoes the job."""
        future: Future[T] = Future()
        with self._gate:
            if self._closed:
                future.set_exception(StorageFault("the queue database is closed"))
                return future
            self._lanes.add((centre, job, future))
            if self._drains < WORKERS:
                self._drains += 1
                self._workers.submit(self._drain)
        return future

    def read(self, job: Job[T]) -> "Future[T]":
        """Run `job` on one consistent view of what is committed."""
        return self._readers.submit(self._look, job)

    def close(self) -> None:
        """Finish what was accepted, tell of it, close the connections."""
        with self._gate:
            self._closed = True
            busy = self._lanes.futures()
        wait(busy)
        self._workers.shutdown()
        self._readers.shutdown()
        self._ended.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(5)
        self._pool.close()

    def _drain(self) -> None:
        """Commit what waits, group by group, as long as anything does that no other worker is at."""
        going = True
        while going:
            with self._gate:
                taken = self._lanes.take()
            # A caller that gave up before its job began wants nothing done.
            batch = [pending for pending in taken if pending[2].set_running_or_notify_cancel()]
            for answer in self._commit(batch):
                answer()
            with self._gate:
                going = self._lanes.free(taken)
                self._drains -= not going

    def _commit(self, batch: list[Pending]) -> list[Answer]:
        """How to answer for a group of deeds, now that they are durable or failed. One that spoils it is done apart."""
        try:
            return self._persist(batch) if batch else []
        except _Undone as undone:
            self._undo()
            if len(batch) > 1:
                return [answer for pending in batch for answer in self._commit([pending])]
            failure: BaseException = undone.__cause__ or undone
            if isinstance(failure, psycopg.Error):
                failure = StorageFault(_short(failure))
        except (psycopg.Error, PoolTimeout) as error:
            log.error("queue database: %s", _short(error))
            self._undo()
            failure = StorageFault(_short(error))
        return [partial(future.set_exception, failure) for *_, future in batch]

    def _persist(self, batch: list[Pending]) -> list[Answer]:
        """One durable transaction; once more on another connection if one was lost before the commit was sent."""
        for attempt in range(ATTEMPTS):
            sent = False
            try:
                with self._transaction(WRITE) as tx:
                    changed, answers = False, []
                    for _, job, future in batch:
                        answers.append(self._attempt(tx, job, future))
                        changed |= tx.wrote
                    sent = True
                if changed:
                    with self._gate:
                        self._changed.update(centre for centre, *_ in batch)
                    self._wake.set()
                return answers
            except psycopg.OperationalError as error:
                if sent or isinstance(error, PoolTimeout) or attempt == ATTEMPTS - 1:
                    raise
                self._undo()
                self._pool.check()
            except (psycopg.Error, Conflict) as error:
                raise _Undone from error  # what a write that nobody waited for had broken
        raise AssertionError("unreachable")

    def _attempt(self, tx: Wire, job: Job[Any], future: "Future[Any]") -> Answer:
        """Run one job; return how to answer for it once the group is durable. Raises _Undone."""
        tx.wrote = False
        try:
            result = job(tx)
        except psycopg.OperationalError:
            raise  # the database, not the job
        except Exception as error:
            if tx.wrote:
                raise _Undone from error
            return partial(future.set_exception, error)
        return partial(future.set_result, result)

    def _look(self, job: Job[T]) -> T:
        for attempt in range(ATTEMPTS):
            try:
                with self._transaction(LOOK) as tx:
                    return job(tx)
            except (psycopg.Error, PoolTimeout) as error:
                if isinstance(error, PoolTimeout) or attempt == ATTEMPTS - 1:
                    raise StorageFault(_short(error)) from error
                self._pool.check()
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _transaction(self, how: str) -> Iterator[Wire]:
        """On a connection of the pool; committed at the end of the block, undone by any exception."""
        with self._pool.connection() as connection:
            tx = connection.wire
            tx.begin(how)
            try:
                yield tx
                tx.commit()
            except BaseException:
                tx.rollback()
                raise

    def _undo(self) -> None:
        if self.on_undo is not None:
            self.on_undo()

    def _tell(self) -> None:
        """Gather the centres that changed and tell every process, this one too."""
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._address, autocommit=True) as connection:
                    self._tell_over(connection)
            except psycopg.Error as error:
                log.warning("queue database: cannot tell of changes (%s)", _short(error))
                self._ended.wait(RETRY_SECONDS)

    def _tell_over(self, connection: "psycopg.Connection[Any]") -> None:
        while not self._ended.is_set():
            self._wake.wait()
            self._ended.wait(GATHER_SECONDS)
            self._wake.clear()
            with self._gate:
                changed, self._changed = self._changed, set()
            try:
                for some in _portions(sorted(changed)):
                    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps(some)))
            except psycopg.Error:
                with self._gate:
                    self._changed |= changed
                self._wake.set()
                raise

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._announce([])  # whatever was missed meanwhile
                    while not self._ended.is_set():
                        for notice in connection.notifies(timeout=0.5):
                            with contextlib.suppress(ValueError):
                                self._announce(json.loads(notice.payload))
            except psycopg.Error as error:
                log.warning("queue database: cannot listen to changes (%s)", _short(error))
                self._ended.wait(RETRY_SECONDS)

    def _announce(self, centres: list[str]) -> None:
        if self.on_commit is not None:
            self.on_commit(centres)


def _portions(centres: list[str]) -> list[list[str]]:
    return [centres[at : at + MOST_CENTRES] for at in range(0, len(centres), MOST_CENTRES)]


def _short(error: BaseException) -> str:
    """One line, without what a statement held."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _pool(address: str) -> ConnectionPool[WiredConnection]:
    return ConnectionPool(
        address, connection_class=WiredConnection, min_size=2, max_size=CONNECTIONS,
        kwargs={"autocommit": True}, timeout=PATIENCE_SECONDS, open=True,
    )  # fmt: skip
