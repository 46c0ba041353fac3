"""The kiosk's outbox: sealed envelopes as files, their states in SQLite. Nothing in it can be read back here.

    incoming/<submission>/    being written
    envelopes/<submission>/   `manifest` and ciphertexts by SHA-256
    interrupted/              envelopes whose submit never returned (no receipt was printed): kept, never sent
    outbox.db                 index, sequence, states

Order of a submit: encrypt, write, fsync file, rename, fsync folder, one transaction, read back; only then OK.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from kiosk.clock import utc_iso
from kiosk.dossier import Dossier, DossierState
from kiosk.health import Failure, Reason
from sync import answers, store
from sync.envelope import EnvelopeError, Label, Sealed, new_submission_id, read_manifest, seal

log = logging.getLogger(__name__)

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that must be free before a visit may begin to file."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class State(StrEnum):
    """Where a submission is on its way; the database allows only the edges of its trigger."""

    SEALED = "sealed"
    MANIFEST_SENT = "manifest_sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"


_SCHEMA = (
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
)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who seals: this kiosk with its signing key, to the receiver's key."""

    kiosk: str
    to: X25519PublicKey
    by: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Entry:
    """One submission on its way."""

    submission: str
    sequence: int
    manifest_sha256: str
    state: State


@dataclass(frozen=True, slots=True)
class Road:
    """When the receiver was last heard (seconds of the system's monotonic clock), or why it cannot be reached."""

    heard: float | None
    problem: str


class Outbox:
    """One folder. Usable from any thread; several processes may have it open, one of them may `put`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._writer: int | None = None
        for name in ("incoming", "envelopes", "interrupted"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = store.connect(folder / "outbox.db", _SCHEMA)

    def close(self) -> None:
        """Let go of the database, and of the right to put."""
        with self._lock:
            self._database.close()
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None

    def take_over(self) -> None:
        """Become the one that puts, and set aside what an interrupted submit left. Raises store.AlreadyHeld."""
        self._writer = store.hold(self._folder / "writer.lock")
        known = {row["submission"] for row in self._rows("SELECT submission FROM submission")}
        for kind in ("incoming", "envelopes"):
            for left in (self._folder / kind).iterdir():
                if left.name not in known:
                    log.warning("envelope %s: its submit was interrupted; set aside", left.name)
                    left.replace(self._folder / "interrupted" / left.name)

    # --- the kiosk's side ---

    def put(self, dossier: Dossier, sealer: Sealer) -> Failure | None:
        """Seal and store durably; None once it is read back and true. The same dossier again changes nothing."""
        with self._lock:
            try:
                if not self._holds(dossier.reference_uid):
                    self._store(dossier, sealer)
                self._read_back(dossier.reference_uid)
            except (OSError, store.DatabaseError, EnvelopeError) as error:
                failure = _failure(error)
                log.error("submit refused: %s %s", failure.reason.value, failure.detail)
                self._reopen()
                return failure
            return None

    def _holds(self, reference_uid: str) -> bool:
        return bool(self._rows("SELECT 1 FROM submission WHERE reference_uid = ?", reference_uid))

    def _store(self, dossier: Dossier, sealer: Sealer) -> None:
        sequence: int = self._rows("SELECT coalesce(max(sequence), 0) + 1 AS next FROM submission")[0]["next"]
        now = datetime.now(UTC)
        submission = new_submission_id()
        label = Label(sealer.kiosk, submission, sequence, dossier.provisional_ref, dossier.procedure.code, now)
        sealed = seal(label, dossier.payload(), dossier.files(), sealer.to, sealer.by)
        try:
            self._write(submission, sealed)
            row = (submission, sequence, dossier.reference_uid, dossier.provisional_ref)
            with store.transaction(self._database):
                self._database.execute(
                    "INSERT INTO submission (submission, sequence, reference_uid, provisional_ref, manifest_sha256,"
                    " sealed_at) VALUES (?, ?, ?, ?, ?, ?)",
                    (*row, read_manifest(sealed.manifest, None).sha256, utc_iso(now)),
                )
        except BaseException:
            self._discard(submission)
            raise

    def _write(self, submission: str, sealed: Sealed) -> None:
        incoming, final = self._folder / "incoming" / submission, self._envelope(submission)
        incoming.mkdir(mode=0o700)
        for sha256, content in sealed.blobs.items():
            store.write_durably(incoming / sha256, content)
        store.write_durably(incoming / "manifest", sealed.manifest)
        store.sync_folder(incoming)
        incoming.rename(final)
        store.sync_folder(final.parent)
        store.sync_folder(incoming.parent)

    def _discard(self, submission: str) -> None:
        """Remove what a failed submit wrote, unless its row stands after all: then the files are needed."""
        shutil.rmtree(self._folder / "incoming" / submission, ignore_errors=True)
        try:
            stands = self._rows("SELECT 1 FROM submission WHERE submission = ?", submission)
        except store.DatabaseError:
            return  # unknown: take_over settles it
        if not stands:
            shutil.rmtree(self._envelope(submission), ignore_errors=True)

    def _read_back(self, reference_uid: str) -> None:
        row = self._rows("SELECT * FROM submission WHERE reference_uid = ?", reference_uid)[0]
        entry = _entry(row)
        manifest = read_manifest(self.manifest(entry), None)
        if manifest.sequence != entry.sequence:
            raise EnvelopeError("the sequence number read back differs")
        for blob in manifest.blobs:
            self.blob(entry, blob.sha256)

    def answer(self, provisional_ref: str) -> DossierState | None:
        """What the TTHC system answered, None while it has not. Raises KeyError for an unknown reference."""
        rows = self._rows("SELECT answer FROM submission WHERE provisional_ref = ?", provisional_ref)
        if not rows:
            raise KeyError(provisional_ref)
        return answers.from_json(json.loads(rows[0]["answer"])) if rows[0]["answer"] else None

    def road(self) -> Road:
        """What the forwarder last noted of the way to the receiver."""
        row = self._rows("SELECT heard, problem FROM road")[0]
        return Road(row["heard"], row["problem"])

    def probe(self) -> Failure | None:
        """Whether a submit could be stored now: write, sync and read back a small file, and some room left."""
        path = self._folder / "incoming" / ".probe"
        try:
            path.unlink(missing_ok=True)
            store.write_durably(path, b"probe" * 1000)
            same = _read(path) == b"probe" * 1000
            path.unlink()
            room = os.statvfs(self._folder)
        except OSError as error:
            return _failure(error)
        if not same:
            return Failure(Reason.STORAGE_ERROR, "a probe file read back differs")
        if room.f_bavail * room.f_frsize < LEAST_FREE or (room.f_files and not room.f_favail):
            return Failure(Reason.DISK_FULL, f"less than {LEAST_FREE} bytes or no file is free")
        return None

    # --- the forwarder's side ---

    def entries(self, state: State) -> list[Entry]:
        """Everything in `state`, oldest first."""
        return [_entry(row) for row in self._rows("SELECT * FROM submission WHERE state = ? ORDER BY sequence", state)]

    def manifest(self, entry: Entry) -> bytes:
        """The signed manifest; raises EnvelopeError if it is not the one that was sealed."""
        text = _read_part(self._envelope(entry.submission) / "manifest")
        if read_manifest(text, None).sha256 != entry.manifest_sha256:
            raise EnvelopeError("the manifest on disk was altered")
        return text

    def blob(self, entry: Entry, sha256: str) -> bytes:
        """A ciphertext; raises EnvelopeError if it is not the one that was sealed."""
        content = _read_part(self._envelope(entry.submission) / sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EnvelopeError("a blob on disk was altered")
        return content

    def manifest_sent(self, entry: Entry) -> None:
        """The receiver holds the manifest."""
        self._set(entry, State.MANIFEST_SENT)

    def delivered(self, entry: Entry, receipt: bytes) -> None:
        """The receiver's verified receipt is in hand."""
        self._set(entry, State.DELIVERED, receipt=receipt)

    def answered(self, entry: Entry, state: DossierState) -> None:
        """The TTHC system has answered. What is stored holds nothing personal: no name, no note."""
        kept = answers.to_json(state) | {"owner": "", "note": ""}
        self._set(entry, State.ANSWERED, answer=json.dumps(kept, ensure_ascii=False))

    def quarantine(self, entry: Entry, problem: str) -> None:
        """This one cannot be sent; a technician decides. The envelope stays where it is."""
        log.error("submission %s (sequence %d) quarantined: %s", entry.submission, entry.sequence, problem)
        self._set(entry, State.QUARANTINED, problem=problem)

    def note_road(self, road: Road) -> None:
        """Tell the kiosk's application about the way to the receiver."""
        with self._lock, store.transaction(self._database):
            self._database.execute("UPDATE road SET heard = ?, problem = ?", (road.heard, road.problem))

    def _set(self, entry: Entry, state: State, **values: object) -> None:
        columns = "".join(f", {name} = ?" for name in values)
        with self._lock, store.transaction(self._database):
            self._database.execute(
                f"UPDATE submission SET state = ?{columns} WHERE submission = ?",  # noqa: S608  # our own names
                (state, *values.values(), entry.submission),
            )

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return list(self._database.execute(query, values).fetchall())

    def _reopen(self) -> None:
        """After an I/O error what this connection holds in memory is not to be trusted."""
        try:
            fresh = store.connect(self._folder / "outbox.db", _SCHEMA)
        except OSError as error:
            log.error("outbox cannot be reopened: %s", error)
            return
        self._database.close()
        self._database = fresh

    def _envelope(self, submission: str) -> Path:
        return self._folder / "envelopes" / submission


def _entry(row: Any) -> Entry:
    return Entry(row["submission"], row["sequence"], row["manifest_sha256"], State(row["state"]))


def _read_part(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        raise EnvelopeError("a part of the envelope is missing on disk") from None


def _read(path: Path) -> bytes:
    """From the disk and not from memory, as far as the kernel can be asked for it."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def _failure(error: Exception) -> Failure:
    """Never the message of an error: it could quote a value. Codes and class names only."""
    if isinstance(error, EnvelopeError):
        return Failure(Reason.STORAGE_ERROR, str(error))
    if isinstance(error, OSError):
        reason = Reason.DISK_FULL if error.errno in _FULL else Reason.STORAGE_ERROR
        return Failure(reason, os.strerror(error.errno or errno.EIO))
    full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return Failure(Reason.DISK_FULL if full else Reason.STORAGE_ERROR, f"database: {name}")
