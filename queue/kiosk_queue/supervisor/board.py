"""The supervisor's live board: services against their targets, counters, alarms, what needs a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from kiosk.clock import from_iso, utc_iso
from kiosk_queue.counter import BEAT_SECONDS
from kiosk_queue.feed import Audience
from kiosk_queue.floor import LINE, View, number_of
from kiosk_queue.model import Json
from kiosk_queue.staff.accounts import Account, session_alive
from kiosk_queue.storage.store import Row
from kiosk_queue.supervisor.statistics import Book, Service, Today

NEAR = 0.75
"""Share of the target from which a wait is about to miss it."""
IDLE_SECONDS = 60
"""A counter may stay free so long while people wait for it."""
SILENT_SECONDS = 30.0
"""A kiosk speaks every five seconds; after so long a silence it is away."""
LISTED = 30

_STAFF_CALLS = "SELECT id, kiosk, at FROM staff_call WHERE centre = :centre AND answered_at IS NULL ORDER BY id"
_WAITING = (
    f"SELECT service, count(*) AS count, sum(urgent) AS urgent, min(since) AS oldest FROM ticket"  # noqa: S608
    f" WHERE centre = :centre AND day = :day AND {LINE} GROUP BY service"
)
_UNPRINTED = (
    f"SELECT id, series, n, service, paper, issued_at FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
    " AND (paper IN ('failed', 'wanted') OR (paper = 'pending' AND issued_at < :old)) ORDER BY place LIMIT :most"
)
_KIOSKS = (
    "SELECT name, heard_at FROM device WHERE centre = :centre AND role = 'kiosk' AND revoked_at IS NULL ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Board:
    """What the board is read from, beside the database."""

    book: Book

    def audience(self, account: Account) -> Audience:
        """The stream of one session. It ends in `{"signed_out": true}` when the session does."""
        return Audience(f"supervisor:{account.session}", lambda *_: [], lambda view: self.state(view, account))

    def state(self, view: View, account: Account) -> Json:
        """Everything on the board, of one moment."""
        if not session_alive(view, account):
            return {"seq": view.seq, "signed_out": True}
        return self.seen(view)

    def seen(self, view: View) -> Json:
        """The same, whoever looks."""
        today = self.book.today(view)
        waiting = {row["service"]: row for row in view.tx.all(_WAITING, centre=view.centre.id, day=view.day)}
        services = _services(view, today, waiting)
        counters = _counters(view, today)
        kiosks = _kiosks(view)
        calls = [dict(row) for row in view.tx.all(_STAFF_CALLS, centre=view.centre.id)]
        return {
            "seq": view.seq,
            "now": utc_iso(view.now),
            "day": view.day,
            "open": view.centre.takes_numbers(view.now),
            "totals": _totals(view, today, services, counters),
            "services": services,
            "counters": counters,
            "unprinted": _unprinted(view),
            "staff_calls": calls,
            "kiosks": kiosks,
            "alarms": _alarms(view, services, counters, kiosks),
        }


def _kiosks(view: View) -> list[Json]:
    """Every kiosk: `silent` seconds since its last word, to some `HEARD_SECONDS`, null if it never spoke."""
    return [
        {"name": row["name"], "silent": _seconds_since(row["heard_at"], view) if row["heard_at"] else None}
        for row in view.tx.all(_KIOSKS, centre=view.centre.id)
    ]


def _seconds_since(moment: str, view: View) -> int:
    return max(0, round((view.now - from_iso(moment)).total_seconds()))


def level_of(waited: float, target_minutes: float) -> str:
    """The light of a wait, seconds: `ok`, `near` or `late`; without a target always ok."""
    share = waited / (target_minutes * 60) if target_minutes else 0.0
    return "late" if share > 1 else "near" if share >= NEAR else "ok"


def _services(view: View, today: Today, waiting: Mapping[str, Row]) -> list[Json]:
    """In the order of the settings; also those that have left while people wait."""
    known = view.centre.services
    skills = {row["counter"] for row in view.tx.all(_OPEN, centre=view.centre.id)}
    served = {skill for counter in skills for skill in view.centre.skills_of(counter)}
    return [_service(view, today, name, waiting.get(name), name in served) for name in {**known, **waiting}]


_OPEN = "SELECT counter FROM desk WHERE centre = :centre AND paused = ''"


def _service(view: View, today: Today, name: str, row: Row | None, served: bool) -> Json:
    known, so_far = view.centre.services.get(name), today.services.get(name, Service())
    target = known.target_minutes if known else 0.0
    oldest = row["oldest"] if row else None
    waited = max(0.0, (view.now - from_iso(oldest)).total_seconds()) if oldest else 0.0
    return {
        "service": name,
        "name": known.name.vi if known else name,
        "series": known.series if known else "",
        "takes": known is not None and known.open,
        "waiting": int(row["count"]) if row else 0,
        "urgent": int(row["urgent"]) if row else 0,
        "oldest": oldest,
        "target": target,
        "level": level_of(waited, target) if row else "none",
        "issued": so_far.issued,
        "called": so_far.called,
        "mean_wait": round(so_far.wait / so_far.called / 60, 1) if so_far.called else None,
        "served": served,
    }


def _counters(view: View, today: Today) -> list[Json]:
    desks = {row["counter"]: row for row in view.tx.all(_DESKS, centre=view.centre.id)}
    busy = {row["counter"]: row for row in view.tx.all(_BUSY, centre=view.centre.id)}
    return [
        _counter(view, today, desk.name, desks.get(desk.name), busy.get(desk.name)) | {"zone": desk.zone}
        for desk in view.centre.counters
    ]


_DESKS = (
    "SELECT desk.*, coalesce(account.shown, desk.officer) AS shown FROM desk LEFT JOIN account"
    " ON account.centre = desk.centre AND account.name = desk.officer WHERE desk.centre = :centre"
)
_BUSY = (
    "SELECT counter, series, n, service, state, called_at, serving_at FROM ticket"
    " WHERE centre = :centre AND state IN ('called', 'serving')"
)


def _counter(view: View, today: Today, name: str, desk: Row | None, ticket: Row | None) -> Json:
    state, since = "closed", None
    if desk is not None:
        state, since = "free", max(today.changed_at.get(name, ""), desk["opened_at"])
    if ticket is not None:
        state, since = ticket["state"], ticket["serving_at"] or ticket["called_at"]
    if desk is not None and desk["paused"] and ticket is None:
        state = "paused"
    service = view.centre.services.get(ticket["service"]) if ticket else None
    return {
        "counter": name,
        "state": state,
        "since": since,
        "officer": desk["shown"] if desk else "",
        "reason": desk["paused"] if desk else "",
        "number": number_of(ticket) if ticket else None,
        "service": service.name.vi if service else "",
        "completed": today.completed[name],
        "silent": desk is not None and from_iso(desk["beat_at"]) <= view.now - timedelta(seconds=BEAT_SECONDS),
    }


def _unprinted(view: View) -> list[Json]:
    """Waiting numbers without paper: the printer failed, or nobody has reported for too long."""
    old = utc_iso(view.now - timedelta(seconds=view.centre.paper_patience_seconds))
    rows = view.tx.all(_UNPRINTED, centre=view.centre.id, day=view.day, old=old, most=LISTED)
    services = view.centre.services
    return [
        {
            "ticket": row["id"],
            "number": number_of(row),
            "service": services[row["service"]].name.vi if row["service"] in services else row["service"],
            "paper": row["paper"],
            "at": row["issued_at"],
        }
        for row in rows
    ]


def _totals(view: View, today: Today, services: list[Json], counters: list[Json]) -> Json:
    called = sum(service.called for service in today.services.values())
    wait = sum(service.wait for service in today.services.values())
    held = view.tx.one(_HELD, centre=view.centre.id, day=view.day)
    states = [counter["state"] for counter in counters]
    return {
        "waiting": sum(service["waiting"] for service in services),
        "issued": sum(service.issued for service in today.services.values()),
        "called": called,
        "completed": today.completed.total(),
        "held": held["n"] if held else 0,
        "mean_wait": round(wait / called / 60, 1) if called else None,
        "busy": sum(state in ("called", "serving") for state in states),
        "open": sum(state != "closed" for state in states),
        "counters": len(states),
    }


_HELD = "SELECT count(*) AS n FROM ticket WHERE centre = :centre AND day = :day AND state = 'held'"


# --- alarms ---


def _alarms(view: View, services: list[Json], counters: list[Json], kiosks: list[Json]) -> list[Json]:
    """What a supervisor should look at now, the gravest first; each says what and how long."""
    return [
        *(_alarm("late", s["service"], _late_text(s), s["oldest"]) for s in services if s["level"] == "late"),
        *(
            _alarm("unserved", s["service"], f"«{s['name']}» có {s['waiting']} người chờ, không quầy nào đang nhận.")
            for s in services
            if s["waiting"] and not s["served"]
        ),
        *_idle(view, services, counters),
        *(
            _alarm("silent", c["counter"], f"Quầy {c['counter']} mất kết nối: máy của {c['officer']} không trả lời.")
            for c in counters
            if c["silent"]
        ),
        *(
            _alarm("kiosk", k["name"], f"Kiosk {k['name']} không liên lạc được.")
            for k in kiosks
            if k["silent"] is not None and k["silent"] > SILENT_SECONDS
        ),
    ]


def _late_text(service: Json) -> str:
    return f"«{service['name']}» quá hạn {service['target']:g} phút, {service['waiting']} người chờ."


def _idle(view: View, services: list[Json], counters: list[Json]) -> list[Json]:
    """Counters that have been free for a while though somebody waits whom they could call."""
    waiting = {service["service"]: service["waiting"] for service in services}
    found = []
    for counter in counters:
        if counter["state"] != "free" or from_iso(counter["since"]) > view.now - timedelta(seconds=IDLE_SECONDS):
            continue
        people = sum(waiting.get(skill, 0) for skill in view.centre.skills_of(counter["counter"]))
        if people:
            text = f"Quầy {counter['counter']} đang rảnh trong khi {people} người chờ."
            found.append(_alarm("idle", counter["counter"], text, counter["since"]))
    return found


def _alarm(kind: str, what: str, text: str, since: str | None = None) -> Json:
    return {"kind": kind, "what": what, "text": text, "since": since}
