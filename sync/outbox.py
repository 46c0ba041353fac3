"""The kiosk's outbox: sealed envelopes as files, their states in SQLite. Nothing in it can be read back here.

    incoming/<submission>/    being written
    envelopes/<submission>/   `manifest`, ciphertexts by SHA-256, and the `receipt` once there is one
    interrupted/              envelopes whose submit never returned (no receipt was printed): kept, never sent
    outbox.db, outbox.N.db    index, sequence, states; the highest number counts (see rebuild)
    audit.log                 what happened, chained and signed (see audit)
    ballast                   room kept for receipts and deletions

Order of a submit: encrypt, write, fsync file, rename, fsync folder, one transaction, read back; only then OK.
"""

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from kiosk.clock import from_iso, utc_iso
from kiosk.config import KioskSettings, OfficeSettings
from kiosk.dossier import Dossier, DossierState
from kiosk.health import Failure, Reason
from sync import answers, audit, rebuild, signed, store
from sync.audit import Event
from sync.ballast import Ballast
from sync.envelope import Blob, EnvelopeError, Label, Manifest, new_submission_id, read_manifest, seal_into
from sync.outbox_schema import SCHEMA, Entry, State

log = logging.getLogger(__name__)

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that must be free before a visit may begin to file."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who seals: this kiosk with its signing key, to the receiver's key and to the offline recovery key if given."""

    kiosk: str
    to: X25519PublicKey
    by: Ed25519PrivateKey
    recovery: X25519PublicKey | None = None

    @classmethod
    def of(cls, office: OfficeSettings, kiosk: KioskSettings) -> "Sealer":
        """As configured; raises ConfigError for a key that is missing or wrong."""
        recovery = office.recovery_key
        return cls(
            kiosk.id,
            signed.sealing_key(office.receiver_key, "the receiver's key that envelopes are sealed to"),
            signed.signing_key(office.signing_key_file, "this kiosk's signing key"),
            signed.sealing_key(recovery, "the province's offline recovery key") if recovery else None,
        )

    @property
    def recipients(self) -> tuple[X25519PublicKey, ...]:
        """Everybody who will be able to open."""
        return (self.to,) if self.recovery is None else (self.to, self.recovery)


@dataclass(frozen=True, slots=True, repr=False)
class Parcel:
    """A dossier as it goes into an envelope."""

    reference_uid: str
    provisional_ref: str
    procedure_code: str
    form_version: str
    payload: Mapping[str, Any]
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, dossier: Dossier) -> "Parcel":
        """What the citizen filed."""
        version = dossier.procedure.version.encode("ascii", "replace").decode()[:80]
        ids = (dossier.reference_uid, dossier.provisional_ref, dossier.procedure.code)
        return cls(*ids, version, dossier.payload(), dossier.files())


@dataclass(frozen=True, slots=True)
class Room:
    """What the disk has left: bytes and files."""

    bytes: int
    files: int | None
    """None where the file system has no limit."""

    def days(self, daily: int) -> float:
        """For how many days this is enough at `daily` bytes."""
        return self.bytes / daily if daily else float("inf")


@dataclass(frozen=True, slots=True)
class Road:
    """When the receiver was last heard (seconds of the system's monotonic clock), or why it cannot be reached."""

    heard: float | None
    problem: str
    clock: str = ""
    """What is known to be wrong with this machine's clock."""


class Outbox:
    """One folder. Usable from any thread; several processes may have it open, one of them may `put`."""

    def __init__(self, folder: Path, signer: Ed25519PrivateKey | None = None, ballast: int = 0) -> None:
        """`signer` signs the audit log; `ballast`: bytes kept in reserve by the one who puts. Opened at first use."""
        self._folder = folder
        self._signer = signer
        self._ballast = Ballast(folder / "ballast", ballast)
        self._lock = threading.RLock()
        self._writer: int | None = None
        self._opened: tuple[Path, store.Connection] | None = None
        for name in ("incoming", "envelopes", "interrupted"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def close(self) -> None:
        """Let go of the database, and of the right to put."""
        with self._lock:
            self._drop()
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None

    def take_over(self, receipt_key: signed.Verifier | None = None) -> rebuild.Rebuilt | None:
        """Become the one that puts: rebuild a lost or damaged index, finish or set aside what was interrupted.

        What a rebuild found, None if none was needed. Raises store.AlreadyHeld, or store.Unusable for an index that a
        newer program wrote.
        """
        self._writer = store.hold(self._folder / "writer.lock")
        self._ballast.lay()
        rebuilt = None
        try:
            store.quick_check(self._database, rebuild.current(self._folder))
            self._refuse_stale()
        except store.Damaged as damage:
            log.critical("%s", damage)
            rebuilt = self.rebuild(receipt_key)
        self._complete()
        known = {row["submission"] for row in self._rows("SELECT submission FROM submission")}
        for kind in ("incoming", "envelopes"):
            for left in (self._folder / kind).iterdir():
                if left.name not in known:
                    log.warning("envelope %s: its submit was interrupted; set aside", left.name)
                    left.replace(self._folder / "interrupted" / left.name)
        return rebuilt

    def rebuild(self, receipt_key: signed.Verifier | None = None) -> rebuild.Rebuilt:
        """A new index from the envelope files; only for the one that puts."""
        assert self._writer is not None, "take over first"
        with self._lock:
            self._drop()
            return rebuild.rebuild(self._folder, receipt_key, self._signer)

    def _refuse_stale(self) -> None:
        """Raise Damaged if an envelope whose seal was written down is unknown to the index: that is an old copy.

        Unless it was the last thing written: then the submit did not come to its end.
        """
        known = {row["submission"] for row in self._rows("SELECT submission FROM submission")}
        unknown = {path.name for path in (self._folder / "envelopes").iterdir()} - known
        if not unknown:
            return
        lines = list(audit.lines(self._folder / "audit.log"))
        uncommitted = [line for line in lines if line.head.n > self._head().n]
        sealed = {line.sealed[1] for line in lines if line.sealed}
        last = uncommitted[0].document.get("submission") if len(uncommitted) == 1 else None
        if (unknown & sealed) - {last}:
            raise store.Damaged(f"{rebuild.current(self._folder)}: an old copy, the audit log knows more")

    def _complete(self) -> None:
        """What a crash or an older program left to do: receipts beside their manifests, files of purged envelopes."""
        for row in self._rows("SELECT * FROM submission WHERE receipt IS NOT NULL"):
            if row["purged"]:
                self._remove_blobs(row["submission"])
            elif not (self._envelope(row["submission"]) / "receipt").exists():
                store.replace_durably(self._envelope(row["submission"]) / "receipt", row["receipt"])

    # --- the kiosk's side ---

    def put(self, dossier: Dossier, sealer: Sealer) -> Failure | None:
        """Seal and store durably; None once it is read back and true. The same dossier again changes nothing."""
        return self.put_parcel(Parcel.of(dossier), sealer)

    def put_parcel(self, parcel: Parcel, sealer: Sealer) -> Failure | None:
        """The same with a dossier that is ready to be sealed."""
        with self._lock:
            self._signer = self._signer or sealer.by
            try:
                if not self._holds(parcel.reference_uid):
                    self._store(parcel, sealer)
                self._read_back(parcel.reference_uid)
            except (OSError, store.DatabaseError, EnvelopeError) as error:
                failure = _failure(error)
                log.error("submit refused: %s %s", failure.reason.value, failure.detail)
                self._drop()  # after an I/O error what this connection holds in memory is not to be trusted
                return failure
            return None

    def _holds(self, reference_uid: str) -> bool:
        return bool(self._rows("SELECT 1 FROM submission WHERE reference_uid = ?", reference_uid))

    def _store(self, parcel: Parcel, sealer: Sealer) -> None:
        sequence: int = self._rows("SELECT coalesce(max(sequence), 0) + 1 AS next FROM submission")[0]["next"]
        now = datetime.now(UTC)
        submission = new_submission_id()
        ids = (sealer.kiosk, submission, sequence, parcel.provisional_ref, parcel.procedure_code)
        label = Label(*ids, now, parcel.reference_uid, parcel.form_version)
        try:
            sha256 = self._write(label, parcel, sealer)
            row = (submission, sequence, parcel.reference_uid, parcel.provisional_ref, sha256, utc_iso(now))
            self._commit(Event.SEALED, Entry(submission, sequence, sha256, State.SEALED), rebuild.INSERT, row)
        except BaseException:
            self._discard(submission)
            raise

    def _write(self, label: Label, parcel: Parcel, sealer: Sealer) -> str:
        incoming, final = self._folder / "incoming" / label.submission, self._envelope(label.submission)
        incoming.mkdir(mode=0o700)

        def keep(pieces: Iterator[bytes]) -> Blob:
            blob = Blob(*store.write_pieces(incoming / "part", pieces))
            (incoming / "part").rename(incoming / blob.sha256)
            return blob

        manifest = seal_into(keep, label, parcel.payload, parcel.files, sealer.recipients, sealer.by)
        store.write_durably(incoming / "manifest", manifest)
        store.sync_folder(incoming)
        incoming.rename(final)
        store.sync_folder(final.parent)
        store.sync_folder(incoming.parent)
        return signed.digest(manifest)

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
        if not row["purged"]:
            self.check(_entry(row))

    def check(self, entry: Entry) -> Manifest:
        """Read everything of an envelope from the disk; raises EnvelopeError if it is not what was sealed."""
        manifest = read_manifest(self.manifest(entry), None)
        if (manifest.submission, manifest.sequence) != (entry.submission, entry.sequence):
            raise EnvelopeError("the envelope on disk is another one")
        for blob in manifest.blobs:
            self.blob(entry, blob.sha256)
        return manifest

    def answer(self, provisional_ref: str) -> DossierState | None:
        """What the TTHC system answered, None while it has not. Raises KeyError for an unknown reference."""
        rows = self._rows("SELECT answer FROM submission WHERE provisional_ref = ?", provisional_ref)
        if not rows:
            raise KeyError(provisional_ref)
        return answers.from_json(json.loads(rows[0]["answer"])) if rows[0]["answer"] else None

    def road(self) -> Road:
        """What the forwarder last noted of the way to the receiver."""
        return Road(**self._rows("SELECT heard, problem, clock FROM road")[0])

    def probe(self) -> Failure | None:
        """Whether a submit could be stored now: write, sync and read back a small file, and some room left."""
        path = self._folder / "incoming" / ".probe"
        try:
            path.unlink(missing_ok=True)
            store.write_durably(path, b"probe" * 1000)
            same = store.read_disk(path) == b"probe" * 1000
            path.unlink()
            reserve, room = self._ballast.lay(), self.room()
        except OSError as error:
            return _failure(error)
        if not same:
            return Failure(Reason.STORAGE_ERROR, "a probe file read back differs")
        if not reserve:
            return Failure(Reason.DISK_FULL, "no room for the reserve (ballast)")
        if room.bytes < LEAST_FREE or room.files == 0:
            return Failure(Reason.DISK_FULL, f"less than {LEAST_FREE} bytes or no file is free")
        return None

    def room(self) -> Room:
        """What is free for the outbox."""
        disk = os.statvfs(self._folder)
        return Room(disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else None)

    def purge(self, keep_days: float) -> int:
        """Delete the ciphertexts of what was received `keep_days` before the newest receipt; how many.

        Both times are the receiver's, signed: this machine's clock decides nothing. Manifest, receipt and row stay.
        """
        with self._lock:
            rows = self._rows("SELECT * FROM submission WHERE receipt IS NOT NULL AND purged = 0 ORDER BY sequence")
            times = {row["submission"]: _received_at(row["receipt"]) for row in rows}
            newest = max((time for time in times.values() if time), default=None)
            done = 0
            for row in rows:
                received = times[row["submission"]]
                if received and newest and newest - received >= timedelta(days=keep_days):
                    query, values = "UPDATE submission SET purged = 1 WHERE submission = ?", (row["submission"],)
                    self._commit_with_reserve(Event.PURGED, _entry(row), query, values)
                    self._remove_blobs(row["submission"])
                    done += 1
            return done

    def _remove_blobs(self, submission: str) -> None:
        for path in self._envelope(submission).iterdir():
            if path.name not in ("manifest", "receipt"):
                path.unlink(missing_ok=True)

    # --- the technician's side ---

    def records(self) -> list[dict[str, Any]]:
        """Every row, in the order of the sequence."""
        return [dict(row) for row in self._rows("SELECT * FROM submission ORDER BY sequence")]

    def undelivered(self) -> list[Entry]:
        """Everything without a receipt, oldest first; quarantined ones too."""
        return [_entry(row) for row in self._rows("SELECT * FROM submission WHERE receipt IS NULL ORDER BY sequence")]

    def release(self, name: str) -> Entry:
        """Send a quarantined one again, by submission id or provisional reference. Raises KeyError."""
        query = "SELECT * FROM submission WHERE state = 'quarantined' AND ? IN (submission, provisional_ref)"
        with self._lock:
            rows = self._rows(query, name)
            if not rows:
                raise KeyError(name)
            self._set(Event.RELEASED, _entry(rows[0]), State.SEALED, problem=None)
            return _entry(rows[0])

    def exported(self, entry: Entry) -> None:
        """A checked copy of this envelope was handed over."""
        self._commit_with_reserve(Event.EXPORTED, entry, "", ())

    def audit_problems(self, key: signed.Verifier) -> list[str]:
        """What is wrong with the audit log; `key` is this kiosk's."""
        return audit.problems(self._folder / "audit.log", self._head(), key)

    def index_problems(self) -> list[str]:
        """What SQLite finds wrong with the index."""
        found = [row[0] for row in self._rows("PRAGMA integrity_check(5)")]
        return [] if found == ["ok"] else [f"index: {line}" for line in found]

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
        self._set(Event.MANIFEST_SENT, entry, State.MANIFEST_SENT)

    def delivered(self, entry: Entry, receipt: bytes) -> None:
        """The receiver's verified receipt is in hand."""
        path = self._envelope(entry.submission) / "receipt"
        self._with_reserve(lambda: store.replace_durably(path, receipt))
        self._set(Event.DELIVERED, entry, State.DELIVERED, receipt=receipt)

    def answered(self, entry: Entry, state: DossierState) -> None:
        """The TTHC system has answered. What is stored holds nothing personal: no name, no note."""
        kept = answers.to_json(state) | {"owner": "", "note": ""}
        self._set(Event.ANSWERED, entry, State.ANSWERED, answer=json.dumps(kept, ensure_ascii=False))

    def quarantine(self, entry: Entry, problem: str) -> None:
        """This one cannot be sent; a technician decides. The envelope stays where it is."""
        log.error("submission %s (sequence %d) quarantined: %s", entry.submission, entry.sequence, problem)
        self._set(Event.QUARANTINED, entry, State.QUARANTINED, problem=problem)

    def note_road(self, road: Road) -> None:
        """Tell the kiosk's application about the way to the receiver."""
        self.note("UPDATE road SET heard = ?, problem = ?, clock = ?", road.heard, road.problem, road.clock)

    # --- for those who report and compare ---

    @property
    def index(self) -> str:
        """The name of the index in use: another one after a rebuild."""
        return rebuild.current(self._folder).name

    @property
    def head(self) -> audit.Head:
        """How far the audit log reaches."""
        return self._head()

    def select(self, query: str, *values: object) -> list[Any]:
        """Rows of the index, for those who report on it."""
        return self._rows(query, *values)

    def note(self, query: str, *values: object) -> None:
        """A change beside the states, which needs no line in the audit log."""
        with self._lock, store.transaction(self._database) as database:
            database.execute(query, values)

    def record(self, event: Event, entry: Entry, query: str, *values: object) -> None:
        """A change beside the states, and its line in the audit log."""
        self._commit_with_reserve(event, entry, query, values)

    # --- the index ---

    def _set(self, event: Event, entry: Entry, state: State, **values: object) -> None:
        columns = "".join(f", {name} = ?" for name in values)
        query = f"UPDATE submission SET state = ?{columns} WHERE submission = ?"  # noqa: S608  # our own names
        self._commit_with_reserve(event, entry, query, (state, *values.values(), entry.submission))

    def _commit_with_reserve(self, event: Event, entry: Entry, query: str, values: Sequence[object]) -> None:
        self._with_reserve(lambda: self._commit(event, entry, query, values))

    def _with_reserve(self, work: Callable[[], None]) -> None:
        """What must not wait for a technician: on a full disk the ballast is thrown and it is tried once more."""
        try:
            work()
        except (OSError, store.DatabaseError) as error:
            if not store.is_full(error) or not self._ballast.throw():
                raise
            work()

    def _commit(self, event: Event, entry: Entry, query: str, values: Sequence[object]) -> None:
        """One change and its line in the audit log, both or none."""
        with self._lock, store.transaction(self._database) as database:
            if query:
                database.execute(query, values)
            fields = {"submission": entry.submission, "sequence": entry.sequence}
            set_head = audit.append(self._folder / "audit.log", self._head(), event, self._signer, **fields)
            rebuild.set_head(database, set_head)

    def _head(self) -> audit.Head:
        row = self._rows("SELECT n, sha256, size FROM audit_head")[0]
        return audit.Head(row["n"], row["sha256"], row["size"])

    @property
    def _database(self) -> store.Connection:
        """The index in use, opened anew when another process has rebuilt it. Raises store.Unusable."""
        path = rebuild.current(self._folder)
        if self._opened is None or (self._opened[0] != path and not self._opened[1].in_transaction):
            self._drop()
            if not (path.exists() and path.stat().st_size) and any((self._folder / "envelopes").iterdir()):
                raise store.Damaged(f"{path}: the index is lost; the kiosk's application rebuilds it when it starts")
            self._with_reserve(lambda: self._open(path))
        assert self._opened is not None
        return self._opened[1]

    def _open(self, path: Path) -> None:
        self._opened = (path, store.connect(path, SCHEMA))

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return list(self._database.execute(query, values).fetchall())

    def _drop(self) -> None:
        """Close the connection; the next use opens another."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _envelope(self, submission: str) -> Path:
        return self._folder / "envelopes" / submission


def _entry(row: Any) -> Entry:
    return Entry(row["submission"], row["sequence"], row["manifest_sha256"], State(row["state"]))


def _read_part(path: Path) -> bytes:
    try:
        return store.read_disk(path)
    except FileNotFoundError:
        raise EnvelopeError("a part of the envelope is missing on disk") from None


def _received_at(receipt: bytes) -> datetime | None:
    try:
        return from_iso(signed.unverified("receipt", receipt)["received_at"])
    except (signed.SignatureError, KeyError, ValueError, TypeError):
        return None


def _failure(error: Exception) -> Failure:
    """Never the message of an error: it could quote a value. Codes and class names only."""
    if isinstance(error, EnvelopeError):
        return Failure(Reason.STORAGE_ERROR, str(error))
    if isinstance(error, OSError):
        reason = Reason.DISK_FULL if store.is_full(error) else Reason.STORAGE_ERROR
        return Failure(reason, os.strerror(error.errno) if error.errno else str(error))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return Failure(Reason.DISK_FULL if store.is_full(error) else Reason.STORAGE_ERROR, f"database: {name}")
