"""A finger for tests and tours: real touches through the window, at what a person would touch."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from kivy.base import EventLoop
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGBA, GL_UNSIGNED_BYTE, glReadPixels
from kivy.input import MotionEvent

from screens.keyboard.keys import Key
from screens.presenter import KivyPresenter
from screens.widgets.part import Touchable

PATIENCE = 10.0


class FingerError(Exception):
    """What should be touched or seen did not come; the message says what is there instead."""


class _Touch(MotionEvent):
    """One touch at a place of the window, in real pixels."""

    def __init__(self, x: float, y: float) -> None:
        place = {"x": x / max(Window.width - 1.0, 1.0), "y": y / max(Window.height - 1.0, 1.0)}
        super().__init__("finger", 1, place, is_touch=True, type_id="touch")
        self.profile = ["pos"]

    def depack(self, args: dict[str, float]) -> None:
        """Where it is, as shares of the window."""
        self.sx, self.sy = args["x"], args["y"]
        super().depack(args)


class Finger:
    """Touches what has a key (`answer:take_ticket`, `service:ks`, `control:back`, `keyboard:a`, `digit:7` …)."""

    def __init__(self, presenter: KivyPresenter) -> None:
        self._presenter = presenter

    def touchables(self) -> dict[str, Touchable]:
        """What can be touched now, by key."""
        on_top = self._presenter.warning or self._presenter.screen
        if on_top is None:
            return {}
        return {p.key: p for p in on_top.parts() if isinstance(p, Touchable) and not p.disabled}

    def keys(self) -> list[str]:
        """The keys of everything that can be touched now."""
        return list(self.touchables())

    async def tap(self, key: str, seconds: float = PATIENCE) -> None:
        """Touch it, as soon as it is there."""

        def there() -> bool:
            return self._presenter.ready and key in self.touchables()

        await self._until(there, f"nothing to touch named {key}", seconds)
        part = self.touchables()[key]
        await self.tap_at(part.center_x, part.center_y)

    async def tap_at(self, x: float, y: float) -> None:
        """Touch a place of the window."""
        touch = _Touch(x, y)
        EventLoop.post_dispatch_input("begin", touch)
        await asyncio.sleep(0.02)
        EventLoop.post_dispatch_input("end", touch)
        await asyncio.sleep(0)

    async def type(self, text: str) -> None:
        """Type on the keyboard or number pad that is shown; letters with marks as they stand on its keys."""
        await self._until(lambda: self._presenter.ready, "no screen to type on", PATIENCE)
        for letter in text:
            shift = self.touchables().get("keyboard:shift")
            if letter.isalpha() and isinstance(shift, Key) and shift.lit != letter.isupper():
                await self.tap("keyboard:shift")
            await self.tap(self._key_of(letter))

    def _key_of(self, letter: str) -> str:
        if letter.isdigit() and f"digit:{letter}" in self.touchables():
            return f"digit:{letter}"
        return "keyboard:space" if letter == " " else f"keyboard:{letter.lower()}"

    async def wait_for(self, screen: str, seconds: float = PATIENCE) -> None:
        """Return when the screen of this name takes touches."""

        def there() -> bool:
            return self._presenter.ready and self._presenter.current_name == screen

        await self._until(there, f"the screen {screen} did not come", seconds)

    async def wait_for_key(self, key: str, seconds: float = PATIENCE) -> None:
        """Return when something of this key can be touched."""
        await self._until(lambda: key in self.touchables(), f"nothing named {key} appeared", seconds)

    def screenshot(self, path: Path) -> None:
        """The window as a PNG, as it would be drawn now."""
        screenshot(path)

    async def _until(self, there: Callable[[], bool], complaint: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                keys = ", ".join(self.keys())
                raise FingerError(f"{complaint}; on {self._presenter.current_name or 'nothing'} there are: {keys}")
            await asyncio.sleep(0.02)


def screenshot(path: Path) -> None:
    """Draw the window and write it as a PNG."""
    Window.dispatch("on_draw")
    width, height = (int(n) for n in Window.system_size)
    pixels = np.frombuffer(glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE), np.uint8)
    bgr = cv2.cvtColor(pixels.reshape(height, width, 4)[::-1], cv2.COLOR_RGBA2BGR)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
