"""What the queue needs of a database, and which one serves it: SQLite in a file, or PostgreSQL for large sites.

The SQL is the part of the language that both share, with named parameters (`:name`); only triggers differ (schema.py).
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

Row = Mapping[str, Any]
T = TypeVar("T")

BATCH = 64
"""Deeds that share one transaction at most."""

CENTRE = "c.id, c.version, c.day, c.seq, c.urgent_in_a_row"
"""What every deed reads of its centre `c`: all but the settings, which are long and seldom change."""


class StorageFault(Exception):
    """The database did not take or give it: nothing of the job happened, or it is not known whether it did."""


class Tx(Protocol):
    """One transaction. Every call raises StorageFault; a broken rule of the schema raises `Conflict`."""

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""

    def put(self, sql: str, **values: Any) -> None:
        """Write without waiting: what is wrong with it may be told by a later call or by the end of the transaction."""

    def lock(self, centre: str, key: str = "") -> Row | None:
        """The centre's row (`CENTRE`), which nobody else changes until the transaction ends.

        Beside it `request` and `body` of the answer that is stored under `key`, or null.
        """


class Conflict(Exception):
    """The schema forbids it: a duplicate, a move along no allowed edge, a change of the past."""


Job = Callable[[Tx], T]
"""Works inside a transaction; returns what the caller waits for. It may be run again: it acts on the database only."""


class Store(Protocol):
    """Owns the connections. `on_commit` takes the centres that changed; it is called from any thread.

    `on_undo` is called when deeds that had run were taken back: what was read meanwhile may never have been true.
    """

    on_commit: Callable[[Iterable[str]], None] | None
    on_undo: Callable[[], None] | None

    def write(self, centre: str, job: Job[T]) -> "Future[T]":
        """Run `job` in a transaction; the result is there once it is durable. An exception undoes the job.

        Jobs of one centre run one after another.
        """

    def read(self, job: Job[T]) -> "Future[T]":
        """Run `job` on one consistent view of what is committed."""

    def close(self) -> None:
        """Finish what was accepted and close; later jobs fail."""


def open_store(database: str) -> Store:
    """The store behind a path or a `postgresql://` address; raises ConfigError."""
    if database.startswith(("postgresql://", "postgres://")):
        from kiosk_queue.storage.postgres import PostgresStore

        return PostgresStore(database)
    from pathlib import Path

    from kiosk_queue.storage.sqlite import SqliteStore

    return SqliteStore(Path(database))
