"""What was attempted at the TTHC system, on disk before each step that cannot be taken back.

One row for each dossier (its reference_uid, random and nothing personal): the handle it got there, the files that are
there, when it was sent for good, and – if nobody can tell what became of it – why a person must look.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk.clock import from_iso, utc_iso
from sync import store

_SCHEMA = (
    (
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
            reference_uid TEXT NOT NULL REFERENCES filing,
            decided_at TEXT NOT NULL,
            decided_by TEXT NOT NULL,
            act TEXT NOT NULL CHECK (act IN ('resend', 'filed_as')),
            code TEXT,
            CHECK ((act = 'filed_as') = (code IS NOT NULL))
        ) STRICT""",
    ),
)


@dataclass(frozen=True, slots=True)
class Filing:
    """How far a dossier is. `sent_at`: it was sent for good, and what became of it was not heard."""

    reference_uid: str
    handle: str = ""
    uploads: Mapping[str, str] = field(default_factory=dict)
    sent_at: datetime | None = None
    looks: int = 0
    held_for: str = ""
    held_at: datetime | None = None


class NotHeld(Exception):
    """Nothing is to be decided for this dossier."""


class Ledger:
    """One database file. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._database = store.connect(path, _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def of(self, reference_uid: str) -> Filing:
        """The row of a dossier; an empty one if nothing was attempted."""
        with self._lock:
            query = "SELECT * FROM filing WHERE reference_uid = ?"
            row = self._database.execute(query, (reference_uid,)).fetchone()
        return _filing(row) if row else Filing(reference_uid)

    def held(self) -> list[Filing]:
        """What waits for a person, oldest first."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM filing WHERE held_for IS NOT NULL ORDER BY held_at").fetchall()
        return [_filing(row) for row in rows]

    def created(self, reference_uid: str, handle: str) -> Filing:
        """It has a handle."""
        with self._lock, store.transaction(self._database):
            insert = "INSERT INTO filing (reference_uid, handle) VALUES (?, ?)"
            self._database.execute(
                insert + " ON CONFLICT (reference_uid) DO UPDATE SET handle = excluded.handle", (reference_uid, handle)
            )
        return self.of(reference_uid)

    def uploaded(self, filing: Filing, uploads: Mapping[str, str]) -> None:
        """These files are there."""
        self._set(filing.reference_uid, uploads=json.dumps(dict(uploads)))

    def sending(self, filing: Filing) -> None:
        """It is being sent for good: from now on its outcome is unknown until the system says."""
        self._set(filing.reference_uid, sent_at=utc_iso(datetime.now(UTC)), looks=0)

    def not_sent(self, filing: Filing) -> None:
        """It surely was not taken."""
        self._set(filing.reference_uid, sent_at=None, looks=0)

    def looked(self, filing: Filing) -> None:
        """One more look in vain."""
        self._set(filing.reference_uid, looks=filing.looks + 1)

    def hold(self, filing: Filing, reason: str) -> None:
        """A person must look; `reason` holds nothing personal."""
        self._set(filing.reference_uid, held_for=reason, held_at=utc_iso(datetime.now(UTC)))

    def decide(self, reference_uid: str, by: str, code: str | None) -> None:
        """A person's word: filed as `code`, or (None) not filed, send again. Raises NotHeld."""
        with self._lock:
            if not self.of(reference_uid).held_for:
                raise NotHeld
            with store.transaction(self._database):
                act = "resend" if code is None else "filed_as"
                self._database.execute(
                    "INSERT INTO decision (reference_uid, decided_at, decided_by, act, code) VALUES (?, ?, ?, ?, ?)",
                    (reference_uid, utc_iso(datetime.now(UTC)), by, act, code),
                )
                self._update(reference_uid, held_for=None, held_at=None, sent_at=None, looks=0)
                if code is not None:
                    self._update(reference_uid, handle=code)

    def filed_as(self, reference_uid: str) -> bool:
        """Whether a person has said last that it was filed."""
        query = "SELECT act FROM decision WHERE reference_uid = ? ORDER BY number DESC LIMIT 1"
        with self._lock:
            row = self._database.execute(query, (reference_uid,)).fetchone()
        return row is not None and row["act"] == "filed_as"

    def _set(self, reference_uid: str, **values: object) -> None:
        with self._lock, store.transaction(self._database):
            self._update(reference_uid, **values)

    def _update(self, reference_uid: str, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE filing SET {columns} WHERE reference_uid = ?"  # noqa: S608  # our own names
        self._database.execute(query, (*values.values(), reference_uid))


def _filing(row: Any) -> Filing:
    return Filing(
        reference_uid=row["reference_uid"],
        handle=row["handle"] or "",
        uploads=json.loads(row["uploads"]),
        sent_at=from_iso(row["sent_at"]) if row["sent_at"] else None,
        looks=row["looks"],
        held_for=row["held_for"] or "",
        held_at=from_iso(row["held_at"]) if row["held_at"] else None,
    )
