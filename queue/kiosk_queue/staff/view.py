"""What an officer sees: the number at the counter and why, who is next, the lines, what was put aside, the own day."""

import json
from datetime import timedelta

from kiosk.clock import from_iso, utc_iso
from kiosk_queue import rules
from kiosk_queue.counter import BEAT_SECONDS, heads
from kiosk_queue.feed import Audience
from kiosk_queue.floor import LINE, View, number_of
from kiosk_queue.model import Centre, Json
from kiosk_queue.staff import accounts
from kiosk_queue.staff.accounts import Account
from kiosk_queue.storage.store import Row

UNDO_SECONDS = 60
"""How long a transfer can be taken back."""
LISTED, WAITING_LISTED = 30, 300
"""Numbers in a list at most."""
EVENTS = frozenset({"staff_called", "print_failed"})
"""What a console is told of beside the state."""


def audience(account: Account) -> Audience:
    """The stream of one session's console. It ends in `{"signed_out": true}` when the session does."""
    return Audience(f"console:{account.session}", _events, lambda view: state(view, account))


def state(view: View, account: Account) -> Json:
    """Everything the console shows, of one moment."""
    if not accounts.session_alive(view, account):
        return {"seq": view.seq, "signed_out": True}
    counters = _counters(view, account)
    mine = next((counter for counter in counters if counter["mine"]), None)
    here = mine["name"] if mine else None
    centre = view.centre
    skills = centre.skills_of(here) if here else tuple(centre.services)
    return {
        "seq": view.seq,
        "now": utc_iso(view.now),
        "day": view.day,
        "counter": here,
        "paused": mine["paused"] if mine else "",
        "counters": counters,
        "current": _current(view, here) if here else None,
        "next": _next(view, here, account.name) if here else None,
        "lines": _lines(view, skills),
        "held": _put_aside(view, "held", skills),
        "missed": _put_aside(view, "no_show", skills),
        "unprinted": _unprinted(view),
        "staff_calls": [dict(row) for row in view.tx.all(_STAFF_CALLS, centre=centre.id)],
        "undo": _undo(view, here) if here else None,
        "own": _own_day(view, account.name),
        "beat": BEAT_SECONDS // 3,
    }


def line(view: View, account: Account) -> Json:
    """The waiting numbers, those of the officer's services first; no names are known."""
    held = view.tx.one(
        "SELECT counter FROM desk WHERE centre = :centre AND session = :session",
        centre=view.centre.id, session=account.session,
    )  # fmt: skip
    skills = view.centre.skills_of(held["counter"]) if held else ()
    rows = view.tx.all(
        f"SELECT * FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608  # our own constant
        " ORDER BY since, place LIMIT :most",
        centre=view.centre.id, day=view.day, most=WAITING_LISTED,
    )  # fmt: skip
    numbers = [
        {
            **_brief(view.centre, row, row["since"]),
            "mine": row["service"] in skills,
            "urgent": bool(row["urgent"]),
            "paper": row["paper"],
            "for_counter": row["for_counter"],
        }
        for row in rows
    ]
    return {"now": utc_iso(view.now), "numbers": sorted(numbers, key=lambda number: not number["mine"])}


def targets(view: View) -> Json:
    """Where a citizen can be sent: services, counters, persons (those at a counter first)."""
    centre, names = view.centre, _names(view)
    holders = {counter: desk["officer"] for counter, desk in _desks(view).items()}
    at = {officer: counter for counter, officer in holders.items() if officer}
    people = [{"name": name, "shown": shown, "counter": at.get(name)} for name, shown in names.items()]
    return {
        "services": [{"id": s.id, "name": s.name.vi, "series": s.series} for s in centre.services.values() if s.open],
        "counters": [
            {
                "name": desk.name,
                "officer": names.get(holders.get(desk.name, ""), ""),
                "open": desk.name in holders,
                "skills": list(centre.skills_of(desk.name)),
            }
            for desk in centre.counters
        ],
        "people": sorted(people, key=lambda person: (person["counter"] is None, person["shown"])),
    }


def _events(view: View, after: int) -> list[Json]:
    rows = view.tx.all(
        "SELECT seq, at, kind, counter, body FROM event WHERE centre = :centre AND seq > :after ORDER BY seq",
        centre=view.centre.id, after=after,
    )  # fmt: skip
    return [
        {**json.loads(row["body"]), **{key: row[key] for key in ("seq", "at", "kind", "counter")}}
        for row in rows
        if row["kind"] in EVENTS
    ]


_STAFF_CALLS = "SELECT id, kiosk, at FROM staff_call WHERE centre = :centre AND answered_at IS NULL ORDER BY id"


def _names(view: View) -> dict[str, str]:
    """How colleagues' names are read."""
    rows = view.tx.all(
        "SELECT name, shown FROM account WHERE centre = :centre AND disabled = 0 ORDER BY name", centre=view.centre.id
    )
    return {row["name"]: row["shown"] for row in rows}


def _desks(view: View) -> dict[str, Row]:
    """Who holds which counter."""
    rows = view.tx.all("SELECT * FROM desk WHERE centre = :centre", centre=view.centre.id)
    return {row["counter"]: row for row in rows}


def _counters(view: View, account: Account) -> list[Json]:
    """Every counter: who holds it, whether that page is still alive, the number at it."""
    desks, names = _desks(view), _names(view)
    busy = view.tx.all(
        "SELECT counter, series, n FROM ticket WHERE centre = :centre AND state IN ('called', 'serving')",
        centre=view.centre.id,
    )
    numbers = {row["counter"]: number_of(row) for row in busy}
    return [
        {"name": desk.name, "number": numbers.get(desk.name), **_holder(view, desks.get(desk.name), account, names)}
        for desk in view.centre.counters
    ]


def _holder(view: View, desk: Row | None, account: Account, names: dict[str, str]) -> Json:
    if desk is None:
        return {"open": False, "mine": False, "officer": "", "paused": "", "alive": False}
    return {
        "open": True,
        "mine": desk["session"] == account.session,
        "officer": names.get(desk["officer"], desk["officer"]),
        "paused": desk["paused"],
        "alive": from_iso(desk["beat_at"]) > view.now - timedelta(seconds=BEAT_SECONDS),
    }


def _current(view: View, counter: str) -> Json | None:
    row = view.tx.one(
        "SELECT * FROM ticket WHERE centre = :centre AND counter = :counter AND state IN ('called', 'serving')",
        centre=view.centre.id, counter=counter,
    )  # fmt: skip
    if row is None:
        return None
    centre, limits = view.centre, view.centre.calling
    called = _last_event(view, row["id"], "called")
    groups = {group.id: group.name.vi for group in centre.priorities}
    return {
        **_brief(centre, row, row["called_at"]),
        "service_id": row["service"],
        "state": row["state"],
        "group": row["priority"],
        "group_name": groups.get(row["priority"], row["priority"]),
        "confirmed": bool(row["confirmed"]),
        "further": [_service_name(centre, name) for name in row["further"].split(",") if name],
        "waited": max(0, round((from_iso(row["called_at"]) - from_iso(row["since"])).total_seconds())),
        "serving_at": row["serving_at"],
        "calls": row["calls"],
        "recalls_left": max(0, limits.recalls + 1 - row["calls"]),
        "recall_from": utc_iso(from_iso(row["announced_at"]) + timedelta(seconds=limits.recall_seconds)),
        "may_miss": row["calls"] >= limits.calls_before_no_show,
        "calls_needed": limits.calls_before_no_show,
        "why": json.loads(called["body"]).get("why", "") if called else "",
        "reference": row["reference"],
        "note": row["note"],
    }


def _next(view: View, counter: str, officer: str) -> Json | None:
    """Whom the rule would call now, and why."""
    centre = view.centre
    row = view.tx.one("SELECT urgent_in_a_row FROM centre WHERE id = :centre", centre=centre.id)
    recent = rules.Recent(row["urgent_in_a_row"] if row else 0)
    choice = rules.choose(heads(view.tx, centre, view.day, counter, officer), view.now, centre.rule, recent)
    if choice is None:
        return None
    service = _service_name(centre, choice.head.service)
    return {"number": choice.head.number, "service": service, "urgent": choice.head.urgent, "why": choice.reason}


def _lines(view: View, skills: tuple[str, ...]) -> list[Json]:
    """One line for each service, the officer's own first; also for services that have left while people wait."""
    rows = view.tx.all(
        "SELECT service, min(series) AS series, count(*) AS count, sum(urgent) AS urgent, min(since) AS oldest"  # noqa: S608
        f" FROM ticket WHERE centre = :centre AND day = :day AND {LINE} GROUP BY service",
        centre=view.centre.id, day=view.day,
    )  # fmt: skip
    found = {row["service"]: row for row in rows}
    services = view.centre.services
    gone = [name for name in found if name not in services]
    names = sorted([*services, *gone], key=lambda name: name not in skills)
    return [_line(view.centre, name, found.get(name), mine=name in skills) for name in names]


def _line(centre: Centre, service: str, row: Row | None, *, mine: bool) -> Json:
    known = centre.services.get(service)
    return {
        "service": service,
        "name": known.name.vi if known else service,
        "series": known.series if known else (row["series"] if row else ""),
        "target": known.target_minutes if known else 0,
        "mine": mine,
        "count": int(row["count"]) if row else 0,
        "urgent": int(row["urgent"]) if row else 0,
        "oldest": row["oldest"] if row else None,
    }


def _put_aside(view: View, state_: str, skills: tuple[str, ...]) -> list[Json]:
    """Held or missed numbers, the latest last; own services first."""
    rows = view.tx.all(
        "SELECT * FROM ticket WHERE centre = :centre AND day = :day AND state = :state"
        " ORDER BY coalesce(ended_at, called_at) DESC LIMIT :most",
        centre=view.centre.id, day=view.day, state=state_, most=LISTED,
    )  # fmt: skip
    numbers = []
    for row in sorted(rows, key=lambda row: row["service"] not in skills):
        event = _last_event(view, row["id"], state_)
        reason = json.loads(event["body"]).get("reason", "") if event else ""
        at = event["at"] if event else row["called_at"]
        numbers.append({**_brief(view.centre, row, at), "reason": reason, "note": row["note"]})
    return numbers


def _unprinted(view: View) -> list[Json]:
    """Waiting numbers without paper: the printer failed, or nobody has reported for too long."""
    patience = timedelta(seconds=view.centre.paper_patience_seconds)
    rows = view.tx.all(
        f"SELECT * FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
        " AND (paper IN ('failed', 'wanted') OR (paper = 'pending' AND issued_at < :old)) ORDER BY place LIMIT :most",
        centre=view.centre.id, day=view.day, old=utc_iso(view.now - patience), most=LISTED,
    )  # fmt: skip
    return [{**_brief(view.centre, row, row["issued_at"]), "paper": row["paper"]} for row in rows]


def _undo(view: View, counter: str) -> Json | None:
    """The transfer that this counter can still take back."""
    since = utc_iso(view.now - timedelta(seconds=UNDO_SECONDS))
    row = view.tx.one(
        "SELECT seq, at, ticket FROM event WHERE centre = :centre AND seq > :recent AND kind = 'transferred'"
        " AND counter = :counter AND at > :since ORDER BY seq DESC LIMIT 1",
        centre=view.centre.id, recent=view.seq - 500, counter=counter, since=since,
    )  # fmt: skip
    if row is None:
        return None
    last = view.tx.one("SELECT max(seq) AS seq FROM event WHERE ticket = :ticket", ticket=row["ticket"])
    if last is None or last["seq"] != row["seq"]:
        return None
    ticket = view.tx.one("SELECT * FROM ticket WHERE id = :id", id=row["ticket"])
    if ticket is None or ticket["state"] != "waiting":
        return None
    until = utc_iso(from_iso(row["at"]) + timedelta(seconds=UNDO_SECONDS))
    return {**_brief(view.centre, ticket, row["at"]), "until": until}


def _own_day(view: View, officer: str) -> Json:
    """Served numbers and the mean seconds at the counter of the officer's own day."""
    row = view.tx.one(
        "SELECT count(*) AS n, avg(served) AS mean FROM stint"
        " WHERE centre = :centre AND day = :day AND officer = :officer AND outcome = 'completed'",
        centre=view.centre.id, day=view.day, officer=officer,
    )  # fmt: skip
    served, mean = (row["n"], row["mean"]) if row else (0, None)
    return {"served": served, "mean": None if mean is None else round(float(mean))}


def _last_event(view: View, ticket: str, kind: str) -> Row | None:
    return view.tx.one(
        "SELECT at, body FROM event WHERE ticket = :ticket AND kind = :kind ORDER BY seq DESC LIMIT 1",
        ticket=ticket, kind=kind,
    )  # fmt: skip


def _brief(centre: Centre, row: Row, at: str) -> Json:
    return {"ticket": row["id"], "number": number_of(row), "service": _service_name(centre, row["service"]), "at": at}


def _service_name(centre: Centre, service: str) -> str:
    known = centre.services.get(service)
    return known.name.vi if known else service
