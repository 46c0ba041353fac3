"""A morning on a virtual clock: discrete events, the product's own `rules.order` deciding who is called.

What chance brings (`draw`) is drawn before and apart from the rule (`play`), so that rules are compared on the very
same citizens.
"""

import itertools
import math
import random
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from kiosk_queue import forecast, rules
from kiosk_queue.model import Rule
from kiosk_queue.simulation.scenarios import SLOT, Scenario

OPENING = datetime(2026, 1, 5, 0, 30, tzinfo=UTC)
COMES_EARLY = 5 * 60.0
"""Seconds by which a citizen with an appointment means to come early."""


class Citizen(NamedTuple):
    """Somebody who comes: seconds since opening; `appointment` is its time; `then` a service they are sent on to."""

    arrives: float
    service: str
    urgent: bool
    seconds: float
    appointment: float | None = None
    absent: bool = False
    then: str = ""
    then_seconds: float = 0.0


@dataclass(slots=True)
class Run:
    """What a morning came to. `waits` in seconds by citizen; those who did not come when called are None."""

    waits: list[float | None]
    calls: int = 0
    inversions: int = 0
    """Calls while somebody of the same or a higher class who came earlier waited for the same counter."""
    idle_seconds: float = 0.0
    """Time of free counters while somebody waited whom they could have called."""


def draw(scenario: Scenario, seed: int) -> list[Citizen]:
    """Who comes on one morning, by time of arrival."""
    chance = random.Random(seed)  # noqa: S311
    ways = {service.id: service for service in scenario.services}
    shapes = {name: forecast.lognormal(way.mean_minutes * 60, way.cv) for name, way in ways.items()}
    return sorted(
        _citizen(scenario, chance, shapes, name, when)
        for name, slots in scenario.arrivals.items()
        for slot, expected in enumerate(slots)
        for when in _poisson(chance, expected, slot * SLOT * 60, SLOT * 60)
    )


def _poisson(chance: random.Random, expected: float, start: float, length: float) -> Iterator[float]:
    moment = chance.expovariate(expected / length) if expected > 0 else math.inf
    while moment < length:
        yield start + moment
        moment += chance.expovariate(expected / length)


def _citizen(
    scenario: Scenario, chance: random.Random, shapes: dict[str, tuple[float, float]], service: str, moment: float
) -> Citizen:
    urgent = chance.random() < scenario.priority_share
    seconds = chance.lognormvariate(*shapes[service])
    appointment = None
    if chance.random() < scenario.appointment_share:
        appointment = moment // (SLOT * 60) * SLOT * 60
        moment = max(0.0, chance.gauss(appointment - COMES_EARLY, scenario.punctuality_minutes * 60))
    absent = chance.random() < scenario.no_show_share
    others = [name for name in shapes if name != service]
    if others and chance.random() < scenario.transfer_share:
        then = chance.choice(others)
        after = chance.lognormvariate(*shapes[then])
        return Citizen(moment, service, urgent, seconds, appointment, absent, then, after)
    return Citizen(moment, service, urgent, seconds, appointment, absent)


def play(
    scenario: Scenario, morning: list[Citizen], rule: Rule, watch: Callable[["Hall", int], None] | None = None
) -> Run:
    """The morning under `rule`, until the last citizen is served. `watch(hall, citizen)` sees each arrival."""
    hall = Hall(scenario, morning, rule)
    hall.run(watch)
    return hall.result


@dataclass(slots=True)
class _Counter:
    number: int
    lines: list[list["_Place"]]
    skills: tuple[str, ...]
    breaks: list[float]
    """Lengths of the breaks that are due."""
    serving: str = ""
    started: float = 0.0
    back: float = 0.0
    """When the break ends."""


class _Place(NamedTuple):
    """A place in a class, sorted by `since` and arrival, as the store's index has it."""

    since: float
    place: int
    head: rules.Waiting
    citizen: int
    joined: float
    """From when the wait counts: not before the appointment, nor before coming."""
    onward: bool


@dataclass(slots=True)
class Hall:
    """The hall while it is played; `now` in seconds since opening."""

    scenario: Scenario
    morning: list[Citizen]
    rule: Rule
    now: float = 0.0
    in_a_row: int = 0
    result: Run = field(init=False)
    _events: list[tuple[float, int, Callable[[int], None], int]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _lines: dict[tuple[str, bool, bool], list[_Place]] = field(default_factory=dict)
    _counters: list[_Counter] = field(default_factory=list)
    _idle: list[_Counter] = field(default_factory=list)
    """Longest idle first: its officer is the one who presses «next» first."""
    _seats: dict[int, _Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.result = Run([None] * len(self.morning))
        for service in self.scenario.services:
            for urgent, booked in itertools.product((False, True), repeat=2):
                self._lines[service.id, urgent, booked] = []
        for number, counter in enumerate(self.scenario.counters):
            lines = [line for key, line in self._lines.items() if key[0] in counter.skills]
            self._counters.append(_Counter(number, lines, counter.skills, []))
            for n, (start, _) in enumerate(counter.breaks):
                self._at(start * 60, self._break_due, number * 100 + n)
        self._idle = self._counters[:]

    def run(self, watch: Callable[["Hall", int], None] | None) -> None:
        """Every event in its order."""
        for n, citizen in enumerate(self.morning):
            self._at(citizen.arrives, self._arrive, n)
        events = self._events
        while events:
            moment, _, happen, what = heappop(events)
            if self._idle and moment > self.now:
                self.result.idle_seconds += (moment - self.now) * sum(map(self._neglects, self._idle))
            self.now = moment
            if watch is not None and happen == self._arrive:
                watch(self, what)
            happen(what)
            if self._idle:
                self._dispatch()

    def snapshot(self, arrivals: dict[forecast.Newcomer, float]) -> forecast.Snapshot:
        """The hall as the server shows it to the estimate: who has been where for how long, and when breaks end."""
        counters = [
            forecast.Counter(c.skills, max(0.0, c.back - self.now), c.serving, self.now - c.started)
            for c in self._counters
        ]
        waiting = [place.head for line in self._lines.values() for place in line]
        seconds = {s.id: (s.mean_minutes * 60, s.cv) for s in self.scenario.services}
        return forecast.Snapshot(
            moment(self.now), self.rule, counters, waiting, seconds, arrivals, rules.Recent(self.in_a_row),
            self.scenario.no_show_share, self.scenario.recall_minutes * 60, self._pauses(),
        )  # fmt: skip

    def _pauses(self) -> tuple[float, float]:
        """How often an hour a counter pauses, and mean seconds: what a server knows from other days."""
        lengths = [length * 60 for counter in self.scenario.counters for _, length in counter.breaks]
        hours = len(self.scenario.counters) * self.scenario.minutes / 60
        return len(lengths) / hours, sum(lengths) / len(lengths) if lengths else 0.0

    def _at(self, when: float, happen: Callable[[int], None], what: int) -> None:
        heappush(self._events, (when, next(self._ids), happen, what))

    def _arrive(self, n: int) -> None:
        citizen = self.morning[n]
        booked = citizen.appointment
        if booked is not None and citizen.arrives > booked + self.rule.late_minutes * 60:
            booked = None
        since = citizen.arrives if booked is None else booked
        self._join(n, citizen.service, since, max(since, citizen.arrives), booked=booked is not None)
        opens = since - self.rule.early_minutes * 60
        if booked is not None and opens > self.now:
            # moments are rounded to microseconds, so ask a moment later
            self._at(opens + 1e-5, _nothing, 0)

    def _join(self, n: int, service: str, since: float, joined: float, *, booked: bool, onward: bool = False) -> None:
        place, urgent = next(self._ids), self.morning[n].urgent
        head = rules.Waiting(str(place), "", place, urgent, moment(since), service, booked)
        insort(self._lines[service, urgent, booked], _Place(since, place, head, n, joined, onward))

    def _neglects(self, counter: _Counter) -> bool:
        limit = moment(self.now) + timedelta(minutes=self.rule.early_minutes)
        return any(line and not (line[0].head.appointment and line[0].head.since > limit) for line in counter.lines)

    def _dispatch(self) -> None:
        for counter in self._idle[:]:
            lines = [line for line in counter.lines if line]
            if not lines:
                continue
            heads = [line[0].head for line in lines]
            ranked = rules.order(heads, moment(self.now), self.rule, rules.Recent(self.in_a_row))
            if ranked:
                self._idle.remove(counter)
                self._call(counter, ranked, next(line for line in lines if line[0].head is ranked[0]).pop(0))

    def _call(self, counter: _Counter, ranked: list[rules.Waiting], place: _Place) -> None:
        head, result, citizen = ranked[0], self.result, self.morning[place.citizen]
        result.calls += 1
        result.inversions += any(other.since < head.since and other.urgent >= head.urgent for other in ranked[1:])
        self.in_a_row = self.in_a_row + 1 if head.urgent else 0
        counter.serving, counter.started = head.service, self.now
        self._seats[counter.number] = place
        if citizen.absent:
            seconds = self.scenario.recall_minutes * 60
        else:
            result.waits[place.citizen] = (result.waits[place.citizen] or 0.0) + max(0.0, self.now - place.joined)
            seconds = citizen.then_seconds if place.onward else citizen.seconds
        self._at(self.now + seconds, self._finish, counter.number)

    def _finish(self, number: int) -> None:
        counter, place = self._counters[number], self._seats.pop(number)
        citizen = self.morning[place.citizen]
        counter.serving = ""
        if citizen.then and not citizen.absent and not place.onward:
            self._join(place.citizen, citizen.then, place.since, self.now, booked=False, onward=True)
        self._free(counter)

    def _free(self, counter: _Counter) -> None:
        if counter.breaks:
            counter.back = self.now + counter.breaks.pop(0)
            self._at(counter.back, self._return, counter.number)
        else:
            self._idle.append(counter)

    def _break_due(self, what: int) -> None:
        number, n = divmod(what, 100)
        counter = self._counters[number]
        counter.breaks.append(self.scenario.counters[number].breaks[n][1] * 60)
        if counter in self._idle:
            self._idle.remove(counter)
            self._free(counter)

    def _return(self, number: int) -> None:
        self._free(self._counters[number])


def moment(seconds: float) -> datetime:
    """The time of day so long after opening."""
    return OPENING + timedelta(seconds=seconds)


def _nothing(_: int) -> None:
    """Only that free counters look again."""
