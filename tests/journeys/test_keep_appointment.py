"""A citizen comes to an appointment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from kiosk.appointment import Appointment, AppointmentCode, Standing, appointment_code
from kiosk.config import KioskSettings
from kiosk.health import Failure, Level, Reason
from kiosk.journeys import serve
from kiosk.questions import (
    AfterTicket,
    AppointmentAnswer,
    Attract,
    ChooseErrand,
    ChoosePriority,
    ChooseService,
    ComeLater,
    Control,
    Errand,
    Mend,
    Nothing,
    Paper,
    Remedy,
    Settings,
    ShowAppointment,
    TicketIssued,
)
from kiosk.reception import Reception
from kiosk.text import Text
from kiosk.visit import Outcome, Visit
from person import LEAVES, WAITS, ScriptedPerson
from plain_equipment import CARD_QR, plain_equipment
from waiting import until

TOKEN = "Zk3-abcdefgh_JKLMNOPQR"
CODE = f"http://queue.test/a/{TOKEN}?lang=vi"
AT = datetime(2026, 11, 23, 1, 15, tzinfo=UTC)
NUMBER = ((ChooseService, lambda q: q.groups[0].services[0]), (ChoosePriority, Nothing.NOTHING))
TAKEN = (TicketIssued, AfterTicket.DONE)


def booked(standing: Standing = Standing.DUE) -> Appointment:
    service = Text("Đăng ký khai sinh", "Birth registration")
    return Appointment(TOKEN, service, AT, AT - timedelta(minutes=10), standing)


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.card.present = False
    equipment.scanner.codes = [CODE]
    equipment.queue.appointments = {TOKEN: booked()}
    return equipment


async def visit(equipment, *script, shown=None):
    person = ScriptedPerson(*script)
    outcome = await Visit(equipment, person, Settings()).run(lambda v: serve(v, shown))
    assert not person.script, "the journey ended before the script"
    return person, outcome


def texts(slip) -> list[str]:
    return [text for e in slip.elements for text in (getattr(e, "text", ""), getattr(e, "value", ""))]


async def test_a_code_held_under_the_scanner_at_the_start_gives_the_number_of_the_appointment(equipment):
    person, outcome = await visit(equipment, (ChooseErrand, WAITS), (ChoosePriority, Nothing.NOTHING), TAKEN)
    assert outcome is Outcome.COMPLETED
    shown = person.last(TicketIssued)
    assert (shown.ticket.number, shown.paper) == ("HT-007", Paper.PRINTED)
    assert "08:15 23/11/2026" in texts(equipment.printer.slips[0])
    assert equipment.queue.paper == [True]


async def test_a_code_held_under_the_scanner_while_nobody_is_there_begins_the_visit(equipment):
    shown = appointment_code(CODE)
    assert shown == AppointmentCode("http://queue.test/a/", TOKEN)
    person, outcome = await visit(equipment, (ChoosePriority, lambda q: q.groups[0]), TAKEN, shown=shown)
    assert outcome is Outcome.COMPLETED
    assert person.last(TicketIssued).ticket.priority.vi == "Người từ 60 tuổi trở lên"


async def test_the_kiosk_that_nobody_has_touched_takes_the_code_and_is_itself_again_afterwards(equipment):
    person = ScriptedPerson((Attract, WAITS), (ChoosePriority, Nothing.NOTHING), TAKEN, (Attract, LEAVES))
    reception, ended = Reception(equipment, person, KioskSettings()), asyncio.Queue()
    reception.on_visit_ended = ended.put_nowait
    attending = asyncio.ensure_future(reception.attend())
    assert await asyncio.wait_for(ended.get(), 5) is Outcome.COMPLETED
    await until(lambda: not person.script)
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)


async def test_other_codes_at_the_start_are_nobodys_business(equipment):
    equipment.scanner.codes = [CARD_QR, "https://example.invalid/?ma=TAM-2345-6789", CODE]
    _, outcome = await visit(equipment, (ChooseErrand, WAITS), (ChoosePriority, Nothing.NOTHING), TAKEN)
    assert outcome is Outcome.COMPLETED


async def test_a_touch_leads_to_the_scanner_and_a_wrong_code_is_told(equipment):
    equipment.scanner.codes = [CARD_QR, CODE]
    person, _ = await visit(
        equipment, (ChooseErrand, Errand.KEEP_APPOINTMENT), (ShowAppointment, WAITS), (ShowAppointment, WAITS),
        (ChoosePriority, Nothing.NOTHING), TAKEN,
    )  # fmt: skip
    assert [q.unreadable for q in person.seen if isinstance(q, ShowAppointment)] == [False, True]


async def test_back_from_the_group_returns_to_the_scanner(equipment):
    equipment.scanner.codes = [CODE, CODE]
    _, outcome = await visit(
        equipment, (ChooseErrand, Errand.KEEP_APPOINTMENT), (ShowAppointment, WAITS), (ChoosePriority, Control.BACK),
        (ShowAppointment, WAITS), (ChoosePriority, Nothing.NOTHING), TAKEN,
    )  # fmt: skip
    assert outcome is Outcome.COMPLETED


async def test_without_the_code_an_ordinary_number_is_taken(equipment):
    equipment.scanner.codes = []
    person, _ = await visit(
        equipment,
        (ChooseErrand, Errand.KEEP_APPOINTMENT),
        (ShowAppointment, AppointmentAnswer.ORDINARY),
        *NUMBER,
        TAKEN,
    )
    assert person.last(TicketIssued).ticket.appointment is None


async def test_without_a_scanner_an_ordinary_number_is_offered(equipment):
    equipment.scanner.publish(Level.ABSENT, Reason.NO_SCANNER)
    person, outcome = await visit(
        equipment, (ChooseErrand, Errand.KEEP_APPOINTMENT), (Remedy, Mend.WITHOUT), *NUMBER, TAKEN
    )
    assert (person.last(Remedy).reason, outcome) == (Reason.NO_SCANNER, Outcome.COMPLETED)


async def test_who_comes_too_early_is_told_when_to_come_back(equipment):
    equipment.queue.appointments = {TOKEN: booked(Standing.EARLY)}
    person, outcome = await visit(equipment, (ChooseErrand, WAITS), (ComeLater, AppointmentAnswer.LEAVE))
    assert person.last(ComeLater).appointment.opens == AT - timedelta(minutes=10)
    assert outcome is Outcome.GAVE_UP
    assert equipment.printer.slips == []


async def test_who_comes_too_early_may_take_an_ordinary_number(equipment):
    equipment.queue.appointments = {TOKEN: booked(Standing.EARLY)}
    _, outcome = await visit(equipment, (ChooseErrand, WAITS), (ComeLater, AppointmentAnswer.ORDINARY), *NUMBER, TAKEN)
    assert outcome is Outcome.COMPLETED


async def test_who_comes_too_late_reads_on_the_slip_that_it_is_an_ordinary_number(equipment):
    equipment.queue.appointments = {TOKEN: booked(Standing.LATE)}
    person, _ = await visit(equipment, (ChooseErrand, WAITS), (ChoosePriority, Nothing.NOTHING), TAKEN)
    assert person.last(TicketIssued).ticket.appointment.standing is Standing.LATE
    assert "Đã quá giờ hẹn: đây là số thường." in texts(equipment.printer.slips[0])


async def test_who_comes_again_sees_the_same_number_and_may_have_it_printed(equipment):
    equipment.queue.appointments = {TOKEN: booked(Standing.KEPT)}
    person, _ = await visit(equipment, (ChooseErrand, WAITS), (TicketIssued, AfterTicket.REPRINT), TAKEN)
    first, second = (q for q in person.seen if isinstance(q, TicketIssued))
    assert (first.paper, second.paper, len(equipment.printer.slips)) == (Paper.EARLIER, Paper.PRINTED, 1)
    assert first.ticket.id == second.ticket.id


@pytest.mark.parametrize(
    "reason", [Reason.APPOINTMENT_UNKNOWN, Reason.APPOINTMENT_ELSEWHERE, Reason.APPOINTMENT_CANCELLED]
)
async def test_a_code_that_is_worth_nothing_here_is_explained_and_another_one_may_be_shown(equipment, reason):
    equipment.queue.appointments = {"x" * 22: Failure(reason), TOKEN: booked()}
    equipment.scanner.codes = ["http://queue.test/a/" + "x" * 22, CODE]
    person, outcome = await visit(
        equipment, (ChooseErrand, WAITS), (Remedy, Mend.RETRY), (ShowAppointment, WAITS),
        (ChoosePriority, Nothing.NOTHING), TAKEN,
    )  # fmt: skip
    assert (person.last(Remedy).reason, outcome) == (reason, Outcome.COMPLETED)
    assert person.last(Remedy).offers[0] is Mend.WITHOUT


async def test_with_the_server_away_the_same_code_is_tried_again_or_an_ordinary_number_taken(equipment):
    equipment.queue.failures = [Failure(Reason.APPOINTMENT_UNCHECKED), Failure(Reason.APPOINTMENT_UNCHECKED)]
    person, _ = await visit(
        equipment, (ChooseErrand, WAITS), (Remedy, Mend.RETRY), (Remedy, Mend.WITHOUT), *NUMBER, TAKEN
    )
    assert person.last(TicketIssued).ticket.number == "HT-001"


async def test_an_answer_that_got_lost_is_asked_for_with_the_same_key(equipment):
    equipment.queue.lost_check_ins = 1
    await visit(equipment, (ChooseErrand, WAITS), (ChoosePriority, Nothing.NOTHING), (Remedy, Mend.RETRY), TAKEN)
    first, second = equipment.queue.keys
    assert first == second
    assert len(equipment.printer.slips) == 1


@pytest.mark.parametrize(
    "scanned",
    [CARD_QR, "", "http://queue.test/t/abcdefghijklmnop", "http://queue.test/a/short", "javascript:/a/" + TOKEN,
     "http://queue.test/a/" + TOKEN + "/move", "http://queue.test/a/" + "x" * 65],
)  # fmt: skip
def test_only_the_address_of_an_appointment_is_taken_for_one(scanned):
    assert appointment_code(scanned) is None


def test_the_code_of_another_centre_of_the_province_is_an_appointment_too():
    assert appointment_code(f"https://hang-doi.example.vn/c/X2/a/{TOKEN}").address.endswith("/c/X2/a/")
