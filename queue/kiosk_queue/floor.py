"""One transaction on one centre: its settings, the time, the business day, and the event stream that every deed writes.

Each deed is one transaction and at least one event; a deed that must not happen twice carries an idempotency key, whose
answer is stored in the same transaction.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from kiosk.clock import Clock, utc_iso
from kiosk_queue.model import Centre, Json, from_json
from kiosk_queue.storage.store import CENTRE, Row, Store, Tx

ANSWERS_KEPT = timedelta(days=2)
KEY_LENGTHS = range(8, 201)
T = TypeVar("T")

_LOOK = f"SELECT {CENTRE} FROM centre c WHERE c.id = :centre"  # noqa: S608  # our own columns

LINE = "state IN ('reserved', 'waiting')"
"""Who waits to be called. A reserved number waits too: its holder stands there even if the paper did not come out."""


class Refused(Exception):
    """The deed is not allowed now; `reason` is a code for programs, `text` for officers, `status` of HTTP."""

    def __init__(self, reason: str, text: str, status: int = 409) -> None:
        super().__init__(reason)
        self.reason, self.text, self.status = reason, text, status


@dataclass(slots=True)
class Floor:
    """What a deed works on."""

    tx: Tx
    centre: Centre
    now: datetime
    day: str
    seq: int
    urgent_in_a_row: int = 0
    at: str = field(init=False)
    """The time as it is stored."""

    def __post_init__(self) -> None:
        self.at = utc_iso(self.now)

    def event(
        self, kind: str, ticket: str | None = None, counter: str | None = None, actor: str = "", **body: Any
    ) -> int:
        """Append to the stream; its number."""
        self.seq += 1
        self.tx.put(
            "INSERT INTO event (centre, seq, at, day, kind, ticket, counter, actor, body)"
            " VALUES (:centre, :seq, :at, :day, :kind, :ticket, :counter, :actor, :body)",
            centre=self.centre.id, seq=self.seq, at=self.at, day=self.day, kind=kind, ticket=ticket, counter=counter,
            actor=actor, body=dump(body),
        )  # fmt: skip
        return self.seq

    def ticket(self, ticket: str) -> Row:
        """A ticket of this centre; raises Refused 404."""
        row = self.tx.one("SELECT * FROM ticket WHERE id = :id AND centre = :centre", id=ticket, centre=self.centre.id)
        if row is None:
            raise Refused("not_found", "Không có số này", 404)
        return row

    def change(self, ticket: str, **columns: Any) -> None:
        """Set columns of a ticket."""
        self.tx.put(_update_of(tuple(columns)), id_=ticket, **columns)


@lru_cache(maxsize=64)
def _update_of(columns: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    return f"UPDATE ticket SET {assignments} WHERE id = :id_"  # noqa: S608  # our own columns


@dataclass(frozen=True, slots=True)
class View:
    """What a look works on: one consistent state."""

    tx: Tx
    centre: Centre
    now: datetime
    day: str
    seq: int


Deed = Callable[[Floor], Json]


class Desk:
    """The way to every centre's queue: deeds and looks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self._known: dict[str, Centre] = {}
        store.on_undo = self._forget

    def do(self, centre: str, deed: Deed, key: str | None = None, request: str = "") -> "Future[Json]":
        """One deed. The same `key` always has the same answer; with another `request` it is refused."""
        digest = hashlib.sha256(request.encode()).hexdigest() if key is not None else ""

        def job(tx: Tx) -> Json:
            if key is not None and len(key) not in KEY_LENGTHS:
                raise Refused("bad_request", "Khóa không hợp lệ", 400)
            row = self._found(tx.lock(centre, key or ""))
            if key is not None and row["request"] is not None:
                return _known_answer(row, digest)
            floor = self._enter(tx, row)
            answer = deed(floor)
            if key is not None:
                _keep_answer(floor, key, digest, answer)
            if (floor.seq, floor.day, floor.urgent_in_a_row) != (row["seq"], row["day"], row["urgent_in_a_row"]):
                tx.put(
                    "UPDATE centre SET seq = :seq, day = :day, urgent_in_a_row = :row WHERE id = :centre",
                    seq=floor.seq, day=floor.day, row=floor.urgent_in_a_row, centre=centre,
                )  # fmt: skip
            return answer

        return self.store.write(centre, job)

    def see(self, centre: str, look: Callable[[View], T]) -> "Future[T]":
        """One look at a consistent state; raises Refused for a centre that is not there."""

        def job(tx: Tx) -> T:
            row = self._found(tx.one(_LOOK, centre=centre))
            settings = self._settings(tx, row)
            now = self.clock.now()
            return look(View(tx, settings, now, settings.day_of(now), row["seq"]))

        return self.store.read(job)

    def _enter(self, tx: Tx, row: Row) -> Floor:
        settings = self._settings(tx, row)
        now = self.clock.now()
        floor = Floor(tx, settings, now, settings.day_of(now), row["seq"], row["urgent_in_a_row"])
        if row["day"] != floor.day:
            close_earlier_days(floor)
        return floor

    def _found(self, row: Row | None) -> Row:
        if row is None:
            raise Refused("not_found", "Không có trung tâm này", 404)
        return row

    def _settings(self, tx: Tx, row: Row) -> Centre:
        """The settings of a centre's row, read and parsed once for each version."""
        known = self._known.get(row["id"])
        if known is None or known.version != row["version"]:
            found = tx.one("SELECT settings FROM centre WHERE id = :centre", centre=row["id"])
            assert found is not None
            known = self._known[row["id"]] = from_json(found["settings"], row["version"])
        return known

    def _forget(self) -> None:
        """Settings may have been read that were then taken back."""
        self._known.clear()


def close_earlier_days(floor: Floor) -> None:
    """End what earlier days left open. Run with the first deed of a day, however late; once more does nothing.

    A clock that was set back does not end the day that it left.
    """
    left = floor.tx.all(
        "SELECT id, series, n, state FROM ticket WHERE centre = :centre AND day < :day"
        " AND state IN ('reserved', 'waiting', 'called', 'serving', 'held') ORDER BY place",
        centre=floor.centre.id, day=floor.day,
    )  # fmt: skip
    for row in left:
        floor.change(row["id"], state="void", counter=None, ended_at=floor.at)
        floor.event("void", row["id"], number=number_of(row), reason="day_over", was=row["state"])
    floor.tx.run("DELETE FROM desk WHERE centre = :centre", centre=floor.centre.id)
    floor.urgent_in_a_row = 0
    floor.event("day_opened", day=floor.day, left_open=len(left))


def add_centre(store: Store, centre: Centre) -> None:
    """Make a centre known; its settings in the database win over these once it is there."""

    def job(tx: Tx) -> None:
        tx.run(
            "INSERT INTO centre (id, settings, version) VALUES (:id, :settings, 1) ON CONFLICT (id) DO NOTHING",
            id=centre.id, settings=centre.as_json(),
        )  # fmt: skip

    store.write(centre.id, job).result()


def change_settings(
    floor: Floor, wanted: Centre, actor: str, expected_version: int, changes: Sequence[Json] = ()
) -> Json:
    """Take over new settings without a restart. `expected_version` is the one the editor saw; Refused if it is not.

    `changes`: what changed as people read it, for the audit.
    """
    if expected_version != floor.centre.version:
        raise Refused("changed", "Cấu hình vừa được người khác thay đổi. Hãy tải lại rồi sửa.")
    if wanted.id != floor.centre.id:
        raise Refused("bad_request", "Không được đổi mã trung tâm", 400)
    version = floor.centre.version + 1
    floor.tx.run(
        "UPDATE centre SET settings = :settings, version = :version WHERE id = :centre",
        settings=wanted.as_json(), version=version, centre=wanted.id,
    )  # fmt: skip
    before, after = json.loads(floor.centre.as_json()), json.loads(wanted.as_json())
    changed = sorted(name for name in after if before.get(name) != after[name])
    floor.event("settings_changed", actor=actor, version=version, changed=changed, changes=list(changes))
    return {"version": version}


def number_of(row: Row) -> str:
    """The number as people read it."""
    return f"{row['series']}-{row['n']:03d}"


def dump(body: Json) -> str:
    """Compact JSON as it is stored."""
    return msgspec.json.encode(body).decode()


def _known_answer(row: Row, digest: str) -> Json:
    if row["request"] != digest:
        raise Refused("key_reused", "Yêu cầu trùng khóa nhưng khác nội dung", 422)
    known: Json = msgspec.json.decode(row["body"])
    return known


def _keep_answer(floor: Floor, key: str, digest: str, answer: Json) -> None:
    """Old answers go a few at a time, so that no deed pays for many."""
    centre = floor.centre.id
    floor.tx.put(
        "INSERT INTO answer (centre, key, request, at, body) VALUES (:centre, :key, :request, :at, :body)",
        centre=centre, key=key, request=digest, at=floor.at, body=dump(answer),
    )  # fmt: skip
    if floor.seq % 16 == 0:
        floor.tx.put(
            "DELETE FROM answer WHERE centre = :centre AND key IN"
            " (SELECT key FROM answer WHERE centre = :centre AND at < :old ORDER BY at LIMIT 64)",
            centre=centre, old=utc_iso(floor.now - ANSWERS_KEPT),
        )  # fmt: skip
