"""The card's QR code opens its chip without a word typed, whatever the holder's age: real reader, real scanner."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hardware.card.reader import PcscCardReader
from hardware.scanner import SerialScanner
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.look import Look
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.scanner import ScannerSimulator
from kiosk.config import ScannerSettings
from kiosk.health import Level
from kiosk.journeys.identify import identify
from kiosk.questions import ConfirmHolder, PlaceCard, Settings, ShowCardQr, TakeCard, TypeAccessKey
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import plain_equipment


def person(birth: date, issued: date, expiry: date | None) -> Personalisation:
    """An invented woman."""
    century = 1 if birth.year < 2000 else 3
    number = f"001{century}{birth.year % 100:02}000123"
    name, address, origin = "NGUYỄN THỊ THỬ", "Số 1 phố Thí Dụ, Hà Nội", "Yên Mô, Ninh Bình"
    return Personalisation(number, name, birth, "Nữ", address, origin, issued, Look("long"), expiry)


PEOPLE = {
    "16-to-25": person(date(2008, 3, 4), date(2024, 9, 2), date(2033, 3, 4)),
    "25-to-40": person(date(1995, 3, 4), date(2021, 5, 5), date(2035, 3, 4)),
    "40-to-60": person(date(1980, 3, 4), date(2021, 5, 5), date(2040, 3, 4)),
    "over-60": person(date(1955, 3, 4), date(2021, 5, 5), None),
    "soon-25": person(date(1999, 3, 4), date(2022, 3, 4), date(2039, 3, 4)),
    "soon-40": person(date(1983, 3, 4), date(2021, 5, 5), date(2043, 3, 4)),
    "soon-60": person(date(1963, 3, 4), date(2022, 5, 5), None),
    "born-29-february": person(date(2000, 2, 29), date(2022, 5, 5), date(2025, 3, 1)),
    "child": person(date(2012, 3, 4), date(2024, 9, 2), date(2037, 3, 4)),
    "six-fields": person(date(1986, 3, 4), date(2021, 5, 5), date(2026, 3, 4)),
}


def code_of(name: str) -> str:
    """The QR code of a card; «six-fields» is of the form without a day of issue."""
    fields = PEOPLE[name].qr.split("|")
    return "|".join(fields[:6] if name == "six-fields" else fields)


@pytest.fixture
async def cards(pcscd: Pcscd, issuer: Issuer) -> AsyncIterator[CardSimulator]:
    simulator = CardSimulator(PEOPLE, issuer=issuer)
    await simulator.start()
    yield simulator
    await simulator.stop()


class Hand(ScriptedPerson):
    """Lays the card down, holds it to the scanner when asked, takes it when asked."""

    def __init__(self, name: str, cards: CardSimulator, wire: ScannerSimulator) -> None:
        super().__init__((PlaceCard, WAITS), (ShowCardQr, WAITS), (ConfirmHolder, True), (TakeCard, WAITS))
        self._name, self._cards, self._wire = name, cards, wire

    async def show(self, question: Any, frame: Any) -> Any:
        if isinstance(question, PlaceCard):
            await self._cards.act("lay", card=self._name)
        elif isinstance(question, ShowCardQr):
            await self._wire.act("scan", data=code_of(self._name))
        elif isinstance(question, TakeCard):
            await self._cards.act("lift")
        return await super().show(question, frame)


async def known(visit: Visit) -> None:
    """The whole of a visit here: to be known."""
    await identify(visit)


@pytest.mark.timeout(180)
async def test_nobody_types_a_key(cards: CardSimulator, reader: PcscCardReader, tmp_path: Path) -> None:
    wire = ScannerSimulator(tmp_path / "scanner")
    await wire.start()
    read = {}
    async with SerialScanner(ScannerSettings(device=str(tmp_path / "scanner"))) as scanner:
        async with asyncio.timeout(30):
            while scanner.status.level is not Level.READY:
                await asyncio.sleep(0.02)
        for name in PEOPLE:
            hand = Hand(name, cards, wire)
            equipment = replace(plain_equipment(), card=reader, scanner=scanner)
            assert await Visit(equipment, hand, Settings()).run(known) is Outcome.COMPLETED
            assert not [q for q in hand.seen if isinstance(q, TypeAccessKey)]
            holder = hand.last(ConfirmHolder).citizen
            read[name] = (holder.personal_id, holder.grade.value)
    await wire.stop()
    assert read == {name: (who.personal_id, "issuer_verified") for name, who in PEOPLE.items()}
