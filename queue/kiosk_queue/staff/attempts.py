"""Guessing passwords is slowed by address and by name; the failures are counted in the database, for every process.

What is counted is kept as a digest: into the field of a name people type anything.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from kiosk.clock import from_iso, utc_iso
from kiosk_queue.floor import Floor, Refused
from kiosk_queue.model import Json

FORGET = timedelta(minutes=15)
"""So long after the last failure the count begins anew."""
FIRST_WAIT = 4.0
"""Seconds; longer than a password takes to check on a busy machine."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Failures that cost nothing, and the longest wait, seconds."""

    free: int
    most: float


BY_ADDRESS = Patience(20, 300)
"""A whole office may share an address."""
BY_NAME = Patience(5, 60)
"""Short, so that nobody can lock a colleague out for long."""


class TooSoon(Refused):
    """Failed too often; `seconds` until the next attempt."""

    def __init__(self, seconds: float) -> None:
        self.seconds = round(seconds) + 1
        super().__init__("too_soon", f"Sai nhiều lần. Hãy chờ {self.seconds} giây rồi thử lại.", 429)


def begin(floor: Floor, address: str, name: str) -> Json:
    """Count an attempt as failed until it is known better: many at once gain nothing. Raises TooSoon."""
    floor.tx.run(
        "DELETE FROM sign_in_failure WHERE centre = :centre AND last_at < :old",
        centre=floor.centre.id, old=utc_iso(floor.now - FORGET),
    )  # fmt: skip
    wait = max(_wait(floor, _by_address(address), BY_ADDRESS), _wait(floor, _by_name(name), BY_NAME))
    if wait > 0:
        raise TooSoon(wait)
    for whom in (_by_address(address), _by_name(name)):
        floor.tx.run(
            "INSERT INTO sign_in_failure (centre, whom, failures, last_at) VALUES (:centre, :whom, 1, :at)"
            " ON CONFLICT (centre, whom) DO UPDATE SET failures = sign_in_failure.failures + 1, last_at = :at",
            centre=floor.centre.id, whom=whom, at=floor.at,
        )  # fmt: skip
    return {}


def fitted(floor: Floor, address: str, name: str) -> None:
    """The attempt was right after all: the name's failures are forgotten, the address has one less."""
    centre, given = floor.centre.id, _by_address(address)
    forget = "DELETE FROM sign_in_failure WHERE centre = :centre AND whom = :whom"
    floor.tx.run(forget, centre=centre, whom=_by_name(name))
    if not floor.tx.run(
        "UPDATE sign_in_failure SET failures = failures - 1 WHERE centre = :centre AND whom = :whom AND failures > 1",
        centre=centre, whom=given,
    ):  # fmt: skip
        floor.tx.run(forget, centre=centre, whom=given)


def _wait(floor: Floor, whom: str, patience: Patience) -> float:
    """Seconds until the next attempt is allowed; from the free ones on they double."""
    row = floor.tx.one(
        "SELECT failures, last_at FROM sign_in_failure WHERE centre = :centre AND whom = :whom",
        centre=floor.centre.id, whom=whom,
    )  # fmt: skip
    over = -1 if row is None else row["failures"] - patience.free
    if row is None or over < 0:
        return 0.0
    wait = min(patience.most, FIRST_WAIT * 2.0 ** min(over, 20))
    passed = (floor.now - from_iso(row["last_at"])).total_seconds()
    return max(0.0, wait - max(0.0, passed))  # a clock set back makes nobody wait longer


def _by_address(address: str) -> str:
    return _digest("address", address)


def _by_name(name: str) -> str:
    return _digest("name", name)


def _digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()
