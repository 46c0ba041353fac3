"""A citizen whose papers the province holds already need not bring or capture them again."""

import asyncio
from dataclasses import replace

import pytest

from kiosk.citizen import IdentityGrade
from kiosk.health import Failure, Reason
from kiosk.i18n import catalogue
from kiosk.journeys import serve
from kiosk.questions import (
    CaptureAnswer,
    CapturePage,
    ChooseErrand,
    ConsentToReuse,
    Control,
    DossierFiled,
    Errand,
    Nothing,
    NothingToReuse,
    OfferReuse,
    ReviewDossier,
    Settings,
)
from kiosk.reuse import Reusable, text_version
from kiosk.text import Text
from kiosk.visit import Outcome, Patience, Visit
from person import LEAVES, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, plain_equipment
from tests.journeys.test_file_dossier import BY_QR, CONFIRMED, FILED, FORM, ONE_PAGE, PROCEDURE, TWO_PAGES

BIRTH = Reusable("KS01", "KQ-KS-1", "Giấy chứng sinh", "112/2026", "Bệnh viện Mẫu")
OLDER = replace(BIRTH, result_code="KQ-KS-0", number="98/2026")
MARRIAGE = Reusable("KS03", "KQ-KH-7", "Giấy chứng nhận kết hôn", "52/2024", "UBND phường Sông Mây")
TO_PROCEDURE = [*BY_QR, *CONFIRMED, *PROCEDURE]
REST = [*FORM, *FILED, (DossierFiled, None)]
PAPER = (CapturePage, CaptureAnswer.PAPER_ONLY)
USE = (OfferReuse, lambda question: question.found[0])
CAPTURE = (OfferReuse, Nothing.NOTHING)


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.scanner.codes = [CARD_QR]
    equipment.office.asks_for_papers = True
    equipment.office.on_file = (BIRTH, MARRIAGE)
    return equipment


async def file(equipment, *script, language="vi", patience=Patience()):
    person = ScriptedPerson((ChooseErrand, Errand.FILE_DOSSIER), *TO_PROCEDURE, *script)
    outcome = await Visit(equipment, person, Settings(language), patience).run(serve)
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    return person, outcome


async def test_papers_on_file_are_not_captured_and_the_dossier_names_their_results(equipment):
    person, outcome = await file(equipment, (ConsentToReuse, True), USE, USE, *TWO_PAGES, *REST)
    assert outcome is Outcome.COMPLETED
    assert person.last(CapturePage).of == 1, "only one paper is left to capture"
    (dossier,) = equipment.office.submitted
    told = [(c["code"], c.get("reused"), c["paper_only"], c["pages"], bool(c["file"])) for c in components(dossier)]
    assert told == [
        ("KS01", "KQ-KS-1", False, 0, False),
        ("KS02", None, False, 2, True),
        ("KS03", "KQ-KH-7", False, 0, False),
    ]
    assert sorted(dossier.files()) == [f"{dossier.provisional_ref}_KS02_02.pdf", "identity/EF.SOD.bin"]


def components(dossier):
    return dossier.payload()["components"]


async def test_who_asks_for_whose_papers_is_said_to_the_citizen_and_to_the_province(equipment):
    person, _ = await file(equipment, (ConsentToReuse, True), USE, USE, *TWO_PAGES, *REST)
    assert person.last(ConsentToReuse).owner is HOLDER
    (wish,) = equipment.office.wishes
    assert (wish.owner_id, wish.requester_id, wish.requester_name) == (HOLDER.personal_id,) * 2 + (HOLDER.full_name,)
    assert wish.components == ("KS01", "KS02", "KS03")


async def test_the_consent_goes_with_the_dossier_with_its_time_and_the_words_that_were_read(equipment):
    await file(equipment, (ConsentToReuse, True), USE, USE, *TWO_PAGES, *REST, language="en")
    assert equipment.office.submitted[0].payload()["reuse_consent"] == {
        "agreed_at": "2026-11-23T01:05:00.000Z",
        "language": "en",
        "text_version": text_version("consent_to_reuse", "en"),
    }


def test_other_words_of_the_consent_are_another_version(monkeypatch):
    before = text_version("consent_to_reuse", "vi"), text_version("consent_to_reuse", "en")
    monkeypatch.setitem(catalogue(), "screen.consent_to_reuse.free", Text("Không", "If you say no"))
    after = text_version("consent_to_reuse", "vi"), text_version("consent_to_reuse", "en")
    assert len({*before, *after}) == 4


async def test_without_consent_nobody_is_asked_and_nothing_is_kept(equipment):
    await file(equipment, (ConsentToReuse, False), *ONE_PAGE, *TWO_PAGES, PAPER, *REST)
    assert equipment.office.wishes == []
    (dossier,) = equipment.office.submitted
    assert dossier.payload()["reuse_consent"] is None
    assert not any("reused" in component for component in components(dossier))


async def test_each_paper_is_decided_on_its_own_and_several_copies_may_be_chosen_from(equipment):
    equipment.office.on_file = (BIRTH, OLDER, MARRIAGE)
    older = (OfferReuse, lambda question: question.found[1])
    person, _ = await file(equipment, (ConsentToReuse, True), older, CAPTURE, *TWO_PAGES, PAPER, *REST)
    assert [(q.position, q.of) for q in person.seen if isinstance(q, OfferReuse)] == [(1, 2), (2, 2)]
    first, _, last = components(equipment.office.submitted[0])
    assert (first["reused"], first["reused_number"]) == ("KQ-KS-0", "98/2026")
    assert last["paper_only"]


@pytest.mark.parametrize(
    ("on_file", "searched"), [((), True), (Failure(Reason.RECEIVER_UNREACHABLE, "no answer in time"), False)]
)
async def test_nothing_found_or_nobody_reached_is_said_and_the_papers_are_captured(equipment, on_file, searched):
    equipment.office.on_file = on_file
    person, outcome = await file(
        equipment, (ConsentToReuse, True), (NothingToReuse, None), *ONE_PAGE, *TWO_PAGES, PAPER, *REST
    )
    assert outcome is Outcome.COMPLETED
    assert person.last(NothingToReuse).searched is searched


async def test_a_search_that_takes_long_can_be_left_for_the_camera(equipment):
    equipment.office.on_file = None

    class Hurried(ScriptedPerson):
        async def show(self, question, frame):
            if getattr(question, "what", "") == "finding_papers":
                assert question.can_cancel
                self.working.append(question.what)
                return None
            return await super().show(question, frame)

    script = [*TO_PROCEDURE, (ConsentToReuse, True), *ONE_PAGE, *TWO_PAGES, PAPER, *REST]
    person = Hurried((ChooseErrand, Errand.FILE_DOSSIER), *script)
    assert await Visit(equipment, person, Settings()).run(serve) is Outcome.COMPLETED
    assert "finding_papers" in person.working
    assert not any("reused" in component for component in components(equipment.office.submitted[0]))


async def test_while_the_province_is_known_to_be_away_nobody_is_asked_for_consent(equipment):
    equipment.office.asks_for_papers = False
    person, _ = await file(equipment, *ONE_PAGE, *TWO_PAGES, PAPER, *REST)
    assert not any(isinstance(question, ConsentToReuse) for question in person.seen)


@pytest.mark.parametrize("grade", [IdentityGrade.CHIP_READ, IdentityGrade.QR_ONLY, IdentityGrade.TYPED])
async def test_papers_of_somebody_whose_identity_is_not_proven_are_not_looked_for(equipment, grade):
    equipment.card.results = [replace(HOLDER, grade=grade)]
    await file(equipment, *ONE_PAGE, *TWO_PAGES, PAPER, *REST)
    assert equipment.office.wishes == []


async def test_back_from_the_camera_returns_to_the_offer_and_another_choice_counts(equipment):
    again = [(CapturePage, Control.BACK), CAPTURE, *ONE_PAGE, *TWO_PAGES]
    equipment.office.on_file = (BIRTH,)
    await file(equipment, (ConsentToReuse, True), USE, *again, PAPER, *REST)
    (dossier,) = equipment.office.submitted
    assert [len(p.pages) for p in dossier.papers] == [1, 2, 0]
    assert dossier.papers[0].reused is None
    assert len(equipment.office.wishes) == 1, "the province is not asked twice"


async def test_what_was_captured_before_going_back_is_not_filed_beside_the_paper_on_file(equipment):
    equipment.office.on_file = (BIRTH,)
    back = [(CapturePage, Control.BACK)] + [(kind, Control.BACK) for kind, _ in reversed(ONE_PAGE)]
    await file(equipment, (ConsentToReuse, True), CAPTURE, *ONE_PAGE, *back, USE, *TWO_PAGES, PAPER, *REST)
    (dossier,) = equipment.office.submitted
    assert [len(p.pages) for p in dossier.papers] == [0, 2, 0]
    assert dossier.papers[0].pdf == b""


async def test_back_to_the_consent_and_no_takes_everything_back(equipment):
    script = [(ConsentToReuse, True), (OfferReuse, Control.BACK), (ConsentToReuse, False)]
    await file(equipment, *script, *ONE_PAGE, *TWO_PAGES, PAPER, *REST)
    assert equipment.office.submitted[0].payload()["reuse_consent"] is None


async def test_a_citizen_who_walks_away_from_the_offer_leaves_nothing_behind(equipment):
    patience = Patience(0.3, 0.3)

    async def hands():
        while True:
            await asyncio.sleep(0.05)
            equipment.clock.seconds += 0.05

    turning = asyncio.create_task(hands())
    person, outcome = await file(equipment, (ConsentToReuse, True), (OfferReuse, LEAVES), patience=patience)
    turning.cancel()
    assert outcome is Outcome.TIMED_OUT
    assert equipment.office.submitted == []
    assert (equipment.office.forgotten, person.blanked) == (1, 1)


async def test_the_review_and_the_slip_name_the_paper_on_file(equipment):
    person, _ = await file(equipment, (ConsentToReuse, True), USE, USE, *TWO_PAGES, *REST)
    assert [bool(p.reused) for p in person.last(ReviewDossier).dossier.papers] == [True, False, True]
    (slip,) = equipment.printer.slips
    given = {e.label: e.value for e in slip.elements if hasattr(e, "label")}
    assert given["1. Giấy chứng sinh"] == "dùng bản đã có, số 112/2026"
    assert given["2. Tờ khai đăng ký khai sinh"] == "2 trang"


async def test_all_papers_on_file_need_no_camera_at_all(equipment):
    form = replace(BIRTH, component="KS02", result_code="KQ-TK-2")
    equipment.office.on_file = (BIRTH, form, MARRIAGE)
    person, outcome = await file(equipment, (ConsentToReuse, True), USE, USE, USE, *REST)
    assert outcome is Outcome.COMPLETED
    assert not any(isinstance(question, CapturePage) for question in person.seen)
    assert equipment.camera.assembled == []


@pytest.mark.parametrize(
    ("number", "shown"),
    [("52/2024", "52/2024"), ("BHYT 001199000123", "BHYT 0011••••••23"), ("H15-20240052", "H15-20240052")],
)
def test_a_personal_number_within_a_papers_number_is_masked(number, shown):
    assert replace(MARRIAGE, number=number).shown_number == shown
    assert number not in repr(replace(MARRIAGE, number=number))
