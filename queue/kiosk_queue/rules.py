"""The calling rule: pure functions over the heads of the waiting classes and the time (queue reference §5).

Aging 2:1: credit grows with waiting, twice as fast for priority groups. No class can starve, and an ordinary citizen
is overtaken only by a priority citizen who has waited at least half as long.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

PRIORITY_RATE = 2


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting ticket as the rule sees it; `place` is its rank of arrival, `urgent`: of a priority group."""

    ticket: str
    number: str
    place: int
    urgent: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """The ticket to call and why, in words for the officer."""

    head: Waiting
    reason: str


def choose(heads: Iterable[Waiting], now: datetime) -> Choice | None:
    """Who is next among the first of each class (service × priority); None if nobody waits."""
    ranked = sorted(heads, key=lambda head: _rank(head, now))
    if not ranked:
        return None
    return Choice(ranked[0], _explain(ranked[0], ranked[1:], now))


def ahead(mine: Waiting, others: Iterable[Waiting], now: datetime) -> int:
    """How many of `others` would be called before `mine` if nobody else came."""
    return sum(_rank(other, now) < _rank(mine, now) for other in others if other.ticket != mine.ticket)


def credit(waiting: Waiting, now: datetime) -> float:
    """Seconds waited, counted at the rate of the class; a clock set back counts as no wait."""
    seconds = max(0.0, (now - waiting.since).total_seconds())
    return seconds * (PRIORITY_RATE if waiting.urgent else 1)


def _rank(waiting: Waiting, now: datetime) -> tuple[float, int]:
    return -credit(waiting, now), waiting.place


def _explain(first: Waiting, rest: Iterable[Waiting], now: datetime) -> str:
    rival = next((other for other in rest if other.urgent != first.urgent), None)
    waited = _minutes((now - first.since).total_seconds())
    if first.urgent:
        text = f"Ưu tiên: đã chờ {waited}{_doubled(first, now)}"
        return f"{text}; số thường chờ lâu nhất là {_of(rival, now)}" if rival else text
    text = f"Chờ lâu nhất: {waited}"
    if rival is None:
        return text
    return f"{text}; số ưu tiên đầu hàng {_of(rival, now)}{_doubled(rival, now)}"


def _doubled(waiting: Waiting, now: datetime) -> str:
    counted = credit(waiting, now)
    return f", tính gấp đôi thành {_minutes(counted)}" if counted >= 60 else ""


def _of(waiting: Waiting, now: datetime) -> str:
    return f"{waiting.number} (chờ {_minutes((now - waiting.since).total_seconds())})"


def _minutes(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return f"{int(seconds // 60)} phút" if seconds >= 60 else "chưa đến 1 phút"
