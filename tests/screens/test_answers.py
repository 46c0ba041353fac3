"""Real touches on every screen, and what they answer."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from kiosk import questions as q
from kiosk.citizen import NO_EXPIRY, AccessKey, IdentityGrade
from kiosk.i18n import say
from kiosk.leaves import Leaf
from kiosk.questions import Control, Settings
from kiosk.visit import Frame
from screens.samples import MORNING, booked, citizen, dossier, offers, on_file, page, reusing, sight, state, ticket

GROUP = offers().groups[0]
SERVICE, PROCEDURE = GROUP.services[0], GROUP.procedures[0]
COMPONENT = PROCEDURE.components[2]
LEAVES = tuple(Leaf(page()) for _ in range(3))
NAME, BIRTH, SEX, _, PHONE = PROCEDURE.fields
NUMBER = [f"digit:{d}" for d in "001199000123"]

TAPS = [
    (q.Attract(offers().centre), ["language:vi"], "vi"),
    (q.Attract(offers().centre), ["language:en"], "en"),
    *((q.ChooseErrand(), [f"answer:{e}"], e) for e in q.Errand),
    (q.ConfirmLeaving(), ["answer:leave"], True),
    (q.ConfirmLeaving(), ["answer:stay"], False),
    (q.StaffCalled(True), ["answer:go_on"], None),
    (q.Working("looking_up", lambda: 0.5, True), ["answer:cancel"], None),
    (q.ChooseService(offers().groups), [f"group:{GROUP.id}", f"service:{SERVICE.id}"], SERVICE),
    (q.ChooseProcedure(offers().groups), [f"group:{GROUP.id}", f"procedure:{PROCEDURE.code}"], PROCEDURE),
    (q.ChoosePriority(offers().priorities), ["answer:nothing"], q.Nothing.NOTHING),
    (q.ChoosePriority(offers().priorities), ["priority:elderly"], offers().priorities[0]),
    (q.TicketIssued(ticket(), q.Paper.PRINTED), ["answer:done"], q.AfterTicket.DONE),
    (q.TicketIssued(ticket(), q.Paper.FAILED), ["answer:reprint"], q.AfterTicket.REPRINT),
    (q.TicketIssued(ticket(), q.Paper.EARLIER), ["answer:reprint"], q.AfterTicket.REPRINT),
    (q.ShowAppointment(), ["answer:ordinary"], q.AppointmentAnswer.ORDINARY),
    *((q.ComeLater(booked(), MORNING), [f"answer:{a}"], a) for a in q.AppointmentAnswer),
    (q.PlaceCard(), ["answer:no_card"], q.PlaceCardAnswer.NO_CARD),
    (q.ShowCardQr(), ["answer:type"], q.KeyMethod.TYPE),
    (q.ShowCardQr(in_passing=True), ["answer:skip"], q.KeyMethod.SKIP),
    (q.ShowCardQr(camera=True), ["answer:camera"], q.KeyMethod.CAMERA),
    (q.ShowCardToCamera(sight), ["answer:type"], q.KeyMethod.TYPE),
    (q.ShowCardToCamera(sight, scanner=True), ["answer:scanner"], q.KeyMethod.SCANNER),
    (q.ShowCardToCamera(sight, in_passing=True), ["answer:skip"], q.KeyMethod.SKIP),
    (q.Working("card_lifted", lambda: 0.43, True), ["answer:cancel"], None),
    (q.ConfirmHolder(citizen()), ["answer:yes"], True),
    (q.ConfirmHolder(citizen()), ["answer:no"], False),
    (q.ConsentToFace(), ["answer:agree"], True),
    (q.ConsentToFace(), ["answer:refuse"], False),
    (q.ShowFace(sight), ["answer:skip"], q.FaceAnswer.SKIP),
    (q.FaceCompared(False), ["answer:continue"], None),
    (q.TakeCard(), ["answer:taken"], None),
    (q.ShowComponents(PROCEDURE), ["answer:start"], None),
    (q.ConsentToReuse(citizen(), 3), ["answer:agree"], True),
    (q.ConsentToReuse(citizen(), 3), ["answer:refuse"], False),
    (q.OfferReuse(COMPONENT, 1, 1, (on_file(),)), ["answer:use"], on_file()),
    (q.OfferReuse(COMPONENT, 1, 1, (on_file(),)), ["answer:capture"], q.Nothing.NOTHING),
    (q.OfferReuse(COMPONENT, 1, 1, (on_file(), on_file(number="1/2020"))), ["paper:2"], on_file(number="1/2020")),
    (q.OfferReuse(COMPONENT, 1, 1, (on_file(),) * 9), ["page:next", "answer:capture"], q.Nothing.NOTHING),
    (q.NothingToReuse(searched=False), ["answer:go_on"], None),
    *((q.CapturePage(COMPONENT, 1, 3, 1, sight), [f"answer:{a}"], a) for a in q.CaptureAnswer),
    *((q.ReviewPage(COMPONENT, page(), 1), [f"answer:{a}"], a) for a in q.PageAnswer),
    *((q.ArrangePages(COMPONENT, LEAVES, 1), [f"answer:{d}"], q.PageDeed(d, 1)) for d in q.Deed),
    (q.ArrangePages(COMPONENT, LEAVES, 0), ["page:3", "answer:earlier"], q.PageDeed(q.Deed.EARLIER, 2)),
    (q.ArrangePages(COMPONENT, LEAVES * 4, 0), ["page:next", "page:8", "answer:drop"], q.PageDeed(q.Deed.DROP, 7)),
    (q.FillField(SEX, 1, 5), ["choice:nu"], "nu"),
    (q.FillField(PHONE, 1, 5), [*(f"digit:{d}" for d in "0912000123"), "answer:continue"], "0912000123"),
    (q.FillField(BIRTH, 1, 5), [*(f"digit:{d}" for d in "05112026"), "answer:continue"], "05/11/2026"),
    (q.ReviewDossier(dossier()), ["answer:go_on"], q.ReviewAnswer.GO_ON),
    (q.Consent("Ủy ban"), ["answer:agree"], True),
    (q.Consent("Ủy ban"), ["answer:refuse"], False),
    (q.DossierFiled("TAM-7K3F-92QD", q.Paper.PRINTED), ["answer:done"], None),
    (q.TypePersonalId(), [*NUMBER, "answer:continue"], "001199000123"),
    (q.ShowStatus(state()), ["answer:print"], q.AfterStatus.PRINT),
    (q.ShowStatus(state(), printed=True), ["answer:done"], q.AfterStatus.DONE),
]  # fmt: skip


async def answered(presenter, finger, question, keys, frame):
    asking = asyncio.create_task(presenter.show(question, frame))
    await asyncio.sleep(0)
    for key in keys:
        await finger.tap(key)
    return await asyncio.wait_for(asking, 30)


@pytest.mark.parametrize(("question", "keys", "answer"), TAPS, ids=lambda v: type(v).__name__)
async def test_touches_answer(presenter, finger, frame, question, keys, answer):
    assert await answered(presenter, finger, question, keys, frame) == answer


@pytest.mark.parametrize("control", Control)
async def test_the_dock_answers_with_its_control(presenter, finger, frame, control):
    assert await answered(presenter, finger, q.PlaceCard(), [f"control:{control}"], frame) is control


async def test_back_is_not_offered_where_there_is_no_way_back(presenter, finger):
    asking = asyncio.create_task(presenter.show(q.ChooseErrand(), Frame(Settings(), can_go_back=False)))
    await finger.wait_for("choose_errand")
    assert "control:back" not in finger.touchables()
    assert "control:call_staff" in finger.touchables()
    asking.cancel()


async def test_back_within_a_screen_goes_to_its_first_level(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.ChooseService(offers().groups), frame))
    await finger.tap(f"group:{GROUP.id}")
    await finger.tap("control:back")
    await finger.wait_for_key(f"group:{GROUP.id}")
    await finger.tap("control:back")
    assert await asking is Control.BACK


async def test_a_service_is_found_without_marks(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.ChooseService(offers().groups), frame))
    await finger.tap("search")
    await finger.type("ket hon")
    await finger.tap("service:ket-hon")
    assert (await asking).id == "ket-hon"


async def test_what_is_not_found_is_said(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.ChooseService(offers().groups), frame))
    await finger.tap("search")
    await finger.type("zzz")
    assert any("Không tìm thấy" in text for text in presenter.screen.speakable)
    asking.cancel()


ACCESS = [*NUMBER, "answer:continue", *(f"digit:{d}" for d in "02091999"), "answer:continue"]


async def test_the_access_key_is_typed_in_three_steps(presenter, finger, frame):
    keys = [*ACCESS, *(f"digit:{d}" for d in "02092039"), "answer:continue"]
    key = await answered(presenter, finger, q.TypeAccessKey(), keys, frame)
    assert key == AccessKey("001199000123", date(1999, 9, 2), date(2039, 9, 2))


async def test_a_card_without_expiry(presenter, finger, frame):
    key = await answered(presenter, finger, q.TypeAccessKey(), [*ACCESS, "answer:no_expiry"], frame)
    assert key.expiry == NO_EXPIRY


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("02132020", "không có trong lịch"),
        ("0209", "không có trong lịch"),
        ("02091989", "không khớp với số định danh"),
    ],
)
async def test_a_wrong_birth_date_is_named(presenter, finger, frame, typed, message):
    asking = asyncio.create_task(presenter.show(q.TypeAccessKey(), frame))
    for key in [*NUMBER, "answer:continue", *(f"digit:{d}" for d in typed), "answer:continue"]:
        await finger.tap(key)
    assert any(message in text for text in presenter.screen.speakable)
    assert not asking.done()
    asking.cancel()


async def test_a_short_number_is_refused(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.TypePersonalId(), frame))
    await finger.type("00119900")
    await finger.tap("answer:continue")
    assert any("12 chữ số. Vui lòng" in text for text in presenter.screen.speakable)
    asking.cancel()


async def test_a_name_is_typed_in_telex_and_comes_as_nfc(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.FillField(NAME, 1, 5), frame))
    await finger.type("Nguyeenx Vawn Ddo")
    await finger.tap("keyboard:backspace")
    await finger.tap("keyboard:ư")
    await finger.type("c")
    await finger.tap("keyboard:tone_sac")
    await finger.tap("answer:continue")
    assert await asking == "Nguyễn Văn Đức"


async def test_an_empty_required_field_is_refused_and_an_optional_one_may_be_skipped(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.FillField(NAME, 1, 5), frame))
    await finger.tap("answer:continue")
    assert any("điền mục này" in text for text in presenter.screen.speakable)
    asking.cancel()


async def test_a_dossier_code_is_typed(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.TypeDossierCode(), frame))
    await finger.type("TAM-7K3F-92QD")
    await finger.tap("answer:continue")
    assert await asking == "TAM-7K3F-92QD"


async def test_long_lists_are_turned_in_pages(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.ReviewDossier(dossier()), frame))
    await finger.wait_for("review_dossier")
    assert not any("0912000123" in text for text in presenter.screen.speakable)
    await finger.tap("page:next")
    assert any("0912000123" in text for text in presenter.screen.speakable)
    await finger.tap("page:previous")
    asking.cancel()


async def test_a_touch_anywhere_wakes_the_kiosk(presenter, finger, window):
    asking = asyncio.create_task(presenter.show(q.Attract(offers().centre), Frame(Settings(), False, in_visit=False)))
    await finger.wait_for("attract")
    await finger.tap_at(window.width / 2, window.height * 0.8)
    assert await asyncio.wait_for(asking, 30) == "vi"


@pytest.mark.parametrize("grade", IdentityGrade)
@pytest.mark.parametrize("in_passing", [True, False])
def test_every_grade_is_told_in_a_sentence_and_never_calls_a_card_false(presenter, frame, grade, in_passing):
    for language in ("vi", "en"):
        question = q.ConfirmHolder(citizen(grade), in_passing)
        screen = presenter.stand(question, replace(frame, settings=Settings(language)), {})
        said = " ".join(screen.speakable)
        assert say(f"grade.{grade.value}.title").in_(language) in said
        assert not [word for word in ("giả", "fake", "false", "forged") if word in said.lower().split()]


def test_the_holder_is_shown_with_a_masked_number_and_not_spoken_of(presenter, frame):
    screen = presenter.stand(q.ConfirmHolder(citizen(), in_passing=True, expired=True), frame, {})
    said = " ".join(screen.speakable)
    assert "NGUYỄN THỊ MẪU" in said
    assert "0011••••••23" in said
    assert "001199000123" not in said
    assert "02/09/1999" not in said, "a greeting shows no more than it needs"
    assert "Thẻ đã hết hạn" in screen.spoken
    assert "NGUYỄN" not in screen.spoken


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_consent_says_whose_papers_are_searched_and_is_not_spoken_with_the_name(presenter, frame, language):
    question = q.ConsentToReuse(citizen(), 3)
    screen = presenter.stand(question, replace(frame, settings=Settings(language)), {})
    said = " ".join(screen.speakable)
    assert "NGUYỄN THỊ MẪU" in said
    assert "0011••••••23" in said
    assert {"vi": "không lưu gì", "en": "nothing is kept"}[language] in said
    assert "NGUYỄN" not in screen.spoken


def test_before_filing_the_citizen_sees_which_paper_is_taken_from_the_files(presenter, frame):
    texts = presenter.stand(q.ReviewDossier(reusing()), frame, {}).speakable
    assert texts[texts.index("Giấy chứng nhận kết hôn của cha mẹ") + 1] == "dùng bản đã có, số 52/2024"


def test_while_the_card_is_away_the_screen_says_what_to_do_and_keeps_the_share(presenter, frame):
    screen = presenter.stand(q.Working("card_lifted", lambda: 0.43, True), frame, {})
    assert "Đặt lại thẻ lên đầu đọc" in screen.spoken
    assert "43%" in screen.speakable
    assert "Tiếp tục không dùng thẻ" in screen.speakable
