"""The kiosk's own numbers for when the queue server is away: blocks leased in advance, kept in a small SQLite file.

A number is written down, durably, before anybody hears of it: after a power cut at any moment it is not given again.
What was given is told to the server in order when it is back; the server knows the same number by its id.
"""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pysqlite3 import dbapi2 as sqlite

from kiosk.clock import from_iso, utc_iso

VERSION = 1
KEPT = timedelta(days=2)
"""How long a number stays written down after the server has it: a visit may still ask for it with its key."""
PRINTING = timedelta(seconds=30)
"""How long a slip may take; after it a number without a word about its paper counts as unprinted."""

log = logging.getLogger(__name__)

Json = dict[str, Any]
T = TypeVar("T")

_TABLES = (
    """CREATE TABLE block (
        id TEXT PRIMARY KEY,
        day TEXT NOT NULL,
        series TEXT NOT NULL,
        last INTEGER NOT NULL,
        next INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE given (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        id TEXT NOT NULL UNIQUE,
        block TEXT NOT NULL REFERENCES block (id),
        day TEXT NOT NULL,
        series TEXT NOT NULL,
        n INTEGER NOT NULL,
        service TEXT NOT NULL,
        priority TEXT NOT NULL,
        issued_at TEXT NOT NULL,
        printed INTEGER CHECK (printed IN (0, 1)),
        state TEXT NOT NULL DEFAULT 'kept' CHECK (state IN ('kept', 'told', 'refused')),
        UNIQUE (day, series, n)
    ) STRICT""",
    "CREATE TABLE known (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT",
)


@dataclass(frozen=True, slots=True)
class Given:
    """A number given out of a block. `key`: the visit's, under which the server may have been asked before."""

    key: str
    id: str
    block: str
    series: str
    n: int
    service: str
    priority: str
    issued_at: datetime
    printed: bool | None
    """None: not known yet."""

    @property
    def number(self) -> str:
        """As people read it."""
        return f"{self.series}-{self.n:03d}"

    def as_json(self) -> Json:
        """What the server is told (POST /tickets/reconcile)."""
        return {
            "id": self.id,
            "block": self.block,
            "n": self.n,
            "service": self.service,
            "group": self.priority,
            "issued_at": utc_iso(self.issued_at),
            "printed": bool(self.printed),
            "instead_of": self.key,
        }


class Ledger:
    """The file. Every method may be called from any thread and raises sqlite's Error if the disk does not take it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite.connect(str(path), timeout=5, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite.Row
        try:
            for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2)):
                self._connection.execute(f"PRAGMA {pragma} = {wanted}")
                if self._look(f"PRAGMA {pragma}")[0][0] != wanted:
                    raise sqlite.OperationalError(f"{pragma} cannot be {wanted}; use a local disk")
            with self._change() as change:
                if change("PRAGMA user_version").fetchone()[0] == 0:
                    for table in _TABLES:
                        change(table)
                    change("INSERT INTO known VALUES ('ledger', ?)", (secrets.token_hex(8),))
                    change(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # --- what the server said last ---

    def remember(self, name: str, body: Json) -> None:
        """Keep an answer of the server for when it is away; the same again is not written."""
        text = json.dumps(body, ensure_ascii=False)
        if self._text(name) != text:
            with self._change() as change:
                change("INSERT OR REPLACE INTO known VALUES (?, ?)", (name, text))

    def known(self, name: str) -> Json:
        """What was remembered; empty if nothing was."""
        found: Json = json.loads(self._text(name) or "{}")
        return found

    def _text(self, name: str) -> str | None:
        rows = self._look("SELECT body FROM known WHERE name = ?", name)
        return str(rows[0]["body"]) if rows else None

    # --- blocks ---

    def lease_key(self, day: str, series: str) -> str:
        """The idempotency key of the next lease: a lost answer costs no numbers.

        It begins with this file's own random name: a kiosk with a new disk must not get a block that it has used.
        """
        rows = self._look("SELECT count(*) AS n FROM block WHERE day = ? AND series = ?", day, series)
        return f"block-{self._text('ledger')}-{day}-{series.encode().hex()}-{rows[0]['n']}"

    def add_block(self, block: str, day: str, series: str, first: int, last: int) -> None:
        """A leased block; the same again changes nothing."""
        with self._change() as change:
            change("INSERT OR IGNORE INTO block VALUES (?, ?, ?, ?, ?)", (block, day, series, last, first))

    def left(self, day: str) -> dict[str, int]:
        """How many numbers of each series can still be given out on this business day."""
        rows = self._look("SELECT series, sum(last - next + 1) AS left FROM block WHERE day = ? GROUP BY series", day)
        return {row["series"]: row["left"] for row in rows if row["left"] > 0}

    # --- numbers ---

    def give(self, key: str, day: str, series: str, service: str, priority: str, now: datetime) -> Given | None:
        """The next number, on the disk when this returns; the same `key` again gives the same one. None: none left."""
        with self._change() as change:
            if (known := _one(change, "SELECT * FROM given WHERE key = ?", key)) is not None:
                return _given(known)
            block = _one(
                change,
                "SELECT * FROM block WHERE day = ? AND series = ? AND next <= last ORDER BY next LIMIT 1",
                day,
                series,
            )
            if block is None:
                return None
            change("UPDATE block SET next = next + 1 WHERE id = ?", (block["id"],))
            change(
                "INSERT INTO given (key, id, block, day, series, n, service, priority, issued_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, secrets.token_urlsafe(12), block["id"], day, series, block["next"], service, priority,
                 utc_iso(now)),
            )  # fmt: skip
            row = _one(change, "SELECT * FROM given WHERE key = ?", key)
        assert row is not None
        return _given(row)

    def given(self, key: str) -> Given | None:
        """What was given for this key."""
        rows = self._look("SELECT * FROM given WHERE key = ?", key)
        return _given(rows[0]) if rows else None

    def report(self, ticket: str, *, printed: bool) -> bool:
        """Write down whether the slip came out. False: the server knows this ticket, it wants to be told itself."""
        with self._change() as change:
            found = change("UPDATE given SET printed = ? WHERE id = ? AND state = 'kept'", (int(printed), ticket))
            return bool(found.rowcount)

    def to_tell(self, now: datetime) -> list[Given]:
        """What the server has not been told yet, in the order it was given, up to a slip that is being printed now."""
        ready = []
        for row in self._look("SELECT * FROM given WHERE state = 'kept' ORDER BY seq"):
            given = _given(row)
            if given.printed is None and abs(now - given.issued_at) < PRINTING:
                break
            ready.append(given)
        return ready

    def told(self, ticket: str) -> bool | None:
        """The server has it from now on. What is known of its paper: it may have been reported meanwhile."""
        with self._change() as change:
            change("UPDATE given SET state = 'told' WHERE id = ?", (ticket,))
            row = _one(change, "SELECT printed FROM given WHERE id = ?", ticket)
        return None if row is None or row["printed"] is None else bool(row["printed"])

    def refused(self, ticket: str) -> None:
        """The server will never take it; it stays written down."""
        with self._change() as change:
            change("UPDATE given SET state = 'refused' WHERE id = ?", (ticket,))

    def tidy(self, now: datetime) -> None:
        """Forget numbers that the server has had for long, and blocks of earlier days."""
        old = utc_iso(now - KEPT)
        with self._change() as change:
            change("DELETE FROM given WHERE state = 'told' AND issued_at < ?", (old,))
            change("DELETE FROM block WHERE day < ? AND id NOT IN (SELECT block FROM given)", (old[:10],))

    def _look(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            rows: list[Any] = self._connection.execute(sql, values).fetchall()
        return rows

    @contextmanager
    def _change(self) -> Iterator[Any]:
        """One transaction, durable on leaving."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


class Reserve:
    """The ledger on a thread of its own, opened when it is first used.

    A disk that does not take it costs the reserve, never the numbers of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "queue-numbers.db"
        self._worker = ThreadPoolExecutor(1, "queue-reserve")
        self._ledger: Ledger | None = None

    async def use(self, job: Callable[[Ledger], T], default: T) -> T:
        """What `job` returns; `default` if the file is out of order."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._use, job, default)

    def _use(self, job: Callable[[Ledger], T], default: T) -> T:
        try:
            if self._ledger is None:
                self._ledger = Ledger(self._path)
            return job(self._ledger)
        except (sqlite.Error, OSError) as error:
            log.error("%s: the reserve of numbers cannot be used: %s", self._path, error)
            return default

    def close(self) -> None:
        """Finish what was begun and close the file; it is opened again if it is used again."""
        worker, self._worker = self._worker, ThreadPoolExecutor(1, "queue-reserve")
        worker.shutdown()
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def _one(change: Any, sql: str, *values: object) -> Any:
    return change(sql, values).fetchone()


def _given(row: Any) -> Given:
    return Given(
        key=row["key"],
        id=row["id"],
        block=row["block"],
        series=row["series"],
        n=row["n"],
        service=row["service"],
        priority=row["priority"],
        issued_at=from_iso(row["issued_at"]),
        printed=None if row["printed"] is None else bool(row["printed"]),
    )
