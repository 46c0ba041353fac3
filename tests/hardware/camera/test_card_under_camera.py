"""The camera alone opens the chip: simulated card under the simulated camera, then on the reader behind pcscd."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.camera import DocumentCamera
from hardware.card.reader import PcscCardReader
from hardware.simulators.camera import CameraSimulator
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import load_people
from hardware.simulators.simulator import UnknownAction
from kiosk.config import CardSettings
from kiosk.health import Level, Reason
from kiosk.i18n import ASSETS
from kiosk.journeys.identify import identify
from kiosk.questions import ConfirmHolder, PlaceCard, Settings, ShowCardToCamera, TakeCard
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import plain_equipment
from waiting import until

PEOPLE = load_people(ASSETS / "cards")


@pytest.fixture
async def desk() -> AsyncIterator[CameraSimulator]:
    simulator = CameraSimulator(people=PEOPLE)
    await simulator.start()
    yield simulator
    await simulator.stop()


async def test_a_card_nobody_has_cannot_be_laid_down(desk: CameraSimulator) -> None:
    with pytest.raises(UnknownAction, match="card-back-mau"):
        await desk.act("lay", paper="card-back-nobody")


class Hand(ScriptedPerson):
    """Lays the card on the reader, then under the camera when asked, back on the reader, and takes it."""

    def __init__(self, side: str, cards: CardSimulator, desk: CameraSimulator) -> None:
        super().__init__((PlaceCard, WAITS), (ShowCardToCamera, WAITS), (ConfirmHolder, True), (TakeCard, WAITS))
        self._side, self._cards, self._desk = side, cards, desk

    async def show(self, question, frame):
        match question:
            case PlaceCard():
                await self._cards.act("lay", card="mau")
            case ShowCardToCamera():
                await self._cards.act("lift")
                await self._desk.act("lay", paper=f"card-{self._side}-mau")
            case TakeCard():
                await self._cards.act("lift")
        if getattr(question, "what", "") == "card_missing":
            await self._desk.act("clear")
            await self._cards.act("lay", card="mau")
        return await super().show(question, frame)


async def known(visit: Visit) -> None:
    await identify(visit)


@pytest.mark.parametrize("side", ["front", "back"])
async def test_the_camera_alone_opens_the_chip(
    side: str, camera: DocumentCamera, desk: CameraSimulator, tmp_path: Path
) -> None:
    cards = CardSimulator(PEOPLE, issuer=Issuer())
    cards.write_csca(tmp_path)
    async with Pcscd(patience=60), PcscCardReader(CardSettings(csca=tmp_path)) as reader:
        await cards.start()
        await until(lambda: reader.status.level is Level.READY)
        equipment = replace(plain_equipment(), card=reader, camera=camera)
        equipment.scanner.publish(Level.ABSENT, Reason.NO_SCANNER)
        hand = Hand(side, cards, desk)
        async with asyncio.timeout(60):
            assert await Visit(equipment, hand, Settings()).run(known) is Outcome.COMPLETED
        holder = hand.last(ConfirmHolder).citizen
        await cards.stop()
    assert (holder.personal_id, holder.grade.value) == (PEOPLE["mau"].personal_id, "issuer_verified")
    assert hand.working == ["card_missing", "reading_card"]
