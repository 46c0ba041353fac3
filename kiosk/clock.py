"""Time in one place: stored UTC, shown in the centre's zone, business day, durations monotonic."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock(Protocol):
    """What tells the time; tests turn its hands."""

    def now(self) -> datetime:
        """The time, UTC, with its zone."""

    def monotonic(self) -> float:
        """Seconds that never jump."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, UTC, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


def utc_iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: how times are stored, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The moment that `utc_iso` wrote."""
    return datetime.fromisoformat(text)


def business_day(moment: datetime, zone: ZoneInfo = HANOI, cut_over_hours: int = 0) -> date:
    """The centre's working day at `moment`: it begins `cut_over_hours` after local midnight."""
    return (moment.astimezone(zone) - timedelta(hours=cut_over_hours)).date()


def shown(moment: datetime, zone: ZoneInfo = HANOI) -> str:
    """«08:05 23/11/2026»: hour, minute, day, month, year, as official Vietnamese papers write it."""
    return moment.astimezone(zone).strftime("%H:%M %d/%m/%Y")
