"""The contract every device keeps: an async context manager that publishes its status and comes back by itself."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from kiosk.health import Level, Reason, Status

log = logging.getLogger(__name__)


class Device(ABC):
    """A device in use between `__aenter__` and `__aexit__`.

    Subclasses run their blocking library on a worker of their own and call `_publish` on every change; it logs
    changes, never polls. Entering never fails because hardware is missing: that is a status.
    """

    name: str

    def __init__(self) -> None:
        self._status = Status(Level.ABSENT, Reason.STARTING, datetime.now(UTC))
        self.on_change: Callable[[Status], None] | None = None

    @property
    def status(self) -> Status:
        """The state now."""
        return self._status

    def _publish(self, level: Level, reason: Reason, detail: str = "") -> None:
        """Take over a state; the same level and reason again is no change. Callable from any thread."""
        if (level, reason) == (self._status.level, self._status.reason):
            return
        self._status = Status(level, reason, datetime.now(UTC), detail)
        log.info("device %s: %s (%s) %s", self.name, level.value, reason.value, detail)
        if self.on_change is not None:
            self.on_change(self._status)

    def forget(self) -> None:  # noqa: B027  # most devices hold nothing of a citizen
        """Drop everything of the present citizen. Never fails, never blocks."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to work and to publish."""

    @abstractmethod
    async def stop(self) -> None:
        """End all workers; the device can be started again."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
