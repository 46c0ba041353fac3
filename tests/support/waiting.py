"""Waiting in tests: for what must come true, and no longer than it takes."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Wait for a condition; the seconds that it took. AssertionError after `seconds`."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "waited in vain"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> object:
    """As `until`, where no event loop runs; what the condition came to."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value
