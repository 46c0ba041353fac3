"""What people see of the queue: the hall (numbers and counters only), the officers, one citizen's phone, the kiosk."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from kiosk.catalogue import Catalogue
from kiosk.clock import HANOI, business_day, from_iso, utc_iso
from kiosk_queue import rules
from kiosk_queue.desk import Json, heads, number_of, text_json, waiting

PAPER_PATIENCE = timedelta(seconds=30)
ANNOUNCED = ("called", "recalled")


def last_seq(db: Any) -> int:
    """The number of the newest event, 0 before the first."""
    (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    return int(seq)


def public_state(db: Any, catalogue: Catalogue, now: datetime) -> Json:
    """The hall's view: nothing but numbers, counters and counts."""
    day = business_day(now).isoformat()
    return {
        **_head(db, now),
        "centre": text_json(catalogue.centre),
        "calls": [{k: call[k] for k in ("number", "counter", "at", "state")} for call in _calls(db, day, 8)],
        "waiting": [{k: line[k] for k in ("series", "name", "group", "count")} for line in _lines(db, catalogue, day)],
    }


def staff_state(db: Any, catalogue: Catalogue, now: datetime) -> Json:
    """The officers' view; no personal data is in the queue at all."""
    day = business_day(now).isoformat()
    return {
        **_head(db, now),
        "calls": _calls(db, day, 14),
        "waiting": _lines(db, catalogue, day),
        "next": _next(db, catalogue, day, now),
        "counters": [_counter(db, catalogue, name) for name in catalogue.counters],
        "staff_calls": [dict(row) for row in db.execute(_STAFF_CALLS)],
        "unprinted": _unprinted(db, day, now),
        "served": _served(db, day),
    }


def public_events(db: Any, after: int) -> list[Json]:
    """Calls after an event number, as the hall hears them."""
    rows = db.execute(
        "SELECT * FROM event WHERE seq > ? AND kind IN ('called', 'recalled') ORDER BY seq", (after,)
    ).fetchall()
    return [_public_event(row) for row in rows]


def staff_events(db: Any, after: int) -> list[Json]:
    """Every event after an event number."""
    rows = db.execute("SELECT * FROM event WHERE seq > ? ORDER BY seq", (after,)).fetchall()
    return [{**json.loads(r["body"]), **{k: r[k] for k in ("seq", "at", "kind", "ticket", "counter")}} for r in rows]


def announcement(db: Any, seq: int) -> tuple[str, str] | None:
    """Number and counter of a call that was really made."""
    row = db.execute("SELECT * FROM event WHERE seq = ? AND kind IN ('called', 'recalled')", (seq,)).fetchone()
    return (json.loads(row["body"])["number"], row["counter"]) if row else None


def ticket_state(db: Any, ticket: str, catalogue: Catalogue, now: datetime) -> Json | None:
    """One ticket for its holder's phone; None if there is no such ticket."""
    row = db.execute("SELECT * FROM ticket WHERE id = ?", (ticket,)).fetchone()
    if row is None:
        return None
    day = business_day(now).isoformat()
    state = row["state"]
    if row["day"] != day and state in ("waiting", "called"):
        state = "expired"
    service = catalogue.services.get(row["service"])
    return {
        "number": number_of(row),
        "state": state,
        "counter": row["counter"] if state == "called" else None,
        "service": text_json(service.name) if service else {"vi": row["service"], "en": row["service"]},
        "ahead": _ahead(db, row, day, now) if state == "waiting" else 0,
        "issued": from_iso(row["issued_at"]).astimezone(HANOI).strftime("%H:%M %d/%m/%Y"),
    }


def kiosk_catalogue(db: Any, catalogue: Catalogue, now: datetime) -> Json:
    """Groups and services open now, with how many wait."""
    lines = {line["service"]: line["count"] for line in _lines(db, catalogue, business_day(now).isoformat())}
    return {
        "version": catalogue.version,
        "groups": [
            {
                "id": group.id,
                "name": text_json(group.name),
                "icon": group.icon,
                "services": [
                    {"id": s.id, "name": text_json(s.name), "series": s.series, "waiting": lines.get(s.id, 0)}
                    for s in group.services
                ],
            }
            for group in catalogue.groups
            if group.services
        ],
    }


def tickets(db: Any, day: str) -> list[Json]:
    """Every ticket of the day in order of arrival."""
    rows = db.execute("SELECT * FROM ticket WHERE day = ? ORDER BY place", (day,))
    shown = ("id", "service", "priority", "state", "paper", "counter", "issued_at", "called_at", "ended_at")
    return [{"number": number_of(row), **{k: row[k] for k in shown}} for row in rows]


def holder_tag(session: str) -> str:
    """What tells a console page whether it still holds its counter, without telling the session."""
    return hashlib.sha256(session.encode()).hexdigest()[:12]


_STAFF_CALLS = "SELECT id, kiosk, at FROM staff_call WHERE answered_at IS NULL ORDER BY id"


def _head(db: Any, now: datetime) -> Json:
    return {"seq": last_seq(db), "now": utc_iso(now), "day": business_day(now).isoformat()}


def _public_event(row: Any) -> Json:
    return {
        "seq": row["seq"],
        "kind": row["kind"],
        "at": row["at"],
        "number": json.loads(row["body"])["number"],
        "counter": row["counter"],
        "voice": f"/voice/{row['seq']}.wav",
    }


def _calls(db: Any, day: str, most: int) -> list[Json]:
    rows = db.execute(
        "SELECT * FROM ticket WHERE day = ? AND announced_at IS NOT NULL"
        " ORDER BY announced_at DESC, place DESC LIMIT ?",
        (day, most),
    )
    return [
        {
            "number": number_of(r),
            "counter": r["counter"],
            "at": r["announced_at"],
            "state": r["state"],
            "ticket": r["id"],
        }
        for r in rows
    ]


def _lines(db: Any, catalogue: Catalogue, day: str) -> list[Json]:
    """One line for each service of the catalogue, and for services that have left it while people wait for them."""
    rows = db.execute(
        "SELECT service, series, count(*) AS count, sum(urgent) AS urgent, min(issued_at) AS oldest"
        " FROM ticket WHERE state = 'waiting' AND day = ? GROUP BY service",
        (day,),
    )
    found = {row["service"]: dict(row) for row in rows}
    lines = []
    for group in catalogue.groups:
        for service in group.services:
            row = found.pop(service.id, {"count": 0, "urgent": 0, "oldest": None})
            known = {"service": service.id, "series": service.series, "name": service.name.vi, "group": group.name.vi}
            lines.append({**row, **known})
    return lines + [{**row, "name": row["service"], "group": ""} for row in found.values()]


def _next(db: Any, catalogue: Catalogue, day: str, now: datetime) -> Json | None:
    choice = rules.choose(heads(db, day), now)
    if choice is None:
        return None
    row = db.execute("SELECT service FROM ticket WHERE id = ?", (choice.head.ticket,)).fetchone()
    return {"number": choice.head.number, "why": choice.reason, "service": _service_name(catalogue, row["service"])}


def _counter(db: Any, catalogue: Catalogue, name: str) -> Json:
    lease = db.execute("SELECT session FROM counter WHERE name = ?", (name,)).fetchone()
    row = db.execute("SELECT * FROM ticket WHERE state = 'called' AND counter = ?", (name,)).fetchone()
    return {
        "name": name,
        "holder": holder_tag(lease["session"]) if lease else None,
        "current": _current(db, catalogue, row) if row else None,
    }


def _current(db: Any, catalogue: Catalogue, row: Any) -> Json:
    groups = {group.id: group.name.vi for group in catalogue.priorities}
    called = db.execute(
        "SELECT body FROM event WHERE ticket = ? AND kind = 'called' ORDER BY seq DESC LIMIT 1", (row["id"],)
    ).fetchone()
    return {
        "ticket": row["id"],
        "number": number_of(row),
        "service": _service_name(catalogue, row["service"]),
        "priority": groups.get(row["priority"], row["priority"]),
        "issued_at": row["issued_at"],
        "called_at": row["called_at"],
        "recalls": row["recalls"],
        "why": json.loads(called["body"])["why"],
    }


def _unprinted(db: Any, day: str, now: datetime) -> list[Json]:
    """Waiting tickets without paper: the printer failed, or nobody has reported for too long."""
    rows = db.execute(
        "SELECT * FROM ticket WHERE state = 'waiting' AND day = ?"
        " AND (paper IN ('failed', 'wanted') OR (paper = 'pending' AND issued_at < ?)) ORDER BY place LIMIT 20",
        (day, utc_iso(now - PAPER_PATIENCE)),
    )
    return [{"ticket": r["id"], "number": number_of(r), "paper": r["paper"], "at": r["issued_at"]} for r in rows]


def _served(db: Any, day: str) -> Json:
    row = db.execute(
        "SELECT count(*) AS issued, coalesce(sum(state = 'completed'), 0) AS completed,"
        " coalesce(sum(state = 'no_show'), 0) AS no_show FROM ticket WHERE day = ?",
        (day,),
    ).fetchone()
    return dict(row)


def _ahead(db: Any, row: Any, day: str, now: datetime) -> int:
    rows = db.execute("SELECT * FROM ticket WHERE state = 'waiting' AND day = ?", (day,))
    return rules.ahead(waiting(row), [waiting(other) for other in rows], now)


def _service_name(catalogue: Catalogue, service: str) -> str:
    known = catalogue.services.get(service)
    return known.name.vi if known else service
