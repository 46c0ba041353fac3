"""A running demonstration in the hands of a script: real touches, the dock's API, pictures of every screen."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from screens.touch import Finger

from demo.programs import Children
from demo.world import World
from kiosk.config import Settings, secret
from kiosk.reception import Reception
from kiosk.visit import Outcome, Presenter

SCREEN_SECONDS = 20.0


@dataclass(slots=True)
class VisitRecord:
    """What one scripted visit left behind."""

    name: str
    outcome: str = ""
    seconds: float = 0.0
    screens: list[str] = field(default_factory=list)
    slips: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The shape of `visits` in report.json."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 1),
            "screens": self.screens,
            "slips": self.slips,
        }


class Stage:
    """Everything a script needs. Screens are waited for by name, never by time."""

    def __init__(
        self,
        world: World,
        settings: Settings,
        children: Children,
        reception: Reception,
        presenter: Presenter,
        folder: Path,
    ) -> None:
        self.world = world
        self.settings = settings
        self.children = children
        self.finger = Finger(presenter)
        self.folder = folder
        self.visits: list[VisitRecord] = []
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        reception.on_visit_ended = self._outcomes.put_nowait
        self._pictures = 0
        self._slips = 0

    # --- the person ---

    async def see(self, screen: str, seconds: float = SCREEN_SECONDS) -> None:
        """Wait for a screen, let it settle, take its picture."""
        await self.finger.wait_for(screen, seconds)
        self._pictures += 1
        name = f"{self._pictures:02}-{screen}.png"
        await self.finger.screenshot(self.folder / name)
        self.visits[-1].screens.append(name)

    async def tap(self, *keys: str) -> None:
        """Touch one target after the other on the present screen."""
        for key in keys:
            await self.finger.tap(key)

    async def answer(self, screen: str, *keys: str) -> None:
        """See a screen and touch its targets."""
        await self.see(screen)
        await self.tap(*keys)

    async def visit(self, name: str, script: Callable[["Stage"], Awaitable[None]], expected: Outcome) -> bool:
        """Play one visit from the attract screen to the wipe; whether it ended as expected."""
        record = VisitRecord(name)
        self.visits.append(record)
        begun = time.monotonic()
        await self.finger.wait_for("attract", SCREEN_SECONDS)
        try:
            await script(self)
            outcome = await asyncio.wait_for(self._outcomes.get(), 40)
            record.outcome = outcome.value
        except (TimeoutError, LookupError, AssertionError) as error:
            record.outcome = f"stuck: {error or type(error).__name__}"
            self._pictures += 1
            await self.finger.screenshot(self.folder / f"{self._pictures:02}-stuck.png")
        record.seconds = time.monotonic() - begun
        await self.collect_slips()
        return record.outcome == expected.value

    # --- the things around the kiosk ---

    async def dock(self, simulator: str, action: str, **parameters: Any) -> None:
        """Move a simulated device, as the dock's page does."""
        url = f"http://127.0.0.1:{self.world.ports.dock}/api/{simulator}/{action}"
        answer = await asyncio.to_thread(requests.post, url, json=parameters, timeout=10)
        if not answer.ok:
            raise LookupError(f"dock: {simulator} {action}: {answer.text}")

    async def dock_state(self) -> dict[str, Any]:
        """What every simulated device shows."""
        url = f"http://127.0.0.1:{self.world.ports.dock}/api/state"
        state: dict[str, Any] = (await asyncio.to_thread(requests.get, url, timeout=10)).json()
        return state

    async def card(self, name: str) -> dict[str, Any]:
        """One of the dock's ID cards: name, holder, personal_id, birth, expiry, qr."""
        cards: list[dict[str, Any]] = (await self.dock_state())["card"]["cards"]
        return next(card for card in cards if card["name"] == name)

    async def collect_slips(self) -> None:
        """Copy the papers that came out since the last time as slip-NN.png."""
        papers = (await self.dock_state())["printer"]["papers"]
        for name in papers[self._slips :]:
            self._slips += 1
            slip = f"slip-{self._slips:02}.png"
            shutil.copyfile(self.settings.simulators.papers / name, self.folder / slip)
            self.visits[-1].slips.append(slip)

    async def tthc(self, path: str) -> requests.Response:
        """GET from the model TTHC system."""
        user, _, password = secret(self.settings.tthc_model.user_file, "TTHC user").partition(":")
        url = f"http://127.0.0.1:{self.world.ports.tthc}/o/rest/v2/{path}"
        return await asyncio.to_thread(requests.get, url, auth=(user, password), timeout=10)

    async def queue(self, path: str) -> Any:
        """GET from the queue server as the kiosk."""
        token = secret(self.settings.queue.token_file, "kiosk token")
        url = f"http://127.0.0.1:{self.world.ports.queue}/{path}"
        headers = {"Authorization": f"Bearer {token}"}
        return (await asyncio.to_thread(requests.get, url, headers=headers, timeout=10)).json()
