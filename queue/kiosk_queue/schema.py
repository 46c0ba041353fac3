"""Tables of the queue: uniqueness, allowed moves and the append-only event stream are held by the database itself."""

from typing import Any

from pysqlite3 import dbapi2 as sqlite
from sqlite_utils import Database, Migrations

migrations = Migrations("kiosk_queue")

_TICKETS = """
CREATE TABLE ticket (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (length(id) >= 16),
    day TEXT NOT NULL CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    series TEXT NOT NULL CHECK (length(series) BETWEEN 1 AND 4),
    n INTEGER NOT NULL CHECK (n > 0),
    service TEXT NOT NULL,
    priority TEXT NOT NULL,
    urgent INTEGER NOT NULL CHECK (urgent = (priority <> '')),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'called', 'completed', 'no_show')),
    paper TEXT NOT NULL DEFAULT 'pending' CHECK (paper IN ('pending', 'printed', 'failed', 'wanted')),
    counter TEXT,
    recalls INTEGER NOT NULL DEFAULT 0 CHECK (recalls >= 0),
    issued_at TEXT NOT NULL,
    called_at TEXT,
    announced_at TEXT,
    ended_at TEXT,
    UNIQUE (day, series, n),
    CHECK ((state = 'waiting') = (counter IS NULL)),
    CHECK ((state = 'waiting') = (called_at IS NULL)),
    CHECK ((state IN ('completed', 'no_show')) = (ended_at IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX one_ticket_at_a_counter ON ticket (counter) WHERE state = 'called';
CREATE INDEX waiting_line ON ticket (day, service, urgent, place) WHERE state = 'waiting';
CREATE INDEX announced_of_day ON ticket (day, announced_at) WHERE announced_at IS NOT NULL;

CREATE TRIGGER ticket_moves BEFORE UPDATE OF state ON ticket
WHEN NEW.state <> OLD.state
    AND NOT (OLD.state = 'waiting' AND NEW.state = 'called')
    AND NOT (OLD.state = 'called' AND NEW.state IN ('completed', 'no_show'))
BEGIN SELECT RAISE(ABORT, 'this move of a ticket is not allowed'); END;

CREATE TRIGGER ticket_identity BEFORE UPDATE OF place, id, day, series, n, service, issued_at ON ticket
BEGIN SELECT RAISE(ABORT, 'the identity of a ticket cannot change'); END;

CREATE TRIGGER ticket_stays BEFORE DELETE ON ticket
BEGIN SELECT RAISE(ABORT, 'tickets are not deleted'); END;
"""

_EVENTS = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'issued', 'printed', 'print_failed', 'called', 'recalled', 'completed', 'no_show',
        'staff_called', 'staff_answered', 'reprint_requested'
    )),
    ticket TEXT REFERENCES ticket (id),
    counter TEXT,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX event_of_ticket ON event (ticket) WHERE ticket IS NOT NULL;

CREATE TRIGGER event_gap_free BEFORE INSERT ON event
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'event numbers have no gaps'); END;

CREATE TRIGGER event_fixed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""

_REST = """
CREATE TABLE answer (
    key TEXT PRIMARY KEY CHECK (length(key) BETWEEN 8 AND 200),
    request TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;

CREATE INDEX answer_age ON answer (at);

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    opened_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staff_call (
    id INTEGER PRIMARY KEY,
    kiosk TEXT NOT NULL CHECK (length(kiosk) BETWEEN 1 AND 40),
    at TEXT NOT NULL,
    answered_at TEXT,
    counter TEXT
) STRICT;

CREATE UNIQUE INDEX one_open_call_of_a_kiosk ON staff_call (kiosk) WHERE answered_at IS NULL;
"""


@migrations()
def tickets_and_events(db: Database) -> None:
    """The first schema."""
    for script in (_TICKETS, _EVENTS, _REST):
        for statement in _statements(script):
            db.execute(statement)


def migrate(connection: Any) -> None:
    """Bring the database up to date in one transaction; safe when two processes start at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(connection, recursive_triggers=False))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """Split a script: executescript() would commit the transaction that the migration runs in."""
    statements, pending = [], ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    return [s for s in statements if s]
