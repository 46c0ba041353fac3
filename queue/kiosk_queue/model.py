"""A centre as data: when it works, what it offers, who serves it, by which rule. Kept in the database with a version.

Shapes are checked where settings come in (`from_json`, `from_catalogue`); everything else may trust them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from kiosk import catalogue
from kiosk.clock import business_day
from kiosk.text import Text

SERIES = re.compile(r"[A-ZĐ]{1,4}")
IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,40}")
RuleName = Literal["strict", "head_start", "ratio", "aging"]


class SettingsError(ValueError):
    """Settings that a centre cannot work with; the message names the entry and what is allowed."""


@dataclass(frozen=True)
class Service:
    """What citizens queue for. Minutes are per citizen at the counter; a cap or target of 0 means none."""

    id: str
    name: Text
    series: str
    mean_minutes: float = 8.0
    target_minutes: float = 30.0
    """The wait that the centre promises."""
    daily_cap: int = 0
    procedures: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True)
class ServiceGroup:
    """Services that belong together on the kiosk's first screen."""

    id: str
    name: Text
    icon: str = "document"
    services: tuple[Service, ...] = ()


@dataclass(frozen=True)
class PriorityGroup:
    """Who is served by the priority rule; declared by the citizen, confirmed by the officer."""

    id: str
    name: Text


@dataclass(frozen=True)
class Counter:
    """A desk with its skills, the services called to it; none named means all. `zone`: its part of the hall."""

    name: str
    skills: tuple[str, ...] = ()
    zone: str = ""


@dataclass(frozen=True)
class Rule:
    """The calling rule and its numbers (queue reference §5.2)."""

    name: RuleName = "aging"
    rate: float = 2.0
    """aging: how much faster a priority citizen's wait counts."""
    head_start_minutes: float = 15.0
    """head_start: minutes by which a priority citizen counts as earlier."""
    ratio: int = 2
    """ratio: priority citizens called for every ordinary one."""
    early_minutes: float = 10.0
    late_minutes: float = 15.0
    """How much before and after their time citizens with an appointment keep it."""


@dataclass(frozen=True)
class Window:
    """Working time of a day, local, from and until."""

    start: time
    end: time


@dataclass(frozen=True)
class Calling:
    """Limits of what officers do with a called number."""

    recalls: int = 3
    recall_seconds: int = 20
    """Seconds between two announcements of a number."""
    calls_before_no_show: int = 2


@dataclass(frozen=True)
class Hall:
    """What display and voice do besides calling."""

    ticker: tuple[Text, ...] = ()
    idle: tuple[Text, ...] = ()
    languages: tuple[Literal["vi", "en"], ...] = ("vi", "en")
    volume: float = 1.0
    quiet: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Appointments:
    """Booking of slots; capacity 0: none are offered."""

    slot_minutes: int = 15
    capacity: int = 0
    """Bookings for one service in one slot."""
    days_ahead: int = 14


@dataclass(frozen=True)
class Centre:
    """One centre. Days begin `cut_over_hours` after local midnight; `weekdays`: 0 is Monday."""

    id: str
    name: Text
    groups: tuple[ServiceGroup, ...]
    counters: tuple[Counter, ...]
    priorities: tuple[PriorityGroup, ...] = ()
    zone: str = "Asia/Ho_Chi_Minh"
    cut_over_hours: int = 0
    windows: tuple[Window, ...] = ()
    """Working time; none named means always open."""
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    stop_issuing_minutes: int = 0
    """How long before a window ends the last numbers are given out."""
    rule: Rule = Rule()
    calling: Calling = Calling()
    hall: Hall = Hall()
    appointments: Appointments = Appointments()
    paper_patience_seconds: int = 30
    """After so long without a word from the kiosk officers are told that a number may have no paper."""
    version: int = field(default=0, compare=False)

    @cached_property
    def services(self) -> Mapping[str, Service]:
        """Every service by id."""
        return {service.id: service for group in self.groups for service in group.services}

    @cached_property
    def desks(self) -> Mapping[str, Counter]:
        """Every counter by name."""
        return {counter.name: counter for counter in self.counters}

    @cached_property
    def tz(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.zone)

    def skills_of(self, counter: str) -> tuple[str, ...]:
        """The services that a counter serves."""
        desk = self.desks.get(counter)
        return desk.skills if desk is not None and desk.skills else tuple(self.services)

    @cached_property
    def rivals(self) -> Mapping[str, tuple[str, ...]]:
        """For each service those that share a counter with it: whoever waits there may be called before."""
        found = {service: {service} for service in self.services}
        for counter in self.counters:
            skills = [skill for skill in self.skills_of(counter.name) if skill in found]
            for skill in skills:
                found[skill].update(skills)
        return {service: tuple(sorted(others)) for service, others in found.items()}

    def day_of(self, moment: datetime) -> str:
        """The business day at `moment`, ISO."""
        return business_day(moment, self.tz, self.cut_over_hours).isoformat()

    def takes_numbers(self, moment: datetime) -> bool:
        """Whether numbers are given out at `moment`."""
        local = moment.astimezone(self.tz)
        if local.weekday() not in self.weekdays:
            return False
        if not self.windows:
            return True
        minute = local.hour * 60 + local.minute
        return any(_minute(w.start) <= minute < _minute(w.end) - self.stop_issuing_minutes for w in self.windows)

    def as_json(self) -> str:
        """Compact JSON, what `from_json` reads."""
        return msgspec.json.encode(replace(self, version=0)).decode()


def from_json(text: str | bytes, version: int = 0) -> Centre:
    """A centre of its settings; SettingsError if they cannot be right."""
    try:
        centre = replace(msgspec.json.decode(text, type=Centre), version=version)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"not JSON: {error}") from None
    check(centre)
    return centre


def from_catalogue(offered: catalogue.Catalogue, centre_id: str = "centre") -> Centre:
    """The centre that a kiosk's catalogue describes, with everything else at its default."""
    groups = tuple(
        ServiceGroup(
            group.id,
            group.name,
            group.icon,
            tuple(_service(service) for service in group.services),
        )
        for group in offered.groups
        if group.services
    )
    centre = Centre(
        id=centre_id,
        name=offered.centre,
        groups=groups,
        counters=tuple(Counter(desk.name, desk.skills, desk.zone) for desk in offered.counters),
        priorities=tuple(PriorityGroup(group.id, group.name) for group in offered.priorities),
    )
    check(centre)
    return centre


def _service(offered: catalogue.Service) -> Service:
    service = Service(
        offered.id,
        offered.name,
        offered.series,
        daily_cap=int(offered.daily_cap),
        procedures=offered.procedures,
    )
    if offered.mean_minutes is not None:
        service = replace(service, mean_minutes=float(offered.mean_minutes))
    if offered.target_minutes is not None:
        service = replace(service, target_minutes=float(offered.target_minutes))
    return service


def check(centre: Centre) -> None:
    """Raise SettingsError for what types alone do not forbid."""
    ids = [service.id for group in centre.groups for service in group.services]
    for what, names in (("service", ids), ("counter", [counter.name for counter in centre.counters])):
        for name in names:
            if not IDENTIFIER.fullmatch(name):
                raise SettingsError(f"{what} {name!r}: allowed are letters, digits, dot, dash, underscore, at most 40")
            if names.count(name) > 1:
                raise SettingsError(f"{what} {name} is there twice")
    for service in centre.services.values():
        if not SERIES.fullmatch(service.series):
            raise SettingsError(f"service {service.id}: series is {service.series!r}; allowed: 1 to 4 capital letters")
        if not 0.1 <= service.mean_minutes <= 480 or service.target_minutes < 0 or service.daily_cap < 0:
            raise SettingsError(f"service {service.id}: minutes or cap out of range")
    for counter in centre.counters:
        unknown = set(counter.skills) - set(ids)
        if unknown:
            raise SettingsError(f"counter {counter.name}: unknown services {', '.join(sorted(unknown))}")
    _check_times(centre)
    _check_rule(centre)


def _check_times(centre: Centre) -> None:
    try:
        ZoneInfo(centre.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"zone is {centre.zone!r}; allowed: an IANA name such as Asia/Ho_Chi_Minh") from None
    if not 0 <= centre.cut_over_hours <= 12:
        raise SettingsError("cut_over_hours: allowed are 0 to 12")
    if any(w.start >= w.end for w in (*centre.windows, *centre.hall.quiet)):
        raise SettingsError("windows: each must end after its start")
    if not set(centre.weekdays) <= set(range(7)) or not 0 <= centre.stop_issuing_minutes <= 480:
        raise SettingsError("weekdays are 0 to 6, stop_issuing_minutes 0 to 480")


def _check_rule(centre: Centre) -> None:
    if not 0 <= centre.hall.volume <= 1:
        raise SettingsError("hall: volume 0 to 1")
    rule, calling, booking = centre.rule, centre.calling, centre.appointments
    if not (1 <= rule.rate <= 10 and 0 <= rule.head_start_minutes <= 240 and 1 <= rule.ratio <= 10):
        raise SettingsError("rule: rate 1 to 10, head_start_minutes 0 to 240, ratio 1 to 10")
    if not (0 <= rule.early_minutes <= 240 and 0 <= rule.late_minutes <= 240):
        raise SettingsError("rule: early_minutes and late_minutes 0 to 240")
    if not (0 <= calling.recalls <= 20 and 0 <= calling.recall_seconds <= 600 and calling.calls_before_no_show >= 1):
        raise SettingsError("calling: recalls 0 to 20, recall_seconds 0 to 600, calls_before_no_show at least 1")
    if not (5 <= booking.slot_minutes <= 240 and 0 <= booking.capacity <= 100 and 1 <= booking.days_ahead <= 90):
        raise SettingsError("appointments: slot_minutes 5 to 240, capacity 0 to 100, days_ahead 1 to 90")


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def shown_number(series: str, n: int) -> str:
    """«HT-001»; from the thousandth on it is longer, never reused."""
    return f"{series}-{n:03d}"


def text_json(text: Text) -> dict[str, str]:
    """Both languages for a page or a kiosk."""
    return {"vi": text.vi, "en": text.in_("en")}


Json = dict[str, Any]
