"""The outbox's database: states along allowed edges, a sequence without gap, rows that are never deleted."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a submission is on its way; the database allows only the edges of its trigger."""

    SEALED = "sealed"
    MANIFEST_SENT = "manifest_sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Entry:
    """One submission on its way."""

    submission: str
    sequence: int
    manifest_sha256: str
    state: State


SCHEMA = (
    (
        """CREATE TABLE submission (
            submission TEXT PRIMARY KEY CHECK (length(submission) = 32),
            sequence INTEGER NOT NULL UNIQUE,
            reference_uid TEXT NOT NULL UNIQUE,
            provisional_ref TEXT NOT NULL UNIQUE,
            manifest_sha256 TEXT NOT NULL CHECK (length(manifest_sha256) = 64),
            sealed_at TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'sealed',
            receipt BLOB,
            answer TEXT,
            problem TEXT,
            CHECK ((state IN ('delivered', 'answered')) = (receipt IS NOT NULL)),
            CHECK ((state = 'answered') = (answer IS NOT NULL)),
            CHECK ((state = 'quarantined') = (problem IS NOT NULL))
        ) STRICT""",
        "CREATE INDEX by_state ON submission (state, sequence)",
        """CREATE TRIGGER gapless BEFORE INSERT ON submission
            WHEN NEW.state <> 'sealed' OR NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM submission)
            BEGIN SELECT raise(ABORT, 'a submission begins sealed, with the next sequence number'); END""",
        """CREATE TRIGGER edges BEFORE UPDATE OF state ON submission
            WHEN OLD.state || ' > ' || NEW.state NOT IN (
                'sealed > manifest_sent', 'manifest_sent > delivered', 'delivered > answered',
                'sealed > quarantined', 'manifest_sent > quarantined', 'quarantined > sealed')
            BEGIN SELECT raise(ABORT, 'no such change of state'); END""",
        """CREATE TRIGGER immutable BEFORE UPDATE OF
            submission, sequence, reference_uid, provisional_ref, manifest_sha256, sealed_at ON submission
            BEGIN SELECT raise(ABORT, 'a submission is immutable'); END""",
        """CREATE TRIGGER kept BEFORE DELETE ON submission
            BEGIN SELECT raise(ABORT, 'a submission is never deleted'); END""",
        "CREATE TABLE road (id INTEGER PRIMARY KEY CHECK (id = 1), heard REAL, problem TEXT NOT NULL) STRICT",
        "INSERT INTO road VALUES (1, NULL, '')",
    ),
    (
        "ALTER TABLE submission ADD COLUMN purged INTEGER NOT NULL DEFAULT 0 CHECK (purged IN (0, 1))",
        """CREATE TRIGGER purged_after_receipt BEFORE UPDATE OF purged ON submission
            WHEN NEW.purged < OLD.purged OR (NEW.purged AND OLD.receipt IS NULL)
            BEGIN SELECT raise(ABORT, 'only what has a receipt is purged, and for good'); END""",
        """CREATE TRIGGER receipt_stays BEFORE UPDATE OF receipt ON submission
            WHEN OLD.receipt IS NOT NULL AND NEW.receipt IS NOT OLD.receipt
            BEGIN SELECT raise(ABORT, 'a receipt is never changed'); END""",
        """CREATE TABLE audit_head (
            id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL
        ) STRICT""",
        f"INSERT INTO audit_head VALUES (1, 0, '{'0' * 64}', 0)",  # noqa: S608  # a constant
        """CREATE TRIGGER audit_goes_on BEFORE UPDATE ON audit_head WHEN NEW.n < OLD.n
            BEGIN SELECT raise(ABORT, 'the audit log never becomes shorter'); END""",
    ),
    (
        "ALTER TABLE road ADD COLUMN clock TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE disagreement (
            sequence INTEGER PRIMARY KEY,
            submission TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('not held', 'not known', 'differs')),
            found_at TEXT NOT NULL,
            problem TEXT,
            receipt BLOB
        ) STRICT""",
    ),
)
