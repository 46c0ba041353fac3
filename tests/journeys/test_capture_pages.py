"""A citizen before the camera: pages that take themselves, are looked through and put in order."""

import asyncio

import pytest

from kiosk.dossier import Page
from kiosk.health import Failure, Reason
from kiosk.journeys import serve
from kiosk.ports import Frame, PageLook
from kiosk.questions import (
    ArrangePages,
    CaptureAnswer,
    CapturePage,
    ChooseErrand,
    ChooseProcedure,
    ConfirmHolder,
    ConfirmLeaving,
    Consent,
    Control,
    Deed,
    DossierFiled,
    Errand,
    FillField,
    Mend,
    PageAnswer,
    PageDeed,
    PlaceCard,
    Remedy,
    ReviewAnswer,
    ReviewDossier,
    ReviewPage,
    Settings,
    ShowCardQr,
    ShowComponents,
    TakeCard,
)
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import CARD_QR, plain_equipment

START = [
    (ChooseErrand, Errand.FILE_DOSSIER),
    (PlaceCard, WAITS),
    (ShowCardQr, WAITS),
    (ConfirmHolder, True),
    (TakeCard, WAITS),
    (ChooseProcedure, lambda q: q.groups[0].procedures[0]),
    (ShowComponents, None),
]
SHUTTER = (CapturePage, CaptureAnswer.SHUTTER)
LAST = (ReviewPage, PageAnswer.COMPLETE)
MORE = (ReviewPage, PageAnswer.NEXT_PAGE)
DONE = (ArrangePages, PageDeed(Deed.DONE))
ONE = [SHUTTER, LAST]
REST = [*ONE, (CapturePage, CaptureAnswer.SKIP)]
"""The second and third component."""
FORM = [(FillField, answer) for answer in ("TRẦN MẪU CON", "05/11/2026", "nam", "Số 1 phố Mẫu", "0912345678")]
CHECKED = [(ReviewDossier, ReviewAnswer.GO_ON), (Consent, True)]
FILED = [*FORM, *CHECKED, (DossierFiled, None)]


def page(name):
    return Page(name.encode(), 1654, 2339, 200)


@pytest.fixture
def equipment():
    equipment = plain_equipment()
    equipment.scanner.codes = [CARD_QR]
    equipment.camera.shots = [page(name) for name in "abcdefgh"]
    return equipment


async def file(equipment, *script):
    person = ScriptedPerson(*START, *script)
    outcome = await Visit(equipment, person, Settings()).run(serve)
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    return person, outcome


def filed(equipment, component=0):
    (dossier,) = equipment.office.submitted
    return " ".join(page.jpeg.decode() for page in dossier.papers[component].pages)


async def test_a_page_at_rest_is_taken_without_a_touch(equipment):
    equipment.clock.monotonic = asyncio.get_running_loop().time

    class Live:
        number = 0

        def __call__(self):
            self.number += 1
            outline = ((0.2, 0.1), (0.8, 0.1), (0.8, 0.9), (0.2, 0.9))
            return Frame(720, 960, b"", outline, self.number)

    equipment.camera.preview = Live()
    person, _ = await file(equipment, (CapturePage, WAITS), LAST, *REST, *FILED)
    assert filed(equipment) == "a"
    assert person.working.count("capturing") == 2


async def test_a_slip_is_lifted_for_a_second_picture_and_both_are_filed_in_order(equipment):
    slip = [SHUTTER, (ReviewPage, PageAnswer.SLIP), SHUTTER, MORE, SHUTTER, LAST, DONE]
    person, _ = await file(equipment, *slip, *REST, *FILED)
    assert filed(equipment) == "a b c"
    assert [q.lifted for q in person.seen if isinstance(q, CapturePage)][:3] == [False, True, False]
    assert len(person.last(ArrangePages).leaves) == 2, "one page of paper, twice in the picture"


async def test_pages_are_moved_turned_taken_again_and_left_out(equipment):
    deeds = [
        (ArrangePages, PageDeed(Deed.LATER, 0)),  # b a c
        (ArrangePages, PageDeed(Deed.ROTATE, 2)),  # b a c-turned
        (ArrangePages, PageDeed(Deed.RETAKE, 1)),  # b d c-turned
        SHUTTER,
        LAST,
        (ArrangePages, PageDeed(Deed.EARLIER, 2)),  # b c-turned d
        (ArrangePages, PageDeed(Deed.DROP, 0)),  # c-turned d
        (ArrangePages, PageDeed(Deed.ADD)),
        SHUTTER,
        LAST,
        DONE,
    ]
    await file(equipment, SHUTTER, MORE, SHUTTER, MORE, SHUTTER, LAST, *deeds, *REST, *FILED)
    assert filed(equipment) == "c turned d e"


async def test_a_blank_page_and_one_taken_twice_are_pointed_out_and_may_be_dropped(equipment):
    equipment.camera.looks = [PageLook(), PageLook(blank=True), PageLook(same_as=0)]
    drop = (ReviewPage, PageAnswer.DROP)
    add = (ArrangePages, PageDeed(Deed.ADD))
    person, _ = await file(equipment, SHUTTER, MORE, SHUTTER, drop, add, SHUTTER, drop, DONE, *REST, *FILED)
    seen = [(q.number, q.blank, q.same_as) for q in person.seen if isinstance(q, ReviewPage)][:3]
    assert seen == [(1, False, None), (2, True, None), (2, False, 1)]
    assert filed(equipment) == "a"


async def test_a_page_like_one_behind_a_slip_is_named_by_its_number_on_paper(equipment):
    equipment.camera.looks = [PageLook(), PageLook(), PageLook(), PageLook(same_as=2)]
    slip = [SHUTTER, (ReviewPage, PageAnswer.SLIP), SHUTTER, MORE, SHUTTER, MORE, SHUTTER, LAST, DONE]
    person, _ = await file(equipment, *slip, *REST, *FILED)
    assert next(q.same_as for q in person.seen if isinstance(q, ReviewPage) and q.same_as) == 2


async def test_a_component_takes_no_more_pages_than_it_may_have(equipment):
    equipment.camera.shots = [page(str(n)) for n in range(30)]
    person, _ = await file(equipment, *[SHUTTER, MORE] * 19, SHUTTER, LAST, DONE, *REST, *FILED)
    reviews = [q.room for q in person.seen if isinstance(q, ReviewPage)]
    assert reviews[18:20] == [True, False]
    assert not person.last(ArrangePages).room


async def test_documents_are_put_together_while_the_form_is_filled_in(equipment):
    equipment.camera.assembling.clear()
    shares = []

    def slowly(question):
        shares.append(question.behind())
        equipment.camera.assembling.set()
        return "TRẦN MẪU CON"

    person, _ = await file(equipment, *ONE, *REST, (FillField, slowly), *FORM[1:], *CHECKED, (DossierFiled, None))
    assert shares == [0.0], "under way, and the citizen was asked all the same"
    assert person.last(ReviewDossier).behind() is None
    (dossier,) = equipment.office.submitted
    assert [p.pdf for p in dossier.papers] == [b"pdf of 1", b"pdf of 1"]
    assert all(label.reference == dossier.provisional_ref for label in equipment.camera.assembled)


async def test_nothing_is_filed_before_every_document_is_there(equipment):
    equipment.camera.assembling.clear()
    filing = asyncio.create_task(file(equipment, *ONE, *REST, *FILED))
    await asyncio.sleep(0.5)
    assert equipment.office.submitted == []
    equipment.camera.assembling.set()
    person, _ = await filing
    assert person.working.index("assembling") < person.working.index("submitting")
    assert len(equipment.office.submitted) == 1


async def test_a_document_that_cannot_be_made_names_the_remedy_and_is_tried_again(equipment):
    # the first try is behind the screens; before filing it is tried once more without a word
    equipment.camera.failures = [Failure(Reason.DISK_FULL)] * 3
    person, outcome = await file(equipment, *ONE, *REST, *FORM, *CHECKED, (Remedy, Mend.RETRY), (DossierFiled, None))
    assert person.last(Remedy).reason is Reason.DISK_FULL
    assert outcome is Outcome.COMPLETED
    assert len(equipment.office.submitted) == 1


async def test_leaving_ends_what_was_put_together(equipment):
    equipment.camera.assembling.clear()
    leave = [(FillField, Control.START_OVER), (ConfirmLeaving, True)]
    _, outcome = await file(equipment, *ONE, *REST, *leave)
    assert outcome is Outcome.STARTED_OVER
    assert equipment.camera.cancelled == 2
    assert equipment.camera.assembled == []


async def test_back_to_the_camera_makes_the_document_anew_from_the_other_pages(equipment):
    back = [(FillField, Control.BACK), (CapturePage, Control.BACK), (ReviewPage, PageAnswer.RETAKE)]
    await file(equipment, *ONE, *REST, *back, *ONE, (CapturePage, CaptureAnswer.SKIP), *FILED)
    assert filed(equipment, 1) == "c"
    assert [label.component for label in equipment.camera.assembled] == ["KS01", "KS02", "KS02"]


async def test_what_was_put_on_the_counter_instead_leaves_no_document(equipment):
    await file(equipment, *ONE, *ONE, *ONE, (FillField, Control.BACK), (ReviewPage, Control.BACK),
                           (CapturePage, CaptureAnswer.PAPER_ONLY), *FILED)  # fmt: skip
    (dossier,) = equipment.office.submitted
    assert dossier.papers[2].paper_only
    assert len(dossier.files()) == 3
