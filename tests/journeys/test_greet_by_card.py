"""A citizen lays the card down before taking a number: greeted by name if they like, served in any case."""

import json
from dataclasses import asdict, replace
from datetime import date

import pytest

from kiosk.citizen import IdentityGrade
from kiosk.health import Failure, Level, Reason
from kiosk.journeys import serve
from kiosk.questions import (
    AfterTicket,
    ChooseErrand,
    ChoosePriority,
    ChooseService,
    ConfirmHolder,
    Errand,
    KeyMethod,
    Mend,
    Nothing,
    Remedy,
    Settings,
    ShowCardQr,
    ShowCardToCamera,
    TakeCard,
    TicketIssued,
)
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, plain_equipment

SERVICE = [(ChooseErrand, Errand.TAKE_TICKET), (ChooseService, lambda q: q.groups[0].services[0])]
NUMBER = [(ChoosePriority, Nothing.NOTHING), (TicketIssued, AfterTicket.DONE)]
TAKEN = (TakeCard, WAITS)


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.scanner.codes = [CARD_QR]
    return equipment


async def visit(equipment, *script):
    person = ScriptedPerson(*SERVICE, *script)
    outcome = await Visit(equipment, person, Settings()).run(serve)
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    assert outcome is Outcome.COMPLETED
    return person


@pytest.mark.parametrize("grade", IdentityGrade)
async def test_whatever_the_grade_the_citizen_is_greeted_and_gets_the_number(equipment, grade):
    equipment.card.results = [replace(HOLDER, grade=grade)]
    person = await visit(equipment, (ShowCardQr, WAITS), (ConfirmHolder, True), TAKEN, *NUMBER, TAKEN)
    greeting = person.last(ConfirmHolder)
    assert (greeting.citizen.grade, greeting.in_passing) == (grade, True)
    assert person.last(TicketIssued).ticket.number == "HT-001"


async def test_nobody_without_a_card_on_the_reader_sees_more_than_before(equipment):
    equipment.card.present = False
    await visit(equipment, *NUMBER)
    assert equipment.card.keys == []


async def test_one_touch_skips_it_and_the_card_is_not_forgotten(equipment):
    equipment.scanner.codes = []
    person = await visit(equipment, (ShowCardQr, KeyMethod.SKIP), *NUMBER, TAKEN)
    assert equipment.card.keys == []
    assert person.last(ShowCardQr).in_passing


async def test_not_me_takes_a_number_all_the_same(equipment):
    await visit(equipment, (ShowCardQr, WAITS), (ConfirmHolder, False), *NUMBER, TAKEN)


async def test_a_card_that_cannot_be_read_takes_a_number_all_the_same(equipment):
    equipment.card.results = [Failure(Reason.CARD_DATA_BAD)]
    person = await visit(equipment, (ShowCardQr, WAITS), (Remedy, Mend.WITHOUT), *NUMBER, TAKEN)
    assert person.last(Remedy).reason is Reason.CARD_DATA_BAD


async def test_a_refused_key_shows_the_qr_code_again_and_asks_nobody_to_type(equipment):
    equipment.scanner.codes = [CARD_QR, CARD_QR]
    equipment.card.results = [Failure(Reason.ACCESS_KEY_REFUSED)]
    again = [(ShowCardQr, WAITS), (Remedy, Mend.RETRY), (ShowCardQr, WAITS)]
    await visit(equipment, *again, (ConfirmHolder, True), TAKEN, *NUMBER, TAKEN)


async def test_an_expired_card_is_said_and_stops_nobody(equipment):
    equipment.card.results = [replace(HOLDER, expiry=date(2026, 11, 22))]  # yesterday
    person = await visit(equipment, (ShowCardQr, WAITS), (ConfirmHolder, True), TAKEN, *NUMBER, TAKEN)
    assert person.last(ConfirmHolder).expired


async def test_without_scanner_and_camera_nobody_is_asked_for_a_code(equipment):
    equipment.scanner.publish(Level.ABSENT, Reason.NO_SCANNER)
    equipment.camera.publish(Level.ABSENT, Reason.NO_CAMERA)
    await visit(equipment, *NUMBER, TAKEN)


async def test_without_a_scanner_the_camera_greets_and_one_touch_skips_it(equipment):
    equipment.scanner.publish(Level.ABSENT, Reason.NO_SCANNER)
    equipment.camera.codes = [CARD_QR]
    await visit(equipment, (ShowCardToCamera, WAITS), (ConfirmHolder, True), TAKEN, *NUMBER, TAKEN)
    person = await visit(equipment, (ShowCardToCamera, KeyMethod.SKIP), *NUMBER, TAKEN)
    assert person.last(ShowCardToCamera).in_passing


async def test_nothing_of_the_citizen_goes_to_the_queue_or_onto_the_slip(equipment):
    asked = []
    issue = equipment.queue.issue

    async def listening(*arguments):
        asked.append(repr(arguments))
        return await issue(*arguments)

    equipment.queue.issue = listening
    person = await visit(equipment, (ShowCardQr, WAITS), (ConfirmHolder, True), TAKEN, *NUMBER, TAKEN)
    ticket = person.last(TicketIssued).ticket
    said = [*asked, *equipment.queue.keys, json.dumps(asdict(ticket), default=str), repr(equipment.printer.slips)]
    assert not [text for text in said if HOLDER.full_name in text or HOLDER.personal_id in text]
