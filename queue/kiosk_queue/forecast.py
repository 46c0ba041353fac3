"""How long until a number is called: the hall rolled forward a few hundred times under the actual calling rule.

Each sample draws how long the citizens at the counters still take, how long everybody in the line will take and which
priority citizens are still to come; the rule's own `score` then decides at every free counter. Pure, no clock, no
database. Method and accuracy: queue reference §5.3.
"""

import math
import random
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from heapq import heapify, heappop, heapreplace
from itertools import accumulate
from statistics import NormalDist
from typing import NamedTuple

from kiosk_queue import rules
from kiosk_queue.model import Rule

Newcomer = tuple[str, bool]
"""(service, urgent): somebody who would take a number now."""
HORIZON = 4 * 3600.0
"""Seconds for which arrivals are drawn; nobody's range is longer."""
TABLE = 1024
"""Size of a table of equally likely service times."""
UNKNOWN_SERVICE = (480.0, 0.8)


class Counter(NamedTuple):
    """A counter: the services it calls; `free_in` seconds from now, None while closed or paused nobody knows how long.

    `serving`: the service of the citizen there; then the rest is drawn, given the `elapsed` seconds, and `free_in` is
    what must pass at least.
    """

    skills: Sequence[str]
    free_in: float | None = 0.0
    serving: str = ""
    elapsed: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The hall at `now`. `service_seconds`: mean and coefficient of variation; `arrivals` per hour to be expected.

    `no_show`: share of those called who do not come, for which the counter waits `no_show_seconds`. `pauses`: how often
    an hour an open counter pauses, and for how many seconds on average.
    """

    now: datetime
    rule: Rule
    counters: Sequence[Counter | tuple[Sequence[str], float | None]]
    waiting: Sequence[rules.Waiting] = ()
    service_seconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    arrivals: Mapping[Newcomer, float] = field(default_factory=dict)
    recent: rules.Recent = field(default_factory=rules.Recent)
    no_show: float = 0.0
    no_show_seconds: float = 60.0
    pauses: tuple[float, float] = (0.0, 0.0)


class Range(NamedTuple):
    """Minutes from now until the call. `low` to `high` is shown (p20–p80), p10–p90 is what coverage is measured on."""

    low: float
    likely: float
    high: float
    p10: float
    p90: float


Key = str | Newcomer


def wait_ranges(
    snapshot: Snapshot, newcomers: Iterable[Newcomer] = (), samples: int = 200, seed: int = 0
) -> dict[Key, Range]:
    """A range for every waiting ticket (by its id) and every newcomer; none for whom no open counter serves."""
    hall = _Hall(snapshot, tuple(newcomers))
    return {key: _range(waits) for key, waits in hall.sample(samples, random.Random(seed)).items() if waits}  # noqa: S311


def residual(mean: float, cv: float, elapsed: float, u: float) -> float:
    """Seconds that a lognormal service still takes after `elapsed`, at quantile `u` (0 to 1) of what is possible."""
    location, scale = lognormal(mean, cv)
    if scale == 0:
        return max(0.0, mean - elapsed)
    passed = _NORMAL.cdf((math.log(elapsed) - location) / scale) if elapsed > 0 else 0.0
    if passed > 0.999:  # beyond anything likely, the tail says nothing any more: at most one more usual service
        return mean * u
    whole = math.exp(location + scale * _NORMAL.inv_cdf(min(max(passed + (1 - passed) * u, 1e-9), 1 - 1e-9)))
    return max(0.0, whole - elapsed)


def lognormal(mean: float, cv: float) -> tuple[float, float]:
    """Location and scale of the lognormal distribution with this mean and coefficient of variation."""
    scale = math.sqrt(math.log1p(cv * cv))
    return math.log(mean) - scale * scale / 2, scale


_NORMAL = NormalDist()


class _Line:
    """One class: citizens whom the same counters serve and whom the rule orders by time of arrival alone."""

    __slots__ = ("bonus", "people", "urgent")

    def __init__(self, urgent: bool, first: bool) -> None:
        self.urgent, self.bonus = urgent, -2 * rules.ALWAYS if first else 0.0
        self.people: list[tuple[float, float, int]] = []
        """Since, from when it may be called (both seconds from now), index of who it is."""


class _Hall:
    """The snapshot, prepared so that a sample is a few loops over floats.

    Services with the same set of open counters are one pool; a class is pool × urgent × appointment × called first,
    and only its first can be next.
    """

    def __init__(self, snapshot: Snapshot, newcomers: Sequence[Newcomer]) -> None:
        self.rule, self.score = snapshot.rule, rules.score(snapshot.rule)
        self.in_a_row = snapshot.recent.urgent_in_a_row
        self.seconds = snapshot.service_seconds
        self.lost = [snapshot.no_show_seconds] * round(TABLE * min(0.9, snapshot.no_show))
        """A share of every table of service times."""
        self.pauses = snapshot.pauses
        self.counters = [c for c in (Counter(*entry) for entry in snapshot.counters) if c.free_in is not None]
        self.pools: dict[str, tuple[int, ...]] = {}
        self.classes: dict[tuple[tuple[int, ...], bool, bool, bool], _Line] = {}
        self.keys: list[Key] = []
        self.tables: dict[str, list[float]] = {}
        self.times: list[list[float]] = []
        """For each key the possible service times, equally likely."""
        now, early = snapshot.now.timestamp(), snapshot.rule.early_minutes * 60
        for w in sorted(snapshot.waiting, key=lambda w: (w.since, w.place)):
            since = w.since.timestamp() - now
            opens = since - early if w.appointment else -math.inf
            self._add(w.ticket, w.service, since, opens, (w.urgent, w.appointment, w.first))
        self.real = len(self.keys)
        for newcomer in newcomers:
            self._add(newcomer, newcomer[0], 0.0, -math.inf, (newcomer[1], False, False))
        self._expect(snapshot.arrivals)
        self.lines = list(self.classes.values())
        self.menus = [[n for n, key in enumerate(self.classes) if c in key[0]] for c in range(len(self.counters))]

    def sample(self, samples: int, chance: random.Random) -> dict[Key, list[float]]:
        """Seconds until the call in each sample."""
        found: list[list[float]] = [[] for _ in self.keys]
        if self.keys:
            for _ in range(samples):
                _Future(self, chance).roll(found)
        return dict(zip(self.keys, found, strict=True))

    def free_at(self, counter: Counter, chance: random.Random) -> float:
        """When the counter is free in one sample."""
        least = counter.free_in or 0.0
        if not counter.serving:
            return least
        mean, cv = self.seconds.get(counter.serving, UNKNOWN_SERVICE)
        return max(least, residual(mean, cv, counter.elapsed, chance.random()))

    def _add(self, key: Key, service: str, since: float, opens: float, kind: tuple[bool, bool, bool]) -> None:
        line = self._line(service, kind)
        if line is not None:
            line.people.append((since, opens, len(self.keys)))
            self.keys.append(key)
            self.times.append(self._table(service))

    def _line(self, service: str, kind: tuple[bool, bool, bool]) -> _Line | None:
        pool = self._pool(service)
        return self.classes.setdefault((pool, *kind), _Line(kind[0], kind[2])) if pool else None

    def _pool(self, service: str) -> tuple[int, ...]:
        if service not in self.pools:
            self.pools[service] = tuple(n for n, c in enumerate(self.counters) if service in c.skills)
        return self.pools[service]

    def _table(self, service: str) -> list[float]:
        if service not in self.tables:
            mean, cv = self.seconds.get(service, UNKNOWN_SERVICE)
            served = _quantiles(mean, cv, TABLE - len(self.lost))
            # a pause is part of the time after which the counter is free; it may follow any service
            often, pause = self.pauses
            paused = min(len(served) // 2, round(often * mean / 3600 * len(served)))
            for n in range(paused):
                served[(2 * n + 1) * len(served) // (2 * paused)] += pause
            self.tables[service] = served + self.lost
        return self.tables[service]

    def _expect(self, arrivals: Mapping[Newcomer, float]) -> None:
        """Who may still come and matter: one stream, divided by chance.

        A later ordinary citizen is before nobody here; but where pools differ he keeps a counter from helping out.
        """
        wanted = [(key, rate) for key, rate in sorted(arrivals.items()) if rate > 0]
        pools = {key[0] for key in self.classes} | {self._pool(service) for (service, _), _ in wanted} - {()}
        self.streams: list[tuple[_Line, list[float]]] = []
        rates: list[float] = []
        for (service, urgent), rate in wanted:
            line = self._line(service, (urgent, False, False)) if urgent or len(pools) > 1 else None
            if line is not None:
                self.streams.append((line, self._table(service)))
                rates.append(rate / 3600)
        self.thresholds = list(accumulate(rates))
        self.rate = sum(rates)


class _Future:
    """One sample: the heads of the classes and the time at which each counter is free, moved on call by call."""

    __slots__ = ("at", "chance", "hall", "opens", "people", "since", "soon", "times")

    def __init__(self, hall: _Hall, chance: random.Random) -> None:
        self.hall, self.chance = hall, chance
        rnd = chance.random
        self.times = [table[int(rnd() * TABLE)] for table in hall.times]
        self.people = [line.people[:] for line in hall.lines]
        self.at = [0] * len(self.people)
        self.since = [people[0][0] if people else 0.0 for people in self.people]
        self.opens = [people[0][1] if people else math.inf for people in self.people]
        self.soon = chance.expovariate(hall.rate) if hall.rate else math.inf

    def roll(self, found: list[list[float]]) -> None:
        """Until everybody who is asked about has been called."""
        hall, times = self.hall, self.times
        urgent = [line.urgent for line in hall.lines]
        free = [(hall.free_at(counter, self.chance), n) for n, counter in enumerate(hall.counters)]
        heapify(free)
        asked, real, in_a_row = len(found), hall.real, hall.in_a_row
        left = asked
        while left and free and free[0][0] <= HORIZON:
            now, counter = free[0]
            if self.soon <= now:
                self._arrive(now)
            chosen = self._next(hall.menus[counter], now, in_a_row)
            if chosen < 0:
                self._rest(free, hall.menus[counter], counter)
                continue
            who = self._call(chosen)
            if who < asked:
                found[who].append(now)
                left -= 1
                if who >= real:  # a newcomer only looks on: takes nobody's turn
                    continue
            in_a_row = in_a_row + 1 if urgent[chosen] else 0
            heapreplace(free, (now + times[who], counter))
        if left:
            self._give_up(found, asked)

    def _next(self, menu: list[int], now: float, in_a_row: int) -> int:
        """The class whose first is next; -1 if nobody may be called yet."""
        hall, since, opens = self.hall, self.since, self.opens
        score, lines = hall.score, hall.lines
        best, value = -1, math.inf
        for n in menu:
            if opens[n] <= now:
                line = lines[n]
                own = score(since[n], line.urgent, now) + line.bonus
                if own < value:
                    best, value = n, own
        if hall.rule.name == "ratio" and best >= 0 and lines[best].urgent and not lines[best].bonus:
            ordinary = [n for n in menu if opens[n] <= now and not lines[n].urgent]
            other = min(ordinary, key=since.__getitem__, default=best)
            if rules.ordinary_turn(hall.rule, in_a_row, since[other], since[best]):
                return other
        return best

    def _call(self, n: int) -> int:
        people, at = self.people[n], self.at[n]
        self.at[n] = at + 1
        if at + 1 < len(people):
            self.since[n], self.opens[n] = people[at + 1][:2]
        else:
            self.opens[n] = math.inf
        return people[at][2]

    def _arrive(self, now: float) -> None:
        """Those who come until `now`, each drawn when their time has come."""
        hall, chance = self.hall, self.chance
        while self.soon <= now:
            line, table = hall.streams[bisect(hall.thresholds, chance.random() * hall.rate, 0, len(hall.streams) - 1)]
            n = hall.lines.index(line)
            if self.opens[n] == math.inf:
                self.since[n], self.opens[n] = self.soon, self.soon
            self.people[n].append((self.soon, self.soon, len(self.times)))
            self.times.append(table[int(chance.random() * TABLE)])
            self.soon += chance.expovariate(hall.rate)

    def _rest(self, free: list[tuple[float, int]], menu: list[int], counter: int) -> None:
        """The counter has nobody to call: it asks again when an appointment or an arrival is due, or never."""
        wake = min([self.soon, *(self.opens[n] for n in menu)])
        if wake == math.inf:
            heappop(free)
        else:
            heapreplace(free, (wake, counter))

    def _give_up(self, found: list[list[float]], asked: int) -> None:
        for people, at in zip(self.people, self.at, strict=True):
            for _, _, who in people[at:]:
                if who < asked:
                    found[who].append(HORIZON)


@cache
def _normals(size: int) -> tuple[float, ...]:
    return tuple(_NORMAL.inv_cdf((n + 0.5) / size) for n in range(size))


def _quantiles(mean: float, cv: float, size: int) -> list[float]:
    """So many equally likely service times with exactly this mean."""
    location, scale = lognormal(mean, cv)
    drawn = [math.exp(location + scale * z) for z in _normals(size)]
    exact = mean * size / sum(drawn) if drawn else 1.0
    return [seconds * exact for seconds in drawn]


def _range(waits: list[float]) -> Range:
    waits.sort()
    last = len(waits) - 1

    def minutes(share: float) -> float:
        place = round(share * (len(waits) + 1)) - 1
        return max(0.0, waits[min(last, max(0, place))]) / 60

    return Range(minutes(0.2), minutes(0.5), minutes(0.8), minutes(0.1), minutes(0.9))
