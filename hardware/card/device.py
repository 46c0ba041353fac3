"""What all card readers share: one thread owns the reader, the event loop only ever awaits (kiosk.ports.CardReader)."""

import asyncio
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hardware.card.errors import CardError
from hardware.device import Device
from kiosk.citizen import AccessKey, Citizen
from kiosk.health import Failure, Level, Reason
from kiosk.ports import Progress

log = logging.getLogger(__name__)

RETRY = 0.5
"""Seconds between attempts to reach a missing reader."""
LEVELS = {Reason.OK: Level.READY, Reason.NO_READER: Level.ABSENT}

Report = Callable[[Failure | None, bool], None]
"""Takes the reader's state and whether a card lies there."""


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """One read as asked for: with which keys, until when on the monotonic clock, and whether it is still wanted."""

    keys: Sequence[AccessKey]
    progress: Progress
    deadline: float
    done: Callable[[Citizen | Failure], None]
    cancelled: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Raise CardError if the read is no longer wanted or takes too long."""
        if self.cancelled.is_set():
            raise CardError(Reason.CARD_REMOVED, "the visit ended")
        if time.monotonic() > self.deadline:
            raise CardError(Reason.CARD_TIMEOUT, "the whole read took too long")


class CardWorker(threading.Thread):
    """The thread that owns a reader."""

    def __init__(self, report: Report) -> None:
        super().__init__(name="card", daemon=True)
        self._report = report
        self._attempts: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._told: tuple[Reason, bool] | None = None
        self.ended = False

    def submit(self, attempt: Attempt | None) -> None:
        """Have a read done; None ends the worker. From any thread."""
        self.ended = self.ended or attempt is None
        self._attempts.put(attempt)

    def run(self) -> None:
        """Until ended: serve, and begin again whenever the reader goes away."""
        while not self.ended:
            try:
                self.serve()
            except CardError as error:
                self.lost()
                self.tell(error.failure, present=False)
                self._refuse(error.failure)

    def serve(self) -> None:
        """Reach the reader, tell its state, do what is asked until `ended`; raises CardError when it is gone."""
        raise NotImplementedError

    def lost(self) -> None:
        """The reader is gone."""

    def wipe(self, *, hung: bool = False) -> None:
        """Drop what an interrupted read has left. `hung`: this worker may never end its read."""

    def next_attempt(self, seconds: float = 0.0) -> Attempt | None:
        """What is asked for next; None if nothing is within so many seconds."""
        try:
            return self._attempts.get(timeout=seconds) if seconds else self._attempts.get_nowait()
        except queue.Empty:
            return None

    def answer(self, attempt: Attempt, read: Callable[[Attempt], Citizen]) -> Citizen | Failure:
        """Read and say how it went."""
        try:
            result: Citizen | Failure = read(attempt)
        except CardError as error:
            result = error.failure
        except Exception as error:  # noqa: BLE001  # a hostile card must not end the thread that serves the next one
            where = "".join(traceback.format_tb(error.__traceback__))  # no message: it may hold what the card said
            log.error("card: %s\n%s", type(error).__name__, where)
            result = Failure(Reason.CARD_DATA_BAD, type(error).__name__)
        attempt.done(result)
        return result

    def tell(self, failure: Failure | None, *, present: bool) -> None:
        """Report a change."""
        told = (Reason.OK if failure is None else failure.reason, present)
        if told != self._told:
            self._told = told
            self._report(failure, present)

    def _refuse(self, failure: Failure) -> None:
        """Answer what was asked meanwhile; doubles as the pause before the next attempt."""
        until = time.monotonic() + RETRY
        while not self.ended and (left := until - time.monotonic()) > 0:
            attempt = self.next_attempt(left)
            if attempt is not None:
                attempt.done(failure)


class WatchedReader(Device):
    """A card reader whose worker is replaced when it hangs. What of a citizen is kept, `forget` wipes."""

    name = "card"
    read_seconds = 60.0
    """The most a whole read may take."""
    grace_seconds = 2.0
    """How much longer until a worker that hangs is given up."""

    def __init__(self, make_worker: Callable[[Report], CardWorker]) -> None:
        super().__init__()
        self._make_worker = make_worker
        self._present = False
        self._changed = asyncio.Event()
        self._worker: CardWorker | None = None
        self._attempt: Attempt | None = None

    async def start(self) -> None:
        """Begin to watch the reader."""
        self._new_worker()

    async def stop(self) -> None:
        """End the worker; one that hangs is left behind after a moment."""
        self.forget()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.submit(None)
            await asyncio.to_thread(worker.join, self.grace_seconds)
            worker.wipe(hung=worker.is_alive())

    async def wait_for_card(self) -> Failure | None:
        """Return when a card lies on the reader; a Failure if there is no reader to wait for."""
        while not self._present:
            if not self.status.usable and self.status.reason is not Reason.STARTING:
                return Failure(self.status.reason, self.status.detail)
            await self._changed.wait()
        return None

    async def wait_for_removal(self) -> None:
        """Return when no card lies on the reader."""
        while self._present:
            await self._changed.wait()

    async def read(self, keys: Sequence[AccessKey], progress: Progress) -> Citizen | Failure:
        """Open the chip with the first key that fits and read it whole; every failure is a result.

        Cancelled: the chip is left at the next command.
        """
        if self._worker is None:
            return Failure(Reason.STARTING)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Citizen | Failure] = loop.create_future()

        def settle(result: Citizen | Failure) -> None:
            if not answer.done():
                answer.set_result(result)

        def done(result: Citizen | Failure) -> None:
            _call(loop, settle, result)

        attempt = self._attempt = Attempt(keys, progress, time.monotonic() + self.read_seconds, done)
        self._worker.submit(attempt)
        try:
            async with asyncio.timeout(self.read_seconds + self.grace_seconds):
                return await answer
        except TimeoutError:
            log.error("card: the reader hangs; a new worker takes over")
            self._new_worker()
            return Failure(Reason.CARD_TIMEOUT, "the reader hangs")
        finally:
            attempt.cancelled.set()
            self._attempt = None

    def forget(self) -> None:
        """End a read under way and wipe what it brought so far."""
        if self._attempt is not None:
            self._attempt.cancelled.set()
        if self._worker is not None:
            self._worker.wipe()

    def _new_worker(self) -> None:
        """Watch with a fresh thread; reports of an abandoned one are dropped."""
        if self._worker is not None:
            self._worker.wipe(hung=True)
            self._worker.submit(None)
        loop = asyncio.get_running_loop()

        def take(failure: Failure | None, present: bool) -> None:
            if self._worker is worker:
                self._take(failure, present)

        def report(failure: Failure | None, present: bool) -> None:
            _call(loop, take, failure, present)

        worker = self._worker = self._make_worker(report)
        worker.start()

    def _take(self, failure: Failure | None, present: bool) -> None:
        reason = Reason.OK if failure is None else failure.reason
        self.publish(LEVELS.get(reason, Level.FAULT), reason, "" if failure is None else failure.detail)
        self._present = present
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: object) -> None:
    """Do it in the loop; a worker left behind may outlive the loop."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *arguments)
