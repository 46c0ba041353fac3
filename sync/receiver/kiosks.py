"""The register of kiosks: who may send, under which keys and certificates; revoked ones stay in it for ever.

Whatever is decided here counts for every process at the next request: nothing is kept in memory but by `Gate`,
for a second.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.clock import from_iso, utc_iso
from sync import authority, signed
from sync.enrolment import EnrolmentError
from sync.keys import prefixes
from sync.receiver.database import Database, Row, Tx

KEPT = 1.0
"""Seconds for which `Gate` believes an answer of before."""


@dataclass(frozen=True, slots=True)
class Known:
    """A kiosk in the register."""

    id: str
    enrolled_at: str
    retired_at: str | None
    last_contact: str | None
    certificates: tuple[Row, ...]
    signing_keys: tuple[Row, ...]

    def days_left(self, now: datetime) -> float | None:
        """Until its last certificate that is not revoked ends; None without one."""
        ends = [from_iso(row["not_after"]) for row in self.certificates if row["revoked_at"] is None]
        return (max(ends) - now).total_seconds() / 86400 if ends else None


# --- changes ---


def enrol(database: Database, kiosk: str, signing_key: bytes, certificate: x509.Certificate) -> None:
    """Register a kiosk, or another key and certificate of one: those before stay good until they end or are revoked.

    `signing_key` is 32 raw bytes. What is registered already stays as it is. Raises EnrolmentError for a retired kiosk
    and for a key that was revoked or is another kiosk's.
    """
    now, ends = utc_iso(datetime.now(UTC)), utc_iso(certificate.not_valid_after_utc)
    fingerprint = authority.fingerprint(certificate)
    with database.write() as tx:
        _refuse(tx, kiosk, signing_key)
        tx.run("INSERT INTO kiosk (id, enrolled_at) VALUES (:kiosk, :now) ON CONFLICT DO NOTHING", kiosk=kiosk, now=now)
        tx.run(
            "INSERT INTO signing_key (kiosk, public, added_at) VALUES (:kiosk, :key, :now) ON CONFLICT DO NOTHING",
            kiosk=kiosk, key=signing_key, now=now,
        )  # fmt: skip
        tx.run(
            "INSERT INTO certificate (fingerprint, kiosk, not_after, issued_at)"
            " VALUES (:fingerprint, :kiosk, :ends, :now) ON CONFLICT DO NOTHING",
            fingerprint=fingerprint, kiosk=kiosk, ends=ends, now=now,
        )  # fmt: skip


def register_world(database: Database, folder: Path, kiosk_ids: Sequence[str]) -> None:
    """Enrol the kiosks of `sync.keys.create_world(folder, kiosk_ids)`; those enrolled before stay as they are."""
    for prefix, kiosk in prefixes(kiosk_ids):
        [certificate] = authority.certificates(folder / f"{prefix}.pem", "a kiosk's certificate")
        signing = signed.signing_key(folder / f"{prefix}-signing.key", "a kiosk's signing key")
        enrol(database, kiosk, signing.public_key().public_bytes_raw(), certificate)


def _refuse(tx: Tx, kiosk: str, signing_key: bytes) -> None:
    row = tx.one("SELECT retired_at FROM kiosk WHERE id = :kiosk", kiosk=kiosk)
    if row is not None and row["retired_at"] is not None:
        raise EnrolmentError(f"kiosk {kiosk} was retired at {row['retired_at']}; give the machine another id")
    for known in tx.all("SELECT kiosk, revoked_at FROM signing_key WHERE public = :key", key=signing_key):
        if known["revoked_at"] is not None or known["kiosk"] != kiosk:
            raise EnrolmentError(f"kiosk {kiosk}: this signing key was revoked, or is another kiosk's")


def revoke(database: Database, kiosk: str, why: str, certificate: str = "", signing_key: str = "") -> int:
    """Revoke what begins with this fingerprint (certificate) or these hex digits (signing key); without either, all.

    How many were revoked. Raises EnrolmentError for an unknown kiosk.
    """
    with database.write() as tx:
        return _revoke(tx, kiosk, why, certificate, signing_key, utc_iso(datetime.now(UTC)))


def _revoke(tx: Tx, kiosk: str, why: str, certificate: str, signing_key: str, now: str) -> int:
    if tx.one("SELECT id FROM kiosk WHERE id = :kiosk", kiosk=kiosk) is None:
        raise EnrolmentError(f"kiosk {kiosk} is not in the register")
    everything, done = not (certificate or signing_key), 0
    for row in tx.all("SELECT fingerprint FROM certificate WHERE kiosk = :k AND revoked_at IS NULL", k=kiosk):
        if everything or (certificate and row["fingerprint"].startswith(certificate)):
            query = "UPDATE certificate SET revoked_at = :now, revoked_why = :why WHERE fingerprint = :f"
            done += tx.run(query, now=now, why=why, f=row["fingerprint"])
    for row in tx.all("SELECT public FROM signing_key WHERE kiosk = :k AND revoked_at IS NULL", k=kiosk):
        if everything or (signing_key and bytes(row["public"]).hex().startswith(signing_key)):
            query = "UPDATE signing_key SET revoked_at = :now WHERE kiosk = :k AND public = :key"
            done += tx.run(query, now=now, k=kiosk, key=row["public"])
    return done


def retire(database: Database, kiosk: str, why: str) -> None:
    """Revoke everything and never enrol this id again. Raises EnrolmentError for an unknown kiosk."""
    now = utc_iso(datetime.now(UTC))
    with database.write() as tx:
        _revoke(tx, kiosk, why, "", "", now)
        tx.run("UPDATE kiosk SET retired_at = :now WHERE id = :kiosk AND retired_at IS NULL", now=now, kiosk=kiosk)


# --- questions ---


def admitted(database: Database, kiosk: str, fingerprint: str) -> str:
    """Why this certificate (SHA-256 of its DER, hex) may not speak for this kiosk, in one line; empty: it may."""
    query = (
        "SELECT c.kiosk, c.revoked_at, k.retired_at FROM certificate c JOIN kiosk k ON k.id = c.kiosk"
        " WHERE c.fingerprint = :fingerprint"
    )
    with database.read() as tx:
        row = tx.one(query, fingerprint=fingerprint)
    if row is None or row["kiosk"] != kiosk:
        return "this certificate is not in the register of kiosks"
    if row["retired_at"] is not None:
        return "this kiosk is retired"
    return "this certificate is revoked" if row["revoked_at"] is not None else ""


class Gate:
    """`admitted`, asked at every request: an answer is believed for a second. Usable from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], tuple[float, str]] = {}

    def refusal(self, kiosk: str, fingerprint: str) -> str:
        """Why not, in one line; empty: it may. Raises DatabaseFault."""
        now = time.monotonic()
        with self._lock:
            when, answer = self._asked.get((kiosk, fingerprint), (now - KEPT, ""))
        if now - when < KEPT:
            return answer
        answer = admitted(self._database, kiosk, fingerprint)
        with self._lock:
            self._asked = {who: held for who, held in self._asked.items() if now - held[0] < KEPT}
            self._asked[kiosk, fingerprint] = (now, answer)
        return answer

    def verifier(self, kiosk: str) -> signed.Verifier | None:
        """Whoever may sign this kiosk's manifests; None: nobody may. Raises DatabaseFault."""
        keys = signing_keys(self._database, kiosk)
        return signed.AnyOf(keys) if keys else None


def signing_keys(database: Database, kiosk: str) -> tuple[Ed25519PublicKey, ...]:
    """Every key that a manifest of this kiosk may be signed with."""
    query = "SELECT public FROM signing_key WHERE kiosk = :kiosk AND revoked_at IS NULL ORDER BY added_at DESC"
    with database.read() as tx:
        rows = tx.all(query, kiosk=kiosk)
    return tuple(Ed25519PublicKey.from_public_bytes(bytes(row["public"])) for row in rows)


def last_keys(database: Database, kiosk: str) -> tuple[Ed25519PublicKey, ...]:
    """`signing_keys`, and of a retired kiosk those that were good until it was: for what a person brings on a stick."""
    query = (
        "SELECT s.public FROM signing_key s JOIN kiosk k ON k.id = s.kiosk WHERE s.kiosk = :kiosk"
        " AND (s.revoked_at IS NULL OR s.revoked_at = k.retired_at) ORDER BY s.added_at DESC"
    )
    with database.read() as tx:
        rows = tx.all(query, kiosk=kiosk)
    return tuple(Ed25519PublicKey.from_public_bytes(bytes(row["public"])) for row in rows)


def listed(database: Database) -> list[Known]:
    """Every kiosk, by id."""
    with database.read() as tx:
        kiosks = tx.all("SELECT id, enrolled_at, retired_at, last_contact FROM kiosk ORDER BY id")
        certificates = tx.all("SELECT * FROM certificate ORDER BY issued_at")
        keys = tx.all("SELECT * FROM signing_key ORDER BY added_at")
    return [
        Known(
            **row,
            certificates=tuple(one for one in certificates if one["kiosk"] == row["id"]),
            signing_keys=tuple(one for one in keys if one["kiosk"] == row["id"]),
        )
        for row in kiosks
    ]
