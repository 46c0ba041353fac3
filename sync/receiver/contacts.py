"""What is known of the kiosks: when each was last heard, what it says of itself, whether both sides agree.

A report may be lost; nothing of a dossier depends on it. Nothing in it is personal.
"""

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from kiosk.clock import utc_iso
from sync.receiver.database import Database
from sync.receiver.registry import Registry
from sync.receiver.shapes import Agreement, Comparison, Report

HEARD_SECONDS = 10.0
"""A contact is noted at most so often."""

Held = Sequence[tuple[int, str, str]]
"""(sequence, submission, manifest's SHA-256), ascending."""


def digest_of(held: Held) -> str:
    """What both sides compare."""
    return hashlib.sha256(
        "".join(f"{n} {submission} {sha256}\n" for n, submission, sha256 in held).encode()
    ).hexdigest()


class Contacts:
    """The rows of `kiosk`. Usable from any thread; every call may raise DatabaseFault."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._heard: dict[str, float] = {}
        self._lock = threading.Lock()

    def fresh(self, kiosk: str) -> bool:
        """Whether this contact is to be noted: once in `HEARD_SECONDS`."""
        now = time.monotonic()
        with self._lock:
            if now - self._heard.get(kiosk, -HEARD_SECONDS) < HEARD_SECONDS:
                return False
            self._heard[kiosk] = now
            return True

    def heard(self, kiosk: str) -> None:
        """It spoke to us."""
        self._note(kiosk, "last_contact = :now")

    def report(self, kiosk: str, report: Report) -> None:
        """What it says of itself."""
        text = msgspec.json.encode(report).decode()
        self._note(kiosk, "last_contact = :now, report = :report, reported_at = :now", report=text)

    def compare(self, kiosk: str, asked: Comparison) -> Agreement:
        """Whether both sides hold the same receipts between two numbers."""
        held = self._registry.receipted(kiosk, asked.first, asked.last)
        agrees = digest_of(held) == asked.sha256
        found = json.dumps({"from": asked.first, "to": asked.last, "agrees": agrees})
        self._note(kiosk, "reconciled_at = :now, reconciliation = :found", found=found)
        return Agreement(agrees, None if agrees else [list(one) for one in held])

    def _note(self, kiosk: str, what: str, **values: object) -> None:
        with self._database.write() as tx:
            tx.run(f"UPDATE kiosk SET {what} WHERE id = :kiosk", kiosk=kiosk, now=utc_iso(datetime.now(UTC)), **values)  # noqa: S608
