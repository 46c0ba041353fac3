"""The outbox's index made anew from the envelope files alone; the audit log, if it is there, tells what is missing.

The index in use is `outbox.db`, or the `outbox.N.db` with the highest number. A damaged one is never moved (another
program may have it open, and SQLite would remove the new one's log): it stays where it is and a new number is begun.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync import audit, signed, store
from sync.envelope import EnvelopeError, Manifest, read_manifest
from sync.outbox_schema import SCHEMA, State

log = logging.getLogger(__name__)

NO_MANIFEST = "0" * 64
LOST = "its envelope was not found when the index was rebuilt"


def current(folder: Path) -> Path:
    """The index in use, there or not yet."""
    numbered = {_number(path): path for path in folder.glob("outbox.*.db")}
    return numbered[max(numbered)] if numbered else folder / "outbox.db"


def _number(path: Path) -> int:
    number = path.name.removeprefix("outbox.").removesuffix(".db")
    return int(number) if number.isdecimal() else 0


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: submissions, those of them with a receipt, sequence numbers without an envelope."""

    found: int = 0
    delivered: int = 0
    lost: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Envelope:
    manifest: Manifest
    receipt: bytes | None
    whole: bool


def rebuild(folder: Path, receipt_key: signed.Verifier | None, signer: Ed25519PrivateKey | None) -> Rebuilt:
    """Begin a new index; the caller holds the writer's lock. Raises OSError or DatabaseError if it cannot be written.

    A submission is delivered if its receipt lies beside its manifest and is for it (and signed by `receipt_key`, if
    given); all others begin at `sealed`: to send them again does no harm.
    """
    damaged, making = current(folder), folder / "rebuilding.db"
    for left in folder.glob(making.name + "*"):
        left.unlink()
    log.critical("outbox: the index %s is lost or damaged; rebuilding it from the envelopes", damaged.name)
    database = store.connect(making, SCHEMA)
    try:
        done = _fill(database, folder, receipt_key, signer)
    finally:
        database.close()
    making.rename(folder / f"outbox.{_number(damaged) + 1}.db")
    store.sync_folder(folder)
    log.critical("outbox: rebuilt, %d found, %d delivered, lost: %s", done.found, done.delivered, done.lost or "none")
    return done


def _fill(
    database: store.Connection,
    folder: Path,
    receipt_key: signed.Verifier | None,
    signer: Ed25519PrivateKey | None,
) -> Rebuilt:
    path, head, sealed = folder / "audit.log", audit.Head(), dict[int, str]()
    for line in audit.lines(path):
        head = line.head
        if line.sealed is not None:
            sealed[line.sealed[0]] = line.sealed[1]
    envelopes = _read_all(folder / "envelopes", sealed, receipt_key)
    most = max(envelopes, default=0) + head.n  # a number that a false line gives is not followed for ever
    done, names = Rebuilt(), {envelope.manifest.submission for envelope in envelopes.values()}
    with store.transaction(database):
        for sequence in range(1, min(max([*envelopes, *sealed], default=0), most) + 1):
            envelope = envelopes.get(sequence)
            if envelope is None:
                done.lost.append(sequence)
                name = sealed.get(sequence, "")
                _insert_lost(database, sequence, name if name and name not in names else f"{sequence:032x}")
                names.add(name)
                continue
            done.found += 1
            done.delivered += envelope.receipt is not None
            _insert(database, envelope)
        head = audit.append(path, head, audit.Event.REBUILT, signer, found=done.found, lost=done.lost)
        set_head(database, head)
    return done


def set_head(database: store.Connection, head: audit.Head) -> None:
    """Remember how far the audit log reaches."""
    database.execute("UPDATE audit_head SET n = ?, sha256 = ?, size = ?", (head.n, head.sha256, head.size))


def _read_all(folder: Path, sealed: dict[int, str], key: signed.Verifier | None) -> dict[int, _Envelope]:
    """By sequence. Of two with one number the audited one counts; one that cannot be read stays for a technician."""
    found: dict[int, _Envelope] = {}
    for path in sorted(folder.iterdir()):
        try:
            envelope = _read(path, key)
        except (OSError, EnvelopeError) as error:
            log.error("envelope %s cannot be read: %s", path.name, error)
            continue
        sequence = envelope.manifest.sequence
        if sequence not in found or sealed.get(sequence) == path.name:
            found[sequence] = envelope
    return found


def _read(path: Path, key: signed.Verifier | None) -> _Envelope:
    manifest = read_manifest((path / "manifest").read_bytes(), None)
    if manifest.submission != path.name:
        raise EnvelopeError("it lies in the folder of another submission")
    receipt = path / "receipt"
    text = receipt.read_bytes() if receipt.exists() else None
    if text is not None and not is_receipt_for(manifest.submission, manifest.sha256, text, key):
        log.error("envelope %s: its receipt is not one for it; it is sent again", path.name)
        text = None
    return _Envelope(manifest, text, all((path / blob.sha256).exists() for blob in manifest.blobs))


def is_receipt_for(submission: str, manifest_sha256: str, text: bytes, key: signed.Verifier | None) -> bool:
    """Whether `text` is a receipt for this very manifest, signed by `key` if given."""
    try:
        receipt = signed.verify("receipt", text, key) if key else signed.unverified("receipt", text)
    except signed.SignatureError:
        return False
    return (receipt.get("submission"), receipt.get("manifest_sha256")) == (submission, manifest_sha256)


def _insert(database: store.Connection, envelope: _Envelope) -> None:
    manifest = envelope.manifest
    uid = manifest.reference_uid or f"version-1-{manifest.submission}"
    row = (manifest.submission, manifest.sequence, uid, manifest.provisional_ref, manifest.sha256, manifest.sealed_at)
    database.execute(INSERT, row)
    if envelope.receipt is not None:
        move = "UPDATE submission SET state = ?, receipt = ?, purged = ? WHERE submission = ?"
        database.execute(move, (State.MANIFEST_SENT, None, 0, manifest.submission))
        database.execute(move, (State.DELIVERED, envelope.receipt, 0, manifest.submission))
        if not envelope.whole:
            database.execute("UPDATE submission SET purged = 1 WHERE submission = ?", (manifest.submission,))


def _insert_lost(database: store.Connection, sequence: int, submission: str) -> None:
    database.execute(INSERT, (submission, sequence, f"lost-{submission}", f"lost-{submission}", NO_MANIFEST, ""))
    database.execute(
        "UPDATE submission SET state = ?, problem = ? WHERE submission = ?", (State.QUARANTINED, LOST, submission)
    )


INSERT = (
    "INSERT INTO submission (submission, sequence, reference_uid, provisional_ref, manifest_sha256, sealed_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
