"""One window for all tests of the screens, drawn without a display."""

import asyncio
import os
from contextlib import suppress

import pytest

os.environ["SDL_VIDEODRIVER"] = "offscreen"

from kiosk.config import ScreenSettings
from kiosk.questions import Settings
from kiosk.visit import Frame
from screens.theme import Look
from screens.window import open_window


@pytest.fixture(scope="session")
def window() -> Look:
    return open_window(ScreenSettings(540, 960, fullscreen=False))  # small: drawn by software


@pytest.fixture
def presenter(window, monkeypatch):
    from kivy.core.window import Window

    from screens.presenter import KivyPresenter

    monkeypatch.setattr("screens.presenter.SETTLE", 0.01)
    presenter = KivyPresenter(window)
    Window.add_widget(presenter.stage)
    yield presenter
    presenter._clear()
    Window.remove_widget(presenter.stage)


@pytest.fixture
async def finger(presenter):
    """A finger on the presenter's window, with Kivy's loop turning."""
    from kivy.base import EventLoop
    from kivy.clock import Clock

    from screens.touch import Finger

    Clock._max_fps = 0

    async def turn():
        while True:
            EventLoop.idle()
            await asyncio.sleep(0.005)

    turning = asyncio.create_task(turn())
    yield Finger(presenter)
    turning.cancel()
    with suppress(asyncio.CancelledError):
        await turning


@pytest.fixture
def frame():
    return Frame(Settings(), can_go_back=True)
