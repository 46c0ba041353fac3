"""The province as a whole: totals, hours, alarms, what stands still, who decided what. Never a dossier's content."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kiosk.clock import HANOI, from_iso, shown, utc_iso
from kiosk.text import Text
from sync.envelope import EnvelopeError, read_manifest
from sync.receiver.database import Row, Tx
from sync.receiver.operator import words
from sync.receiver.operator.kiosks import Figure, Level
from sync.receiver.replay import Act, Verdict

HOURS = 48
MOST_ITEMS, MOST_HISTORY, MOST_ENDED = 200, 200, 30
LONG_COMMITTED = 900.0
"""Seconds after which a dossier that has not gone on to the TTHC system is worth a colour."""


# --- totals ---


def totals(tx: Tx, now: datetime) -> dict[str, Figure]:
    """What is where; «today» begins at midnight in Vietnam."""
    midnight = utc_iso(now.astimezone(HANOI).replace(hour=0, minute=0, second=0, microsecond=0))
    counted = {row["state"]: row["number"] for row in tx.all(_COUNTED)}
    held = _count(tx, "SELECT count(*) AS number FROM filing WHERE held_for IS NOT NULL")
    oldest = tx.one(_OLDEST)
    waited = (now - from_iso(oldest["since"])).total_seconds() if oldest and oldest["since"] else 0.0
    aside = counted.get("quarantined", 0)
    return {
        "received": Figure(words.number(_count(tx, _SINCE.format("received_at"), midnight=midnight))),
        "filed": Figure(words.number(_count(tx, _SINCE.format("filed_at"), midnight=midnight))),
        "answered": Figure(words.number(_count(tx, _SINCE.format("answered_at"), midnight=midnight))),
        "announced": Figure(words.number(counted.get("announced", 0))),
        "committed": Figure(
            words.number(counted.get("committed", 0)),
            f"lâu nhất {words.lasting(waited)}" if waited >= words.MINUTE else "",
            Level.WARN if waited > LONG_COMMITTED else Level.OK,
        ),
        "waiting": Figure(words.number(counted.get("filed", 0))),
        "held": Figure(words.number(held), "", Level.BAD if held else Level.OK),
        "quarantined": Figure(words.number(aside), "", Level.BAD if aside else Level.OK),
    }


def judgement(known: Mapping[str, Figure]) -> Figure:
    """What stands still at the province itself, by its totals, in one sentence; empty if nothing does."""
    said = {
        "held": f"{known['held'].text} hồ sơ chờ người quyết định",
        "quarantined": f"{known['quarantined'].text} hồ sơ bị cách ly",
        "committed": f"hồ sơ chờ chuyển sang hệ thống TTHC {known['committed'].more}",
    }
    bad = [name for name in said if known[name].level]
    text = f"Tại tỉnh: {', '.join(said[name] for name in bad)}." if bad else ""
    return Figure(text, "", max((known[name].level for name in bad), default=Level.OK))


_COUNTED = (
    "SELECT state, count(*) AS number FROM submission"
    " WHERE state IN ('announced', 'committed', 'filed', 'quarantined') GROUP BY state"
)
_SINCE = "SELECT count(*) AS number FROM submission WHERE {} >= :midnight"
_OLDEST = (
    "SELECT min(received_at) AS since FROM submission s WHERE state = 'committed' AND NOT EXISTS"
    " (SELECT 1 FROM filing f WHERE f.reference_uid = s.reference_uid AND f.held_for IS NOT NULL)"
)


def standing(tx: Tx) -> int:
    """How many stand still here: held, or set aside."""
    return _count(
        tx,
        "SELECT (SELECT count(*) FROM submission WHERE state = 'quarantined')"
        " + (SELECT count(*) FROM filing WHERE held_for IS NOT NULL) AS number",
    )


def _count(tx: Tx, query: str, **values: object) -> int:
    row = tx.one(query, **values)
    return int(row["number"]) if row else 0


# --- hours ---


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the province; `begins` in Vietnam's time."""

    begins: datetime
    received: int
    filed: int
    answered: int


def hours(tx: Tx, now: datetime) -> list[Hour]:
    """The last HOURS hours, the present one last."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    counts = {}
    for column in ("received_at", "filed_at", "answered_at"):
        rows = tx.all(
            f"SELECT substr({column}, 1, 13) AS hour, count(*) AS number FROM submission WHERE {column} >= :first"  # noqa: S608
            f" GROUP BY substr({column}, 1, 13)",
            first=utc_iso(first),
        )
        counts[column] = {row["hour"]: row["number"] for row in rows}
    begun = [first + timedelta(hours=n) for n in range(HOURS)]
    return [
        Hour(begins.astimezone(HANOI), *(counts[column].get(utc_iso(begins)[:13], 0) for column in counts))
        for begins in begun
    ]


# --- alarms ---


@dataclass(frozen=True, slots=True)
class Alarm:
    """`kiosk` is empty for the whole province; `ended` for one that is open."""

    kiosk: str
    kind: str
    gloss: str
    detail: str
    since: str
    exact: str
    ended: str


def alarms(tx: Tx, now: datetime, kiosk: str = "") -> list[Alarm]:
    """Open ones, the newest first; of one kiosk or all."""
    return [_alarm(row, now) for row in tx.all(_OPEN, kiosk=kiosk)]


def ended_alarms(tx: Tx, now: datetime, kiosk: str = "") -> list[Alarm]:
    """The last ones that ended."""
    return [_alarm(row, now) for row in tx.all(_ENDED, kiosk=kiosk, most=MOST_ENDED)]


_OPEN = "SELECT * FROM alarm WHERE ended_at IS NULL AND (:kiosk = '' OR kiosk = :kiosk) ORDER BY raised_at DESC, number"
_ENDED = (
    "SELECT * FROM alarm WHERE ended_at IS NOT NULL AND (:kiosk = '' OR kiosk = :kiosk)"
    " ORDER BY ended_at DESC, number LIMIT :most"
)


def _alarm(row: Row, now: datetime) -> Alarm:
    raised, named = from_iso(row["raised_at"]), words.ALARMS.get(row["kind"], Text(row["kind"]))
    return Alarm(
        kiosk=row["kiosk"],
        kind=named.vi,
        gloss=named.in_("en"),
        detail=words.local_times(row["detail"].removeprefix(f"{named.vi.lower()} ")),
        since=words.ago(raised, now),
        exact=shown(raised),
        ended=shown(from_iso(row["ended_at"])) if row["ended_at"] else "",
    )


# --- what stands still, and what was decided ---


@dataclass(frozen=True, slots=True)
class Item:
    """Something that stands still; `held` at the TTHC system, else set aside here. `request`: the open one, if any."""

    kiosk: str
    submission: str
    provisional_ref: str
    reference_uid: str
    held: bool
    since: str
    exact: str
    words: str
    problem: str
    request: "Request | None"


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asked for, and how it ended."""

    number: int
    kiosk: str
    submission: str
    act: Act
    told: str
    code: str
    why: str
    asked_by: str
    asked: str
    decided_by: str
    decided: str
    verdict: Verdict | None
    ended: str


def items(tx: Tx, now: datetime, kiosk: str = "") -> list[Item]:
    """Held ones first, then quarantined ones, the oldest first; of one kiosk or all."""
    pending = {(row["kiosk"], row["submission"]): _request(row) for row in tx.all(_PENDING)}
    rows = [row for query in (_HELD, _ASIDE) for row in tx.all(query, kiosk=kiosk, most=MOST_ITEMS)]
    return [_item(row, now, pending.get((row["kiosk"], row["submission"]))) for row in rows]


_PENDING = "SELECT * FROM request WHERE verdict IS NULL"
_HELD = (
    "SELECT s.*, f.held_for, f.held_at FROM filing f JOIN submission s ON s.reference_uid = f.reference_uid"
    " WHERE s.state = 'committed' AND f.held_for IS NOT NULL AND (:kiosk = '' OR s.kiosk = :kiosk)"
    " ORDER BY f.held_at LIMIT :most"
)
_ASIDE = (
    "SELECT * FROM submission WHERE state = 'quarantined' AND (:kiosk = '' OR kiosk = :kiosk)"
    " ORDER BY receipt_number LIMIT :most"
)


def _item(row: Row, now: datetime, request: Request | None) -> Item:
    held = row.get("held_for") is not None
    since = from_iso(row["held_at"] if held else row["quarantined_at"] or row["received_at"] or row["announced_at"])
    problem = row["held_for"] if held else row["problem"]
    return Item(
        kiosk=row["kiosk"],
        submission=row["submission"],
        provisional_ref=_provisional_ref(row),
        reference_uid=row["reference_uid"] or "",
        held=held,
        since=words.ago(since, now),
        exact=shown(since),
        words=words.problem(problem),
        problem=problem,
        request=request,
    )


def _provisional_ref(row: Row) -> str:
    """What is printed on the citizen's slip; of an envelope that was never opened the manifest says it."""
    if row["provisional_ref"]:
        return str(row["provisional_ref"])
    try:
        return read_manifest(bytes(row["manifest"]), None).provisional_ref
    except EnvelopeError:
        return ""


def aside_there(tx: Tx, kiosk: str) -> list[dict[str, str]]:
    """What a kiosk said last of its own quarantine: submission and problem each."""
    row = tx.one("SELECT report FROM kiosk WHERE id = :kiosk", kiosk=kiosk)
    return list(json.loads(row["report"])["quarantined"]) if row and row["report"] else []


def history(tx: Tx, kiosk: str = "") -> list[Request]:
    """Every request, the newest first; of one kiosk or all."""
    return [_request(row) for row in tx.all(_REQUESTS, kiosk=kiosk, most=MOST_HISTORY)]


_REQUESTS = "SELECT * FROM request WHERE :kiosk = '' OR kiosk = :kiosk ORDER BY number DESC LIMIT :most"


def _request(row: Row) -> Request:
    verdict = Verdict(row["verdict"]) if row["verdict"] else None
    values: dict[str, Any] = {name: row[name] for name in ("number", "kiosk", "submission", "why", "asked_by")}
    return Request(
        **values,
        act=Act(row["act"]),
        told=words.ACTS[Act(row["act"])].vi,
        code=row["code"] or "",
        asked=shown(from_iso(row["asked_at"])),
        decided_by=row["decided_by"] or "",
        decided=shown(from_iso(row["decided_at"])) if row["decided_at"] else "",
        verdict=verdict,
        ended=words.VERDICTS[verdict].vi if verdict else "",
    )
