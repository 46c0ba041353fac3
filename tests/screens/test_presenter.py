"""What the presenter promises the visit: drafts, wipes, warnings, withdrawn questions."""

import asyncio
import gc
from dataclasses import replace

import pytest

from kiosk import questions as q
from kiosk.questions import Control, Settings
from kiosk.shutter import Prompt, Sight
from kiosk.visit import Frame
from screens.samples import citizen, offers, page, preview, sight, ticket

CANARY = " ".join(reversed(("CANARY", "THỊ", "HOÀNG")))  # not in one piece in this file, which Python keeps too


async def test_what_was_typed_survives_a_change_of_language_and_a_call_for_staff(presenter, finger, frame):
    question = q.TypePersonalId()
    asking = asyncio.create_task(presenter.show(question, frame))
    await finger.type("001199")
    await finger.tap("control:language")
    assert await asking is Control.LANGUAGE
    calling = asyncio.create_task(presenter.show(q.StaffCalled(True), frame))
    await finger.tap("answer:go_on")
    await calling
    asking = asyncio.create_task(presenter.show(question, Frame(Settings("en"), True)))
    await finger.type("000123")
    await finger.tap("answer:continue")
    assert await asking == "001199000123"


async def test_what_was_typed_does_not_survive_another_question(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.TypePersonalId(), frame))
    await finger.type("001199")
    asking.cancel()
    for name, question in (("type_dossier_code", q.TypeDossierCode()), ("type_personal_id", q.TypePersonalId())):
        asking = asyncio.create_task(presenter.show(question, frame))
        await finger.wait_for(name)
        asking.cancel()
    assert presenter.screen.draft == {}


async def show_a_person(presenter, finger, frame):
    """Everything personal that a screen can hold: name, portrait, page, typed text, preview."""
    asking = asyncio.create_task(presenter.show(q.ConfirmHolder(replace(citizen(), full_name=CANARY)), frame))
    await finger.tap("answer:yes")
    await asking
    asking = asyncio.create_task(presenter.show(q.CapturePage(offers().groups[0].procedures[0].components[0], 1, 1, 1,
                                                              sight), frame))  # fmt: skip
    await finger.tap("answer:shutter")
    await asking
    asking = asyncio.create_task(presenter.show(q.ReviewPage(offers().groups[0].procedures[0].components[0], page(), 1),
                                                frame))  # fmt: skip
    await finger.tap("answer:complete")
    await asking
    name = offers().groups[0].procedures[0].fields[0]
    asking = asyncio.create_task(presenter.show(q.FillField(name, 1, 1, CANARY), frame))
    await finger.type("x")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


def traces(of: str) -> list[str]:
    """Where a text still is in this process: in containers and in the parts of screens."""
    found = []
    for thing in gc.get_objects():
        held = list(thing.values()) if type(thing) is dict else thing
        if issubclass(type(held), list | tuple | set | frozenset):
            found += [f"{type(thing)}: {str(h)[:40]}" for h in held if type(h) is str and of in h and h != of]
            found += [f"{type(thing)}" for h in held if type(h) is str and h == of and not _ours(thing)]
    return found


def _ours(thing: object) -> bool:
    return (isinstance(thing, dict) and thing.get("CANARY") == CANARY) or (isinstance(thing, tuple) and CANARY in thing)


async def test_blank_leaves_no_trace_of_the_person(presenter, finger, frame):
    from kivy.core.window import Window
    from kivy.graphics.texture import Texture

    from screens.screen import Screen
    from screens.widgets.text import Words

    await show_a_person(presenter, finger, frame)
    draws = []
    Window.bind(on_flip=lambda *_: draws.append(1))
    await presenter.blank()
    await asyncio.sleep(0.05)
    gc.collect()
    assert len(draws) >= 2
    assert presenter.current_name == ""
    assert presenter.stage.children == []
    assert not [o for o in gc.get_objects() if issubclass(type(o), Screen)]
    assert not [o for o in gc.get_objects() if type(o) is Words and o.text]
    assert traces(CANARY) == []
    pictures = [
        o.size for o in gc.get_objects() if type(o) is Texture and o.size == (preview().width, preview().height)
    ]
    assert pictures == []


async def test_a_blank_screen_is_black(presenter, finger, frame, tmp_path):
    import cv2

    asking = asyncio.create_task(presenter.show(q.TicketIssued(ticket(), q.Paper.PRINTED), frame))
    await finger.wait_for("ticket_issued")
    finger.screenshot(tmp_path / "before.png")
    asking.cancel()
    await presenter.blank()
    finger.screenshot(tmp_path / "after.png")
    assert cv2.imread(str(tmp_path / "before.png")).max() > 200
    assert cv2.imread(str(tmp_path / "after.png")).max() == 0


async def test_a_withdrawn_question_takes_no_touch(presenter, finger, frame):
    asking = asyncio.create_task(presenter.show(q.PlaceCard(), frame))
    await finger.wait_for("place_card")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert not presenter.ready


async def test_the_second_half_of_a_double_tap_does_not_reach_the_next_screen(presenter, finger, frame, monkeypatch):
    asking = asyncio.create_task(presenter.show(q.ConfirmLeaving(), frame))
    await finger.wait_for("confirm_leaving")
    stay = finger.touchables()["answer:stay"].center
    await finger.tap_at(*stay)
    await asking
    monkeypatch.setattr("screens.presenter.SETTLE", 10)
    asking = asyncio.create_task(presenter.show(q.ChooseErrand(), frame))
    await asyncio.sleep(0.05)
    await finger.tap_at(*stay)
    await asyncio.sleep(0.05)
    assert not asking.done()
    asking.cancel()


async def test_every_touch_is_a_sign_of_life_and_the_warning_swallows_it(presenter, finger, frame):
    touches = []
    presenter.on_touch = lambda: touches.append(1)
    asking = asyncio.create_task(presenter.show(q.ChooseErrand(), frame))
    await finger.wait_for("choose_errand")
    presenter.warn_idle(30)
    presenter.warn_idle(29)
    assert finger.keys() == ["idle:stay"]
    await finger.tap("idle:stay")
    assert touches
    assert presenter.warning is None
    assert not asking.done()
    asking.cancel()


async def test_new_screens_speak_heading_and_instruction_in_the_citizens_language(presenter, finger):
    said = []
    presenter.on_speak = lambda text, language: said.append((language, text))
    asking = asyncio.create_task(presenter.show(q.PlaceCard(), Frame(Settings("en"), True)))
    await finger.wait_for("place_card")
    asking.cancel()
    assert said == [
        ("en", "Put your ID card on the reader\nLay it flat on the reader below the screen and leave it there.")
    ]


async def test_the_number_of_a_ticket_is_spoken(presenter, frame):
    assert "HT-047" in presenter.stand(q.TicketIssued(ticket(), q.Paper.PRINTED), frame, {}).spoken


async def test_last_screens_close_by_themselves(presenter, finger, frame, monkeypatch):
    from screens import ticket_issued

    monkeypatch.setattr(ticket_issued, "SECONDS", 2)
    asking = asyncio.create_task(presenter.show(q.TicketIssued(ticket(), q.Paper.PRINTED), frame))
    await finger.wait_for("ticket_issued")
    assert any("sau 2 giây" in text for text in presenter.screen.speakable)
    assert await asyncio.wait_for(asking, 10) is q.AfterTicket.DONE


async def test_the_preview_fills_one_texture_and_says_when_a_page_is_seen(presenter, finger, frame):
    from screens.widgets.live import LivePreview

    newest = [Sight(replace(preview(), outline=None), Prompt.LAY)]
    component = offers().groups[0].procedures[0].components[0]
    asking = asyncio.create_task(presenter.show(q.CapturePage(component, 1, 1, 1, lambda: newest[0]), frame))
    await finger.wait_for("capture_page")
    live = next(p for p in presenter.screen.parts() if isinstance(p, LivePreview))
    first = live._texture
    assert "Đặt giấy thẳng vào khung" in presenter.screen.speakable
    newest[0] = Sight(replace(preview(), number=2), Prompt.HOLD, 0.5)
    while live._number != 2:
        await asyncio.sleep(0.02)
    assert live._texture is first
    assert "Giữ yên…" in presenter.screen.speakable
    asking.cancel()


@pytest.mark.parametrize("broken", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut off"])
def test_a_broken_picture_is_shown_as_nobody(presenter, frame, broken):
    from screens.widgets.picture import Picture

    screen = presenter.stand(q.ConfirmHolder(replace(citizen(), portrait=broken or b"x")), frame, {})
    assert [p.shown for p in screen.parts() if isinstance(p, Picture)] == [False]


async def test_progress_is_followed(presenter, finger, frame):
    share = [0.1]
    asking = asyncio.create_task(presenter.show(q.Working("reading_card", lambda: share[0]), frame))
    await finger.wait_for("working")
    assert "10%" in presenter.screen.speakable
    share[0] = 0.7
    for _ in range(100):
        if "70%" in presenter.screen.speakable:
            break
        await asyncio.sleep(0.02)
    assert "70%" in presenter.screen.speakable
    asking.cancel()
