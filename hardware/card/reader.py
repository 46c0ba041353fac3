"""The kiosk's card reader: one thread owns PC/SC, the event loop only ever awaits."""

import asyncio
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hardware.card.apdu import Channel
from hardware.card.errors import CardError
from hardware.card.pcsc import Pcsc
from hardware.card.session import read_card
from hardware.device import Device
from kiosk.citizen import AccessKey, Citizen
from kiosk.config import CardSettings
from kiosk.health import Failure, Level, Reason
from kiosk.ports import Progress

log = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between looks at the reader. A wait inside PC/SC would be quicker for cards, but a read could not wake it
without a race; the daemon itself looks every 0.4 s."""
RETRY = 0.5
"""Seconds between looks for a missing daemon or reader."""
LEVELS = {Reason.OK: Level.READY, Reason.NO_READER: Level.ABSENT}


@dataclass(frozen=True, slots=True)
class _Job:
    keys: Sequence[AccessKey]
    progress: Progress
    deadline: float
    done: Callable[[Citizen | Failure], None]
    cancelled: threading.Event = field(default_factory=threading.Event)


class _Worker(threading.Thread):
    """Watches the reader and runs reads. `report` takes the reader's state and whether a card lies there."""

    def __init__(self, settings: CardSettings, report: Callable[[Failure | None, bool], None]) -> None:
        super().__init__(name="card", daemon=True)
        self._settings = settings
        self._report = report
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended = False
        self._told: tuple[Reason, bool] | None = None

    def submit(self, job: _Job | None) -> None:
        """Have a job done; None ends the worker. From any thread."""
        self._ended = self._ended or job is None
        self._jobs.put(job)

    def run(self) -> None:
        """Until ended: open PC/SC, serve, and begin again whenever the daemon or the reader goes away."""
        while not self._ended:
            try:
                with Pcsc() as pcsc:
                    self._serve(pcsc)
            except CardError as error:
                self._tell(error.failure, present=False)
                self._refuse(error.failure)

    def _serve(self, pcsc: Pcsc) -> None:
        reader = pcsc.reader(self._settings.reader)
        while not self._ended:
            self._tell(None, present=pcsc.is_card_on(reader))
            try:
                job = self._jobs.get(timeout=POLL)
            except queue.Empty:
                continue
            if job is not None:
                self._read(pcsc, reader, job)

    def _read(self, pcsc: Pcsc, reader: str, job: _Job) -> None:
        try:
            with pcsc.card(reader) as card:
                channel = Channel(card.transmit, job.deadline, job.cancelled.is_set)
                result: Citizen | Failure = read_card(channel, job.keys, self._settings.csca, job.progress).citizen
        except CardError as error:
            result = error.failure
        except Exception as error:  # noqa: BLE001  # a hostile card must not end the thread that serves the next one
            where = "".join(traceback.format_tb(error.__traceback__))  # no message: it may hold what the card said
            log.error("card: %s\n%s", type(error).__name__, where)
            result = Failure(Reason.CARD_DATA_BAD, type(error).__name__)
        job.done(result)

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
                job.done(failure)


class PcscCardReader(Device):
    """Chip ID cards on a PC/SC reader (kiosk.ports.CardReader). Nothing of a citizen is kept after `read` returns."""

    name = "card"
    read_seconds = 60.0
    """The most a whole read may take."""
    grace_seconds = 2.0
    """How much longer until a worker that hangs in the driver is given up."""

    def __init__(self, settings: CardSettings) -> None:
        super().__init__()
        self._settings = settings
        self._present = False
        self._changed = asyncio.Event()
        self._worker: _Worker | None = None
        self._job: _Job | None = None

    async def start(self) -> None:
        """Begin to watch the reader."""
        self._new_worker()

    async def stop(self) -> None:
        """End the worker; one that hangs in the driver is left behind after a moment."""
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

        job = self._job = _Job(keys, progress, time.monotonic() + self.read_seconds, done)
        self._worker.submit(job)
        try:
            async with asyncio.timeout(self.read_seconds + self.grace_seconds):
                return await answer
        except TimeoutError:
            log.error("card: the driver hangs; a new worker takes over")
            self._new_worker()
            return Failure(Reason.CARD_TIMEOUT, "the driver hangs")
        finally:
            job.cancelled.set()
            self._job = None

    def forget(self) -> None:
        """End a read under way; nothing else is kept."""
        if self._job is not None:
            self._job.cancelled.set()

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

        worker = self._worker = _Worker(self._settings, report)
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
