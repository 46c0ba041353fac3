"""The window and the loop: Kivy and the kiosk in one asyncio loop, one task group."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import screens  # keeps Kivy's files, log and arguments out of the way  # noqa: F401
from kiosk.config import ScreenSettings
from screens.theme import FACES, Look, face

if TYPE_CHECKING:
    from screens.presenter import KivyPresenter

FRAMES_PER_SECOND = 30
COMMON_DISPLAY = (1920, 1080)


def headless() -> bool:
    """Whether the window is drawn without a display."""
    return os.environ.get("SDL_VIDEODRIVER") == "offscreen"


def open_window(settings: ScreenSettings) -> Look:
    """Configure Kivy and open its one window; raises FontsMissingError.

    Kivy reads its configuration when the window module is first imported: call this before anything does so.
    """
    for name in FACES:
        face(name)
    width, height = settings.width, settings.height
    if not settings.fullscreen and not headless():
        width, height = _scaled(width, height)
    _configure(width, height, settings.fullscreen and not headless())
    from kivy.core.window import Window

    if Window is None:
        raise RuntimeError("no window: is there a display? Without one use SDL_VIDEODRIVER=offscreen")
    Window.clearcolor = (0.0, 0.0, 0.0, 1.0)
    Window.show_cursor = not settings.fullscreen
    width, height = (int(n) for n in Window.system_size)
    return Look(width, height, animated=not headless())


def _configure(width: int, height: int, fullscreen: bool) -> None:
    from kivy.config import Config

    for section, key, value in (
        ("graphics", "width", width),
        ("graphics", "height", height),
        ("graphics", "fullscreen", "auto" if fullscreen else 0),
        ("graphics", "borderless", 0),
        ("graphics", "resizable", 0),
        ("graphics", "maxfps", FRAMES_PER_SECOND),
        ("graphics", "multisamples", 0),
        ("kivy", "exit_on_escape", 0),
        ("kivy", "log_enable", 0),
        ("kivy", "keyboard_mode", ""),
    ):
        Config.set(section, key, value)
    for section in ("input", "modules"):
        if Config.has_section(section):
            Config.remove_section(section)
        Config.add_section(section)
    # One provider: SDL's own mouse and touch. `mouse` without multitouch simulation, nothing that probes devices.
    Config.set("input", "mouse", "mouse,disable_multitouch")


def _scaled(width: int, height: int) -> tuple[int, int]:
    """The panel's size made to fit the display, with room for the frame of the window."""
    wide, high = _display_size()
    scale = min(1.0, wide * 0.95 / width, high * 0.88 / height)
    return round(width * scale), round(height * scale)


def _display_size() -> tuple[int, int]:
    """The preferred mode of the first connected display as the kernel knows it; a common one if it does not."""
    for status in sorted(Path("/sys/class/drm").glob("*/status")):
        modes = status.with_name("modes")
        if status.read_text().strip() == "connected" and modes.is_file():
            size = modes.read_text().partition("\n")[0].rstrip("i").split("x")
            if len(size) == 2 and all(part.isdecimal() for part in size):
                return int(size[0]), int(size[1])
    return COMMON_DISPLAY


async def run_screens(settings: ScreenSettings, serve: Callable[["KivyPresenter"], Awaitable[None]]) -> None:
    """Open the window and run it together with `serve`; the end or error of either ends both."""
    window = open_window(settings)
    from kivy.app import App

    from screens.presenter import KivyPresenter

    presenter = KivyPresenter(window)

    class Touchscreen(App):
        """Kivy's side."""

        def build(self) -> Any:
            """The stage is the root."""
            return presenter.stage

        def open_settings(self, *_: object) -> bool:
            """F1 opens nothing."""
            return False

    app = Touchscreen()

    async def draw() -> None:
        try:
            await app.async_run(async_lib="asyncio")
        finally:
            serving.cancel()

    async def run() -> None:
        try:
            await serve(presenter)
        finally:
            app.stop()

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(run())
        group.create_task(draw())
