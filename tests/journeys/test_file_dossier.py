"""A citizen files a dossier."""

import pytest

from kiosk.citizen import AccessKey, IdentityGrade, expiry_candidates, parse_card_qr
from kiosk.dossier import DossierState
from kiosk.health import Failure, Level, Reason
from kiosk.journeys import serve
from kiosk.questions import (
    ArrangePages,
    CaptureAnswer,
    CapturePage,
    ChooseErrand,
    ChooseProcedure,
    ConfirmHolder,
    Consent,
    Control,
    Deed,
    DossierFiled,
    Errand,
    FillField,
    KeyMethod,
    Mend,
    PageAnswer,
    PageDeed,
    Paper,
    PlaceCard,
    PlaceCardAnswer,
    Remedy,
    ReviewAnswer,
    ReviewDossier,
    ReviewPage,
    Settings,
    ShowCardQr,
    ShowComponents,
    TakeCard,
    TypeAccessKey,
)
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, PAGE, plain_equipment

QR = parse_card_qr(CARD_QR)
KEY = AccessKey(QR.personal_id, QR.birth, expiry_candidates(QR.birth, QR.issued)[0])

BY_QR = [(PlaceCard, WAITS), (ShowCardQr, WAITS)]
CONFIRMED = [(ConfirmHolder, True), (TakeCard, WAITS)]
PROCEDURE = [(ChooseProcedure, lambda q: q.groups[0].procedures[0]), (ShowComponents, None)]
ONE_PAGE = [(CapturePage, CaptureAnswer.SHUTTER), (ReviewPage, PageAnswer.COMPLETE)]
TWO_PAGES = [
    (CapturePage, CaptureAnswer.SHUTTER),
    (ReviewPage, PageAnswer.NEXT_PAGE),
    *ONE_PAGE,
    (ArrangePages, PageDeed(Deed.DONE)),
]
PAPERS = [*ONE_PAGE, *TWO_PAGES, (CapturePage, CaptureAnswer.PAPER_ONLY)]
ANSWERS = ["TRẦN MẪU CON", "05/11/2026", "nam", None, "0912345678"]
FORM = [(FillField, (lambda q: q.value) if value is None else value) for value in ANSWERS]
FILED = [(ReviewDossier, ReviewAnswer.GO_ON), (Consent, True)]


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.scanner.codes = [CARD_QR]
    return equipment


async def file(equipment, *script):
    person = ScriptedPerson((ChooseErrand, Errand.FILE_DOSSIER), *script)
    outcome = await Visit(equipment, person, Settings()).run(serve)
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    return person, outcome


async def test_the_whole_dossier_reaches_the_office_and_the_slip_says_not_yet_received(equipment):
    person, outcome = await file(
        equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *PAPERS, *FORM, *FILED, (DossierFiled, None)
    )
    assert outcome is Outcome.COMPLETED
    (dossier,) = equipment.office.submitted
    assert dossier.owner is HOLDER
    assert [len(p.pages) for p in dossier.papers] == [1, 2, 0]
    assert dossier.papers[1].pdf == b"pdf of 2"
    assert dossier.answers["contact_address"] == HOLDER.address
    (slip,) = equipment.printer.slips
    texts = [getattr(e, "text", "") for e in slip.elements]
    assert "CHƯA ĐƯỢC TIẾP NHẬN" in texts
    assert dossier.provisional_ref in texts
    assert person.last(DossierFiled).paper is Paper.PRINTED


async def test_the_answer_is_printed_if_the_citizen_is_still_there(equipment):
    equipment.office.answers.put_nowait(DossierState("TAM-1", "H15.50.05-261123-0001", 2))
    person, _ = await file(
        equipment,
        *BY_QR,
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, WAITS),
        (DossierFiled, None),
    )
    assert [s.kind for s in equipment.printer.slips] == ["interim", "status"]
    assert person.last(DossierFiled).state.dossier_code == "H15.50.05-261123-0001"


async def test_the_qr_gives_at_most_two_keys_then_the_citizen_is_asked(equipment):
    equipment.card.results = [Failure(Reason.ACCESS_KEY_REFUSED), HOLDER]
    person, _ = await file(
        equipment,
        *BY_QR,
        (TypeAccessKey, KEY),
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, None),
    )
    assert len(equipment.card.keys[0]) == 2
    assert person.last(TypeAccessKey).refused
    assert person.last(TypeAccessKey).known_id == QR.personal_id
    assert equipment.card.keys[1] == [KEY]


async def test_a_card_that_another_program_holds_is_a_remedy_like_the_others(equipment):
    equipment.card.results = [Failure(Reason.CARD_IN_USE), HOLDER]
    person, _ = await file(
        equipment,
        *BY_QR,
        (Remedy, Mend.RETRY),
        (PlaceCard, WAITS),
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, None),
    )
    assert person.last(Remedy).reason is Reason.CARD_IN_USE
    assert equipment.card.keys[0] == equipment.card.keys[1]


async def test_three_wrong_keys_are_enough(equipment):
    equipment.card.results = [Failure(Reason.ACCESS_KEY_REFUSED)] * 4
    typed = [(TypeAccessKey, KEY)] * 3
    person, outcome = await file(equipment, *BY_QR, *typed, (Remedy, Mend.LEAVE))
    assert outcome is Outcome.GAVE_UP
    assert person.last(Remedy).reason is Reason.ACCESS_KEY_REFUSED
    assert len(equipment.card.keys) == 4


async def test_something_else_than_a_card_qr_is_not_taken_for_one(equipment):
    equipment.scanner.codes = ["https://example.invalid/menu", CARD_QR]
    person, _ = await file(
        equipment, *BY_QR, (ShowCardQr, WAITS), *CONFIRMED, *PROCEDURE, *PAPERS, *FORM, *FILED, (DossierFiled, None)
    )
    assert person.last(ShowCardQr).unreadable


async def test_the_key_may_be_typed_instead(equipment):
    equipment.scanner.codes = []
    await file(
        equipment,
        (PlaceCard, WAITS),
        (ShowCardQr, KeyMethod.TYPE),
        (TypeAccessKey, KEY),
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, None),
    )
    assert equipment.card.keys == [[KEY]]


async def test_without_a_card_the_grade_says_so(equipment):
    equipment.card.present = False
    await file(
        equipment,
        (PlaceCard, PlaceCardAnswer.NO_CARD),
        (ShowCardQr, WAITS),
        (ConfirmHolder, True),
        *PROCEDURE,
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, None),
    )
    (dossier,) = equipment.office.submitted
    assert dossier.owner.grade is IdentityGrade.QR_ONLY
    assert dossier.payload()["owner"]["identity_grade"] == "qr_only"


async def test_a_page_that_is_not_found_names_the_remedy_and_is_taken_again(equipment):
    equipment.camera.shots = [Failure(Reason.PAGE_NOT_FOUND), PAGE, PAGE, PAGE]
    person, _ = await file(
        equipment,
        *BY_QR,
        *CONFIRMED,
        *PROCEDURE,
        (CapturePage, CaptureAnswer.SHUTTER),
        (Remedy, Mend.RETRY),
        *PAPERS,
        *FORM,
        *FILED,
        (DossierFiled, None),
    )
    assert person.last(Remedy).reason is Reason.PAGE_NOT_FOUND
    assert Mend.WITHOUT not in person.last(Remedy).offers, "a required component cannot stay on paper"


async def test_retaken_pages_are_not_filed(equipment):
    retake = [(CapturePage, CaptureAnswer.SHUTTER), (ReviewPage, PageAnswer.RETAKE)]
    await file(equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *retake, *PAPERS, *FORM, *FILED, (DossierFiled, None))
    assert [len(p.pages) for p in equipment.office.submitted[0].papers] == [1, 2, 0]


async def test_an_optional_component_may_be_left_out(equipment):
    papers = [*ONE_PAGE, *TWO_PAGES, (CapturePage, CaptureAnswer.SKIP)]
    await file(equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *papers, *FORM, *FILED, (DossierFiled, None))
    assert [p.component.code for p in equipment.office.submitted[0].papers] == ["KS01", "KS02"]


async def test_wrong_answers_are_asked_again(equipment):
    form = [(FillField, "TRẦN MẪU CON"), (FillField, "31/02/2026"), *FORM[1:]]
    await file(equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *PAPERS, *form, *FILED, (DossierFiled, None))
    assert equipment.office.submitted[0].answers["child_birth"] == "05/11/2026"


async def test_back_on_the_review_returns_to_the_last_field_and_keeps_the_pages(equipment):
    person, _ = await file(
        equipment,
        *BY_QR,
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        (ReviewDossier, Control.BACK),
        (FillField, "0987654321"),
        *FILED,
        (DossierFiled, None),
    )
    (dossier,) = equipment.office.submitted
    assert dossier.answers["phone"] == "0987654321"
    assert [len(p.pages) for p in dossier.papers] == [1, 2, 0]
    assert person.working.count("reading_card") == 1, "the chip is not read again"


async def test_refusing_consent_files_nothing(equipment):
    person, _ = await file(
        equipment,
        *BY_QR,
        *CONFIRMED,
        *PROCEDURE,
        *PAPERS,
        *FORM,
        (ReviewDossier, ReviewAnswer.GO_ON),
        (Consent, False),
        *FILED,
        (DossierFiled, None),
    )
    assert len(equipment.office.submitted) == 1
    assert person.working.count("submitting") == 1


async def test_a_full_disk_prints_no_receipt(equipment):
    equipment.office.failures = [Failure(Reason.DISK_FULL)]
    person, outcome = await file(
        equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *PAPERS, *FORM, *FILED, (Remedy, Mend.LEAVE)
    )
    assert outcome is Outcome.GAVE_UP
    assert person.last(Remedy).reason is Reason.DISK_FULL
    assert equipment.printer.slips == []


async def test_without_room_nobody_is_asked_for_card_and_papers(equipment):
    equipment.office.publish(Level.FAULT, Reason.DISK_FULL)
    person, outcome = await file(equipment, (Remedy, Mend.LEAVE))
    assert outcome is Outcome.GAVE_UP
    assert person.last(Remedy).reason is Reason.DISK_FULL


async def test_as_soon_as_there_is_room_the_filing_begins_and_goes_back_as_ever(equipment):
    def made(_):
        equipment.office.publish(Level.DEGRADED, Reason.DISK_LOW)
        return Mend.RETRY

    equipment.office.publish(Level.FAULT, Reason.DISK_FULL)
    again = [(ReviewDossier, Control.BACK), (FillField, "0987654321")]
    script = [*BY_QR, *CONFIRMED, *PROCEDURE, *PAPERS, *FORM, *again, *FILED, (DossierFiled, None)]
    person, outcome = await file(equipment, (Remedy, made), *script)
    assert outcome is Outcome.COMPLETED
    assert sum(isinstance(question, Remedy) for question in person.seen) == 1


async def test_a_dead_printer_does_not_undo_the_filing(equipment):
    equipment.printer.results = [Failure(Reason.COVER_OPEN)]
    person, outcome = await file(
        equipment, *BY_QR, *CONFIRMED, *PROCEDURE, *PAPERS, *FORM, *FILED, (DossierFiled, None)
    )
    assert outcome is Outcome.COMPLETED
    assert len(equipment.office.submitted) == 1
    filed = person.last(DossierFiled)
    assert (filed.paper, filed.reason) == (Paper.FAILED, Reason.COVER_OPEN)
    assert filed.provisional_ref.startswith("TAM-")
