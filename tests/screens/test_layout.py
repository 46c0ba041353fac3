"""Every screen, in every state, in both languages, sizes and orientations: nothing overflows, everything can be hit."""

import pytest

from kiosk import questions as q
from kiosk.questions import Settings
from kiosk.visit import Frame
from screens.theme import Look

MODES = {
    "portrait-vi": (Look(1080, 1920, animated=False), Settings("vi")),
    "portrait-en": (Look(1080, 1920, animated=False), Settings("en")),
    "portrait-vi-large-contrast": (Look(1080, 1920, animated=False), Settings("vi", True, True)),
    "portrait-en-large": (Look(1080, 1920, animated=False), Settings("en", large_text=True)),
    "landscape-vi": (Look(1920, 1080, animated=False), Settings("vi")),
    "landscape-vi-large": (Look(1920, 1080, animated=False), Settings("vi", large_text=True)),
    "landscape-en-large": (Look(1920, 1080, animated=False), Settings("en", large_text=True)),
    "small-window-vi": (Look(486, 864, animated=False), Settings("vi")),
}


@pytest.mark.parametrize("mode", MODES)
def test_no_screen_overflows(window, mode):
    from screens.layout_check import complaints
    from screens.presenter import KivyPresenter
    from screens.samples import samples

    look, settings = MODES[mode]
    presenter = KivyPresenter(look)
    wrong = {}
    for name, sample in samples().items():
        found = complaints(presenter.stand(sample.question, Frame(settings, sample.back), sample.draft))
        if found:
            wrong[name] = found
    presenter._clear()
    assert wrong == {}


def test_the_check_itself_sees_a_button_over_another(presenter, frame):
    from screens.layout_check import complaints

    screen = presenter.stand(q.ConfirmLeaving(), frame, {})
    touchables = {p.key: p for p in screen.parts() if hasattr(p, "key")}
    leave, stay = touchables["answer:leave"], touchables["answer:stay"]
    leave.place(stay.x, stay.y + 20, stay.width, stay.height)
    assert any("lies over" in complaint for complaint in complaints(screen))


def test_there_is_a_screen_and_a_sample_for_every_question():
    from screens.registry import SCREENS
    from screens.samples import samples

    asked = {c for c in vars(q).values() if isinstance(c, type) and issubclass(c, q.Question) and c is not q.Question}
    assert set(SCREENS) == asked
    assert {type(s.question) for s in samples().values()} == asked


def test_every_reason_and_every_work_of_the_journeys_has_its_words(presenter, frame):
    from kiosk.health import Reason

    for reason in Reason:
        if reason not in (Reason.OK, Reason.STARTING, Reason.NOT_CONFIGURED):
            screen = presenter.stand(q.Remedy(reason, tuple(q.Mend)), frame, {})
            assert len(screen.speakable) >= 5  # condition, remedy, three offers


def test_everything_shown_can_be_spoken_in_order(presenter, frame):
    from screens.samples import samples

    sample = samples()["choose_errand"]
    said = presenter.stand(sample.question, frame, {}).speakable
    assert said[0] == "Quý vị cần làm gì hôm nay?"
    assert said.index("Lấy số thứ tự") < said.index("Nộp hồ sơ") < said.index("Tra cứu hồ sơ")
