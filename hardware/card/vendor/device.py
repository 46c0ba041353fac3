"""What the vendors' readers share: one thread owns the wire, the event loop only ever awaits."""

import asyncio
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from hardware.card.errors import CardError
from hardware.device import Device
from kiosk.citizen import AccessKey, Citizen
from kiosk.health import Failure, Level, Reason
from kiosk.ports import Progress

log = logging.getLogger(__name__)

RETRY = 0.5
"""Seconds between attempts to reach a missing reader."""


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """One read as asked for: with which keys, until when on the monotonic clock, and whether it is still wanted."""

    keys: Sequence[AccessKey]
    progress: Progress
    deadline: float
    cancelled: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Raise CardError if the read is no longer wanted or takes too long."""
        if self.cancelled.is_set():
            raise CardError(Reason.CARD_REMOVED, "the visit ended")
        if time.monotonic() > self.deadline:
            raise CardError(Reason.CARD_TIMEOUT, "the whole read took too long")


class Link(Protocol):
    """An open wire to a reader. NO_READER, raised by either method, ends it."""

    @property
    def alive(self) -> bool:
        """Whether the reader has answered since the wire was opened."""

    @property
    def present(self) -> bool:
        """Whether a card lies on the reader."""

    def listen(self) -> None:
        """Take in what the reader says, for a tenth of a second at most. Raises CardError."""

    def read(self, attempt: Attempt) -> Citizen:
        """Read the card whole with the first key that fits. Raises CardError."""


Connect = Callable[[], AbstractContextManager[Link]]
"""Opens the wire; raises CardError."""
_Job = tuple[Attempt, Callable[[Citizen | Failure], None]]


class _Worker(threading.Thread):
    """Keeps the wire open and runs reads. `report` takes the reader's state and whether a card lies there."""

    def __init__(self, connect: Connect, report: Callable[[Failure | None, bool], None]) -> None:
        super().__init__(name="card", daemon=True)
        self._connect = connect
        self._report = report
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended = False
        self._told: tuple[Reason, bool] | None = None

    def submit(self, job: _Job | None) -> None:
        """Have a job done; None ends the worker. From any thread."""
        self._ended = self._ended or job is None
        self._jobs.put(job)

    def run(self) -> None:
        """Until ended: open the wire, serve, and begin again whenever the reader goes away."""
        while not self._ended:
            try:
                with self._connect() as link:
                    self._serve(link)
            except CardError as error:
                self._tell(error.failure, present=False)
                self._refuse(error.failure)

    def _serve(self, link: Link) -> None:
        while not self._ended:
            if link.alive:
                self._tell(None, present=link.present)
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                link.listen()
                continue
            if job is not None:
                self._read(link, *job)

    def _read(self, link: Link, attempt: Attempt, done: Callable[[Citizen | Failure], None]) -> None:
        try:
            done(link.read(attempt))
        except CardError as error:
            done(error.failure)
            if error.failure.reason is Reason.NO_READER:
                raise
        except Exception as error:  # noqa: BLE001  # a hostile card must not end the thread that serves the next one
            where = "".join(traceback.format_tb(error.__traceback__))  # no message: it may hold what the card said
            log.error("card: %s\n%s", type(error).__name__, where)
            done(Failure(Reason.CARD_DATA_BAD, type(error).__name__))

    def _tell(self, failure: Failure | None, *, present: bool) -> None:
        """Report a change."""
        told = (Reason.OK if failure is None else failure.reason, present)
        if told != self._told:
            self._told = told
            self._report(failure, present)

    def _refuse(self, failure: Failure) -> None:
        """Answer what was asked meanwhile; doubles as the pause before the next attempt."""
        until = time.monotonic() + RETRY
        while not self._ended and (left := until - time.monotonic()) > 0:
            try:
                job = self._jobs.get(timeout=left)
            except queue.Empty:
                return
            if job is not None:
                job[1](failure)


class VendorReader(Device):
    """Chip ID cards on a vendor's reader (kiosk.ports.CardReader). Nothing of a citizen is kept after `read`."""

    name = "card"
    read_seconds = 60.0
    """The most a whole read may take."""
    grace_seconds = 2.0
    """How much longer until a worker that hangs on the wire is given up."""

    def __init__(self, connect: Connect) -> None:
        super().__init__()
        self._connect = connect
        self._present = False
        self._changed = asyncio.Event()
        self._worker: _Worker | None = None
        self._attempt: Attempt | None = None

    async def start(self) -> None:
        """Begin to watch the reader."""
        self._new_worker()

    async def stop(self) -> None:
        """End the worker; one that hangs on the wire is left behind after a moment."""
        worker, self._worker = self._worker, None
        self.forget()
        if worker is not None:
            worker.submit(None)
            await asyncio.to_thread(worker.join, self.grace_seconds)

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
        """Open the chip with the first key that fits and read it whole; every failure is a result."""
        if self._worker is None:
            return Failure(Reason.STARTING)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Citizen | Failure] = loop.create_future()

        def settle(result: Citizen | Failure) -> None:
            if not answer.done():
                answer.set_result(result)

        def done(result: Citizen | Failure) -> None:
            _call(loop, settle, result)

        attempt = self._attempt = Attempt(keys, progress, time.monotonic() + self.read_seconds)
        self._worker.submit((attempt, done))
        try:
            async with asyncio.timeout(self.read_seconds + self.grace_seconds):
                return await answer
        except TimeoutError:
            log.error("card: the wire hangs; a new worker takes over")
            self._new_worker()
            return Failure(Reason.CARD_TIMEOUT, "the wire hangs")
        finally:
            attempt.cancelled.set()
            self._attempt = None

    def forget(self) -> None:
        """End a read under way; nothing else is kept."""
        if self._attempt is not None:
            self._attempt.cancelled.set()

    def _new_worker(self) -> None:
        """Watch with a fresh thread; reports of an abandoned one are dropped."""
        if self._worker is not None:
            self._worker.submit(None)
        loop = asyncio.get_running_loop()

        def take(failure: Failure | None, present: bool) -> None:
            if self._worker is worker:
                self._take(failure, present)

        def report(failure: Failure | None, present: bool) -> None:
            _call(loop, take, failure, present)

        worker = self._worker = _Worker(self._connect, report)
        worker.start()

    def _take(self, failure: Failure | None, present: bool) -> None:
        if failure is None:
            self.publish(Level.READY, Reason.OK)
        else:
            level = Level.ABSENT if failure.reason is Reason.NO_READER else Level.FAULT
            self.publish(level, failure.reason, failure.detail)
        self._present = present
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: object) -> None:
    """Do it in the loop; a worker left behind may outlive the loop."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *arguments)
