"""The breach package of the register, and what the signed manifests tell besides: states, keys, times.

Nothing personal, and no dossier is opened.
"""

from collections import Counter
from datetime import datetime
from typing import Any

from kiosk.clock import utc_iso
from sync.envelope import EnvelopeError, Manifest, read_manifest
from sync.receiver import breach
from sync.receiver.database import Database, Row, Tx

_SLICE = 500
"""Manifests read at a time: a kiosk has tens of thousands."""


def package(database: Database, kiosk: str, now: datetime) -> dict[str, Any]:
    """Everything that must be told of a stolen kiosk. Raises EnrolmentError if it is not in the register."""
    known = breach.package(database, kiosk)
    with database.read() as tx:
        states = tx.all(_STATES, kiosk=kiosk)
        span = tx.one(_SPAN, kiosk=kiosk)
        told = _of_manifests(tx, kiosk)
    assert span is not None, "an aggregate has one row"
    return {
        "schema": 1,
        "made_at": utc_iso(now),
        **known,
        "states": {row["state"]: row["number"] for row in states},
        "received_between": [span["first"], span["last"]],
        **told,
    }


_STATES = "SELECT state, count(*) AS number FROM submission WHERE kiosk = :kiosk GROUP BY state ORDER BY state"
_SPAN = "SELECT min(received_at) AS first, max(received_at) AS last FROM submission WHERE kiosk = :kiosk"
_MANIFESTS = (
    "SELECT sequence, manifest FROM submission WHERE kiosk = :kiosk AND sequence > :after ORDER BY sequence LIMIT :most"
)


def _of_manifests(tx: Tx, kiosk: str) -> dict[str, Any]:
    """How many envelopes are sealed to each key, and from when to when, by the kiosk's own clock."""
    keys: Counter[str] = Counter()
    sealed: list[str] = []
    unreadable, after = 0, 0
    while rows := tx.all(_MANIFESTS, kiosk=kiosk, after=after, most=_SLICE):
        after = rows[-1]["sequence"]
        read = [manifest for row in rows if (manifest := _read(row)) is not None]
        unreadable += len(rows) - len(read)
        keys.update(name for manifest in read for name in manifest.sealed_keys)
        sealed = sorted([*sealed, *(manifest.sealed_at for manifest in read)])
        sealed = sealed[:1] + sealed[-1:]
    return {
        "sealed_between": sealed or [None, None],
        "sealed_to": dict(sorted(keys.items())),
        "unreadable_manifests": unreadable,
    }


def _read(row: Row) -> Manifest | None:
    try:
        return read_manifest(bytes(row["manifest"]), None)
    except EnvelopeError:
        return None
