"""Where the receiver contradicts the outbox, as reconciliation finds it, and what was done about it.

    not held    we have its receipt, the receiver does not hold it: delivered again while the ciphertexts are here
    not known   the receiver holds a number that this outbox does not know (an old copy of the disk is in use?)
    differs     the receiver holds something else under a number

What was found stays on record; a first receipt stays whatever comes after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from kiosk.clock import utc_iso
from sync import rebuild
from sync.audit import Event
from sync.outbox import Outbox
from sync.outbox_schema import Entry, State

Held = Mapping[int, tuple[str, str]]
"""What the receiver has given receipts for: by sequence number, submission and hash of the manifest."""


class Kind(StrEnum):
    """In what the receiver contradicts this outbox."""

    NOT_HELD = "not held"
    """We have its receipt, and it does not hold the submission."""
    NOT_KNOWN = "not known"
    """It holds a submission of ours that we do not know."""
    DIFFERS = "differs"
    """It holds another submission under the same number."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What a reconciliation found."""

    sequence: int
    submission: str
    kind: Kind
    problem: str | None = None
    """Why it could not be delivered again."""
    healed: bool = False
    """Delivered again: there is a second receipt."""

    def __str__(self) -> str:
        where = f"sequence {self.sequence}, {self.submission}: "
        if self.kind is Kind.NOT_KNOWN:
            return where + "the receiver holds it, and this outbox does not know it"
        if self.kind is Kind.DIFFERS:
            return where + "the receiver holds something else under this number"
        said = "the receiver gave a receipt and did not hold it any more; "
        if self.healed:
            return where + said + "delivered again, with a second receipt"
        return where + said + (f"it cannot be delivered again: {self.problem}" if self.problem else "to be sent again")


@dataclass(frozen=True, slots=True)
class Known:
    """A submission as it is compared with the receiver's."""

    sequence: int
    submission: str
    manifest_sha256: str
    receipted: int
    purged: int

    @property
    def lost(self) -> bool:
        """Its envelope was gone when the index was rebuilt; what stood in it only the receiver knows."""
        return self.manifest_sha256 == rebuild.NO_MANIFEST


def compare(ours: Sequence[Known], held: Held) -> list[Disagreement]:
    """Where the receiver contradicts us. A receipt that has not reached us yet is no contradiction."""
    known = {one.sequence: one for one in ours}
    found = [
        Disagreement(one.sequence, one.submission, Kind.NOT_HELD, "its ciphertexts are purged" if one.purged else None)
        for one in ours
        if one.receipted and one.sequence not in held
    ]
    for number, (submission, sha256) in held.items():
        one = known.get(number)
        if one is None:
            found.append(Disagreement(number, submission, Kind.NOT_KNOWN))
        elif (one.submission, one.manifest_sha256) != (submission, sha256) and not one.lost:
            found.append(Disagreement(number, submission, Kind.DIFFERS))
    return sorted(found, key=lambda one: one.sequence)


class Contradictions:
    """Those of one outbox. Usable from any thread; raises DatabaseError."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def known(self, first: int, last: int) -> list[Known]:
        """Everything in the outbox from `first` to `last`, ascending."""
        query = """SELECT sequence, submission, manifest_sha256, receipt IS NOT NULL, purged
            FROM submission WHERE sequence BETWEEN ? AND ? ORDER BY sequence"""
        return [Known(*row) for row in self._outbox.select(query, first, last)]

    def all(self) -> list[Disagreement]:
        """Everything that was ever found and is not settled otherwise, by sequence."""
        query = "SELECT sequence, submission, kind, problem, receipt IS NOT NULL FROM disagreement ORDER BY sequence"
        return [
            Disagreement(n, name, Kind(kind), said, bool(r)) for n, name, kind, said, r in self._outbox.select(query)
        ]

    def open(self) -> list[Disagreement]:
        """Those that need a person, or another delivery."""
        return [one for one in self.all() if not one.healed]

    def settle(self, first: int, last: int, found: Sequence[Disagreement]) -> None:
        """What was found from `first` to `last`, now; what was delivered again stays on record."""
        self._outbox.note("DELETE FROM disagreement WHERE sequence BETWEEN ? AND ? AND receipt IS NULL", first, last)
        for one in found:
            values = (one.sequence, one.submission, one.kind, utc_iso(datetime.now(UTC)), one.problem)
            self._outbox.note("INSERT OR REPLACE INTO disagreement VALUES (?, ?, ?, ?, ?, NULL)", *values)

    def owed(self) -> list[Entry]:
        """What the receiver lost and can be given again."""
        query = """SELECT submission.submission, sequence, manifest_sha256, state
            FROM submission JOIN disagreement USING (sequence) WHERE kind = ? AND purged = 0
            AND disagreement.receipt IS NULL AND disagreement.problem IS NULL ORDER BY sequence"""
        rows = self._outbox.select(query, Kind.NOT_HELD)
        return [Entry(name, number, sha256, State(state)) for name, number, sha256, state in rows]

    def delivered_again(self, entry: Entry, receipt: bytes) -> None:
        """The receiver has given a second receipt; the first one stays."""
        query = "UPDATE disagreement SET receipt = ? WHERE sequence = ?"
        self._outbox.record(Event.DELIVERED_AGAIN, entry, query, receipt, entry.sequence)

    def refused_again(self, entry: Entry, problem: str) -> None:
        """The receiver does not take it a second time: a person decides."""
        self._outbox.note("UPDATE disagreement SET problem = ? WHERE sequence = ?", problem, entry.sequence)
