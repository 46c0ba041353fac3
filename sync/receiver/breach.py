"""For a stolen, lost or retired kiosk: which dossiers it may still hold, and under which keys. Needed within minutes.

Nothing personal: numbers, ids of keys and times.
"""

import json
from typing import Any

from sync.enrolment import EnrolmentError
from sync.envelope import EnvelopeError, read_manifest
from sync.receiver.database import Database, Row


def package(database: Database, kiosk: str) -> dict[str, Any]:
    """Everything known of one kiosk. Raises EnrolmentError if it is not in the register."""
    with database.read() as tx:
        known = tx.one("SELECT * FROM kiosk WHERE id = :k", k=kiosk)
        rows = tx.all("SELECT sequence, state FROM submission WHERE kiosk = :k ORDER BY sequence", k=kiosk)
        waiting = tx.all(
            "SELECT manifest FROM submission WHERE kiosk = :k AND state = 'announced' ORDER BY sequence", k=kiosk
        )
        certificates = tx.all("SELECT * FROM certificate WHERE kiosk = :k ORDER BY issued_at", k=kiosk)
        keys = tx.all("SELECT * FROM signing_key WHERE kiosk = :k ORDER BY added_at", k=kiosk)
    if known is None:
        raise EnrolmentError(f"kiosk {kiosk} is not in the register")
    report = json.loads(known["report"] or "{}")
    received = {row["sequence"] for row in rows if row["state"] != "announced"}
    last = max([row["sequence"] for row in rows] + [report.get("last_sequence") or 0])
    pending = _ranges(set(range(1, last + 1)) - received)
    return {
        "kiosk": kiosk,
        **{name: known[name] for name in ("enrolled_at", "retired_at", "last_contact", "reported_at")},
        "first_sequence": 1 if last else 0,
        "last_sequence": last,
        "received": len(received),
        "pending": sum(b - a + 1 for a, b in pending),
        "pending_sequences": pending,
        "announced_only": len(waiting),
        "sealed_to": sorted({name for row in waiting for name in _recipients(row)}),
        "certificates": [{k: v for k, v in row.items() if k != "kiosk"} for row in certificates],
        "signing_keys": [
            {"key": bytes(row["public"]).hex(), "added_at": row["added_at"], "revoked_at": row["revoked_at"]}
            for row in keys
        ],
    }


def _recipients(row: Row) -> list[str]:
    try:
        return list(read_manifest(bytes(row["manifest"]), None).sealed_keys)
    except EnvelopeError:
        return []


def _ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """{1, 2, 3, 7} as [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
