"""Tables of the queue: uniqueness, allowed moves and the append-only event stream are held by the database itself.

The tables are written once in SQL that SQLite and PostgreSQL share; triggers are written for each.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysqlite3 import dbapi2 as sqlite

from kiosk.config import ConfigError

if TYPE_CHECKING:
    import psycopg

VERSION = 1

STATES = ("reserved", "waiting", "called", "serving", "held", "completed", "no_show", "void")
"""`transferred` is no state of its own: the number waits again elsewhere, and the event says from where."""

EDGES = (
    ("reserved", "waiting"),
    ("reserved", "called"),  # by number, before the kiosk has reported its paper
    ("reserved", "void"),
    ("waiting", "called"),
    ("waiting", "void"),
    ("called", "serving"),
    ("called", "completed"),
    ("called", "no_show"),
    ("called", "held"),
    ("called", "waiting"),  # transferred, or a transfer undone
    ("called", "void"),
    ("serving", "completed"),
    ("serving", "held"),
    ("serving", "waiting"),
    ("serving", "void"),
    ("held", "waiting"),
    ("held", "called"),
    ("held", "no_show"),
    ("held", "void"),
    ("no_show", "waiting"),  # came back after all
    ("waiting", "serving"),  # a transfer undone
)
"""The moves of a ticket; everything else is refused by the database."""

_ALLOWED = ", ".join(f"'{old}>{new}'" for old, new in EDGES)
_STATES = ", ".join(f"'{state}'" for state in STATES)

_SOUND = (
    "length({id}) >= 16",
    "length({day}) = 10",
    "length({series}) BETWEEN 1 AND 4",
    "{n} > 0",
    "{confirmed} IN (0, 1) AND {urgent} IN (0, 1) AND {appointment} IN (0, 1) AND {goes_first} IN (0, 1)",
    f"{{state}} IN ({_STATES})",
    "{paper} IN ('none', 'pending', 'printed', 'failed', 'wanted')",
    "({state} IN ('called', 'serving')) = ({counter} IS NOT NULL)",
    "({state} IN ('completed', 'no_show', 'void')) = ({ended_at} IS NOT NULL)",
)
"""What every ticket fulfils. CHECKs in SQLite; in PostgreSQL, which parses each CHECK anew for every row, a trigger."""

_CHECKS = "".join(f",\n    CHECK ({rule.replace('{', '').replace('}', '')})" for rule in _SOUND)

TABLES = f"""
CREATE TABLE centre (
    id TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 40),
    settings TEXT NOT NULL,
    version INTEGER NOT NULL,
    day TEXT NOT NULL DEFAULT '',
    seq BIGINT NOT NULL DEFAULT 0,
    urgent_in_a_row INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE event (
    centre TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    ticket TEXT,
    counter TEXT,
    actor TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL,
    PRIMARY KEY (centre, seq)
);
CREATE INDEX event_of_ticket ON event (ticket, seq) WHERE ticket IS NOT NULL;

CREATE TABLE series (
    centre TEXT NOT NULL,
    day TEXT NOT NULL,
    series TEXT NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (centre, day, series)
);

CREATE TABLE ticket (
    id TEXT PRIMARY KEY,
    centre TEXT NOT NULL,
    place BIGINT NOT NULL,
    day TEXT NOT NULL,
    series TEXT NOT NULL,
    n INTEGER NOT NULL,
    service TEXT NOT NULL,
    further TEXT NOT NULL DEFAULT '',
    priority TEXT NOT NULL DEFAULT '',
    confirmed INTEGER NOT NULL DEFAULT 0,
    urgent INTEGER NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    paper TEXT NOT NULL,
    since TEXT NOT NULL,
    appointment INTEGER NOT NULL DEFAULT 0,
    goes_first INTEGER NOT NULL DEFAULT 0,
    for_counter TEXT NOT NULL DEFAULT '',
    for_officer TEXT NOT NULL DEFAULT '',
    counter TEXT,
    officer TEXT NOT NULL DEFAULT '',
    calls INTEGER NOT NULL DEFAULT 0,
    issued_at TEXT NOT NULL,
    called_at TEXT,
    announced_at TEXT,
    serving_at TEXT,
    ended_at TEXT,
    reference TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    wait_low REAL,
    wait_high REAL,
    wait_likely REAL,
    wait_p10 REAL,
    wait_p90 REAL,
    UNIQUE (centre, day, series, n){_CHECKS}
);
CREATE UNIQUE INDEX one_ticket_at_a_counter ON ticket (centre, counter) WHERE state IN ('called', 'serving');
CREATE INDEX line ON ticket (centre, day, service, urgent, appointment, goes_first DESC, since, place)
    WHERE state IN ('reserved', 'waiting');
CREATE INDEX unfinished ON ticket (centre, day)
    WHERE state IN ('reserved', 'waiting', 'called', 'serving', 'held');
CREATE INDEX announced_of_day ON ticket (centre, day, announced_at) WHERE announced_at IS NOT NULL;
CREATE INDEX ticket_of_day ON ticket (centre, day, place);

CREATE TABLE stint (
    centre TEXT NOT NULL,
    seq BIGINT NOT NULL,
    ticket TEXT NOT NULL,
    day TEXT NOT NULL,
    service TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    appointment INTEGER NOT NULL,
    counter TEXT NOT NULL,
    officer TEXT NOT NULL,
    waiting_since TEXT NOT NULL,
    called_at TEXT NOT NULL,
    serving_at TEXT,
    ended_at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    waited REAL NOT NULL,
    served REAL NOT NULL,
    wait_low REAL,
    wait_high REAL,
    wait_likely REAL,
    wait_p10 REAL,
    wait_p90 REAL,
    PRIMARY KEY (centre, seq)
);
CREATE INDEX stint_of_day ON stint (centre, day, service);

CREATE TABLE answer (
    centre TEXT NOT NULL,
    key TEXT NOT NULL CHECK (length(key) BETWEEN 8 AND 200),
    request TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (centre, key)
);
CREATE INDEX answer_age ON answer (centre, at);

CREATE TABLE desk (
    centre TEXT NOT NULL REFERENCES centre (id),
    counter TEXT NOT NULL,
    session TEXT NOT NULL,
    officer TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    beat_at TEXT NOT NULL,
    paused TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (centre, counter),
    UNIQUE (centre, session)
);

CREATE TABLE staff_call (
    centre TEXT NOT NULL REFERENCES centre (id),
    id BIGINT NOT NULL,
    kiosk TEXT NOT NULL CHECK (length(kiosk) BETWEEN 1 AND 40),
    at TEXT NOT NULL,
    answered_at TEXT,
    counter TEXT,
    PRIMARY KEY (centre, id)
);
CREATE UNIQUE INDEX one_open_call_of_a_kiosk ON staff_call (centre, kiosk) WHERE answered_at IS NULL;

CREATE TABLE block (
    id TEXT PRIMARY KEY,
    centre TEXT NOT NULL REFERENCES centre (id),
    kiosk TEXT NOT NULL,
    day TEXT NOT NULL,
    series TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL CHECK (last >= first),
    leased_at TEXT NOT NULL,
    UNIQUE (centre, kiosk, day, series, first)
);

CREATE TABLE appointment (
    id TEXT PRIMARY KEY CHECK (length(id) >= 16),
    centre TEXT NOT NULL REFERENCES centre (id),
    service TEXT NOT NULL,
    slot TEXT NOT NULL,
    place INTEGER NOT NULL CHECK (place > 0),
    state TEXT NOT NULL CHECK (state IN ('booked', 'kept', 'cancelled')),
    booked_at TEXT NOT NULL,
    ticket TEXT UNIQUE
);
CREATE UNIQUE INDEX one_booking_of_a_place ON appointment (centre, service, slot, place) WHERE state <> 'cancelled';

CREATE TABLE rating (
    centre TEXT NOT NULL REFERENCES centre (id),
    ticket TEXT NOT NULL,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    score INTEGER NOT NULL CHECK (score BETWEEN 1 AND 5),
    PRIMARY KEY (centre, ticket)
);

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    centre TEXT NOT NULL REFERENCES centre (id),
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('officer', 'supervisor', 'administrator')),
    password TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    UNIQUE (centre, name)
);

CREATE TABLE login (
    token TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id),
    csrf TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT NOT NULL
);

CREATE TABLE device (
    id TEXT PRIMARY KEY,
    centre TEXT NOT NULL REFERENCES centre (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('kiosk', 'counter', 'display')),
    token TEXT NOT NULL UNIQUE,
    since TEXT NOT NULL,
    revoked_at TEXT,
    heard_at TEXT
);

CREATE TABLE sign_in_failure (
    centre TEXT NOT NULL,
    whom TEXT NOT NULL CHECK (length(whom) = 64),
    failures INTEGER NOT NULL CHECK (failures > 0),
    last_at TEXT NOT NULL,
    PRIMARY KEY (centre, whom)
);

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    centre TEXT NOT NULL REFERENCES centre (id),
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    kinds TEXT NOT NULL,
    sent BIGINT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    next_at TEXT NOT NULL
);
"""

_FORBIDDEN = (
    # table, what happens, which column, what is wrong
    ("event", "DELETE", "", "events are append-only"),
    ("event", "UPDATE", "", "events are append-only"),
    ("ticket", "DELETE", "", "tickets are not deleted"),
    ("stint", "UPDATE", "", "history does not change"),
    ("centre", "DELETE", "", "centres are not deleted"),  # what a foreign key of every hot row would say, for nothing
)

_MOVES = f"NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN ({_ALLOWED})"
_IDENTITY = (
    "NEW.id <> OLD.id OR NEW.centre <> OLD.centre OR NEW.day <> OLD.day OR NEW.series <> OLD.series"
    " OR NEW.n <> OLD.n OR NEW.place <> OLD.place OR NEW.issued_at <> OLD.issued_at"
)
_GAP = "NEW.seq <> 1 AND NOT EXISTS (SELECT 1 FROM event WHERE centre = NEW.centre AND seq = NEW.seq - 1)"
_TAKEN = "EXISTS (SELECT 1 FROM event WHERE centre = NEW.centre AND seq = NEW.seq)"
"""SQLite's INSERT OR REPLACE gets round a primary key; PostgreSQL has nothing like it."""
_RULES = (
    ("ticket", "UPDATE", _MOVES, "this move of a ticket is not allowed"),
    ("ticket", "UPDATE", _IDENTITY, "the identity of a ticket cannot change"),
    ("event", "INSERT", _GAP, "event numbers have no gaps"),
    *((table, deed, "", text) for table, deed, _, text in _FORBIDDEN),
)
_ONLY_SQLITE = (("event", "INSERT", _TAKEN, "event numbers have no gaps"),)
_ONLY_POSTGRES = tuple(
    (
        "ticket",
        deed,
        f"NOT ({' AND '.join(_SOUND).replace('{', 'NEW.').replace('}', '')})",
        "no ticket can be like this",
    )
    for deed in ("INSERT", "UPDATE")
)


def migrate_sqlite(connection: Any, path: Path) -> None:
    """Bring the file up to date in one transaction; safe when two processes start at once. ConfigError if too new."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > VERSION or (found == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone()):
            raise ConfigError(f"{path}: of another version of the queue server; give it a file of its own")
        if found == 0:
            _create(connection.execute, _statements(TABLES) + _sqlite_triggers())
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def migrate_postgres(connection: "psycopg.Connection[Any]") -> None:
    """The same; the advisory lock makes other processes wait."""

    def run(statement: str) -> None:
        connection.execute(statement.encode())

    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(7346912)")
        found = connection.execute("SELECT to_regclass('schema_version')").fetchone()
        if found is None or found[0] is None:
            _create(run, _statements(TABLES.replace(_CHECKS, "")) + _postgres_triggers())
            run("CREATE TABLE schema_version (version INTEGER NOT NULL)")
            run(f"INSERT INTO schema_version VALUES ({VERSION})")  # noqa: S608  # our own number
            return
        row = connection.execute("SELECT version FROM schema_version").fetchone()
        if row is None or row[0] != VERSION:
            raise ConfigError("the queue database is of another version of the queue server")


def _create(run: Callable[[str], Any], statements: list[str]) -> None:
    for statement in statements:
        run(statement)


def _sqlite_triggers() -> list[str]:
    return [
        f"CREATE TRIGGER rule_{number} BEFORE {deed} ON {table} {f'WHEN {when} ' if when else ''}"
        f"BEGIN SELECT RAISE(ABORT, '{text}'); END"
        for number, (table, deed, when, text) in enumerate(_RULES + _ONLY_SQLITE)
    ]


def _postgres_triggers() -> list[str]:
    """One function for each table and deed, with the conditions inside: those of a trigger are parsed for every row."""
    bodies: dict[tuple[str, str], str] = {}
    for table, deed, when, text in _RULES + _ONLY_POSTGRES:
        refusal = f"IF {when or 'true'} THEN RAISE EXCEPTION '{text}'; END IF; "
        bodies[table, deed] = bodies.get((table, deed), "") + refusal
    statements = []
    for (table, deed), body in bodies.items():
        name, give = f"{table}_{deed.lower()}", "OLD" if deed == "DELETE" else "NEW"
        statements += [
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}RETURN {give}; END $$",
            f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    return statements


def _statements(script: str) -> list[str]:
    """Split a script: executescript() would commit the transaction that the migration runs in."""
    statements, pending = [], ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    return [s for s in statements if s]
