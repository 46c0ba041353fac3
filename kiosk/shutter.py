"""When a page takes its own picture: it is seen whole, nothing is in the way, it rests, and it is not the last one."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from kiosk.health import Reason
from kiosk.ports import Frame, Point

REST_SECONDS = 0.5
REST_MOVE = 0.003
"""A page rests if no corner moves farther than this share of the frame's diagonal (capture reference §5)."""
CHANGE_MOVE = 0.03
"""Farther than this it is another page, or the same one laid down anew."""
GAP_SECONDS = 0.25
"""A finder that loses the page for less than this has blinked."""
CALM_SECONDS = 0.35
"""An instruction stands so long before the next: a person must be able to read it."""
LOOKS_PER_SECOND = 15

Outline = tuple[Point, Point, Point, Point]


class Prompt(StrEnum):
    """The one thing said before the camera; texts under `screen.capture_page.prompt_*`."""

    WAITING = "waiting"
    LAY = "lay"
    TAKEN = "taken"
    HOLD = "hold"
    HAND = "hand"
    SEVERAL = "several"
    CUT_OFF = "cut_off"
    BLURRED = "blurred"
    GLARE = "glare"
    DARK = "dark"
    SHADOW = "shadow"
    SMALL = "small"
    UNREAD = "unread"
    """A card lies well, but what is printed on it was not read."""


PROMPTS = {
    Reason.PAGE_NOT_FOUND: Prompt.LAY,
    Reason.PAGE_MOVING: Prompt.HOLD,
    Reason.PAGE_HAND: Prompt.HAND,
    Reason.PAGE_SEVERAL: Prompt.SEVERAL,
    Reason.PAGE_CUT_OFF: Prompt.CUT_OFF,
    Reason.PAGE_BLURRED: Prompt.BLURRED,
    Reason.PAGE_GLARE: Prompt.GLARE,
    Reason.PAGE_DARK: Prompt.DARK,
    Reason.PAGE_SHADOW: Prompt.SHADOW,
    Reason.PAGE_TOO_SMALL: Prompt.SMALL,
}


@dataclass(frozen=True, slots=True, repr=False)
class Sight:
    """What the citizen sees before the camera: picture, instruction, and how much of the rest is over (0 to 1)."""

    frame: Frame | None = None
    prompt: Prompt = Prompt.WAITING
    filled: float = 0.0


class Shutter:
    """Follows the preview. Looked at from several places: every frame counts once."""

    def __init__(self, newest: Callable[[], Frame | None], monotonic: Callable[[], float]) -> None:
        self._newest, self._monotonic = newest, monotonic
        self._number: int | None = None
        self._sight = Sight()
        self._rest = _Rest()
        self._spent: Outline | None = None  # where the page lay that was taken last
        self._candidate, self._since = Prompt.WAITING, monotonic()

    def look(self) -> Sight:
        """The newest frame and what is to be said about it."""
        frame, now = self._newest(), self._monotonic()
        if frame is None:
            self._number, self._rest = None, _Rest()
            self._sight = Sight()
        elif frame.number != self._number:
            self._number = frame.number
            self._sight = self._judged(frame, now)
        return self._sight

    def took(self) -> None:
        """The page that lies there has been taken: the next picture needs another page, or a touch."""
        frame = self.look().frame
        self._spent = frame.outline if frame else None
        self._rest = _Rest()

    async def fires(self) -> None:
        """Return when a page lies there that can be taken by itself."""
        self._rest = _Rest()
        while self.look().filled < 1:  # noqa: ASYNC110  # frames come from another process and are looked at
            await asyncio.sleep(1 / LOOKS_PER_SECOND)

    async def follow(self) -> NoReturn:
        """Look on for ever: a page taken away is noticed while something else is asked."""
        while True:
            self.look()
            await asyncio.sleep(1 / LOOKS_PER_SECOND)

    def _judged(self, frame: Frame, now: float) -> Sight:
        self._rest.see(frame, now)
        if self._spent is not None and self._rest.changed(self._spent, frame, now):
            self._spent = None
        prompt = self._prompt(frame)
        filled = self._rest.share(now) if prompt is Prompt.HOLD and frame.advice is None else 0.0
        return Sight(frame, self._calm(prompt, now), filled)

    def _prompt(self, frame: Frame) -> Prompt:
        if frame.advice is not None:
            return PROMPTS.get(frame.advice, Prompt.LAY)
        if frame.outline is None:
            return Prompt.LAY
        return Prompt.HOLD if self._spent is None else Prompt.TAKEN

    def _calm(self, prompt: Prompt, now: float) -> Prompt:
        if prompt is not self._candidate:
            self._candidate, self._since = prompt, now
        shown = self._sight.prompt
        return prompt if shown is Prompt.WAITING or now - self._since >= CALM_SECONDS else shown


class _Rest:
    """Since when the outline has stayed where it is."""

    def __init__(self) -> None:
        self._anchor: Outline | None = None
        self._since = self._seen = 0.0
        self._lost: float | None = None

    def see(self, frame: Frame, now: float) -> None:
        """Take in a frame."""
        if frame.outline is None:
            self._lost = now if self._lost is None else self._lost
            if now - self._seen > GAP_SECONDS:
                self._anchor = None
            return
        self._lost, self._seen = None, now
        if self._anchor is None or moved(self._anchor, frame.outline, frame) > REST_MOVE:
            self._anchor, self._since = frame.outline, now

    def share(self, now: float) -> float:
        """How much of the needed rest is over, 0 to 1."""
        return 0.0 if self._anchor is None else min((now - self._since) / REST_SECONDS, 1.0)

    def changed(self, before: Outline, frame: Frame, now: float) -> bool:
        """Whether the page that lay at `before` is gone or lies elsewhere."""
        if frame.outline is None:
            return self._lost is not None and now - self._lost >= GAP_SECONDS
        return moved(before, frame.outline, frame) > CHANGE_MOVE


def moved(one: Outline, other: Outline, frame: Frame) -> float:
    """How far the farthest corner went, as a share of the frame's diagonal."""
    wide, high = frame.width, frame.height
    far = max(math.hypot((a[0] - b[0]) * wide, (a[1] - b[1]) * high) for a, b in zip(one, other, strict=True))
    return far / math.hypot(wide, high)
