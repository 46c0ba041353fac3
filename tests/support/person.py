"""A scripted person: answers questions as a table says. For journeys without Kivy."""

import asyncio
from collections.abc import Callable
from typing import Any

from kiosk.questions import Control, Question
from kiosk.visit import Frame


class WrongTurn(AssertionError):
    """The journey asked something else than the script expects."""


class Waits:
    """The person does nothing: the screen must end by itself."""


WAITS = Waits()
LEAVES = Waits()
Step = tuple[type[Question[Any]], Any]


class ScriptedPerson:
    """A presenter: each question must be the script's next; Working screens need no step.

    An answer may be a function of the question. WAITS: the event of a race ends the screen. LEAVES: never answers.
    """

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.seen: list[Question[Any]] = []
        self.frames: list[Frame] = []
        self.working: list[str] = []
        self.warnings: list[int | None] = []
        self.blanked = 0
        self.wrong: WrongTurn | None = None

    async def show(self, question: Question[Any], frame: Frame) -> Any:
        name = type(question).__name__
        if name == "Working":
            self.working.append(question.what)  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        self.seen.append(question)
        self.frames.append(frame)
        expected, answer = self.script.pop(0) if self.script else (None, None)
        if type(question) is not expected:
            self.wrong = WrongTurn(f"expected {expected and expected.__name__}, got {name}")
            raise self.wrong
        if isinstance(answer, Waits):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if isinstance(answer, Callable) and not isinstance(answer, type | Control):  # type: ignore[arg-type]
            return answer(question)
        return answer

    def warn_idle(self, seconds_left: int | None) -> None:
        self.warnings.append(seconds_left)

    async def blank(self) -> None:
        self.blanked += 1

    def last(self, kind: type[Any]) -> Any:
        """The newest question of `kind` that was shown."""
        return next(q for q in reversed(self.seen) if type(q) is kind)
