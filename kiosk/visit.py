"""One citizen's visit: one task group, one idle clock, one wipe.

A journey is straight code over `ask`, `race`, `work` and `promise`. Every answer and result is kept in the visit's
record while it lasts; «back» drops the record's tail and runs the journey again over the rest, so no journey knows how
to go back and no screen knows what comes next.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeVar, cast

from kiosk.health import Failure
from kiosk.ports import Equipment, Progress
from kiosk.questions import ConfirmLeaving, Control, Question, Settings, StaffCalled, Working
from kiosk.text import Language

A = TypeVar("A")
T = TypeVar("T")


class Outcome(StrEnum):
    """How a visit ended."""

    COMPLETED = "completed"
    STARTED_OVER = "started_over"
    GAVE_UP = "gave_up"
    TIMED_OUT = "timed_out"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a question on screen."""

    settings: Settings
    can_go_back: bool
    in_visit: bool = True


class Presenter(Protocol):
    """Shows questions to a person and brings the answers: the screens, or a scripted person in tests."""

    async def show(self, question: Question[A], frame: Frame) -> A | Control:
        """Show until answered. Cancelled: the question is withdrawn."""

    def warn_idle(self, seconds_left: int | None) -> None:
        """Ask over the present screen whether anybody is still there; None takes the warning away."""

    async def blank(self) -> None:
        """Forget everything shown or typed and draw nothing, twice (a static screen may keep its last frame)."""


class IdleClock:
    """One object owns the timeouts: touched by every input, held while work is under way."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last = monotonic()
        self._held = 0

    def touch(self) -> None:
        """Somebody is there."""
        self._last = self._monotonic()

    def hold(self) -> None:
        """The kiosk works: nobody is asked whether they are still there."""
        self._held += 1

    def release(self) -> None:
        """The work of one `hold` is over."""
        self._held -= 1
        self.touch()

    @property
    def seconds(self) -> float:
        """Seconds since the last sign of life."""
        return 0.0 if self._held else self._monotonic() - self._last


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a touch until the warning, and from the warning to the end (kiosk-app reference §6.2)."""

    before_warning: float = 60.0
    warning: float = 30.0

    def stretched(self, settings: Settings) -> "Patience":
        """Twice as long for people who need large text or contrast."""
        if settings.large_text or settings.high_contrast:
            return Patience(self.before_warning * 2, self.warning * 2)
        return self


class _Ended(Exception):  # an end, not an error
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class _Rewind(Exception):
    """Back was pressed: run the journey again over what is left of the record."""


@dataclass(slots=True)
class _Entry:
    value: object
    stop: bool  # a question that «back» may return to


@dataclass(slots=True)
class _Record:
    entries: list[_Entry] = field(default_factory=list)
    position: int = 0

    def replayed(self) -> _Entry | None:
        if self.position == len(self.entries):
            return None
        self.position += 1
        return self.entries[self.position - 1]

    def add(self, value: object, *, stop: bool) -> None:
        self.entries.append(_Entry(value, stop))
        self.position += 1

    def seal(self) -> None:
        """Nothing before this point can be gone back to."""
        for entry in self.entries:
            entry.stop = False

    @property
    def can_rewind(self) -> bool:
        return any(entry.stop for entry in self.entries)

    def rewind(self) -> None:
        while not self.entries.pop().stop:
            pass
        self.position = 0


class Visit:
    """What a journey talks to. Make one for each citizen and `run` it once."""

    def __init__(
        self,
        equipment: Equipment,
        presenter: Presenter,
        settings: Settings,
        patience: Patience = Patience(),
    ) -> None:
        self.equipment = equipment
        self.settings = settings
        self.idle = IdleClock(equipment.clock.monotonic)
        self._presenter = presenter
        self._patience = patience
        self._record = _Record()
        self._secret = secrets.token_hex(16)
        self._promises: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[Any]] = set()

    def key(self, purpose: str) -> str:
        """An idempotency key: the same for the same purpose within this visit, never the same in another."""
        return f"{self._secret}-{purpose}"

    # --- what journeys use ---

    async def ask(self, question: Question[A], *, back: bool = True) -> A:
        """Show a question and return its answer; `back=False` if the person must not return to this one."""
        entry = self._record.replayed()
        if entry is not None:
            return cast("A", entry.value)
        answer = await self._answer(question)
        self._record.add(answer, stop=back)
        return answer

    async def tell(self, question: Question[A]) -> A:
        """Show something that has happened; nothing before it can be taken back."""
        self._record.seal()
        return await self.ask(question, back=False)

    def once(self, make: Callable[[], T]) -> T:
        """Something random or timed that stays the same when the journey runs again after «back»."""
        entry = self._record.replayed()
        if entry is not None:
            return cast("T", entry.value)
        value = make()
        self._record.add(value, stop=False)
        return value

    def give_up(self) -> NoReturn:
        """End the visit: what the citizen came for cannot be done here."""
        raise _Ended(Outcome.GAVE_UP)

    def seal(self) -> None:
        """From here on nothing before can be gone back to."""
        self._record.seal()

    def start(self, job: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Work behind the screens while the citizen goes on. What is not done when the visit ends is cancelled."""
        task = asyncio.get_running_loop().create_task(job)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def race(self, question: Question[A], event: Callable[[], Awaitable[T]]) -> A | T:
        """Show a question until it is answered or `event` happens by itself (card laid down, code scanned)."""
        entry = self._record.replayed()
        if entry is not None:
            return cast("A | T", entry.value)
        result = await either(event(), self._answer(question))
        self.idle.touch()
        self._record.add(result, stop=True)
        return result

    async def work(self, what: str, job: Callable[[Progress], Awaitable[T]], *, can_cancel: bool = False) -> T | None:
        """Do long work behind a progress screen; the idle clock stands still. None: the citizen cancelled."""
        entry = self._record.replayed()
        if entry is not None:
            return cast("T | None", entry.value)
        share: list[float | None] = [None]

        def progress(done: float) -> None:
            share[0] = done

        working = Working(what, lambda: share[0], can_cancel)
        self.idle.hold()
        try:
            result = await either(job(progress), self._answer(working))
        finally:
            self.idle.release()
        self._record.add(result, stop=False)
        return result

    async def promise(self, what: str, deed: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do what must not be undone: once begun it runs to its end, whatever becomes of the visit."""

        async def kept(_: Progress) -> T:
            task = asyncio.get_running_loop().create_task(deed())
            self._promises.add(task)
            task.add_done_callback(self._promises.discard)
            return await asyncio.shield(task)

        result = await self.work(what, kept)
        return cast("T", result)

    # --- the visit itself ---

    async def run(self, journey: Callable[["Visit"], Awaitable[None]]) -> Outcome:
        """The whole visit, from the first question to the wipe."""
        outcome = Outcome.FAULT
        try:
            async with asyncio.TaskGroup() as group:
                idle = group.create_task(self._watch_idle())
                await self._rerun(journey)
                outcome = Outcome.COMPLETED
                idle.cancel()
        except* _Ended as ended:
            outcome = cast("_Ended", ended.exceptions[0]).outcome
        finally:
            await self._wipe()
        return outcome

    async def _rerun(self, journey: Callable[["Visit"], Awaitable[None]]) -> None:
        while True:
            try:
                await journey(self)
            except _Rewind:
                self._record.rewind()
            else:
                return

    async def _answer(self, question: Question[A]) -> A:
        """Show until there is an answer that is not the visit's own business."""
        while True:
            answer = await self._presenter.show(question, Frame(self.settings, self._record.can_rewind))
            self.idle.touch()
            if not isinstance(answer, Control):
                return answer
            await self._control(answer)

    async def _control(self, control: Control) -> None:
        match control:
            case Control.BACK:
                raise _Rewind
            case Control.START_OVER:
                if await self._sure():
                    raise _Ended(Outcome.STARTED_OVER)
            case Control.CALL_STAFF:
                await self._call_staff()
            case Control.LANGUAGE:
                other: Language = "en" if self.settings.language == "vi" else "vi"
                self.settings = replace(self.settings, language=other)
            case Control.TEXT_SIZE:
                self.settings = replace(self.settings, large_text=not self.settings.large_text)
            case Control.CONTRAST:
                self.settings = replace(self.settings, high_contrast=not self.settings.high_contrast)

    async def _call_staff(self) -> None:
        """Call, and say so when somebody answers while the citizen still looks at it."""
        frame, queue = Frame(self.settings, can_go_back=False), self.equipment.queue

        async def answered() -> bool:
            await queue.staff_coming()
            return True

        if isinstance(await queue.call_staff(), Failure):
            await self._presenter.show(StaffCalled(reached=False), frame)
            return
        called = self._presenter.show(StaffCalled(reached=True), frame)
        if await either(answered(), called) is True:
            await self._presenter.show(StaffCalled(reached=True, coming=True), frame)

    async def _sure(self) -> bool:
        if not self._record.can_rewind:
            return True
        answer = await self._presenter.show(ConfirmLeaving(), Frame(self.settings, can_go_back=False))
        return answer is True or answer is Control.START_OVER

    async def _watch_idle(self) -> None:
        warned = False
        while True:
            patience = self._patience.stretched(self.settings)
            left = patience.before_warning + patience.warning - self.idle.seconds
            if left <= 0:
                raise _Ended(Outcome.TIMED_OUT)
            warn = left <= patience.warning
            if warn or warned:
                self._presenter.warn_idle(int(left) + 1 if warn else None)
            warned = warn
            await asyncio.sleep(0.25)

    async def _wipe(self) -> None:
        """The one place where a visit ends, whatever ended it."""
        self._presenter.warn_idle(None)
        await _withdraw(*self._background)
        if self._promises:
            await asyncio.wait(set(self._promises))
        self._record = _Record()
        self.settings = Settings()
        self.equipment.forget()
        await self._presenter.blank()


async def either(event: Awaitable[T], asking: Awaitable[A]) -> T | A:
    """The result of whichever is first; the other is withdrawn."""
    happening, answering = asyncio.ensure_future(event), asyncio.ensure_future(asking)
    try:
        await asyncio.wait((happening, answering), return_when=asyncio.FIRST_COMPLETED)
        return happening.result() if happening.done() else answering.result()
    finally:
        await _withdraw(happening, answering)


async def _withdraw(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
