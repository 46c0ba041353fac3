"""The receiver's database in its folder: SQLite, for a province that needs one machine only.

receiver.db
connector.lock    held by the process that hands dossiers on
"""

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sync import store
from sync.receiver import schema
from sync.receiver.database import Conflict, DatabaseFault, Row

log = logging.getLogger(__name__)


class SqliteDatabase:
    """One connection. Raises store.Unusable (an OSError) if the file cannot be used."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.RLock()
        self._leads: int | None = None
        self._connection = store.connect(folder / "receiver.db", schema.for_sqlite())
        self._take_in_filings(folder / "filings.db")

    def close(self) -> None:
        """Let go of the file, and of the lead."""
        with self._lock:
            self._connection.close()
            if self._leads is not None:
                os.close(self._leads)
                self._leads = None

    @contextmanager
    def write(self) -> "Iterator[SqliteTx]":
        """`BEGIN IMMEDIATE … COMMIT`."""
        with self._lock, _faults(), store.transaction(self._connection):
            yield SqliteTx(self._connection)

    @contextmanager
    def read(self) -> "Iterator[SqliteTx]":
        """A deferred transaction: one view for all its statements."""
        with self._lock, _faults():
            self._connection.execute("BEGIN")
            try:
                yield SqliteTx(self._connection)
            finally:
                self._connection.execute("COMMIT")

    def lead(self) -> bool:
        """Whether this process holds the connector's lock."""
        with self._lock:
            if self._leads is None:
                with suppress(store.AlreadyHeld):
                    self._leads = store.hold(self._folder / "connector.lock")
            return self._leads is not None

    def _take_in_filings(self, path: Path) -> None:
        """Before version 2 attempts at the TTHC system lay in a database of their own; they come over once."""
        if not path.exists():
            return
        with self._lock:
            self._connection.execute("ATTACH ? AS old", (str(path),))
            try:
                with store.transaction(self._connection) as database:
                    for table in ("filing", "decision"):
                        rows = f"INSERT INTO main.{table} SELECT * FROM old.{table}"  # noqa: S608  # our own names
                        database.execute(f"{rows} WHERE true ON CONFLICT DO NOTHING")
            finally:
                self._connection.execute("DETACH old")
            path.replace(path.with_name("filings.db.taken-in"))
            store.sync_folder(path.parent)
        log.info("%s taken into receiver.db", path)


class SqliteTx:
    """One transaction on a connection that the caller has locked."""

    def __init__(self, connection: store.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""
        row = self._connection.execute(sql, values).fetchone()
        return dict(row) if row is not None else None

    lock = one

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""
        return [dict(row) for row in self._connection.execute(sql, values).fetchall()]

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""
        touched: int = self._connection.execute(sql, values).rowcount
        return touched

    def many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same statement for each of `rows`."""
        self._connection.executemany(sql, list(rows))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except store.IntegrityError as error:
        raise Conflict(getattr(error, "sqlite_errorname", "constraint")) from None
    except store.DatabaseError as error:
        raise DatabaseFault(getattr(error, "sqlite_errorname", type(error).__name__)) from None
