"""What stands still at the province moves on under four eyes: one operator asks, another one agrees or declines.

replay     a quarantined submission is opened and filed once more
resend     a held dossier is not in the TTHC system: it is sent again
filed_as   a held dossier is there under this code: it is never sent again

What was agreed to happens in the transaction that notes the verdict; the worker then goes on from there. Who asked and
who decided is kept for ever, and that they are two is held by the schema too.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum

from kiosk.clock import utc_iso
from sync.connectors import ledger
from sync.receiver.database import Conflict, Database, Row, Tx

SHORTEST_WHY, LONGEST_WHY = 10, 500
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{2,63}")
"""What an official code may look like; it becomes part of addresses. Browsers read it too."""


class Act(StrEnum):
    """What may be asked for."""

    REPLAY = "replay"
    RESEND = "resend"
    FILED_AS = "filed_as"


class Verdict(StrEnum):
    """How a request ended; `MOVED`: it was agreed to, but the item no longer stood still, and nothing was done."""

    DONE = "done"
    DECLINED = "declined"
    MOVED = "moved"


class Reason(StrEnum):
    """Why an operator is refused."""

    MOVED = "moved"
    PENDING = "pending"
    SAME_PERSON = "same_person"
    DECIDED = "decided"
    UNKNOWN = "unknown"
    WHY = "why"
    CODE = "code"


class Refused(Exception):
    """Nothing was changed, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def ask(database: Database, kiosk: str, submission: str, act: Act, why: str, by: str, code: str | None = None) -> int:
    """Ask for something that stands still to move; the number of the request.

    `code` with FILED_AS only. Raises Refused and DatabaseFault.
    """
    if not SHORTEST_WHY <= len(why) <= LONGEST_WHY:
        raise Refused(Reason.WHY)
    if (act is Act.FILED_AS) != (code is not None) or (code is not None and not CODE.fullmatch(code)):
        raise Refused(Reason.CODE)
    try:
        with database.write() as tx:
            if not _stands(tx, kiosk, submission, act):
                raise Refused(Reason.MOVED)
            row = tx.one(
                "INSERT INTO request (kiosk, submission, act, code, why, asked_by, asked_at)"
                " VALUES (:kiosk, :submission, :act, :code, :why, :by, :now) RETURNING number",
                kiosk=kiosk,
                submission=submission,
                act=act,
                code=code,
                why=why,
                by=by,
                now=utc_iso(datetime.now(UTC)),
            )
    except Conflict:
        raise Refused(Reason.PENDING) from None
    assert row is not None, "RETURNING gives the row"
    return int(row["number"])


def decide(database: Database, number: int, by: str, *, agree: bool) -> Verdict:
    """Another operator's word on a request; saying the same again changes nothing. Raises Refused and DatabaseFault."""
    with database.write() as tx:
        row = tx.lock("SELECT * FROM request WHERE number = :number", number=number)
        if row is None:
            raise Refused(Reason.UNKNOWN)
        if row["asked_by"] == by:
            raise Refused(Reason.SAME_PERSON)
        if row["verdict"] is not None:
            if row["decided_by"] != by or (row["verdict"] == Verdict.DECLINED) == agree:
                raise Refused(Reason.DECIDED)
            return Verdict(row["verdict"])
        verdict = _carry_out(tx, row, by) if agree else Verdict.DECLINED
        tx.run(
            "UPDATE request SET decided_by = :by, decided_at = :now, verdict = :verdict WHERE number = :number",
            by=by,
            now=utc_iso(datetime.now(UTC)),
            verdict=verdict,
            number=number,
        )
    return verdict


def _stands(tx: Tx, kiosk: str, submission: str, act: Act) -> bool:
    """Whether this still is what `act` is for."""
    row = tx.one(
        "SELECT s.state, f.held_for FROM submission s LEFT JOIN filing f ON f.reference_uid = s.reference_uid"
        " WHERE s.kiosk = :kiosk AND s.submission = :submission",
        kiosk=kiosk,
        submission=submission,
    )
    if row is None:
        return False
    return row["state"] == "quarantined" if act is Act.REPLAY else row["held_for"] is not None


def _carry_out(tx: Tx, row: Row, by: str) -> Verdict:
    item = {"kiosk": row["kiosk"], "submission": row["submission"]}
    where = "WHERE kiosk = :kiosk AND submission = :submission"
    if row["act"] == Act.REPLAY:
        back = "UPDATE submission SET state = 'committed', problem = NULL, due_at = NULL, tries = 0"
        return Verdict.DONE if tx.run(f"{back} {where} AND state = 'quarantined'", **item) else Verdict.MOVED
    held = tx.one(f"SELECT reference_uid FROM submission {where}", **item)  # noqa: S608  # our own words
    assert held is not None, "a submission is never deleted"
    try:
        ledger.decide(tx, held["reference_uid"], f"{row['asked_by']}, {by}", row["code"])
    except ledger.NotHeld:
        return Verdict.MOVED
    tx.run(f"UPDATE submission SET due_at = NULL, tries = 0 {where}", **item)  # noqa: S608
    return Verdict.DONE
