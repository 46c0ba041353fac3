"""Submissions: announced, received, handed on, answered. One row for each (kiosk, submission) and (kiosk, sequence).

Their ciphertexts lie in the `Blobs`; uniqueness and allowed moves are the database's (schema).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import utc_iso
from kiosk.dossier import DossierState
from sync import answers, signed
from sync.envelope import Blob, Manifest, read_manifest
from sync.receiver.blobs import Blobs
from sync.receiver.database import Conflict, Database, Row, Tx

MOST_AT_ONCE = 200
"""Submissions handed on in one round."""


class State(StrEnum):
    """Where a submission is at the province."""

    ANNOUNCED = "announced"
    COMMITTED = "committed"
    FILED = "filed"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"


class Unknown(Exception):
    """This kiosk announced no such thing."""


class Missing(Exception):
    """A blob has not arrived whole."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A committed submission as the worker and the look-up see it."""

    kiosk: str
    submission: str
    manifest: bytes
    state: State
    reference_uid: str
    provisional_ref: str
    procedure: str
    owner_hash: bytes
    answer: DossierState | None
    tries: int
    """Attempts at the present step."""


class Registry:
    """Usable from any thread; several processes may have one each. Every call may raise DatabaseFault or OSError."""

    def __init__(self, database: Database, blobs: Blobs, receipt_key: Ed25519PrivateKey) -> None:
        self._database = database
        self._blobs = blobs
        self._receipt_key = receipt_key

    # --- receiving ---

    def announce(self, manifest: Manifest, text: bytes) -> None:
        """Take a verified manifest; the same one again changes nothing. Raises Conflict."""
        try:
            with self._database.write() as tx:
                _insert(tx, manifest, text)
        except Conflict:
            with self._database.read() as tx:
                row = tx.one(_ONE, kiosk=manifest.kiosk, submission=manifest.submission)
            if row is None or row["manifest_sha256"] != manifest.sha256:
                raise Conflict("id, sequence number or blob already stands for something else") from None

    def offset(self, kiosk: str, sha256: str) -> tuple[int, int]:
        """How many bytes of a blob are here, and its size. Raises Unknown."""
        blob = self._announced(kiosk, sha256)
        return self._blobs.offset(blob), blob.size

    def append(self, kiosk: str, sha256: str, offset: int, piece: bytes) -> int:
        """The next piece of a blob; the new offset. Raises Unknown, WrongOffset, TooMuch or Damaged."""
        return self._blobs.append(self._announced(kiosk, sha256), offset, piece)

    def commit(self, kiosk: str, submission: str) -> bytes:
        """The signed receipt; everything announced is here and durable. Raises Unknown or Missing."""
        row = self._known(kiosk, submission)
        if row["receipt"] is not None:
            return self._receipt_of_before(row)
        if not all(self._blobs.holds(blob.sha256) for blob in read_manifest(bytes(row["manifest"]), None).blobs):
            raise Missing
        with self._database.write() as tx:
            held = tx.lock(_ONE, kiosk=kiosk, submission=submission)
            assert held is not None, "a submission is never deleted"
            return bytes(held["receipt"]) if held["receipt"] is not None else self._give_receipt(tx, held)

    def _give_receipt(self, tx: Tx, row: Row) -> bytes:
        counted = tx.one("UPDATE counter SET value = value + 1 WHERE name = 'receipt' RETURNING value")
        assert counted is not None, "the schema counts receipts"
        number, now = counted["value"], utc_iso(datetime.now(UTC))
        fields = {name: row[name] for name in ("kiosk", "submission", "sequence", "manifest_sha256")}
        document = {"schema": 1, **fields, "received_at": now, "number": number}
        receipt = signed.sign("receipt", document, self._receipt_key)
        values = {"state": State.COMMITTED, "receipt_number": number, "receipt": receipt, "received_at": now}
        _update(tx, row["kiosk"], row["submission"], values)
        return receipt

    def receipt(self, kiosk: str, submission: str) -> bytes:
        """The receipt given before; raises Unknown or Missing."""
        row = self._known(kiosk, submission)
        if row["receipt"] is None:
            raise Missing
        return self._receipt_of_before(row)

    def _receipt_of_before(self, row: Row) -> bytes:
        """A row may be seen before it is on the standby: its server crashed while the commit waited for that.

        What is written now is there only after everything before it.
        """
        with self._database.write() as tx:
            tx.run("UPDATE counter SET value = value WHERE name = 'receipt'")
        return bytes(row["receipt"])

    def status(self, kiosk: str, submission: str) -> tuple[State, DossierState | None]:
        """How far a submission is, and the answer of the TTHC system. Raises Unknown."""
        row = self._known(kiosk, submission)
        return State(row["state"]), _answer(row)

    def receipted(self, kiosk: str, first: int, last: int) -> list[tuple[int, str, str]]:
        """(sequence, submission, manifest's SHA-256) of everything with a receipt between two numbers, ascending."""
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT sequence, submission, manifest_sha256 FROM submission WHERE kiosk = :kiosk"
                " AND sequence BETWEEN :first AND :last AND receipt_number IS NOT NULL ORDER BY sequence",
                kiosk=kiosk,
                first=first,
                last=last,
            )
        return [(row["sequence"], row["submission"], row["manifest_sha256"]) for row in rows]

    # --- handing on ---

    def due(self, state: State, longest: float) -> list[Submission]:
        """Some of `state` whose pause is over and that no person must look at, in the order of receipt.

        `longest` pause in seconds: a moment beyond it was set by a clock that has gone back since.
        """
        now = datetime.now(UTC)
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT * FROM submission s WHERE state = :state"
                " AND (due_at IS NULL OR due_at <= :now OR due_at > :never) AND NOT EXISTS"
                " (SELECT 1 FROM filing f WHERE f.reference_uid = s.reference_uid AND f.held_for IS NOT NULL)"
                " ORDER BY receipt_number LIMIT :most",
                state=state,
                now=utc_iso(now),
                never=utc_iso(now + timedelta(seconds=longest)),
                most=MOST_AT_ONCE,
            )
        return [_submission(row) for row in rows]

    def postpone(self, item: Submission, seconds: float) -> None:
        """One more try is made: if it comes to nothing, the next is due after so long."""
        due = utc_iso(datetime.now(UTC) + timedelta(seconds=seconds))
        self.record(item, due_at=due, tries=item.tries + 1)

    def read_blob(self, sha256: str) -> bytes:
        """A complete ciphertext; raises EnvelopeError if it is lost."""
        return self._blobs.read(sha256)

    def record(self, item: Submission, **values: object) -> None:
        """Note what became known of a submission: columns by name; a `state` moves along the allowed edges only."""
        moved: dict[str, object] = {}
        if "state" in values:
            moved = {"due_at": None, "tries": 0}
            if moment := _MOMENTS.get(State(str(values["state"]))):
                moved[moment] = utc_iso(datetime.now(UTC))
        with self._database.write() as tx:
            _update(tx, item.kiosk, item.submission, values | moved)

    def answered(self, item: Submission, state: DossierState) -> None:
        """Keep the TTHC system's answer; nothing personal of it: no name, no note."""
        kept = json.dumps(answers.to_json(state) | {"owner": "", "note": ""}, ensure_ascii=False)
        move = {} if item.state == State.ANSWERED else {"state": State.ANSWERED}
        self.record(item, answer=kept, dossier_code=state.dossier_code, **move)

    def find(self, code: str) -> Submission | None:
        """A submission by official code or provisional reference, once its envelope was opened."""
        with self._database.read() as tx:
            row = tx.one(
                "SELECT * FROM submission WHERE (dossier_code = :code OR provisional_ref = :code)"
                " AND owner_hash IS NOT NULL ORDER BY receipt_number LIMIT 1",
                code=code,
            )
        return _submission(row) if row else None

    # --- the rows ---

    def _known(self, kiosk: str, submission: str) -> Row:
        with self._database.read() as tx:
            row = tx.one(_ONE, kiosk=kiosk, submission=submission)
        if row is None:
            raise Unknown
        return row

    def _announced(self, kiosk: str, sha256: str) -> Blob:
        with self._database.read() as tx:
            row = tx.one("SELECT size FROM blob WHERE kiosk = :kiosk AND sha256 = :sha256", kiosk=kiosk, sha256=sha256)
        if row is None:
            raise Unknown
        return Blob(sha256, row["size"])


_MOMENTS = {State.FILED: "filed_at", State.ANSWERED: "answered_at", State.QUARANTINED: "quarantined_at"}
_ONE = "SELECT * FROM submission WHERE kiosk = :kiosk AND submission = :submission"


def _insert(tx: Tx, manifest: Manifest, text: bytes) -> None:
    ids = {"kiosk": manifest.kiosk, "submission": manifest.submission}
    tx.run(
        "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at)"
        " VALUES (:kiosk, :submission, :sequence, :sha256, :text, :now)",
        **ids,
        sequence=manifest.sequence,
        sha256=manifest.sha256,
        text=text,
        now=utc_iso(datetime.now(UTC)),
    )
    tx.many(
        "INSERT INTO blob (kiosk, submission, sha256, size) VALUES (:kiosk, :submission, :sha256, :size)",
        [{**ids, "sha256": blob.sha256, "size": blob.size} for blob in manifest.blobs],
    )


def _update(tx: Tx, kiosk: str, submission: str, values: Mapping[str, object]) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    where = "kiosk = :of_kiosk AND submission = :of_submission"
    query = f"UPDATE submission SET {columns} WHERE {where}"  # noqa: S608  # our own names
    tx.run(query, **values, of_kiosk=kiosk, of_submission=submission)


def _answer(row: Row) -> DossierState | None:
    return answers.from_json(json.loads(row["answer"])) if row["answer"] else None


def _submission(row: Row) -> Submission:
    return Submission(
        kiosk=row["kiosk"],
        submission=row["submission"],
        manifest=bytes(row["manifest"]),
        state=State(row["state"]),
        reference_uid=row["reference_uid"] or "",
        provisional_ref=row["provisional_ref"] or "",
        procedure=row["procedure"] or "",
        owner_hash=bytes(row["owner_hash"] or b""),
        answer=_answer(row),
        tries=row["tries"],
    )
