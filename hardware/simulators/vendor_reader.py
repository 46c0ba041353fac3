"""What the simulated vendors' readers share: the cards at hand, the one that lies there, and what goes wrong."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hardware.simulators.personalisation.files import card_files
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation, at_hand, load_people
from hardware.simulators.simulator import Simulator, UnknownAction


class VendorReaderSimulator(Simulator):
    """A reader that opens the chip itself. At most one of the cards lies on it."""

    name = "card"
    actions: Mapping[str, str] = {
        "lay": "lay down {card}",
        "lift": "take the card away",
        "fault": "let what comes go wrong by {kind}, or none",
        "unplug": "pull the cable",
        "plug": "plug the cable in",
    }
    faults: Mapping[str, str]
    """What can go wrong, with one line of what it does."""

    def __init__(self, cards: Path | Mapping[str, Personalisation], issuer: Issuer | None = None) -> None:
        self.people = load_people(cards) if isinstance(cards, Path) else dict(cards)
        self.issuer = issuer or Issuer()
        self.fault = "none"
        self._lying: str | None = None
        self._files: Mapping[int, bytes] = {}

    def write_csca(self, folder: Path) -> Path:
        """Put the test CSCA's certificate into a trust folder; returns the file."""
        return self.issuer.write_csca(folder)

    @property
    @abstractmethod
    def plugged(self) -> bool:
        """Whether the wire is open."""

    @abstractmethod
    async def tell(self) -> None:
        """Say over the wire whether a card lies there."""

    @property
    def holder(self) -> Personalisation | None:
        """Whose card lies there."""
        return None if self._lying is None else self.people[self._lying]

    def state(self) -> dict[str, Any]:
        """The card on the reader, the cards at hand, and what goes wrong."""
        faults = ["none", *self.faults]
        return {
            "card": self._lying,
            "fault": self.fault,
            "faults": faults,
            "plugged": self.plugged,
            "cards": at_hand(self.people),
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        match action, parameters:
            case "lay", {"card": str(card), **rest} if card in self.people and not rest:
                await self.lift()
                self._files = await asyncio.to_thread(card_files, self.people[card], self.issuer)
                self._lying = card
                await self.tell()
            case "lift", {**rest} if not rest:
                await self.lift()
            case "fault", {"kind": str(kind), **rest} if kind in ("none", *self.faults) and not rest:
                self.fault = kind
            case "unplug", {**rest} if not rest:
                await self.stop()
            case "plug", {**rest} if not rest:
                await self.start()
            case _:
                raise UnknownAction(f"{action} {parameters}: allowed are {dict(self.actions)}; kinds {self.faults}")

    async def lift(self) -> None:
        """Take the card away."""
        if self._lying is not None:
            self._lying, self._files = None, {}
            await self.tell()
