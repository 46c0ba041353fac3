"""A card that moves while it is read: reading goes on by itself, and nobody is stuck."""

import asyncio
from dataclasses import replace

import pytest

from kiosk.health import Failure, Level, Reason
from kiosk.journeys.identify import identify
from kiosk.questions import (
    ConfirmHolder,
    Control,
    Mend,
    PlaceCard,
    Remedy,
    Settings,
    ShowCardQr,
    TakeCard,
    Working,
)
from kiosk.visit import Outcome, Patience, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, PlainCard, plain_equipment

BY_QR = [(PlaceCard, WAITS), (ShowCardQr, WAITS)]
CONFIRMED = [(ConfirmHolder, True), (TakeCard, WAITS)]
LIFTED, MUTE = Failure(Reason.CARD_REMOVED), Failure(Reason.CARD_MUTE)


class MovingCard(PlainCard):
    """A card in a hand: `present` is where it is, `shares` how far each go of reading comes."""

    def __init__(self):
        super().__init__()
        self.shares = []
        self.moved = asyncio.Event()

    def lay(self, there):
        self.present = there
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    async def wait_for_card(self):
        while not self.present:
            await self.moved.wait()
        return self.waiting

    async def wait_for_removal(self):
        while self.present:
            await self.moved.wait()

    async def read(self, keys, progress):
        if self.shares:
            progress(self.shares.pop(0))
        result = await super().read(keys, lambda _: None)
        if result in (LIFTED, MUTE):
            self.lay(result is MUTE)
        return result


class Watcher(ScriptedPerson):
    """Notes what the screens of work say and how far they are; answers those that `answers` names."""

    def __init__(self, *script, answers=None):
        super().__init__(*script)
        self.answers = answers or {}
        self.shown = []

    async def show(self, question, frame):
        if isinstance(question, Working):
            self.shown.append(question)
            if question.what in self.answers:
                self.working.append(question.what)
                return self.answers.pop(question.what)
        return await super().show(question, frame)


@pytest.fixture
def equipment():
    equipment = replace(plain_equipment(), card=MovingCard())
    equipment.scanner.codes = [CARD_QR]
    equipment.card.present = True
    return equipment


async def see(person, what, times=1):
    async with asyncio.timeout(30):
        while person.working.count(what) < times or person.working[-1] != what:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)


def begin(equipment, *script, patience=None, answers=None):
    person = Watcher(*BY_QR, *script, answers=answers)
    visit = Visit(equipment, person, Settings(), patience or Patience())
    return person, asyncio.create_task(visit.run(identify))


async def test_a_card_laid_back_is_read_on_with_the_same_keys_and_without_a_touch(equipment):
    equipment.card.results = [LIFTED, HOLDER]
    person, visit = begin(equipment, *CONFIRMED)
    await see(person, "card_lifted")
    assert not visit.done()
    equipment.card.lay(True)
    await see(person, "reading_card", times=2)
    equipment.card.lay(False)
    assert await visit is Outcome.COMPLETED
    assert equipment.card.keys[0] == equipment.card.keys[1]
    assert [type(q) for q in person.seen] == [PlaceCard, ShowCardQr, ConfirmHolder, TakeCard]


async def test_what_was_reached_stays_on_screen_and_never_goes_back(equipment):
    equipment.card.results = [LIFTED, HOLDER]
    equipment.card.shares = [0.43, 0.1]
    person, visit = begin(equipment, *CONFIRMED)
    await see(person, "card_lifted")
    assert person.shown[-1].progress() == 0.43
    equipment.card.lay(True)
    await see(person, "reading_card", times=2)
    equipment.card.lay(False)
    await visit
    assert person.shown[-1].progress() == 0.43


async def test_a_card_only_nudged_is_read_on_though_nobody_saw_it_leave(equipment):
    equipment.card.results = [LIFTED, HOLDER]
    equipment.card.lay = lambda there: None
    person, visit = begin(equipment, (ConfirmHolder, True), (TakeCard, None))
    await see(person, "reading_card", times=2)
    assert await visit is Outcome.COMPLETED


async def test_a_card_that_lies_wrong_is_read_after_it_was_turned(equipment):
    equipment.card.results = [MUTE, HOLDER]
    person, visit = begin(equipment, *CONFIRMED)
    await see(person, "card_mute")
    await asyncio.sleep(0.05)
    assert len(equipment.card.keys) == 1, "it still lies wrong"
    equipment.card.lay(False)
    await asyncio.sleep(0.01)
    equipment.card.lay(True)
    await see(person, "reading_card", times=2)
    equipment.card.lay(False)
    assert await visit is Outcome.COMPLETED


async def test_a_card_lifted_to_show_its_qr_code_is_waited_for_and_that_is_no_lift(equipment):
    equipment.card.results = [LIFTED, LIFTED, HOLDER]
    equipment.card.present = False
    person, visit = begin(equipment, *CONFIRMED)
    person.script[0] = (PlaceCard, lambda q: None)  # it lay there for a moment
    await see(person, "card_missing")
    equipment.card.lay(True)
    for lifts in (1, 2):
        await see(person, "card_lifted", times=lifts)
        equipment.card.lay(True)
    await see(person, "reading_card", times=3)
    equipment.card.lay(False)
    assert await visit is Outcome.COMPLETED


async def test_three_lifts_in_a_row_bring_the_remedy(equipment):
    equipment.card.results = [LIFTED] * 3
    person, visit = begin(equipment, (Remedy, Mend.LEAVE))
    for lifts in (1, 2):
        await see(person, "card_lifted", times=lifts)
        equipment.card.lay(True)
    assert await visit is Outcome.GAVE_UP
    assert person.last(Remedy).reason is Reason.CARD_REMOVED
    assert Mend.WITHOUT in person.last(Remedy).offers


async def test_while_the_card_is_away_one_may_go_on_without_it(equipment):
    equipment.card.results = [LIFTED]
    equipment.scanner.codes = [CARD_QR, CARD_QR]
    person, visit = begin(equipment, (ShowCardQr, WAITS), (ConfirmHolder, True), answers={"card_lifted": None})
    assert await visit is Outcome.COMPLETED
    assert person.last(ConfirmHolder).citizen.grade.value == "qr_only"
    assert all(work.can_cancel for work in person.shown)


async def test_back_while_the_card_is_away_returns_to_the_qr_code(equipment):
    equipment.card.results = [LIFTED]
    equipment.scanner.codes = [CARD_QR, CARD_QR]
    person, visit = begin(equipment, (ShowCardQr, WAITS), *CONFIRMED, answers={"card_lifted": Control.BACK})
    await see(person, "card_missing")
    equipment.card.lay(True)
    await see(person, "reading_card", times=2)
    equipment.card.lay(False)
    assert await visit is Outcome.COMPLETED


async def test_back_after_a_lift_does_not_go_to_the_lifted_card(equipment):
    equipment.card.results = [LIFTED]
    equipment.scanner.codes = [CARD_QR, CARD_QR]
    person, visit = begin(equipment, (ConfirmHolder, Control.BACK), (ShowCardQr, WAITS), *CONFIRMED)
    await see(person, "card_lifted")
    equipment.card.lay(True)
    await see(person, "reading_card", times=3)
    equipment.card.lay(False)
    assert await visit is Outcome.COMPLETED


async def test_who_walks_away_with_the_card_is_forgotten_in_time(equipment):
    equipment.card.results = [LIFTED]
    person, visit = begin(equipment, patience=Patience(60, 30))
    await see(person, "card_lifted")
    equipment.clock.seconds = 65
    async with asyncio.timeout(30):
        while not person.warnings:
            await asyncio.sleep(0.01)
    equipment.clock.seconds = 91
    assert await visit is Outcome.TIMED_OUT
    assert equipment.card.forgotten == 1


async def test_a_reader_unplugged_while_the_card_is_away_is_told(equipment):
    equipment.card.results = [LIFTED]
    person, visit = begin(equipment, (Remedy, Mend.LEAVE))
    await see(person, "card_lifted")
    equipment.card.publish(Level.ABSENT, Reason.NO_READER)
    equipment.card.waiting = Failure(Reason.NO_READER)
    equipment.card.lay(True)
    assert await visit is Outcome.GAVE_UP
    assert person.last(Remedy).reason is Reason.NO_READER
