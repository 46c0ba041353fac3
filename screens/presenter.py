"""Shows questions as screens: the `kiosk.visit.Presenter` of the touchscreen."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from kivy.clock import Clock, ClockEvent
from kivy.core.window import Window
from kivy.input import MotionEvent
from kivy.uix.widget import Widget

from kiosk.questions import Attract, ConfirmLeaving, Control, Question, StaffCalled
from kiosk.text import Language, Text
from kiosk.visit import Frame
from screens.registry import SCREENS
from screens.screen import Screen, Shown, screen_name
from screens.theme import Look, for_settings, use
from screens.widgets.idle import IdleWarning
from screens.widgets.illustration import prepare

log = logging.getLogger(__name__)
A = TypeVar("A")

INTERLUDES = (ConfirmLeaving, StaffCalled)
"""Questions of the visit itself: what was entered before them is still there after them."""

SETTLE = 0.25
"""Seconds in which a new screen takes no touch: the second half of a double tap was meant for the last one."""


PREPARE_SECONDS = 0.4


class KivyPresenter:
    """One screen at a time in the window. `on_touch` is called at every touch, `on_speak` for every new screen."""

    def __init__(self, window: Look) -> None:
        self.window = window
        self.centre = Text("")
        self.on_touch: Callable[[], None] | None = None
        self.on_speak: Callable[[str, Language], None] | None = None
        self.stage = _Stage(self)
        self.screen: Screen[Any] | None = None
        self.warning: IdleWarning | None = None
        self._question: Question[Any] | None = None
        self._draft: dict[str, Any] = {}
        self._settled = 0.0
        self._open = False
        self._preparing: ClockEvent | None = None

    @property
    def current_name(self) -> str:
        """The present screen («choose_service»), empty after `blank`."""
        return self.screen.name if self.screen else ""

    @property
    def ready(self) -> bool:
        """Whether a touch would be taken now."""
        return self._open and time.monotonic() >= self._settled

    async def show(self, question: Question[A], frame: Frame) -> A | Control:
        """Show until answered. Cancelled: the question is withdrawn."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def answer(value: object) -> None:
            if not future.done():
                future.set_result(value)

        self._present(question, frame, answer)
        try:
            return cast("A | Control", await future)
        finally:
            self._open = False

    def stand(self, question: Question[Any], frame: Frame, draft: dict[str, Any]) -> Screen[Any]:
        """Show a screen in a given state without waiting for its answer: for pictures of it."""
        self._question, self._draft = question, dict(draft)
        self._present(question, frame, lambda _: None)
        assert self.screen is not None
        return self.screen

    def warn_idle(self, seconds_left: int | None) -> None:
        """Ask over the present screen whether anybody is still there; None takes the warning away."""
        if seconds_left is None or self.screen is None:
            self._drop_warning()
        elif self.warning is None:
            self.warning = IdleWarning(seconds_left, self._drop_warning)
            self.stage.add_widget(self.warning)
            self.warning.place(0, 0, self.window.width, self.window.height)
            self._speak(self.warning.spoken)
        else:
            self.warning.show(seconds_left)

    async def blank(self) -> None:
        """Forget everything shown or typed and draw nothing, twice (a static screen may keep its last frame)."""
        self._drop_warning()
        self._clear()
        self._question, self._draft = None, {}
        use(self.window)
        gc.collect()
        for _ in range(2):
            Window.canvas.ask_update()
            Window.dispatch("on_draw")
            Window.dispatch("on_flip")

    def _present(self, question: Question[A], frame: Frame, answer: Callable[[object], None]) -> None:
        if isinstance(question, Attract):
            self.centre = question.centre
            self._prepare()
        interlude = isinstance(question, INTERLUDES)
        same = question == self._question
        if not interlude and not same:
            self._question, self._draft = question, {}
        use(for_settings(self.window, frame.settings))
        again = self.screen is not None and self.screen.question == question
        self._clear()
        shown = Shown(question, frame, answer, self.centre, {} if interlude else self._draft, self._speak)
        screen = SCREENS[type(question)](shown)
        screen.build()
        self.stage.add_widget(screen)
        screen.place(0, 0, self.window.width, self.window.height)
        self.screen, self._open = screen, True
        self._settled = 0.0 if again else time.monotonic() + SETTLE
        log.debug("screen %s", screen_name(type(question)))
        self._speak(screen.spoken)

    def _prepare(self) -> None:
        """While nobody is there the pictures are drawn, so that nobody has to wait for them."""
        if self._preparing is None and self.window.animated:
            steps = prepare()
            self._preparing = Clock.schedule_interval(lambda _: next(steps, False), PREPARE_SECONDS)

    def _speak(self, text: str) -> None:
        if self.on_speak and text and self.screen:
            self.on_speak(text, self.screen.frame.settings.language)

    def _drop_warning(self) -> None:
        if self.warning:
            self.warning.leave()
            self.stage.remove_widget(self.warning)
            self.warning = None

    def _clear(self) -> None:
        if self.screen:
            self.screen.leave()
            self.stage.remove_widget(self.screen)
            self.screen = None
        self._open = False


class _Stage(Widget):
    """The root of the window: tells the presenter of every touch, and holds back those nobody is there to take."""

    def __init__(self, presenter: KivyPresenter) -> None:
        super().__init__()
        self._presenter = presenter

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """Whoever touches is there."""
        if getattr(touch, "is_mouse_scrolling", False):
            return True
        presenter = self._presenter
        if presenter.on_touch:
            presenter.on_touch()
        if presenter.warning:
            presenter.warning.on_touch_down(touch)
            return True
        if presenter.ready:
            super().on_touch_down(touch)
        return True
