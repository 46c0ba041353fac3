"""A citizen asks what became of a dossier."""

import pytest

from kiosk.dossier import DossierState
from kiosk.health import Failure, Reason
from kiosk.journeys import serve
from kiosk.journeys.look_up import dossier_code
from kiosk.questions import (
    AfterStatus,
    ChooseErrand,
    Errand,
    Mend,
    Remedy,
    Settings,
    ShowStatus,
    TypeDossierCode,
    TypePersonalId,
)
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import plain_equipment

STATE = DossierState("TAM-2345-6789", "H15.50.05-261123-0001", 2)
ID = "001199000123"


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.office.states = {f"TAM-2345-6789 {ID}": STATE}
    return equipment


async def look_up(equipment, *script):
    person = ScriptedPerson((ChooseErrand, Errand.LOOK_UP), *script)
    outcome = await Visit(equipment, person, Settings()).run(serve)
    assert not person.script
    return person, outcome


async def test_code_and_number_show_the_status(equipment):
    person, outcome = await look_up(
        equipment, (TypeDossierCode, "tam-2345-6789"), (TypePersonalId, ID), (ShowStatus, AfterStatus.DONE)
    )
    assert outcome is Outcome.COMPLETED
    assert person.last(ShowStatus).state is STATE


async def test_the_slip_may_be_scanned_and_the_status_printed(equipment):
    equipment.scanner.codes = ["https://example.invalid/?ma=TAM-2345-6789"]
    person, _ = await look_up(
        equipment,
        (TypeDossierCode, WAITS),
        (TypePersonalId, ID),
        (ShowStatus, AfterStatus.PRINT),
        (ShowStatus, AfterStatus.DONE),
    )
    assert [s.kind for s in equipment.printer.slips] == ["status"]
    assert person.last(ShowStatus).printed


async def test_a_wrong_number_is_told_like_an_unknown_code_and_tries_are_few(equipment):
    tries = [(TypeDossierCode, "TAM-2345-6789"), (TypePersonalId, "001199000999")] * 3
    person, outcome = await look_up(equipment, *tries, (Remedy, Mend.LEAVE))
    assert person.last(TypeDossierCode).not_found
    assert person.last(Remedy).reason is Reason.NOT_FOUND
    assert outcome is Outcome.GAVE_UP


async def test_a_receiver_out_of_reach_is_said_and_tried_again(equipment):
    answers = [Failure(Reason.RECEIVER_UNREACHABLE), STATE]

    async def look_up_once(code, personal_id):
        return answers.pop(0)

    equipment.office.look_up = look_up_once
    person, _ = await look_up(
        equipment,
        (TypeDossierCode, "TAM-2345-6789"),
        (TypePersonalId, ID),
        (Remedy, Mend.RETRY),
        (ShowStatus, AfterStatus.DONE),
    )
    assert person.last(Remedy).reason is Reason.RECEIVER_UNREACHABLE


@pytest.mark.parametrize("scanned", ["TAM-2345-6789", " tam-2345-6789", "https://x.invalid/tra-cuu?ma=TAM-2345-6789"])
def test_the_code_is_found_in_what_was_scanned(scanned):
    assert dossier_code(scanned) == "TAM-2345-6789"
