"""The calling rules: pure functions over the heads of the waiting classes and the time (queue reference §5).

The same code decides at the counter, in the estimate and in the simulator.

- strict: priority first, always.
- head_start: a priority citizen counts as come some minutes earlier.
- ratio: n priority citizens, then an ordinary one; but never past a priority citizen who came earlier.
- aging (default): credit grows with waiting, twice as fast for priority groups. No class can starve, and an ordinary
  citizen is overtaken only by a priority citizen who has waited at least half as long.

A citizen with an appointment waits from its time on, not from the moment of check-in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kiosk_queue.model import Rule

FIRST_COME = Rule(name="head_start", head_start_minutes=0)
"""The reference that rules are measured against: nobody counts as earlier."""
ALWAYS = 1e9
"""Seconds by which a priority citizen counts as earlier where priority comes first always."""

Score = Callable[[float, bool, float], float]
"""(since, urgent, now), in seconds of one clock: the smallest is next, the older one among equals."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting ticket as a rule sees it; `place` is its rank of arrival, `since` when its wait began to count.

    `first`: to be called before the rule is asked, as an officer wished when transferring.
    """

    ticket: str
    number: str
    place: int
    urgent: bool
    since: datetime
    service: str = ""
    appointment: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The ticket to call and why, in words for the officer."""

    head: Waiting
    reason: str


@dataclass(frozen=True, slots=True)
class Recent:
    """What a rule with memory needs: how many priority citizens were called since the last ordinary one."""

    urgent_in_a_row: int = 0


def choose(heads: Iterable[Waiting], now: datetime, rule: Rule, recent: Recent = Recent()) -> Choice | None:
    """Who is next among the first of each class (service × priority); None if nobody may be called yet."""
    ranked = order(heads, now, rule, recent)
    if not ranked:
        return None
    return Choice(ranked[0], _explain(ranked[0], ranked[1:], now, rule, recent))


def order(heads: Iterable[Waiting], now: datetime, rule: Rule, recent: Recent = Recent()) -> list[Waiting]:
    """The heads as the rule ranks them; appointments whose time is not near are left out."""
    early = timedelta(minutes=rule.early_minutes)
    present = [head for head in heads if not head.appointment or head.since - early <= now]
    ranked = _sorted(present, now, rule)
    if len(ranked) > 1 and ranked[0].urgent and not ranked[0].first:
        ordinary = next((head for head in ranked if not head.urgent), None)
        if ordinary is not None and ordinary_turn(
            rule, recent.urgent_in_a_row, ordinary.since.timestamp(), ranked[0].since.timestamp()
        ):
            ranked.remove(ordinary)
            ranked.insert(0, ordinary)
    return ranked


def ahead(mine: Waiting, others: Iterable[Waiting], now: datetime, rule: Rule) -> int:
    """How many of `others` would be called before `mine` if nobody else came and no time passed."""
    line = _sorted([mine, *(other for other in others if other.ticket != mine.ticket)], now, rule)
    return line.index(mine)


def credit(waiting: Waiting, now: datetime, rule: Rule) -> float:
    """Seconds waited, counted at the rate of the class; a clock set back or an appointment ahead counts as no wait."""
    seconds = max(0.0, (now - waiting.since).total_seconds())
    return seconds * (rule.rate if waiting.urgent else 1.0)


def score(rule: Rule) -> Score:
    """How the rule ranks, on plain seconds: the estimate asks it some hundred thousand times.

    Ages ahead of the clock (it was set back, or an appointment is still to come) rank after all others, by time.
    """
    if rule.name == "aging":
        rate = rule.rate

        def aging(since: float, urgent: bool, now: float) -> float:
            waited = now - since
            return -waited * (rate if urgent else 1.0) if waited > 0 else -waited

        return aging
    shift = rule.head_start_minutes * 60 if rule.name == "head_start" else ALWAYS

    def shifted(since: float, urgent: bool, now: float) -> float:  # noqa: ARG001  # one signature for every rule
        return since - shift if urgent else since

    return shifted


def ordinary_turn(rule: Rule, urgent_in_a_row: int, ordinary_since: float, urgent_since: float) -> bool:
    """Under ratio, whether the first ordinary citizen goes before the first priority citizen now.

    The guard against inversion: not past a priority citizen who came earlier.
    """
    return rule.name == "ratio" and urgent_in_a_row >= rule.ratio and ordinary_since < urgent_since


def _sorted(people: Iterable[Waiting], now: datetime, rule: Rule) -> list[Waiting]:
    rank, moment = score(rule), now.timestamp()

    def key(waiting: Waiting) -> tuple[bool, float, float, int]:
        since = waiting.since.timestamp()
        return not waiting.first, rank(since, waiting.urgent, moment), since, waiting.place

    return sorted(people, key=key)


def _explain(first: Waiting, rest: Sequence[Waiting], now: datetime, rule: Rule, recent: Recent) -> str:
    rival = next((other for other in rest if other.urgent != first.urgent), None)
    if first.first:
        return "Được chuyển đến, gọi trước theo yêu cầu của cán bộ"
    waited = _minutes((now - first.since).total_seconds())
    if first.appointment:
        kind = "Ưu tiên có hẹn" if first.urgent else "Có hẹn"
        text = f"{kind}, chờ tính từ giờ hẹn: {waited}" if first.since <= now else f"{kind}, sắp đến giờ hẹn"
    else:
        text = f"Ưu tiên: đã chờ {waited}" if first.urgent else f"Chờ lâu nhất: {waited}"
    return text + _because(first, rival, now, rule, recent)


def _because(first: Waiting, rival: Waiting | None, now: datetime, rule: Rule, recent: Recent) -> str:
    """What in the rule, and against whom, decided."""
    if rule.name == "aging":
        own = f", tính {_rate(rule)} thành {_minutes(credit(first, now, rule))}" if first.urgent else ""
        if rival is None:
            return own
        other = f", tính {_rate(rule)} thành {_minutes(credit(rival, now, rule))}" if rival.urgent else ""
        whom = "số thường chờ lâu nhất là" if first.urgent else "số ưu tiên đầu hàng"
        return f"{own}; {whom} {_of(rival, now)}{other}"
    if rival is None:
        return ""
    if rule.name == "head_start":
        return f"; ưu tiên được tính sớm hơn {rule.head_start_minutes:g} phút, {_of(rival, now)}"
    if rule.name == "ratio":
        if first.urgent and recent.urgent_in_a_row < rule.ratio:
            turn = f"lượt ưu tiên {recent.urgent_in_a_row + 1} trong {rule.ratio}"
            return f"; {turn}, số thường đầu hàng là {_of(rival, now)}"
        if first.urgent:
            return f"; đến sớm hơn số thường đầu hàng {_of(rival, now)}"
        return f"; đến lượt số thường sau {rule.ratio} số ưu tiên, {_of(rival, now)}"
    return f"; ưu tiên luôn trước, {_of(rival, now)}" if first.urgent else ""


def _rate(rule: Rule) -> str:
    return "gấp đôi" if rule.rate == 2 else f"nhân {rule.rate:g}"


def _of(waiting: Waiting, now: datetime) -> str:
    return f"{waiting.number} (chờ {_minutes((now - waiting.since).total_seconds())})"


def _minutes(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return f"{int(seconds // 60)} phút" if seconds >= 60 else "chưa đến 1 phút"
