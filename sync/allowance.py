"""How often something may happen within a sliding window, by key; in memory, bounded."""

import threading
import time
from collections import OrderedDict, deque

MOST_KEYS = 10_000


class Allowance:
    """`times` events per key within `seconds`. Usable from any thread."""

    def __init__(self, times: int, *, seconds: float) -> None:
        self._times = times
        self._seconds = seconds
        self._events: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def left(self, key: str) -> bool:
        """Whether one more would be allowed."""
        with self._lock:
            return len(self._recent(key)) < self._times

    def take(self, key: str) -> bool:
        """Count one; False if it is one too many."""
        with self._lock:
            events = self._recent(key)
            if len(events) >= self._times:
                return False
            events.append(time.monotonic())
            self._events[key] = events
            self._events.move_to_end(key)
            if len(self._events) > MOST_KEYS:
                self._events.popitem(last=False)
            return True

    def _recent(self, key: str) -> deque[float]:
        events = self._events.get(key, deque())
        while events and events[0] < time.monotonic() - self._seconds:
            events.popleft()
        return events
