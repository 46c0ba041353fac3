"""A citizen takes a number."""

import pytest

from kiosk.health import Failure, Reason
from kiosk.journeys import serve
from kiosk.questions import (
    AfterTicket,
    ChooseErrand,
    ChoosePriority,
    ChooseService,
    Control,
    Errand,
    Mend,
    Nothing,
    Paper,
    Remedy,
    Settings,
    TicketIssued,
)
from kiosk.visit import Outcome, Visit
from person import ScriptedPerson
from plain_equipment import plain_equipment


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.card.present = False
    return equipment


async def visit(equipment, *script):
    person = ScriptedPerson((ChooseErrand, Errand.TAKE_TICKET), *script)
    outcome = await Visit(equipment, person, Settings()).run(serve)
    assert not person.script, "the journey ended before the script"
    return person, outcome


def birth(question):
    return question.groups[0].services[0]


async def test_the_number_is_on_paper_and_on_screen(equipment):
    person, outcome = await visit(
        equipment, (ChooseService, birth), (ChoosePriority, Nothing.NOTHING), (TicketIssued, AfterTicket.DONE)
    )
    assert outcome is Outcome.COMPLETED
    shown = person.last(TicketIssued)
    assert (shown.ticket.number, shown.paper) == ("HT-001", Paper.PRINTED)
    texts = [getattr(e, "text", "") for e in equipment.printer.slips[0].elements]
    assert "HT-001" in texts
    assert "Đăng ký khai sinh" in texts
    assert equipment.queue.paper == [True]


async def test_priority_group_is_on_the_ticket(equipment):
    person, _ = await visit(
        equipment,
        (ChooseService, birth),
        (ChoosePriority, lambda q: q.groups[0]),
        (TicketIssued, AfterTicket.DONE),
    )
    assert person.last(TicketIssued).ticket.priority.vi == "Người từ 60 tuổi trở lên"


async def test_without_paper_the_number_is_shown_and_can_be_printed_again(equipment):
    equipment.printer.results = [Failure(Reason.PAPER_OUT), None]
    person, outcome = await visit(
        equipment,
        (ChooseService, birth),
        (ChoosePriority, Nothing.NOTHING),
        (TicketIssued, AfterTicket.REPRINT),
        (TicketIssued, AfterTicket.DONE),
    )
    assert outcome is Outcome.COMPLETED
    first, second = (q for q in person.seen if isinstance(q, TicketIssued))
    assert (first.paper, first.reason) == (Paper.FAILED, Reason.PAPER_OUT)
    assert second.paper is Paper.PRINTED
    assert first.ticket.id == second.ticket.id
    assert equipment.queue.paper == [False, True]


async def test_retry_after_a_lost_server_uses_the_same_key(equipment):
    equipment.queue.failures = [Failure(Reason.QUEUE_UNREACHABLE)]
    person, _ = await visit(
        equipment,
        (ChooseService, birth),
        (ChoosePriority, Nothing.NOTHING),
        (Remedy, Mend.RETRY),
        (TicketIssued, AfterTicket.DONE),
    )
    assert person.last(Remedy).reason is Reason.QUEUE_UNREACHABLE
    first, second = equipment.queue.keys
    assert first == second


async def test_leaving_at_the_remedy_ends_the_visit(equipment):
    equipment.queue.failures = [Failure(Reason.SERVICE_CLOSED)]
    _, outcome = await visit(equipment, (ChooseService, birth), (ChoosePriority, Nothing.NOTHING), (Remedy, Mend.LEAVE))
    assert outcome is Outcome.GAVE_UP


async def test_back_returns_to_the_service_and_takes_the_new_one(equipment):
    person, _ = await visit(
        equipment,
        (ChooseService, birth),
        (ChoosePriority, Control.BACK),
        (ChooseService, lambda q: q.groups[1].services[0]),
        (ChoosePriority, Nothing.NOTHING),
        (TicketIssued, AfterTicket.DONE),
    )
    assert person.last(TicketIssued).ticket.number == "CA-001"


async def test_nothing_can_be_taken_back_once_the_number_is_issued(equipment):
    person, _ = await visit(
        equipment, (ChooseService, birth), (ChoosePriority, Nothing.NOTHING), (TicketIssued, AfterTicket.DONE)
    )
    assert [f.can_go_back for f in person.frames] == [False, True, True, False]
