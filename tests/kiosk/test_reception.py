"""One citizen after the other, whatever happens to one of them."""

import asyncio
import logging
from dataclasses import replace

import pytest

from kiosk.config import KioskSettings
from kiosk.questions import Attract, ChooseErrand, ChooseService, Control, Errand, Mend, Remedy
from kiosk.reception import Reception
from kiosk.visit import Outcome
from person import LEAVES, ScriptedPerson
from plain_equipment import plain_equipment


@pytest.fixture
def equipment():
    return plain_equipment()


async def attend(equipment, *script, visits):
    person = ScriptedPerson(*script, (Attract, LEAVES))
    reception = Reception(equipment, person, KioskSettings())
    outcomes = []
    done = asyncio.Event()

    def ended(outcome):
        outcomes.append(outcome)
        if len(outcomes) == visits:
            done.set()

    reception.on_visit_ended = ended
    task = asyncio.ensure_future(reception.attend())
    async with asyncio.timeout(30):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return person, outcomes


async def test_the_first_touch_chooses_the_language_and_the_next_citizen_starts_anew(equipment):
    person, outcomes = await attend(
        equipment,
        (Attract, "en"),
        (ChooseErrand, Control.START_OVER),
        (Attract, "vi"),
        (ChooseErrand, Control.START_OVER),
        visits=2,
    )
    assert outcomes == [Outcome.STARTED_OVER] * 2
    assert [f.settings.language for f in person.frames[:4]] == ["vi", "en", "vi", "vi"]


async def test_a_defect_is_apologised_for_and_logged_without_data(equipment, caplog):
    async def broken():
        raise ValueError("NGUYỄN THỊ MẪU 001199000123")

    equipment.queue.groups = broken
    with caplog.at_level(logging.INFO):
        _, outcomes = await attend(
            equipment, (Attract, "vi"), (ChooseErrand, Errand.TAKE_TICKET), (Remedy, Mend.LEAVE),
            (Attract, "vi"), (ChooseErrand, Control.START_OVER), visits=2,
        )  # fmt: skip
    assert outcomes == [Outcome.FAULT, Outcome.STARTED_OVER]
    assert "ValueError at test_reception.py" in caplog.text
    assert "MẪU" not in caplog.text
    assert "001199" not in caplog.text


async def test_an_apology_nobody_touches_makes_room_for_the_next_citizen(equipment, monkeypatch):
    monkeypatch.setattr("kiosk.reception.APOLOGY_SECONDS", 0.05)

    async def broken():
        raise ValueError

    equipment.queue.groups = broken
    _, outcomes = await attend(
        equipment, (Attract, "vi"), (ChooseErrand, Errand.TAKE_TICKET), (Remedy, LEAVES),
        (Attract, "vi"), (ChooseErrand, Control.START_OVER), visits=2,
    )  # fmt: skip
    assert outcomes == [Outcome.FAULT, Outcome.STARTED_OVER]


async def test_staff_can_be_called_before_anything_is_touched(equipment):
    await attend(
        equipment, (Attract, Control.CALL_STAFF), (Attract, "vi"), (ChooseErrand, Control.START_OVER), visits=1
    )
    assert equipment.queue.staff_calls == 1


async def test_a_touch_keeps_the_visit_alive(equipment):
    person = ScriptedPerson((Attract, "vi"), (ChooseErrand, Errand.TAKE_TICKET), (ChooseService, LEAVES))
    reception = Reception(equipment, person, KioskSettings(idle_seconds=60, warning_seconds=30))
    task = asyncio.ensure_future(reception.attend())
    while len(person.seen) < 3:
        await asyncio.sleep(0.01)
    equipment.clock.seconds = 85
    reception.touched()
    equipment.clock.seconds = 100
    await asyncio.sleep(0.4)
    assert person.blanked == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_paper_an_officer_wants_again_comes_out_while_nobody_is_there(equipment, monkeypatch):
    monkeypatch.setattr("kiosk.reception.REPRINT_SECONDS", 0.01)
    service = equipment.catalogue.services["khai-sinh"]
    equipment.queue.reprints = [await equipment.queue.issue(service, None, "key")]
    person = ScriptedPerson((Attract, LEAVES))
    task = asyncio.ensure_future(Reception(equipment, person, KioskSettings()).attend())
    async with asyncio.timeout(30):
        while not equipment.queue.paper:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert equipment.queue.paper == [True]
    assert [slip.kind for slip in equipment.printer.slips] == ["ticket"]


async def test_a_newer_catalogue_is_offered_from_the_next_visit_on(equipment):
    versions = iter("ABC")
    person = ScriptedPerson(*[(Attract, "vi"), (ChooseErrand, Control.START_OVER)] * 2, (Attract, LEAVES))
    reception = Reception(
        equipment, person, KioskSettings(), lambda: replace(equipment.catalogue, version=next(versions))
    )
    seen = []
    reception.on_visit_ended = lambda _: seen.append(reception.equipment.catalogue.version)
    task = asyncio.ensure_future(reception.attend())
    async with asyncio.timeout(30):
        while len(seen) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == ["A", "B"]
