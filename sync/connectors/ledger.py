"""What was attempted at the TTHC system, in the receiver's database before each step that cannot be taken back.

One row for each dossier (its reference_uid, random and nothing personal): the handle it got there, the files that are
there, when it was sent for good, and – if nobody can tell what became of it – why a person must look.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kiosk.clock import from_iso, utc_iso
from sync.receiver.database import Database, Row, Tx


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


class AtWork(Exception):
    """Another process is sending this dossier."""


class Ledger:
    """Usable from any thread and by several processes. Every call may raise DatabaseFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, reference_uid: str) -> Filing:
        """The row of a dossier; an empty one if nothing was attempted."""
        with self._database.read() as tx:
            return _of(tx, reference_uid)

    def held(self) -> list[Filing]:
        """What waits for a person, oldest first."""
        with self._database.read() as tx:
            return [_filing(row) for row in tx.all("SELECT * FROM filing WHERE held_for IS NOT NULL ORDER BY held_at")]

    def created(self, reference_uid: str, handle: str) -> Filing:
        """It has a handle; the first one told stays."""
        with self._database.write() as tx:
            tx.run(
                "INSERT INTO filing (reference_uid, handle) VALUES (:uid, :handle)"
                " ON CONFLICT (reference_uid) DO UPDATE SET handle = coalesce(filing.handle, excluded.handle)",
                uid=reference_uid,
                handle=handle,
            )
        return self.of(reference_uid)

    def uploaded(self, filing: Filing, uploads: Mapping[str, str]) -> None:
        """These files are there."""
        self._set(filing.reference_uid, uploads=json.dumps(dict(uploads)))

    def prepared_anew(self, filing: Filing) -> None:
        """Handle and files are not there any more; nothing was sent."""
        self._set(filing.reference_uid, handle=None, uploads="{}")

    def sending(self, filing: Filing) -> Filing:
        """Mark that it is being sent for good: from now on its outcome is unknown until the system says.

        Raises AtWork if the mark is not the one that `filing` was read with: only one process may go on.
        """
        with self._database.write() as tx:
            marked = tx.run(
                "UPDATE filing SET sent_at = :now, looks = 0"
                " WHERE reference_uid = :uid AND coalesce(sent_at, '') = :before",
                uid=filing.reference_uid,
                now=utc_iso(datetime.now(UTC)),
                before=utc_iso(filing.sent_at) if filing.sent_at else "",
            )
        if not marked:
            raise AtWork
        return self.of(filing.reference_uid)

    def not_sent(self, marked: Filing) -> None:
        """It surely was not taken: the mark goes, if it still is this one."""
        assert marked.sent_at is not None, "as `sending` gave it"
        with self._database.write() as tx:
            tx.run(
                "UPDATE filing SET sent_at = NULL, looks = 0 WHERE reference_uid = :uid AND sent_at = :mark",
                uid=marked.reference_uid,
                mark=utc_iso(marked.sent_at),
            )

    def looked(self, filing: Filing) -> None:
        """One more look in vain."""
        self._set(filing.reference_uid, looks=filing.looks + 1)

    def hold(self, filing: Filing, reason: str) -> None:
        """A person must look; `reason` holds nothing personal."""
        self._set(filing.reference_uid, held_for=reason, held_at=utc_iso(datetime.now(UTC)))

    def decide(self, reference_uid: str, by: str, code: str | None) -> None:
        """A person's word: filed as `code`, or (None) not filed, send again. Raises NotHeld."""
        with self._database.write() as tx:
            decide(tx, reference_uid, by, code)

    def filed_as(self, reference_uid: str) -> bool:
        """Whether a person has said last that it was filed."""
        query = "SELECT act FROM decision WHERE reference_uid = :uid ORDER BY number DESC LIMIT 1"
        with self._database.read() as tx:
            row = tx.one(query, uid=reference_uid)
        return row is not None and row["act"] == "filed_as"

    def _set(self, reference_uid: str, **values: object) -> None:
        with self._database.write() as tx:
            _update(tx, reference_uid, **values)


def decide(tx: Tx, reference_uid: str, by: str, code: str | None) -> None:
    """`Ledger.decide` as part of a larger transaction."""
    tx.lock("SELECT * FROM filing WHERE reference_uid = :uid", uid=reference_uid)
    if not _of(tx, reference_uid).held_for:
        raise NotHeld
    tx.run(
        "INSERT INTO decision (reference_uid, decided_at, decided_by, act, code) VALUES (:uid, :now, :by, :act, :code)",
        uid=reference_uid,
        now=utc_iso(datetime.now(UTC)),
        by=by,
        act="resend" if code is None else "filed_as",
        code=code,
    )
    known = {} if code is None else {"handle": code}
    _update(tx, reference_uid, held_for=None, held_at=None, sent_at=None, looks=0, **known)


def _of(tx: Tx, reference_uid: str) -> Filing:
    row = tx.one("SELECT * FROM filing WHERE reference_uid = :uid", uid=reference_uid)
    return _filing(row) if row else Filing(reference_uid)


def _update(tx: Tx, reference_uid: str, **values: object) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE filing SET {columns} WHERE reference_uid = :uid", **values, uid=reference_uid)  # noqa: S608


def _filing(row: Row) -> Filing:
    return Filing(
        reference_uid=row["reference_uid"],
        handle=row["handle"] or "",
        uploads=json.loads(row["uploads"]),
        sent_at=from_iso(row["sent_at"]) if row["sent_at"] else None,
        looks=row["looks"],
        held_for=row["held_for"] or "",
        held_at=from_iso(row["held_at"]) if row["held_at"] else None,
    )
