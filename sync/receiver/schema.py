"""Tables of the receiver: uniqueness and allowed moves are held by the database itself, for ever.

Written once in SQL that SQLite and PostgreSQL share; types and triggers are translated. No personal data: the owner's
number is kept as a keyed hash only, to check a look-up.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A change that the database refuses: `deed` of a row of `table`, if `when` (of OLD and NEW) holds."""

    name: str
    deed: str
    table: str
    says: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One step of the schema."""

    tables: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    ended: tuple[str, ...] = ()
    """Rules of before that are made anew."""


def _edges(*allowed: str) -> Rule:
    listed = ", ".join(f"'{edge}'" for edge in allowed)
    when = f"OLD.state || ' > ' || NEW.state NOT IN ({listed})"
    return Rule("edges", "UPDATE OF state", "submission", "no such change of state", when)


_FIRST = Version(
    (
        """CREATE TABLE submission (
            kiosk TEXT NOT NULL,
            submission TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            manifest_sha256 TEXT NOT NULL,
            manifest BLOB NOT NULL,
            announced_at TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'announced',
            receipt_number INTEGER UNIQUE,
            receipt BLOB,
            reference_uid TEXT,
            provisional_ref TEXT,
            procedure TEXT,
            owner_hash BLOB,
            dossier_code TEXT,
            answer TEXT,
            problem TEXT,
            PRIMARY KEY (kiosk, submission),
            UNIQUE (kiosk, sequence),
            CHECK (state IN ('announced', 'committed', 'filed', 'answered', 'quarantined')),
            CHECK ((state = 'announced') = (receipt IS NULL)),
            CHECK ((receipt IS NULL) = (receipt_number IS NULL)),
            CHECK (state NOT IN ('filed', 'answered') OR owner_hash IS NOT NULL),
            CHECK ((state = 'answered') = (answer IS NOT NULL)),
            CHECK ((state = 'quarantined') = (problem IS NOT NULL))
        ) STRICT""",
        "CREATE INDEX by_state ON submission (state, receipt_number)",
        "CREATE INDEX by_reference ON submission (provisional_ref)",
        "CREATE INDEX by_code ON submission (dossier_code)",
        """CREATE TABLE blob (
            kiosk TEXT NOT NULL,
            submission TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            size INTEGER NOT NULL,
            PRIMARY KEY (kiosk, sha256),
            FOREIGN KEY (kiosk, submission) REFERENCES submission (kiosk, submission)
        ) STRICT""",
    ),
    (
        _edges("announced > committed", "committed > filed", "committed > quarantined", "filed > answered"),
        Rule("kept", "DELETE", "submission", "a submission is never deleted"),
    ),
)

_SECOND = Version(
    (
        "ALTER TABLE submission ADD COLUMN received_at TEXT",
        "ALTER TABLE submission ADD COLUMN filed_at TEXT",
        "ALTER TABLE submission ADD COLUMN answered_at TEXT",
        "ALTER TABLE submission ADD COLUMN quarantined_at TEXT",
        "ALTER TABLE submission ADD COLUMN due_at TEXT",
        "ALTER TABLE submission ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX by_due ON submission (state, due_at)",
        "CREATE INDEX by_reception ON submission (received_at)",
        "CREATE INDEX by_uid ON submission (reference_uid)",
        "CREATE INDEX by_filing ON submission (filed_at)",
        "CREATE INDEX by_answer ON submission (answered_at)",
        "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",
        "INSERT INTO counter SELECT 'receipt', coalesce(max(receipt_number), 0) FROM submission",
        # What was attempted at the TTHC system (sync.connectors.ledger).
        """CREATE TABLE filing (
            reference_uid TEXT PRIMARY KEY,
            handle TEXT,
            uploads TEXT NOT NULL DEFAULT '{}',
            sent_at TEXT,
            looks INTEGER NOT NULL DEFAULT 0,
            held_for TEXT,
            held_at TEXT,
            CHECK ((held_for IS NULL) = (held_at IS NULL))
        ) STRICT""",
        """CREATE TABLE decision (
            number INTEGER PRIMARY KEY,
            reference_uid TEXT NOT NULL REFERENCES filing (reference_uid),
            decided_at TEXT NOT NULL,
            decided_by TEXT NOT NULL,
            act TEXT NOT NULL CHECK (act IN ('resend', 'filed_as')),
            code TEXT,
            CHECK ((act = 'filed_as') = (code IS NOT NULL))
        ) STRICT""",
        "CREATE INDEX by_hold ON filing (held_at)",
        """CREATE TABLE catalogue (
            number INTEGER PRIMARY KEY,
            version TEXT NOT NULL UNIQUE,
            document TEXT NOT NULL
        ) STRICT""",
        # Who may send, and what is known of them.
        """CREATE TABLE kiosk (
            id TEXT PRIMARY KEY,
            enrolled_at TEXT NOT NULL,
            retired_at TEXT,
            last_contact TEXT,
            report TEXT,
            reported_at TEXT,
            contiguous INTEGER NOT NULL DEFAULT 0,
            reconciled_at TEXT,
            reconciliation TEXT
        ) STRICT""",
        """CREATE TABLE signing_key (
            kiosk TEXT NOT NULL REFERENCES kiosk (id),
            public BLOB NOT NULL,
            added_at TEXT NOT NULL,
            revoked_at TEXT,
            PRIMARY KEY (kiosk, public),
            CHECK (length(public) = 32)
        ) STRICT""",
        """CREATE TABLE certificate (
            fingerprint TEXT PRIMARY KEY,
            kiosk TEXT NOT NULL REFERENCES kiosk (id),
            not_after TEXT NOT NULL,
            issued_at TEXT NOT NULL,
            revoked_at TEXT,
            revoked_why TEXT,
            CHECK (length(fingerprint) = 64),
            CHECK ((revoked_at IS NULL) = (revoked_why IS NULL))
        ) STRICT""",
        """CREATE TABLE alarm (
            number INTEGER PRIMARY KEY,
            kiosk TEXT NOT NULL DEFAULT '',
            kind TEXT NOT NULL,
            detail TEXT NOT NULL,
            raised_at TEXT NOT NULL,
            ended_at TEXT
        ) STRICT""",
        "CREATE UNIQUE INDEX open_alarm ON alarm (kiosk, kind) WHERE ended_at IS NULL",
        # The operator page.
        """CREATE TABLE operator (
            name TEXT PRIMARY KEY,
            password_hash TEXT NOT NULL,
            added_at TEXT NOT NULL,
            disabled_at TEXT
        ) STRICT""",
        """CREATE TABLE operator_session (
            token_sha256 TEXT PRIMARY KEY,
            operator TEXT NOT NULL REFERENCES operator (name),
            began_at TEXT NOT NULL,
            ends_at TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE sign_in_failure (
            whom TEXT PRIMARY KEY,
            failures INTEGER NOT NULL,
            last_at TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE request (
            number INTEGER PRIMARY KEY,
            kiosk TEXT NOT NULL,
            submission TEXT NOT NULL,
            act TEXT NOT NULL,
            code TEXT,
            why TEXT NOT NULL,
            asked_by TEXT NOT NULL REFERENCES operator (name),
            asked_at TEXT NOT NULL,
            decided_by TEXT REFERENCES operator (name),
            decided_at TEXT,
            verdict TEXT CHECK (verdict IN ('done', 'declined', 'moved')),
            FOREIGN KEY (kiosk, submission) REFERENCES submission (kiosk, submission),
            CHECK (act IN ('replay', 'resend', 'filed_as')),
            CHECK ((act = 'filed_as') = (code IS NOT NULL)),
            CHECK (decided_by <> asked_by),
            CHECK ((decided_by IS NULL) = (verdict IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL))
        ) STRICT""",
        "CREATE UNIQUE INDEX one_request ON request (kiosk, submission) WHERE verdict IS NULL",
    ),
    (
        _edges(
            "announced > committed",
            "committed > filed",
            "committed > quarantined",
            "quarantined > committed",  # replayed under four eyes
            "filed > answered",
        ),
        Rule(
            "receipt_stays", "UPDATE OF receipt", "submission", "a receipt is never changed", "OLD.receipt IS NOT NULL"
        ),
        Rule(
            "asked_once",
            "UPDATE OF kiosk, submission, act, code, why, asked_by, asked_at",
            "request",
            "what was asked is never changed",
        ),
        Rule("decided_once", "UPDATE", "request", "a decision is never changed", "OLD.verdict IS NOT NULL"),
        Rule("requests_kept", "DELETE", "request", "a request is never deleted"),
        Rule("decisions_kept", "DELETE", "decision", "a decision is never deleted"),
    ),
    ended=("edges",),
)

VERSIONS = (_FIRST, _SECOND)


def for_sqlite() -> list[list[str]]:
    """The statements of every version."""
    return [
        [
            *version.tables,
            *(f"DROP TRIGGER {name}" for name in version.ended),
            *(
                f"CREATE TRIGGER {rule.name} BEFORE {rule.deed} ON {rule.table}"
                f"{f' WHEN {rule.when}' if rule.when else ''} BEGIN SELECT raise(ABORT, '{rule.says}'); END"
                for rule in version.rules
            ),
        ]
        for version in VERSIONS
    ]


_REFUSE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'check_violation'; END $$"""
_TYPES = (
    (re.compile(r"\bINTEGER PRIMARY KEY\b"), "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\) STRICT$"), ")"),
)


def for_postgres() -> list[list[str]]:
    """The same in PostgreSQL's words."""
    versions = []
    for version in VERSIONS:
        tables = {rule.name: rule.table for earlier in VERSIONS for rule in earlier.rules}
        versions.append(
            [
                *(_translated(statement) for statement in version.tables),
                *(f"DROP TRIGGER {name} ON {tables[name]}" for name in version.ended),
                *(
                    f"CREATE TRIGGER {rule.name} BEFORE {rule.deed} ON {rule.table} FOR EACH ROW"
                    f"{f' WHEN ({rule.when})' if rule.when else ''} EXECUTE FUNCTION refuse('{rule.says}')"
                    for rule in version.rules
                ),
            ]
        )
    versions[0].insert(0, _REFUSE)
    return versions


def _translated(statement: str) -> str:
    for pattern, word in _TYPES:
        statement = pattern.sub(word, statement)
    return statement
