"""A clock that goes as real ones do, but from a Monday morning on: no test runs across midnight (17:00 UTC)."""

import time
from datetime import UTC, datetime, timedelta

EIGHT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Eight o'clock in Vietnam."""


class Morning:
    """One for everything in a process that has to agree about the day."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return EIGHT + timedelta(seconds=time.monotonic() - self._begun)

    def monotonic(self) -> float:
        return time.monotonic()


MORNING = Morning()
