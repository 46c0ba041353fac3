"""Operators: accounts, passwords, sessions; guessing is slowed for all processes alike, by the database."""

import hashlib
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from kiosk.clock import from_iso, utc_iso
from kiosk.text import nfc
from sync.receiver.database import Database, Row, Tx

IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=8)
"""A session ends so long after the last thing its operator did, and so long after its beginning."""
RENEW_AFTER = timedelta(seconds=20)
"""A session in use is made to last again when so much of it is gone."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200

FORGET = timedelta(minutes=15)
"""So long after the last failure the count begins anew."""
FIRST_WAIT = 4.0
"""Seconds; longer than a password takes to check on a busy machine. Each further failure doubles it."""
BY_NAME, BY_ADDRESS = (5, 60.0), (20, 300.0)
"""Failures that cost nothing, and the longest wait in seconds: short by name, so that nobody locks a colleague out."""

MEMORY_KIB, PASSES = 65536, 3
"""argon2id, one lane: the second recommendation of RFC 9106 §4 for memory and passes."""
_hasher = PasswordHasher(PASSES, MEMORY_KIB, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_hashing = threading.Semaphore(2)
"""Bounds the memory of hashing."""
_NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${'A' * 22}${'A' * 43}"
"""Checked for names that are not there, so that they take as long; no password fits."""


class Unfit(ValueError):
    """A name or password that cannot be taken; the message says what is allowed."""


class Wrong(Exception):
    """Name or password do not fit."""


class TooSoon(Exception):
    """Failed too often; `seconds` until the next attempt."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = int(seconds) + 1


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and until when if nothing more is done."""

    operator: str
    ends_at: datetime


# --- accounts: from the command line ---


def add(database: Database, name: str, password: str) -> None:
    """A new operator; one that is there gets this password and may sign in again. Raises Unfit and DatabaseFault."""
    if not NAME.fullmatch(name):
        raise Unfit("a name is 2 to 40 of a-z, 0-9, dot, hyphen, underscore")
    stored = _hash(password, name)
    with database.write() as tx:
        tx.run(
            "INSERT INTO operator (name, password_hash, added_at) VALUES (:name, :stored, :now)"
            " ON CONFLICT (name) DO UPDATE SET password_hash = :stored, disabled_at = NULL",
            name=name,
            stored=stored,
            now=_now(),
        )
        tx.run("DELETE FROM operator_session WHERE operator = :name", name=name)


def disable(database: Database, name: str) -> bool:
    """Shut an operator out, at once; whether there is one of this name. Raises DatabaseFault."""
    with database.write() as tx:
        tx.run("DELETE FROM operator_session WHERE operator = :name", name=name)
        query = "UPDATE operator SET disabled_at = coalesce(disabled_at, :now) WHERE name = :name"
        return tx.run(query, name=name, now=_now()) > 0


# --- sessions ---


def sign_in(database: Database, name: str, password: str, address: str) -> str:
    """The token of a new session. Raises Wrong, TooSoon and DatabaseFault."""
    whom = ((_digest(f"name:{name}"), *BY_NAME), (_digest(f"address:{address}"), *BY_ADDRESS))
    with database.write() as tx:
        _count_attempt(tx, whom)
        row = tx.one("SELECT password_hash FROM operator WHERE name = :name AND disabled_at IS NULL", name=name)
    stored = row["password_hash"] if row else _NOBODY
    if not _fits(password, stored):
        raise Wrong
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    with database.write() as tx:
        if not tx.run(
            "INSERT INTO operator_session (token_sha256, operator, began_at, ends_at)"
            " SELECT :token, name, :now, :ends FROM operator"
            " WHERE name = :name AND password_hash = :stored AND disabled_at IS NULL",
            token=_digest(token),
            now=utc_iso(now),
            ends=utc_iso(now + IDLE),
            name=name,
            stored=stored,
        ):
            raise Wrong  # changed while it was checked
        tx.run("DELETE FROM operator_session WHERE ends_at < :now", now=utc_iso(now))
        _forget_attempt(tx, *(one[0] for one in whom))
    return token


def session(database: Database, token: str, *, active: bool) -> Session | None:
    """Whose session this is; one that is used by a person (`active`) lasts again. Raises DatabaseFault."""
    if not token:
        return None
    with database.read() as tx:
        row = tx.one(
            "SELECT s.* FROM operator_session s JOIN operator o ON o.name = s.operator"
            " WHERE s.token_sha256 = :token AND s.ends_at > :now AND o.disabled_at IS NULL",
            token=_digest(token),
            now=_now(),
        )
    if row is None:
        return None
    return Session(row["operator"], _renewed(database, row) if active else from_iso(row["ends_at"]))


def _renewed(database: Database, row: Row) -> datetime:
    ends = from_iso(row["ends_at"])
    until = min(datetime.now(UTC) + IDLE, from_iso(row["began_at"]) + LONGEST)
    if until - ends < RENEW_AFTER:
        return ends
    query = "UPDATE operator_session SET ends_at = :until WHERE token_sha256 = :token"
    with database.write() as tx:
        tx.run(query, until=utc_iso(until), token=row["token_sha256"])
    return until


def sign_out(database: Database, token: str) -> None:
    """The session ends. Raises DatabaseFault."""
    with database.write() as tx:
        tx.run("DELETE FROM operator_session WHERE token_sha256 = :token", token=_digest(token))


# --- passwords, and guessing them ---


def _hash(password: str, name: str) -> str:
    text = nfc(password)
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise Unfit(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if len(set(text)) < 5 or name in text.casefold():
        raise Unfit("this password is too easy to guess: not the name, not a few characters again and again")
    return _hasher.hash(text)


def _fits(password: str, stored: str) -> bool:
    try:
        with _hashing:
            return _hasher.verify(stored, nfc(password))
    except (VerificationError, InvalidHashError):
        return False


def _count_attempt(tx: Tx, whom: tuple[tuple[str, int, float], ...]) -> None:
    """Count it as failed until it is known better: many at once gain nothing. Raises TooSoon."""
    now = datetime.now(UTC)
    forgotten = "DELETE FROM sign_in_failure WHERE last_at < :old OR last_at > :never"  # never: the clock has gone back
    tx.run(forgotten, old=utc_iso(now - FORGET), never=utc_iso(now + FORGET))
    wait = max(_wait(tx, now, *one) for one in whom)
    if wait > 0:
        raise TooSoon(wait)
    for digest, _, _ in whom:
        tx.run(
            "INSERT INTO sign_in_failure (whom, failures, last_at) VALUES (:whom, 1, :now)"
            " ON CONFLICT (whom) DO UPDATE SET failures = sign_in_failure.failures + 1, last_at = :now",
            whom=digest,
            now=utc_iso(now),
        )


def _wait(tx: Tx, now: datetime, whom: str, free: int, most: float) -> float:
    row = tx.one("SELECT failures, last_at FROM sign_in_failure WHERE whom = :whom", whom=whom)
    if row is None or row["failures"] < free:
        return 0.0
    passed = max(0.0, (now - from_iso(row["last_at"])).total_seconds())
    wait: float = min(most, FIRST_WAIT * 2.0 ** min(row["failures"] - free, 20))
    return wait - passed


def _forget_attempt(tx: Tx, name: str, address: str) -> None:
    """It was right after all: the name's failures are forgotten, the address has one less."""
    tx.run("DELETE FROM sign_in_failure WHERE whom = :whom", whom=name)
    tx.run("UPDATE sign_in_failure SET failures = failures - 1 WHERE whom = :whom AND failures > 0", whom=address)


def _digest(text: str) -> str:
    """What is kept of a token, and of what people type into the field of a name."""
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return utc_iso(datetime.now(UTC))
