"""What the receiver holds: manifests, receipts and states in SQLite, ciphertexts by SHA-256 in files.

    incoming/<sha256>.part    being received, resumable
    blobs/<aa>/<sha256>       complete, hash-checked, fsynced; never changed
    receiver.db

Uniqueness is the database's: one row for (kiosk, submission) and (kiosk, sequence), for ever.
No personal data: the owner's number is kept as a keyed hash only, to check a look-up.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import utc_iso
from kiosk.dossier import DossierState
from sync import answers, signed, store
from sync.envelope import Blob, EnvelopeError, Manifest, read_manifest


class State(StrEnum):
    """Where a submission is at the province."""

    ANNOUNCED = "announced"
    COMMITTED = "committed"
    FILED = "filed"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"


_SCHEMA = (
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
        """CREATE TRIGGER edges BEFORE UPDATE OF state ON submission
            WHEN OLD.state || ' > ' || NEW.state NOT IN (
                'announced > committed', 'committed > filed', 'committed > quarantined', 'filed > answered')
            BEGIN SELECT raise(ABORT, 'no such change of state'); END""",
        """CREATE TRIGGER kept BEFORE DELETE ON submission
            BEGIN SELECT raise(ABORT, 'a submission is never deleted'); END""",
        """CREATE TABLE blob (
            kiosk TEXT NOT NULL,
            submission TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            size INTEGER NOT NULL,
            PRIMARY KEY (kiosk, sha256),
            FOREIGN KEY (kiosk, submission) REFERENCES submission
        ) STRICT""",
    ),
)


class Conflict(Exception):
    """The id or sequence number already stands for something else."""


class Unknown(Exception):
    """This kiosk announced no such thing."""


class Missing(Exception):
    """A blob has not arrived whole."""


class WrongOffset(Exception):
    """The piece does not begin where the last one ended, at `args[0]`."""


class TooMuch(Exception):
    """The piece goes beyond the announced size."""


class Damaged(Exception):
    """The blob arrived whole but is not the announced one: dropped, to be sent again."""


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


class Registry:
    """One folder; one process has it open. Usable from any thread."""

    def __init__(self, folder: Path, receipt_key: Ed25519PrivateKey) -> None:
        self._folder = folder
        self._receipt_key = receipt_key
        self._lock = threading.RLock()
        for name in ("incoming", "blobs"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = store.hold(folder / "receiver.lock")
        self._database = store.connect(folder / "receiver.db", _SCHEMA)

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._database.close()
            os.close(self._held)

    # --- receiving ---

    def announce(self, manifest: Manifest, text: bytes) -> None:
        """Take a verified manifest; the same one again changes nothing. Raises Conflict."""
        with self._lock:
            row = self._one("WHERE kiosk = ? AND submission = ?", manifest.kiosk, manifest.submission)
            if row is None:
                self._insert(manifest, text)
            elif row["manifest_sha256"] != manifest.sha256:
                raise Conflict("another manifest stands under this submission id")

    def _insert(self, manifest: Manifest, text: bytes) -> None:
        ids = (manifest.kiosk, manifest.submission)
        try:
            with store.transaction(self._database):
                self._database.execute(
                    "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*ids, manifest.sequence, manifest.sha256, text, utc_iso(datetime.now(UTC))),
                )
                rows = [(*ids, blob.sha256, blob.size) for blob in manifest.blobs]
                self._database.executemany("INSERT INTO blob VALUES (?, ?, ?, ?)", rows)
        except store.IntegrityError:
            raise Conflict("sequence number or blob already belongs to another submission") from None

    def offset(self, kiosk: str, sha256: str) -> tuple[int, int]:
        """How many bytes of a blob are here, and its size. Raises Unknown."""
        with self._lock:
            blob = self._announced(kiosk, sha256)
            if self._path(sha256).exists():
                return blob.size, blob.size
            part = self._part(sha256)
            have = part.stat().st_size if part.exists() else 0
            if have < blob.size:
                return have, blob.size
            return (blob.size if self._finish(blob) else 0), blob.size

    def append(self, kiosk: str, sha256: str, offset: int, piece: bytes) -> int:
        """The next piece of a blob; the new offset. Raises Unknown, WrongOffset, TooMuch or Damaged."""
        with self._lock:
            have, size = self.offset(kiosk, sha256)
            if offset != have:
                raise WrongOffset(have)
            if have + len(piece) > size:
                raise TooMuch
            with self._part(sha256).open("ab") as file:
                file.write(piece)
            if have + len(piece) == size and not self._finish(Blob(sha256, size)):
                raise Damaged
            return have + len(piece)

    def _finish(self, blob: Blob) -> bool:
        """Make a whole part durable under its name; False and gone if it is not the announced one."""
        part, final = self._part(blob.sha256), self._path(blob.sha256)
        with part.open("rb") as file:
            os.fsync(file.fileno())
            content = file.read()
        if len(content) != blob.size or hashlib.sha256(content).hexdigest() != blob.sha256:
            part.unlink()
            return False
        if not final.parent.exists():
            final.parent.mkdir(mode=0o700)
            store.sync_folder(final.parent.parent)
        part.rename(final)
        store.sync_folder(final.parent)
        return True

    def commit(self, kiosk: str, submission: str) -> bytes:
        """The signed receipt; everything announced is here and durable. Raises Unknown or Missing."""
        with self._lock:
            row = self._known(kiosk, submission)
            if row["receipt"] is not None:
                return bytes(row["receipt"])
            for blob in read_manifest(row["manifest"], None).blobs:
                if not self._path(blob.sha256).exists():
                    raise Missing
            with store.transaction(self._database):
                last = self._database.execute("SELECT coalesce(max(receipt_number), 0) FROM submission").fetchone()[0]
                receipt = self._sign_receipt(row, last + 1)
                self._update(row, state=State.COMMITTED, receipt_number=last + 1, receipt=receipt)
            return receipt

    def _sign_receipt(self, row: Any, number: int) -> bytes:
        fields = {name: row[name] for name in ("kiosk", "submission", "sequence", "manifest_sha256")}
        now = utc_iso(datetime.now(UTC))
        return signed.sign("receipt", {"schema": 1, **fields, "received_at": now, "number": number}, self._receipt_key)

    def receipt(self, kiosk: str, submission: str) -> bytes:
        """The receipt given before; raises Unknown or Missing."""
        row = self._known(kiosk, submission)
        if row["receipt"] is None:
            raise Missing
        return bytes(row["receipt"])

    def status(self, kiosk: str, submission: str) -> tuple[State, DossierState | None]:
        """How far a submission is, and the answer of the TTHC system. Raises Unknown."""
        row = self._known(kiosk, submission)
        return State(row["state"]), _answer(row)

    # --- handing on ---

    def in_state(self, state: State) -> list[Submission]:
        """Everything in `state` in the order of receipt."""
        query = "SELECT * FROM submission WHERE state = ? ORDER BY receipt_number"
        with self._lock:
            return [_submission(row) for row in self._database.execute(query, (state,)).fetchall()]

    def read_blob(self, sha256: str) -> bytes:
        """A complete ciphertext; raises EnvelopeError if it is lost."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise EnvelopeError("a blob is missing in the store") from None

    def record(self, item: Submission, **values: object) -> None:
        """Note what became known of a submission: columns by name; a `state` moves along the allowed edges only."""
        with self._lock, store.transaction(self._database):
            self._update({"kiosk": item.kiosk, "submission": item.submission}, **values)

    def answered(self, item: Submission, state: DossierState) -> None:
        """Keep the TTHC system's answer; nothing personal of it: no name, no note."""
        kept = json.dumps(answers.to_json(state) | {"owner": "", "note": ""}, ensure_ascii=False)
        move = {} if item.state == State.ANSWERED else {"state": State.ANSWERED}
        self.record(item, answer=kept, dossier_code=state.dossier_code, **move)

    def find(self, code: str) -> Submission | None:
        """A submission by official code or provisional reference, once its envelope was opened."""
        with self._lock:
            row = self._one(
                "WHERE (dossier_code = ? OR provisional_ref = ?) AND owner_hash IS NOT NULL ORDER BY receipt_number",
                code,
                code,
            )
        return _submission(row) if row else None

    # --- the rows ---

    def _one(self, where: str, *values: object) -> Any:
        with self._lock:
            return self._database.execute(f"SELECT * FROM submission {where} LIMIT 1", values).fetchone()  # noqa: S608

    def _known(self, kiosk: str, submission: str) -> Any:
        row = self._one("WHERE kiosk = ? AND submission = ?", kiosk, submission)
        if row is None:
            raise Unknown
        return row

    def _announced(self, kiosk: str, sha256: str) -> Blob:
        query = "SELECT size FROM blob WHERE kiosk = ? AND sha256 = ?"
        row = self._database.execute(query, (kiosk, sha256)).fetchone()
        if row is None:
            raise Unknown
        return Blob(sha256, row["size"])

    def _update(self, row: Mapping[str, object] | Any, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE submission SET {columns} WHERE kiosk = ? AND submission = ?"  # noqa: S608  # our own names
        self._database.execute(query, (*values.values(), row["kiosk"], row["submission"]))

    def _path(self, sha256: str) -> Path:
        return self._folder / "blobs" / sha256[:2] / sha256

    def _part(self, sha256: str) -> Path:
        return self._folder / "incoming" / f"{sha256}.part"


def _answer(row: Any) -> DossierState | None:
    return answers.from_json(json.loads(row["answer"])) if row["answer"] else None


def _submission(row: Any) -> Submission:
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
    )
