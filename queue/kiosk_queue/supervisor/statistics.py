"""Figures of a centre: today as it goes on, read from new events only; days of the past once, by index, then kept."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from kiosk.clock import from_iso
from kiosk_queue.floor import View
from kiosk_queue.model import Centre, Json
from kiosk_queue.storage.store import Row

QUARTERS = 96
KEPT_SECONDS = 3600.0
"""How long the numbers of a past day are kept: a rating given late is seen within the hour."""
KEPT_DAYS = 4000
BINS = (5, 10, 15, 20, 30, 45, 60, 90)
"""Upper ends of the bars of the waits, minutes; the last bar has none."""
LONGEST = 600
"""Minutes; longer waits are drawn as this."""

_AT_COUNTER = frozenset(
    ("counter_opened", "counter_closed", "called", "serving", "completed", "no_show", "held", "transferred", "moved_on",
     "paused", "resumed", "transfer_undone", "void")
)  # fmt: skip
"""Events after which a counter is in another state than before."""
_LEAVES = frozenset(("void", "completed", "no_show", "held", "transfer_undone"))


# --- today, event by event ---


@dataclass(slots=True)
class Service:
    """What has happened to one service today; seconds."""

    issued: int = 0
    called: int = 0
    wait: float = 0.0


@dataclass(slots=True)
class Today:
    """Numbers of the business day so far. Quarters of an hour count from the day's cut-over."""

    day: str
    seq: int
    services: dict[str, Service] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    """ticket → since when, stored form; of those whose wait is not the first the moment they came back."""
    arrivals: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    calls: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    change: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    """How many more wait at the end of a quarter than at its beginning."""
    changed_at: dict[str, str] = field(default_factory=dict)
    """counter → when it last came into another state."""
    completed: Counter[str] = field(default_factory=Counter)
    """Stays that were completed, by counter."""

    def apply(self, event: Row, centre: Centre) -> None:
        """One more event of the day."""
        kind, ticket, at = event["kind"], event["ticket"], event["at"]
        body = msgspec.json.decode(event["body"])
        quarter = self._quarter(at, centre)
        if kind == "issued":
            given_at = body.get("given_at", at)
            if centre.day_of(from_iso(given_at)) != self.day:
                return  # of a block of another day: its citizen is long gone
            self.arrivals[self._quarter(given_at, centre)] += 1
            self._service(body["service"]).issued += 1
            self._comes(ticket, "", quarter)
        elif kind in ("transferred", "moved_on", "returned"):
            self._comes(ticket, at, quarter)
        elif kind == "called":
            self._called(ticket, at, body, quarter)
        elif kind in _LEAVES:
            self._leaves(ticket, quarter)
        if event["counter"] and kind in _AT_COUNTER:
            self.changed_at[event["counter"]] = at
            if kind in ("completed", "moved_on"):
                self.completed[event["counter"]] += 1

    def copy(self) -> "Today":
        """As it is now, without who waits."""
        services = {name: replace(service) for name, service in self.services.items()}
        return Today(
            self.day, self.seq, services, {}, self.arrivals[:], self.calls[:], self.change[:], dict(self.changed_at),
            Counter(self.completed),
        )  # fmt: skip

    def quarters(self, until: int) -> list[Json]:
        """What is drawn: from the first quarter in which anything happened to quarter `until`, both included."""
        first = next((n for n in range(QUARTERS) if self.arrivals[n] or self.calls[n] or self.change[n]), until)
        waiting, found = sum(self.change[:first]), []
        for n in range(first, max(first, until) + 1):
            waiting += self.change[n]
            found.append(
                {"minute": n * 15, "arrivals": self.arrivals[n], "calls": self.calls[n], "waiting": max(0, waiting)}
            )
        return found

    def quarter_of(self, view: View) -> int:
        """The quarter that is now."""
        return self._quarter(view.now, view.centre)

    def _called(self, ticket: str, at: str, body: Json, quarter: int) -> None:
        since = self.waiting.get(ticket)
        waited = float(body["waited"]) if not since else (from_iso(at) - from_iso(since)).total_seconds()
        if since is not None:  # a number that was on hold has not waited
            service = self._service(body["service"])
            service.called += 1
            service.wait += max(0.0, waited)
        self.calls[quarter] += 1
        self._leaves(ticket, quarter)

    def _comes(self, ticket: str, since: str, quarter: int) -> None:
        if ticket not in self.waiting:
            self.change[quarter] += 1
        self.waiting[ticket] = since

    def _leaves(self, ticket: str, quarter: int) -> None:
        if self.waiting.pop(ticket, None) is not None:
            self.change[quarter] -= 1

    def _service(self, service: str) -> Service:
        return self.services.setdefault(service, Service())

    def _quarter(self, at: str | datetime, centre: Centre) -> int:
        moment = from_iso(at) if isinstance(at, str) else at
        local = moment.astimezone(centre.tz)
        minute = local.hour * 60 + local.minute - centre.cut_over_hours * 60
        return minute % 1440 // 15


# --- days that are over ---


@dataclass(slots=True)
class Tally:
    """Stays at counters, added up. `waits`: minute of wait → how many; `late`: those that missed the target."""

    completed: int = 0
    missed: int = 0
    waited: float = 0.0
    served: float = 0.0
    waits: Counter[int] = field(default_factory=Counter)
    late: Counter[int] = field(default_factory=Counter)
    scores: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Take in another one."""
        self.completed += other.completed
        self.missed += other.missed
        self.waited += other.waited
        self.served += other.served
        self.waits.update(other.waits)
        self.late.update(other.late)
        self.scores.update(other.scores)

    def as_json(self) -> Json:
        """Minutes; shares 0 to 1; null where nothing was counted."""
        called, rated = self.waits.total(), self.scores.total()
        return {
            "called": called,
            "completed": self.completed,
            "missed": self.missed,
            "mean_wait": _ratio(self.waited / 60, called),
            "p90_wait": percentile(self.waits, 0.9),
            "within": None if not called else round(1 - self.late.total() / called, 3),
            "mean_served": _ratio(self.served / 60, self.completed),
            "rating": _ratio(sum(score * n for score, n in self.scores.items()), rated, 2),
            "rated": rated,
        }


@dataclass(slots=True)
class Errors:
    """Estimates against what came, minutes."""

    tickets: int = 0
    absolute: float = 0.0
    signed: float = 0.0
    waited: float = 0.0
    shown: int = 0
    """Waits within the range that citizens are shown."""
    wide: int = 0
    """Waits within p10 to p90."""

    def add(self, other: "Errors") -> None:
        """Take in another one."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_json(self) -> Json:
        """Minutes; shares 0 to 1; positive bias: people waited longer than they were told."""
        return {
            "tickets": self.tickets,
            "mae": _ratio(self.absolute, self.tickets),
            "bias": _ratio(self.signed, self.tickets),
            "mean_wait": _ratio(self.waited, self.tickets),
            "shown": _ratio(self.shown, self.tickets, 3),
            "p10_p90": _ratio(self.wide, self.tickets, 3),
        }


@dataclass(slots=True)
class Day:
    """One business day, or several added up."""

    issued: int = 0
    left: int = 0
    """Numbers that were never served: void."""
    total: Tally = field(default_factory=Tally)
    services: dict[str, Tally] = field(default_factory=dict)
    counters: dict[str, Tally] = field(default_factory=dict)
    errors: Errors = field(default_factory=Errors)

    def add(self, other: "Day") -> None:
        """Take in another one."""
        self.issued += other.issued
        self.left += other.left
        self.total.add(other.total)
        self.errors.add(other.errors)
        for mine, theirs in ((self.services, other.services), (self.counters, other.counters)):
            for name, tally in theirs.items():
                mine.setdefault(name, Tally()).add(tally)

    def as_json(self) -> Json:
        """The figures of the whole."""
        return {"issued": self.issued, "left": self.left, **self.total.as_json()}


def day_numbers(view: View, day: str) -> Day:
    """One business day, from the stays of that day only."""
    found = Day()
    names = {"centre": view.centre.id, "day": day}
    seen_at = _count_stays(view.centre, view.tx.all(_STINTS, **names), found)
    tickets = view.tx.one(_TICKETS, **names)
    assert tickets is not None
    found.issued, found.left = int(tickets["issued"]), int(tickets["gone"] or 0)
    for row in view.tx.all(_RATINGS, **names) if found.issued else ():
        found.total.scores[row["score"]] += 1
        found.services.setdefault(row["service"], Tally()).scores[row["score"]] += 1
        if row["id"] in seen_at:
            found.counters[seen_at[row["id"]]].scores[row["score"]] += 1
    return found


def _count_stays(centre: Centre, rows: Iterable[Row], found: Day) -> dict[str, str]:
    """The counter that each number came to last.

    A number's wait begins anew when it comes back from a counter; the time on hold is no wait.
    """
    earlier: dict[str, Row] = {}
    for row in rows:
        last = earlier.get(row["ticket"])
        earlier[row["ticket"]] = row
        tallies = (
            found.total,
            found.services.setdefault(row["service"], Tally()),
            found.counters.setdefault(row["counter"], Tally()),
        )
        waited = _waited(row, last)
        target = centre.services[row["service"]].target_minutes if row["service"] in centre.services else 0.0
        for tally in tallies:
            _count(tally, row, waited, target)
        if last is None and row["wait_p90"] is not None:
            found.errors.add(_error(row))
    return {ticket: row["counter"] for ticket, row in earlier.items()}


def _waited(row: Row, last: Row | None) -> float | None:
    if last is None:
        return float(row["waited"])
    if last["outcome"] in ("held", "no_show"):
        return None
    return max(0.0, (from_iso(row["called_at"]) - from_iso(last["ended_at"])).total_seconds())


def _count(tally: Tally, row: Row, waited: float | None, target: float) -> None:
    if row["outcome"] == "completed":
        tally.completed += 1
        tally.served += row["served"]
    elif row["outcome"] == "no_show":
        tally.missed += 1
    if waited is not None:
        minute = min(LONGEST, int(waited // 60))
        tally.waited += waited
        tally.waits[minute] += 1
        if target and waited > target * 60:
            tally.late[minute] += 1


def _error(row: Row) -> Errors:
    waited = row["waited"] / 60
    off = waited - row["wait_likely"]
    shown = row["wait_low"] <= waited <= row["wait_high"]
    wide = row["wait_p10"] <= waited <= row["wait_p90"]
    return Errors(1, abs(off), off, waited, int(shown), int(wide))


_STINTS = (
    "SELECT ticket, service, counter, outcome, called_at, ended_at, waited, served, wait_low, wait_high, wait_likely,"
    " wait_p10, wait_p90 FROM stint WHERE centre = :centre AND day = :day ORDER BY seq"
)
_TICKETS = (
    "SELECT count(*) AS issued, sum(CASE WHEN state = 'void' THEN 1 ELSE 0 END) AS gone FROM ticket"
    " WHERE centre = :centre AND day = :day"
)
_RATINGS = (
    "SELECT t.id, t.service, r.score FROM ticket t CROSS JOIN rating r"
    " WHERE t.centre = :centre AND t.day = :day AND r.centre = t.centre AND r.ticket = t.id"
)
"""From the day's tickets to their ratings: there is no index of ratings by day."""


def percentile(minutes: Mapping[int, int], share: float) -> float | None:
    """Of whole minutes and how often each; spread evenly within a minute."""
    total = sum(minutes.values())
    if not total:
        return None
    wanted, seen = share * total, 0
    for minute in sorted(minutes):
        if seen + minutes[minute] >= wanted:
            return round(minute + (wanted - seen) / minutes[minute], 1)
        seen += minutes[minute]
    return float(max(minutes))


def _ratio(amount: float, count: int, digits: int = 1) -> float | None:
    return round(amount / count, digits) if count else None


# --- both, kept ---


class Book:
    """What this process knows of every centre's days; looks of several threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._today: dict[str, Today] = {}
        self._past: dict[tuple[str, str, int], tuple[float, Day]] = {}

    def today(self, view: View) -> Today:
        """The business day up to the look or later, the caller's own copy; only events that are new are read."""
        with self._lock:
            known = self._today.get(view.centre.id)
            if known is None or known.day != view.day:
                known = self._today[view.centre.id] = Today(view.day, first_of_day(view, view.day) - 1)
            if known.seq < view.seq:
                for event in view.tx.all(_EVENTS, centre=view.centre.id, after=known.seq):
                    if event["day"] == view.day:
                        known.apply(event, view.centre)
                    known.seq = event["seq"]
            return known.copy()

    def past(self, view: View, day: str) -> Day:
        """A day that is over, from memory if it was asked for lately."""
        key, now = (view.centre.id, day, view.centre.version), time.monotonic()
        kept = self._past.get(key)
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]
        found = day_numbers(view, day)
        with self._lock:
            while len(self._past) >= KEPT_DAYS:
                del self._past[next(iter(self._past))]
            self._past[key] = now, found
        return found

    def numbers(self, view: View, day: str) -> Day:
        """Any day; today is read anew."""
        return self.past(view, day) if day < view.day else day_numbers(view, day)


_EVENTS = (
    "SELECT seq, at, day, kind, ticket, counter, body FROM event WHERE centre = :centre AND seq > :after ORDER BY seq"
)


def first_of_day(view: View, day: str) -> int:
    """The number of the first event of `day` or later, by halving: days follow each other in the stream."""
    low, high = 1, view.seq + 1
    while low < high:
        middle = (low + high) // 2
        row = view.tx.one(
            "SELECT day FROM event WHERE centre = :centre AND seq = :seq", centre=view.centre.id, seq=middle
        )
        if row is not None and row["day"] < day:
            low = middle + 1
        else:
            high = middle
    return low


# --- for the page ---


def period_of(day: date, by: str) -> str:
    """The name of the day's period: «2026-11-23», «2026-W48» or «2026-11»."""
    if by == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    return day.isoformat()[:7] if by == "month" else day.isoformat()


def history(centre: Centre, days: Mapping[date, Day], by: str) -> Json:
    """Days added up by period, and all of them by service and counter."""
    whole, periods = Day(), dict[str, Day]()
    for day, numbers in sorted(days.items()):
        whole.add(numbers)
        periods.setdefault(period_of(day, by), Day()).add(numbers)
    return {
        "periods": [{"name": name, **numbers.as_json()} for name, numbers in periods.items()],
        "total": whole.as_json(),
        "services": [_named(_title(centre, name), tally) for name, tally in _ordered(whole.services, centre.services)],
        "counters": [_named(f"Quầy {name}", tally) for name, tally in _ordered(whole.counters, centre.desks)],
        "distribution": distribution(whole.total),
        "scores": [{"score": score, "count": whole.total.scores[score]} for score in range(1, 6)],
        "estimate": whole.errors.as_json(),
    }


def distribution(tally: Tally) -> list[Json]:
    """Bars of the waits, minutes; `late`: those of them that missed their target."""
    edges = (0, *BINS, LONGEST + 1)
    return [
        {
            "from": low,
            "to": None if high > LONGEST else high,
            "count": sum(tally.waits[minute] for minute in range(low, high)),
            "late": sum(tally.late[minute] for minute in range(low, high)),
        }
        for low, high in pairwise(edges)
    ]


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _ordered(found: Mapping[str, Tally], known: Mapping[str, Any]) -> list[tuple[str, Tally]]:
    """In the order of the settings; what has left them comes last."""
    places = {name: place for place, name in enumerate(known)}
    return sorted(found.items(), key=lambda item: places.get(item[0], len(places)))


def _title(centre: Centre, service: str) -> str:
    known = centre.services.get(service)
    return known.name.vi if known else service


def _named(name: str, tally: Tally) -> Json:
    return {"name": name, **tally.as_json()}
