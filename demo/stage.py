"""A running demonstration in the hands of a script: real touches, the dock's API, pictures of every screen."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from pysqlite3 import dbapi2 as sqlite

from demo.programs import Children
from demo.world import World
from kiosk.config import Settings, secret
from kiosk.reception import Reception
from kiosk.visit import Outcome
from kiosk_queue.model import shown_number
from screens.presenter import KivyPresenter
from screens.touch import Finger, FingerError

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
        presenter: KivyPresenter,
        folder: Path,
    ) -> None:
        self.world = world
        self.settings = settings
        self.children = children
        self.reception = reception
        self.presenter = presenter
        self.finger = Finger(presenter)
        self.folder = folder
        self.visits: list[VisitRecord] = []
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        reception.on_visit_ended = self._outcomes.put_nowait
        self._pictures = 0
        self._slips = 0

    # --- the person ---

    @property
    def question(self) -> Any:
        """What the present screen asks; None between screens."""
        return self.presenter.screen.question if self.presenter.screen else None

    async def see(self, screen: str, seconds: float = SCREEN_SECONDS) -> None:
        """Wait for a screen that takes touches and take its picture."""
        await self.finger.wait_for(screen, seconds)
        self._picture(screen)

    async def see_that(self, screen: str, what: Callable[[Any], bool], seconds: float = SCREEN_SECONDS) -> None:
        """Wait for a screen whose question has something to show, and take its picture; says «still here» if asked."""
        async with asyncio.timeout(seconds):
            while not (self.presenter.current_name == screen and what(self.question)):
                await self.stay()
                await asyncio.sleep(0.05)
        await self.see(screen, seconds)

    async def stay(self) -> None:
        """Say «still here» if the kiosk asks."""
        if "idle:stay" in self.finger.touchables():
            await self.tap("idle:stay")

    def _picture(self, screen: str) -> None:
        self._pictures += 1
        name = f"{self._pictures:02}-{screen}.png"
        self.finger.screenshot(self.folder / name)
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
        try:
            await self.finger.wait_for("attract", SCREEN_SECONDS)
            while not self._outcomes.empty():  # of a visit that was given up as stuck
                self._outcomes.get_nowait()
            await script(self)
            outcome = await asyncio.wait_for(self._outcomes.get(), 40)
            record.outcome = outcome.value
        except (TimeoutError, LookupError, FingerError, requests.RequestException) as error:
            record.outcome = f"stuck: {error or type(error).__name__}"
            self._picture("stuck")
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

    async def until(self, condition: Callable[[], bool], seconds: float = SCREEN_SECONDS) -> None:
        """Wait for something that has no screen of its own; says «still here» if asked."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.stay()
                await asyncio.sleep(0.05)

    async def until_card_lies(self, there: bool = True) -> None:
        """Wait until the kiosk's reader has seen that a card lies on it, or that none does."""
        reader = self.reception.equipment.card
        async with asyncio.timeout(SCREEN_SECONDS):
            await (reader.wait_for_card() if there else reader.wait_for_removal())

    def texts(self) -> list[str]:
        """Every text on the present screen, from the top."""
        screen = self.presenter.screen
        return [part.text for part in screen.parts() if getattr(part, "text", "")] if screen else []

    async def tickets(self, number: str = "") -> list[dict[str, Any]]:
        """The tickets as the queue server has them, in the order it learned of them, or the one with this number."""
        database = self.settings.queue_server.database
        tickets = await asyncio.to_thread(_tickets, database)
        return [t for t in tickets if number in ("", t["number"])]

    def traces(self, *canaries: str) -> list[str]:
        """Files that hold a citizen's words in plain text: in the world (but for the card itself and what the

        province's own system keeps), in memory-backed folders and in Kivy's.
        """
        own = {self.settings.simulators.cards, self.settings.tthc_model.state}
        folders = [self.world.folder, Path("/dev/shm"), Path(os.environ["KIVY_HOME"])]  # noqa: S108
        needles = [c.encode(code) for c in canaries for code in ("utf-8", "utf-16-le", "utf-32-le")]
        files = [p for folder in folders for p in folder.rglob("*") if p.is_file() and not own & set(p.parents)]
        return [str(p) for p in files if any(needle in p.read_bytes() for needle in needles)]

    async def tthc(self, path: str) -> requests.Response:
        """GET from the model TTHC system."""
        user, _, password = secret(self.settings.tthc_model.user_file, "TTHC user").partition(":")
        url = f"http://127.0.0.1:{self.world.ports.tthc}/o/rest/v2/{path}"
        return await asyncio.to_thread(requests.get, url, auth=(user, password), timeout=10)


def _tickets(database: Path) -> list[dict[str, Any]]:
    """What stands in the queue server's file, read beside it."""
    with contextlib.closing(sqlite.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        rows = connection.execute("SELECT series, n, service, state, paper, issued_at FROM ticket ORDER BY place")
        names = ("service", "state", "paper", "issued_at")
        return [{"number": shown_number(row[0], row[1]), **dict(zip(names, row[2:], strict=True))} for row in rows]
