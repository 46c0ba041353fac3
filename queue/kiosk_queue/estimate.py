"""The wait estimate of a running centre: the hall as it is now, rolled forward, and how well that came true.

One worker per process computes, off the event loop and never for more than a small share of the time; between two
results a newcomer's range is corrected for who came or was called since.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kiosk.clock import from_iso, utc_iso
from kiosk_queue import counter, forecast, rules
from kiosk_queue.feed import Feed
from kiosk_queue.floor import LINE, Desk, Refused, View
from kiosk_queue.forecast import Newcomer, Range
from kiosk_queue.line import Estimator, count_ahead
from kiosk_queue.model import Centre, Json
from kiosk_queue.storage.store import Row, StorageFault

log = logging.getLogger(__name__)

SPACING = 1.0
"""Seconds between two forecasts of a centre at least; the feed's beat makes one every 10 s when nothing happens."""
REST = 30.0
"""A centre's forecasts pause so many times as long as one took: issuing and calling share the interpreter with them."""
BREATH = 19.0
"""All centres of a process share one worker, which pauses so many times as long as it worked: a twentieth of a core."""
CENTRES_AT_EASE = 16
"""With more centres a forecast has fewer samples, so that every centre's is renewed before it is stale."""
STALE = 60.0
"""Seconds after which a result says nothing any more."""
STEPS = 16_000
"""Citizens × samples of one forecast, about 100 ms; with more citizens there are fewer samples."""
SAMPLES_LEAST, SAMPLES_MOST = 20, 200

LEARN_EVERY = 60.0
LEARN_DAYS, LEARN_STINTS = 30, 3000
TRUST = 20.0
"""The settings' mean time counts as so many observed citizens."""
USUAL_CV = 0.8
LONGEST = 4.0
"""A stay counts as at most so many times the usual one: an officer forgot to press the key."""
DAYS_LEAST = 3
"""Days of history from which on the usual arrivals of an hour count as much as those of the last one."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What history says: seconds at the counter by service (mean, coefficient of variation), and who did not come.

    `usual`: numbers that a class takes in each hour of a day, by the centre's clock; empty with too little history.
    """

    made: float
    seconds: Mapping[str, tuple[float, float]]
    no_show: float
    no_show_seconds: float
    usual: Mapping[Newcomer, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Who would take a number now: how many would be before them, and minutes that each more or less makes."""

    ahead: int
    step: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """One result. `ranges` by ticket, in minutes from `at`; newcomers whom no open counter serves have none."""

    at: datetime
    made: float
    ranges: Mapping[str, Range] = field(default_factory=dict)
    newcomers: Mapping[Newcomer, tuple[Range, Newcomers]] = field(default_factory=dict)

    def of_ticket(self, ticket: str, now: datetime) -> Range | None:
        """The range of a waiting ticket, counted from `now`."""
        found = self.ranges.get(ticket)
        return None if found is None else later(found, -max(0.0, (now - self.at).total_seconds()) / 60)

    def of_newcomer(self, service: str, *, urgent: bool, ahead: int) -> Range | None:
        """The range of somebody who comes now and finds `ahead` before them."""
        found = self.newcomers.get((service, urgent))
        return None if found is None else later(found[0], (ahead - found[1].ahead) * found[1].step)


@dataclass(frozen=True, slots=True)
class Hall:
    """A centre read in one look: what is rolled forward, and for whom. Services alike have one newcomer for all."""

    snapshot: forecast.Snapshot
    asked: Mapping[Newcomer, Newcomer]
    """Each newcomer and the one whose range it shares."""
    about: Mapping[Newcomer, Newcomers]


class Estimates:
    """The latest outlook of every centre. Lives in the event loop between `start` and `close`."""

    def __init__(self, desk: Desk, feed: Feed) -> None:
        self._desk, self._feed = desk, feed
        self._outlooks: dict[str, Outlook] = {}
        self._learned: dict[str, Learned] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._worker = ThreadPoolExecutor(1, "estimate")
        self._turn = asyncio.Lock()
        self.on_renewed: Callable[[str], None] | None = None
        """Takes the centre that has a new outlook; called in the event loop."""

    def start(self) -> None:
        """Follow every centre of the database."""
        self._tasks[""] = asyncio.get_running_loop().create_task(self._follow_all())

    def close(self) -> None:
        """Compute nothing more."""
        for task in self._tasks.values():
            task.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def outlook(self, centre: str) -> Outlook | None:
        """The latest result; None before the first one and when it is too old."""
        found = self._outlooks.get(centre)
        return found if found is not None and time.monotonic() - found.made < STALE else None

    def newcomer(self, centre: str, service: str, *, urgent: bool) -> Estimator:
        """What `line.issue` asks for the wait of a new number."""
        self.follow(centre)

        def guess(ahead: int) -> Range | None:
            found = self.outlook(centre)
            return None if found is None else found.of_newcomer(service, urgent=urgent, ahead=ahead)

        return guess

    def follow(self, centre: str) -> None:
        """Keep a centre's outlook fresh from now on."""
        if centre not in self._tasks:
            task = self._tasks[centre] = asyncio.get_running_loop().create_task(self._follow(centre))
            task.add_done_callback(lambda done: self._ended(centre, done))

    async def _follow_all(self) -> None:
        rows = await asyncio.wrap_future(self._desk.store.read(lambda tx: tx.all("SELECT id FROM centre")))
        for row in rows:
            self.follow(row["id"])

    async def _follow(self, centre: str) -> None:
        async for _ in self._feed.ticks(centre, SPACING):
            try:
                worked = await self._renew(centre)
            except StorageFault as error:
                log.warning("no wait estimate for now: %s", error)
            except Refused:  # the centre is gone
                return
            else:
                await asyncio.sleep(worked * (REST - BREATH))

    async def _renew(self, centre: str) -> float:
        """A new outlook; seconds that it took to compute."""
        async with self._turn:
            known = self._learned.get(centre)
            if known is None or time.monotonic() - known.made > LEARN_EVERY:
                known = self._learned[centre] = await asyncio.wrap_future(self._desk.see(centre, learn))
            hall = await asyncio.wrap_future(self._desk.see(centre, lambda view: read_hall(view, known)))
            steps = STEPS // max(1, len(self._tasks) // CENTRES_AT_EASE)
            loop = asyncio.get_running_loop()
            self._outlooks[centre], worked = await loop.run_in_executor(self._worker, _timed_outlook, hall, steps)
            if self.on_renewed is not None:
                self.on_renewed(centre)
            await asyncio.sleep(worked * BREATH)
            return worked

    def _ended(self, centre: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(centre, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the wait estimate of %s stopped", centre, exc_info=error)


def later(found: Range, minutes: float) -> Range:
    """The range moved by so many minutes, none before now."""
    return Range(*(max(0.0, value + minutes) for value in found))


def outlook_of(hall: Hall, seed: int = 0, steps: int = STEPS) -> Outlook:
    """Roll the hall forward; `steps`: citizens × samples."""
    people = len(hall.snapshot.waiting) + len(set(hall.asked.values()))
    samples = min(SAMPLES_MOST, max(SAMPLES_LEAST, steps // max(1, people)))
    found = forecast.wait_ranges(hall.snapshot, set(hall.asked.values()), samples, seed)
    newcomers = {
        newcomer: (found[shared], hall.about[newcomer]) for newcomer, shared in hall.asked.items() if shared in found
    }
    ranges = {key: value for key, value in found.items() if isinstance(key, str)}
    return Outlook(hall.snapshot.now, time.monotonic(), ranges, newcomers)


def _timed_outlook(hall: Hall, steps: int) -> tuple[Outlook, float]:
    begun = time.perf_counter()
    made = outlook_of(hall, int(hall.snapshot.now.timestamp()), steps)
    return made, time.perf_counter() - begun


# --- reading the hall ---


def read_hall(view: View, learned: Learned) -> Hall:
    """The centre now: counters with who is at them, the line, what is to be expected."""
    centre = view.centre
    fresh = {service.id: _blended(service.mean_minutes * 60, ()) for service in centre.services.values()}
    learned = replace(learned, seconds=fresh | dict(learned.seconds))  # services that came since it was learned
    counters = _counters(view)
    rows = view.tx.all(
        f"SELECT * FROM ticket WHERE centre = :centre AND day = :day AND {LINE}",  # noqa: S608  # our own words
        centre=centre.id, day=view.day,
    )  # fmt: skip
    row = view.tx.one("SELECT urgent_in_a_row FROM centre WHERE id = :centre", centre=centre.id)
    snapshot = forecast.Snapshot(
        view.now,
        centre.rule,
        counters,
        [counter.waiting(row) for row in rows],
        learned.seconds,
        _arrivals(view, learned),
        rules.Recent(row["urgent_in_a_row"] if row else 0),
        learned.no_show,
        learned.no_show_seconds,
    )
    return Hall(snapshot, *_newcomers(view, counters, learned))


def _counters(view: View) -> list[forecast.Counter]:
    """The open ones; a paused one calls nobody."""
    rows = view.tx.all(
        "SELECT d.counter, d.paused, t.service, t.called_at FROM desk d LEFT JOIN ticket t ON t.centre = d.centre"
        " AND t.counter = d.counter AND t.state IN ('called', 'serving') WHERE d.centre = :centre",
        centre=view.centre.id,
    )  # fmt: skip
    return [
        forecast.Counter(
            view.centre.skills_of(row["counter"]),
            None if row["paused"] else 0.0,
            row["service"] or "",
            max(0.0, (view.now - from_iso(row["called_at"])).total_seconds()) if row["called_at"] else 0.0,
        )
        for row in rows
        if row["counter"] in view.centre.desks
    ]


def _newcomers(
    view: View, counters: Iterable[forecast.Counter], learned: Learned
) -> tuple[dict[Newcomer, Newcomer], dict[Newcomer, Newcomers]]:
    """Whoever may take a number now; services that the same open counters serve share a range."""
    centre, now = view.centre, utc_iso(view.now)
    skills = [set(c.skills) for c in counters if c.free_in is not None]
    firsts: dict[tuple[tuple[int, ...], bool], Newcomer] = {}
    aheads: dict[tuple[tuple[str, ...], bool], int] = {}
    asked, about = {}, {}
    for service in centre.services.values():
        pool = tuple(n for n, served in enumerate(skills) if service.id in served)
        if not pool or not service.open:
            continue
        rivals = centre.rivals[service.id]
        step = _mean(learned.seconds[rival][0] for rival in rivals) / 60 / len(pool)
        for urgent in (False, True) if centre.priorities else (False,):
            newcomer = service.id, urgent
            asked[newcomer] = firsts.setdefault((pool, urgent), newcomer)
            if (rivals, urgent) not in aheads:
                aheads[rivals, urgent] = count_ahead(
                    view.tx, centre, view.day, service.id, urgent=urgent, now=now
                )  # fmt: skip
            about[newcomer] = Newcomers(aheads[rivals, urgent], step)
    return asked, about


def _arrivals(view: View, learned: Learned) -> dict[Newcomer, float]:
    """Numbers an hour by class: as in the last hour, and as usual in the coming one; none once no more are given."""
    centre = view.centre
    if not centre.takes_numbers(view.now):
        return {}
    rows = view.tx.all(
        "SELECT service, urgent, count(*) AS came FROM ticket WHERE centre = :centre AND day = :day"
        " AND issued_at >= :since AND appointment = 0 GROUP BY service, urgent",
        centre=centre.id, day=view.day, since=utc_iso(view.now - timedelta(hours=1)),
    )  # fmt: skip
    recent = {(row["service"], bool(row["urgent"])): float(row["came"]) for row in rows}
    if not learned.usual:
        return recent
    local = view.now.astimezone(centre.tz)
    late = local.minute / 60
    found = {}
    for newcomer in {*recent, *learned.usual}:
        hours = learned.usual.get(newcomer, _NEVER)
        usual = hours[local.hour] * (1 - late) + hours[(local.hour + 1) % 24] * late
        found[newcomer] = (recent.get(newcomer, 0.0) + usual) / 2
    return found


_NEVER = (0.0,) * 24


# --- learning from history ---


def learn(view: View) -> Learned:
    """Times at the counter of the last 30 days, at most the newest 3000 stays."""
    rows = view.tx.all(
        "SELECT ticket, day, service, urgent, appointment, waiting_since, outcome, called_at, ended_at FROM stint"
        " WHERE centre = :centre AND day >= :since ORDER BY seq DESC LIMIT :most",
        centre=view.centre.id, since=_days_ago(view, LEARN_DAYS), most=LEARN_STINTS,
    )  # fmt: skip
    return learned_from(view.centre, rows, view.day)


def learned_from(centre: Centre, rows: Sequence[Row], today: str) -> Learned:
    """Means of the settings, moved by what was seen: with few observations little, with many almost wholly.

    `rows`: the newest first.
    """
    stays: dict[str, list[float]] = {service: [] for service in centre.services}
    missed = []
    for row in rows:
        seconds = max(1.0, (from_iso(row["ended_at"]) - from_iso(row["called_at"])).total_seconds())
        if row["outcome"] == "no_show":
            missed.append(min(seconds, 600.0))
        elif row["outcome"] == "completed" and row["service"] in stays:
            stays[row["service"]].append(seconds)
    found = {service.id: _blended(service.mean_minutes * 60, stays[service.id]) for service in centre.services.values()}
    served = sum(map(len, stays.values()))
    no_show = len(missed) / (TRUST + served + len(missed))
    lost = _mean(missed) if missed else 60.0
    return Learned(time.monotonic(), found, no_show, lost, _usual_arrivals(centre, rows, today))


def _usual_arrivals(centre: Centre, rows: Sequence[Row], today: str) -> dict[Newcomer, list[float]]:
    """Means over the whole days of `rows`: not today, nor the oldest where the reading broke off in it."""
    days = {row["day"] for row in rows} - {today}
    if len(rows) >= LEARN_STINTS:
        days.discard(rows[-1]["day"])
    if len(days) < DAYS_LEAST:
        return {}
    first = {row["ticket"]: row for row in rows if row["day"] in days and not row["appointment"]}
    found: dict[Newcomer, list[float]] = {}
    for row in first.values():
        hour = from_iso(row["waiting_since"]).astimezone(centre.tz).hour
        found.setdefault((row["service"], bool(row["urgent"])), [0.0] * 24)[hour] += 1 / len(days)
    return found


def _blended(usual: float, seen: Sequence[float]) -> tuple[float, float]:
    """Mean and coefficient of variation."""
    believed = [min(seconds, LONGEST * usual) for seconds in seen]
    mean = (TRUST * usual + sum(believed)) / (TRUST + len(believed))
    spread = TRUST * (USUAL_CV * mean) ** 2 + sum((seconds - mean) ** 2 for seconds in believed)
    return mean, max(0.1, math.sqrt(spread / (TRUST + len(believed))) / mean)


# --- how well it came true ---


def accuracy(view: View, days: int = 1) -> Json:
    """Estimates against what came, of the last business days (1: today), of numbers called at least once.

    Minutes: `mae`, `bias` (positive: people waited longer than told), `mean_wait`. Shares of waits that fell within
    `p20_p80` (which citizens are shown) and `p10_p90`. All null as long as `tickets` is 0.
    """
    row = view.tx.one(_ACCURACY, centre=view.centre.id, since=_days_ago(view, days - 1))
    assert row is not None
    return {name: None if row[name] is None else round(float(row[name]), 3) for name in _FIGURES} | {
        "tickets": row["tickets"]
    }


_FIGURES = ("mae", "bias", "mean_wait", "p20_p80", "p10_p90")
_ACCURACY = (
    "SELECT count(*) AS tickets, avg(abs(s.waited / 60 - s.wait_likely)) AS mae,"
    " avg(s.waited / 60 - s.wait_likely) AS bias, avg(s.waited / 60) AS mean_wait,"
    " avg(CASE WHEN s.waited / 60 BETWEEN s.wait_low AND s.wait_high THEN 1.0 ELSE 0.0 END) AS p20_p80,"
    " avg(CASE WHEN s.waited / 60 BETWEEN s.wait_p10 AND s.wait_p90 THEN 1.0 ELSE 0.0 END) AS p10_p90"
    " FROM stint s JOIN (SELECT min(seq) AS seq FROM stint WHERE centre = :centre AND day >= :since GROUP BY ticket) f"
    " ON f.seq = s.seq WHERE s.centre = :centre AND s.wait_p90 IS NOT NULL"
)
"""The first stay of each number: what it waited after a transfer was promised by nobody."""


def _days_ago(view: View, days: int) -> str:
    return (datetime.fromisoformat(view.day) - timedelta(days=days)).date().isoformat()


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
