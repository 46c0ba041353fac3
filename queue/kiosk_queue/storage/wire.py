"""A transaction over libpq's pipeline: statements prepared once for each connection, sent without waiting.

The deeds' statements are few, small and many a second; psycopg's cursors cost more than all else that this process
does for them. Here only its thin layer over libpq is used, and its conversion of rows.
"""

import re
import select
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from kiosk_queue.storage.store import CENTRE, Conflict, Row

WRITE, LOOK = "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""How a transaction of deeds begins, and one of a look: one consistent view for all its statements."""

_SETTINGS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""Every statement of ours goes by an index; it is planned once, and a table's early statistics do not mislead it."""
_LOCK = f"SELECT {CENTRE} FROM centre c WHERE c.id = :centre FOR NO KEY UPDATE"  # noqa: S608  # our own columns
_ANSWER = "SELECT request, body FROM answer WHERE centre = :centre AND key = :key"
"""Asked for after the lock is held: one statement for both would not see the answer of whoever held it before."""
_NO_ANSWER = {"request": None, "body": None}

Result = pq.abc.PGresult


class WiredConnection(psycopg.Connection[dict[str, Any]]):
    """A connection with what is prepared on it."""

    _wire: "Wire | None" = None

    @property
    def wire(self) -> "Wire":
        """The way over this connection."""
        if self._wire is None:
            self.execute(_SETTINGS)
            self._wire = Wire(self)
        return self._wire


@lru_cache(maxsize=1024)
def _translated(sql: str) -> tuple[bytes, tuple[str, ...], bool]:
    """The statement with PostgreSQL's own parameters, their names in order, whether it writes."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    text = re.sub(r"(?<!:):(\w+)", place, sql)
    return text.encode(), tuple(names), not text.lstrip().upper().startswith(("SELECT", "WITH", "BEGIN", "COMMIT"))


class Wire:
    """One transaction at a time on an autocommit connection; `begin`, statements, then `commit` or `rollback`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection  # which owns what `_pg` points to
        self._pg = connection.pgconn
        self._rows = Transformer(connection)
        self._prepared: dict[str, tuple[bytes, tuple[str, ...], bool]] = {}
        self._unsure: list[str] = []
        """Prepared in this transaction: if that fails, perhaps not at all."""
        self._names = count()
        self._owed = self._syncs = 0
        """Answers that the database still has to give, and ends of pipelines among them."""
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._pg.socket, select.POLLIN)
        self._writable.register(self._pg.socket, select.POLLIN | select.POLLOUT)
        self.wrote = False
        """Whether the present job sent anything that an undo would have to take back."""

    def begin(self, how: str) -> None:
        """Nothing is sent before the first statement that is waited for."""
        self._pg.enter_pipeline_mode()
        self._owed, self.wrote = 0, False
        self._unsure.clear()
        self._send(how, {})

    def commit(self) -> None:
        """Durable when it returns; raises what any statement that nobody waited for had broken."""
        self._send("COMMIT", {})
        self._sync()
        while self._owed:
            self._take()
        self._finish()

    def rollback(self) -> None:
        """Take everything back; a lost connection has done that itself."""
        if self._pg.status != pq.ConnStatus.OK or self._pg.pipeline_status == pq.PipelineStatus.OFF:
            return
        try:
            self._sync()
            self._finish()
            for sql in self._unsure:
                del self._prepared[sql]
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, if any."""
        self._send(sql, values)
        rows = self._fetch()
        return rows[0] if rows else None

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""
        self._send(sql, values)
        return self._fetch()

    def run(self, sql: str, **values: Any) -> int:
        """How many rows it touched."""
        self._send(sql, values)
        return self._last().command_tuples or 0

    def put(self, sql: str, **values: Any) -> None:
        """Write without waiting."""
        self._send(sql, values)

    def lock(self, centre: str, key: str = "") -> Row | None:
        """The centre's row, locked until the transaction ends, and the answer to `key`; one round trip."""
        self._send(_LOCK, {"centre": centre})
        if not key:
            return next(iter(self._fetch()), None)
        before = self._owed
        self._send(_ANSWER, {"centre": centre, "key": key})
        after = self._owed - before
        self._flush()
        while self._owed > after:
            locked = self._take()
        found, answer = self._decoded(locked), self._fetch()
        return {**found[0], **(answer[0] if answer else _NO_ANSWER)} if found else None

    def _send(self, sql: str, values: dict[str, Any]) -> None:
        name, names, writes = self._prepared.get(sql) or self._prepare(sql)
        self._pg.send_query_prepared(name, [_text(values[name]) for name in names])
        self._owed += 1
        self.wrote |= writes

    def _prepare(self, sql: str) -> tuple[bytes, tuple[str, ...], bool]:
        text, names, writes = _translated(sql)
        prepared = self._prepared[sql] = b"s%d" % next(self._names), names, writes
        self._unsure.append(sql)
        self._pg.send_prepare(prepared[0], text)
        self._owed += 1
        return prepared

    def _fetch(self) -> list[Row]:
        """The rows of the statement that was sent last."""
        return self._decoded(self._last())

    def _last(self) -> Result:
        """The answer to the statement that was sent last; those before it are looked at on the way."""
        self._flush()
        while self._owed:
            result = self._take()
        return result

    def _flush(self) -> None:
        """Send what was gathered and ask for the answers so far."""
        self._pg.send_flush_request()
        self._push()

    def _push(self) -> None:
        while self._pg.flush():
            self._writable.poll()
            self._pg.consume_input()

    def _take(self) -> Result:
        """The oldest answer that is owed; raises Conflict for a broken rule of the schema, else psycopg.Error."""
        result = self._next()
        self._owed -= 1
        self._next()  # a null ends every answer
        if result is None or result.status in _BROKEN:
            self.wrote = True  # the transaction is lost
            raise self._error(result)
        return result

    def _next(self) -> Result | None:
        while self._pg.is_busy():
            self._readable.poll()
            self._pg.consume_input()
        return self._pg.get_result()

    def _error(self, result: Result | None) -> Exception:
        """What a broken answer says; the first one of a transaction has the cause, the others only follow."""
        if result is None or result.status == pq.ExecStatus.PIPELINE_ABORTED:
            return psycopg.OperationalError("the connection or its transaction was lost")
        error = psycopg.errors.error_from_result(result)
        if isinstance(error, (psycopg.IntegrityError, psycopg.errors.RaiseException)):
            return Conflict(str(error))
        return error

    def _sync(self) -> None:
        """End the pipeline: what follows no longer suffers from what was broken before."""
        self._pg.pipeline_sync()
        self._syncs += 1
        self._push()

    def _finish(self) -> None:
        """Read to the end of the pipeline, whatever comes."""
        while self._syncs:
            result = self._next()
            if result is not None:
                self._syncs -= result.status == pq.ExecStatus.PIPELINE_SYNC
            elif self._pg.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError("the connection was lost")
        self._pg.exit_pipeline_mode()

    def _decoded(self, result: Result) -> list[Row]:
        rows = self._rows
        rows.set_pgresult(result)
        names = [_name(result.fname(n)) for n in range(result.nfields)]
        return rows.load_rows(0, result.ntuples, lambda values: dict(zip(names, values, strict=True)))


_BROKEN = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)


@lru_cache(maxsize=1024)
def _name(column: bytes | None) -> str:
    return (column or b"").decode()


def _text(value: Any) -> bytes | None:
    """A value as the database reads it, whatever type it has there."""
    return None if value is None else str(value).encode()
