"""What holds for every visit: idle clock, start over, staff, settings, wipe, promises."""

import asyncio
import gc

import pytest

from kiosk.citizen import Citizen
from kiosk.health import Failure, Reason
from kiosk.journeys import serve
from kiosk.questions import (
    AfterTicket,
    ChooseErrand,
    ChoosePriority,
    ChooseService,
    ConfirmHolder,
    ConfirmLeaving,
    Control,
    Errand,
    Nothing,
    PlaceCard,
    Settings,
    ShowCardQr,
    StaffCalled,
    TicketIssued,
)
from kiosk.visit import Outcome, Patience, Visit
from person import LEAVES, WAITS, ScriptedPerson
from plain_equipment import CARD_QR, plain_equipment
from waiting import until

TICKET = (ChooseErrand, Errand.TAKE_TICKET)


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.card.present = False
    return equipment


async def run(equipment, *script, patience=None):
    person = ScriptedPerson(*script)
    visit = Visit(equipment, person, Settings(), patience or Patience())
    return person, visit, await visit.run(serve)


async def test_nobody_there_warns_then_ends(equipment):
    person = ScriptedPerson(TICKET, (ChooseService, LEAVES))
    visit = Visit(equipment, person, Settings(), Patience(60, 30))
    task = asyncio.create_task(visit.run(serve))
    await until(lambda: len(person.seen) == 2)
    equipment.clock.seconds = 65
    await until(lambda: person.warnings and person.warnings[-1] is not None)
    assert person.warnings[-1] == 26
    equipment.clock.seconds = 91
    assert await task is Outcome.TIMED_OUT
    assert person.blanked == 1


async def test_a_touch_takes_the_warning_away(equipment):
    person = ScriptedPerson(TICKET, (ChooseService, LEAVES))
    visit = Visit(equipment, person, Settings(), Patience(60, 30))
    task = asyncio.create_task(visit.run(serve))
    await until(lambda: len(person.seen) == 2)
    equipment.clock.seconds = 80
    await until(lambda: person.warnings)
    visit.idle.touch()
    await until(lambda: person.warnings[-1] is None)
    equipment.clock.seconds = 120
    await asyncio.sleep(0.3)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_large_text_doubles_the_patience(equipment):
    assert Patience(60, 30).stretched(Settings(large_text=True)) == Patience(120, 60)


async def test_work_holds_the_idle_clock(equipment):
    equipment.queue.slow.clear()
    person = ScriptedPerson(
        TICKET,
        (ChooseService, lambda q: q.groups[0].services[0]),
        (ChoosePriority, Nothing.NOTHING),
        (TicketIssued, AfterTicket.DONE),
    )
    task = asyncio.create_task(Visit(equipment, person, Settings(), Patience(60, 30)).run(serve))
    await until(lambda: "issuing_ticket" in person.working)
    equipment.clock.seconds = 500
    await asyncio.sleep(0.4)
    equipment.queue.slow.set()
    assert await task is Outcome.COMPLETED
    assert all(w is None for w in person.warnings)


async def test_a_number_once_asked_for_is_printed_even_if_the_visit_is_cut(equipment):
    equipment.queue.slow.clear()
    person = ScriptedPerson(
        TICKET, (ChooseService, lambda q: q.groups[0].services[0]), (ChoosePriority, Nothing.NOTHING)
    )
    task = asyncio.create_task(Visit(equipment, person, Settings()).run(serve))
    await until(lambda: "issuing_ticket" in person.working)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not person.blanked, "the wipe waits for what was promised"
    equipment.queue.slow.set()
    await asyncio.gather(task, return_exceptions=True)
    assert equipment.queue.paper == [True]
    assert person.blanked == 1


async def test_start_over_asks_before_it_throws_answers_away(equipment):
    person, _, outcome = await run(
        equipment, TICKET, (ChooseService, Control.START_OVER), (ConfirmLeaving, False),
        (ChooseService, Control.START_OVER), (ConfirmLeaving, True),
    )  # fmt: skip
    assert outcome is Outcome.STARTED_OVER
    assert person.blanked == 1


async def test_staff_are_called_and_the_question_stays(equipment):
    person, _, _ = await run(
        equipment, TICKET, (ChooseService, Control.CALL_STAFF), (StaffCalled, None),
        (ChooseService, Control.START_OVER), (ConfirmLeaving, True),
    )  # fmt: skip
    assert equipment.queue.staff_calls == 1
    assert person.last(StaffCalled).reached


async def test_a_staff_call_that_fails_sends_the_citizen_to_the_desk(equipment):
    async def unreachable():
        return Failure(Reason.QUEUE_UNREACHABLE)

    equipment.queue.call_staff = unreachable
    person, _, _ = await run(
        equipment, TICKET, (ChooseService, Control.CALL_STAFF), (StaffCalled, None),
        (ChooseService, Control.START_OVER), (ConfirmLeaving, True),
    )  # fmt: skip
    assert not person.last(StaffCalled).reached


async def test_settings_hold_for_the_visit_and_are_reset_after_it(equipment):
    person, visit, _ = await run(
        equipment,
        (ChooseErrand, Control.LANGUAGE),
        (ChooseErrand, Control.TEXT_SIZE),
        (ChooseErrand, Control.CONTRAST),
        (ChooseErrand, Control.START_OVER),
    )
    assert person.frames[-1].settings == Settings("en", large_text=True, high_contrast=True)
    assert visit.settings == Settings()


async def test_the_wipe_leaves_no_trace_of_the_citizen_in_memory(equipment):
    equipment.scanner.codes = [CARD_QR]
    equipment.card.present = True
    equipment.card.results = [
        Citizen("001199000123", "CANARY-" + "X7Q9", None, "", "", equipment_grade(), evidence={"EF.SOD": b"x"})
    ]
    person = ScriptedPerson(
        (ChooseErrand, Errand.FILE_DOSSIER), (PlaceCard, WAITS), (ShowCardQr, WAITS), (ConfirmHolder, LEAVES)
    )
    visit = Visit(equipment, person, Settings(), Patience(60, 30))
    task = asyncio.create_task(visit.run(serve))
    await until(lambda: len(person.seen) == 4)
    equipment.clock.seconds = 100
    assert await task is Outcome.TIMED_OUT
    assert equipment.camera.forgotten == equipment.scanner.forgotten == equipment.card.forgotten == 1
    person.seen.clear()
    person.frames.clear()
    del task
    gc.collect()
    assert not [c for c in gc.get_objects() if type(c) is Citizen and c.full_name == "CANARY-" + "X7Q9"]


def equipment_grade():
    from kiosk.citizen import IdentityGrade

    return IdentityGrade.CHIP_READ


async def test_a_defect_in_a_journey_still_wipes(equipment):
    async def broken(visit):
        raise ZeroDivisionError

    person = ScriptedPerson()
    with pytest.raises(ExceptionGroup):
        await Visit(equipment, person, Settings()).run(broken)
    assert person.blanked == 1
    assert equipment.printer.forgotten == 1


async def test_who_has_called_for_staff_is_told_when_somebody_is_coming(equipment):
    equipment.queue.coming.set()
    person, _, _ = await run(
        equipment, TICKET, (ChooseService, Control.CALL_STAFF), (StaffCalled, WAITS), (StaffCalled, None),
        (ChooseService, Control.START_OVER), (ConfirmLeaving, True),
    )  # fmt: skip
    assert [q.coming for q in person.seen if isinstance(q, StaffCalled)] == [False, True]
