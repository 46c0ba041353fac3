"""The contract every device keeps: an async context manager that publishes its status and comes back by itself."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from kiosk.health import Published


class Device(Published, ABC):
    """A device in use between `__aenter__` and `__aexit__`.

    Subclasses run their blocking library on a worker of their own and `publish` every change. Entering never fails
    because hardware is missing: that is a status.
    """

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
