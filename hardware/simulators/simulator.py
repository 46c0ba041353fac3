"""What every simulator offers to the dock: a state to show and actions to take."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class UnknownAction(ValueError):
    """The dock asked for something this simulator cannot do, or with wrong parameters."""


class Simulator(ABC):
    """One simulated device: lives in an event loop, is moved by `act`, speaks to drivers over its real wire only."""

    name: str
    actions: Mapping[str, str]
    """Every action with one line of what it does; parameters in braces: `{"lay": "lay down {card}"}`."""

    @abstractmethod
    async def start(self) -> None:
        """Open the wire; raises OSError if it is taken."""

    @abstractmethod
    async def stop(self) -> None:
        """Close the wire."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What is to be seen now, as JSON."""

    @abstractmethod
    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
