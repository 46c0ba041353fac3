"""What the receiver needs of a database, and which one serves it: SQLite in its folder, or PostgreSQL for a province.

The SQL is the part of the language that both share, with named parameters (`:name`). Several processes may have it
open at once; what must be unique is held by the schema, not by a process.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from kiosk.config import ReceiverSettings

Row = Mapping[str, Any]


class DatabaseFault(Exception):
    """The database did not take or give it; nothing of the transaction happened, or it is not known whether it did."""


class Conflict(Exception):
    """The schema forbids it: a duplicate, a move along no allowed edge, a change of the past."""


class Tx(Protocol):
    """One transaction. Every call may raise DatabaseFault or Conflict."""

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""

    def lock(self, sql: str, **values: Any) -> Row | None:
        """The first row of a plain SELECT; nobody else changes it until this transaction ends."""

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""

    def many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same statement for each of `rows`."""


class Database(Protocol):
    """Usable from any thread."""

    def write(self) -> AbstractContextManager[Tx]:
        """One transaction, durable when the block ends and undone by any exception."""

    def read(self) -> AbstractContextManager[Tx]:
        """One consistent view of what is committed."""

    def lead(self) -> bool:
        """Whether this process is the one that hands dossiers on; the first to ask is, until it ends."""

    def close(self) -> None:
        """Let go of it."""


def open_database(settings: ReceiverSettings) -> Database:
    """The configured database, migrated. Raises ConfigError or OSError with one clear line."""
    if settings.database.startswith(("postgresql://", "postgres://")):
        from sync.receiver.postgres import PostgresDatabase

        return PostgresDatabase(settings.database)
    from sync.receiver.sqlite import SqliteDatabase

    return SqliteDatabase(settings.state)
