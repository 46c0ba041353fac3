"""The receiver's database in PostgreSQL: several processes of the receiver, on one machine or several.

A receipt is given only after COMMIT, and a commit is on disk: the server's `fsync` and `synchronous_commit` are asked
for at the start. That it is on a second disk too is the synchronous standby's (docs/delivery.md): a commit whose wait
for it was cut short counts as a fault.
"""

import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from kiosk.config import ConfigError
from sync.receiver import schema
from sync.receiver.database import Conflict, DatabaseFault, Row

log = logging.getLogger(__name__)

CONNECTIONS = 8
PATIENCE_SECONDS = 5.0
_MIGRATION, _CONNECTOR = 7_205_001, 7_205_002
"""Advisory locks: one process migrates, one hands dossiers on."""

HABITS: dict[str, str | int | None] = {
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Of a connection, where the address says nothing else: of several hosts the primary; a host that is gone is noticed
within half a minute. Seconds, the last one milliseconds."""

Connection = psycopg.Connection[dict[str, Any]]


class PostgresDatabase:
    """A pool of connections, and one that holds the lead. Raises ConfigError if it cannot be opened."""

    def __init__(self, address: str) -> None:
        self._address = address = make_conninfo("", **(HABITS | conninfo_to_dict(address)))
        self._leader: Connection | None = None
        self._lock = threading.Lock()
        try:
            with _connect(address) as connection:
                _demand_durability(connection)
                _migrate(connection)
        except psycopg.Error as error:
            raise ConfigError(f"the receiver's database cannot be opened ({_short(error)})") from None
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            address,
            connection_class=psycopg.Connection[dict[str, Any]],
            min_size=2,
            max_size=CONNECTIONS,
            kwargs={"row_factory": dict_row, "autocommit": True},
            check=ConnectionPool.check_connection,
            timeout=PATIENCE_SECONDS,
            open=True,
        )

    def close(self) -> None:
        """Let go of every connection, and of the lead."""
        self._pool.close()
        with self._lock:
            self._drop_lead()

    @contextmanager
    def write(self) -> "Iterator[PostgresTx]":
        """`BEGIN … COMMIT`."""
        with _faults(), self._pool.connection() as connection, _confirmed(connection), connection.transaction():
            yield PostgresTx(connection)

    @contextmanager
    def read(self) -> "Iterator[PostgresTx]":
        """One view for all its statements."""
        with _faults(), self._pool.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield PostgresTx(connection)

    def lead(self) -> bool:
        """Whether this process holds the lock; it ends with the connection, however the process ends."""
        with self._lock:
            try:
                if self._leader is None:
                    self._leader = _connect(self._address)
                    taken = self._leader.execute("SELECT pg_try_advisory_lock(%s) AS taken", (_CONNECTOR,)).fetchone()
                    if not (taken and taken["taken"]):
                        self._drop_lead()
                else:
                    self._leader.execute("SELECT 1")
            except psycopg.Error as error:
                log.warning("the receiver's database: %s", _short(error))
                self._drop_lead()
            return self._leader is not None

    def _drop_lead(self) -> None:
        if self._leader is not None:
            self._leader.close()
            self._leader = None


class PostgresTx:
    """One transaction on a connection of the pool."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""
        return self._connection.execute(_translated(sql), values).fetchone()

    def lock(self, sql: str, **values: Any) -> Row | None:
        """The first row, locked until the end of the transaction."""
        return self.one(f"{sql} FOR UPDATE", **values)

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""
        return list(self._connection.execute(_translated(sql), values).fetchall())

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""
        return self._connection.execute(_translated(sql), values).rowcount

    def many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same statement for each of `rows`, sent at once."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(sql), list(rows))


@lru_cache(maxsize=512)
def _translated(sql: str) -> bytes:
    """Named parameters in psycopg's form."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql.replace("%", "%%")).encode()


def _connect(address: str) -> Connection:
    return psycopg.connect(address, autocommit=True, row_factory=dict_row)


def _demand_durability(connection: Connection) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        row = connection.execute(f"SHOW {setting}".encode()).fetchone()
        if row and row[setting] in ("off", "local"):  # local: on this disk, not on the standby's
            value = row[setting]
            raise ConfigError(f"the receiver's database has {setting} = {value}: receipts could be lost; turn it on")


def _migrate(connection: Connection) -> None:
    """One process at a time; an older program is refused."""
    versions = schema.for_postgres()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION,))
        connection.execute("CREATE TABLE IF NOT EXISTS receiver_schema (version BIGINT NOT NULL)")
        row = connection.execute("SELECT version FROM receiver_schema").fetchone()
        version = row["version"] if row else 0
        if version > len(versions):
            raise ConfigError(
                f"the receiver's database was written by a newer program (schema {version}, known {len(versions)}); "
                "nothing was changed: install that program again"
            )
        for statement in (statement for statements in versions[version:] for statement in statements):
            connection.execute(statement.encode())
        if version != len(versions):
            connection.execute("DELETE FROM receiver_schema")
            connection.execute("INSERT INTO receiver_schema VALUES (%s)", (len(versions),))


@contextmanager
def _confirmed(connection: Connection) -> Iterator[None]:
    """A commit whose wait for the standby is cancelled or runs out of time succeeds with a mere warning: no success."""
    warnings: list[str] = []

    def take(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.sqlstate or "")

    connection.add_notice_handler(take)
    try:
        yield
    finally:
        connection.remove_notice_handler(take)
    if warnings:
        raise DatabaseFault(f"committed, and perhaps not on the standby (warning {warnings[0]})")


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except psycopg.IntegrityError as error:
        raise Conflict(_short(error)) from None
    except (psycopg.Error, PoolTimeout) as error:
        raise DatabaseFault(_short(error)) from None


def _short(error: BaseException) -> str:
    """Class and SQLSTATE: the message may quote values."""
    return f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".strip()
