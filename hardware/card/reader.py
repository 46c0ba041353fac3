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
from hardware.card.errors import BadData, CardError
from hardware.card.pcsc import Card, Pcsc
from hardware.card.portrait import PortraitDecoder
from hardware.card.session import Draft, read_card
from hardware.card.trust_folder import TrustFolder
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
KEPT_SECONDS = 120.0
"""How long an interrupted read waits for its card to be laid back."""
KEPT = frozenset({Reason.CARD_REMOVED, Reason.CARD_TIMEOUT, Reason.CARD_MUTE, Reason.NO_PCSCD, Reason.NO_READER})
"""Interruptions after which a read may go on; every other end says something about the card."""
LEVELS = {Reason.OK: Level.READY, Reason.NO_READER: Level.ABSENT}


@dataclass(frozen=True, slots=True)
class _Job:
    keys: Sequence[AccessKey]
    progress: Progress
    deadline: float
    done: Callable[[Citizen | Failure], None]
    cancelled: threading.Event = field(default_factory=threading.Event)


class _Memory:
    """The draft between the reads of one visit, and how far it went. For worker and loop; no call waits for a card."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._draft: Draft | None = None
        self._reading = False
        self._over = False
        self._share = 0.0
        self._until = 0.0

    def begin(self, progress: Progress) -> tuple[Draft, Progress]:
        """The draft for a read, and where to tell its progress: on from what is kept, if it is the same card."""
        with self._lock:
            draft = self._draft = self._draft or Draft()
            floor = self._share if draft.files else 0.0
            self._reading, self._over = True, False
        kept = draft.sod

        def tell(share: float) -> None:
            self._share = max(share, floor) if draft.sod == kept else share
            progress(self._share)

        if floor:
            tell(floor)
        return draft, tell

    def end(self, draft: Draft, *, keep: bool) -> None:
        """The read is over: keep its draft for a while, unless the visit ended too."""
        with self._lock:
            self._reading = False
            self._until = time.monotonic() + KEPT_SECONDS
            if self._over or not keep:
                draft.clear()
                self._draft = None

    def forget(self, *, hung: bool = False) -> None:
        """Wipe the draft now; one that is being read, as the read ends, unless the driver `hung` and it never may."""
        with self._lock:
            self._over = True
            if self._draft is not None and (hung or not self._reading):
                self._draft.clear()
                self._draft = None

    def expire(self) -> None:
        """Forget a draft that nobody went on with. Not while a read runs."""
        if self._draft is not None and time.monotonic() > self._until:
            self.forget()


class _Worker(threading.Thread):
    """Watches the readers and runs reads. `report` takes their state and whether a card lies there."""

    def __init__(
        self, settings: CardSettings, trust: TrustFolder, report: Callable[[Failure | None, bool], None]
    ) -> None:
        super().__init__(name="card", daemon=True)
        self._settings = settings
        self._trust = trust
        self._report = report
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended = False
        self._told: tuple[Reason, bool] | None = None
        self._reader: str | None = None
        self.memory = _Memory()

    def submit(self, job: _Job | None) -> None:
        """Have a job done; None ends the worker. From any thread."""
        self._ended = self._ended or job is None
        self._jobs.put(job)

    def run(self) -> None:
        """Until ended: open PC/SC, serve, and begin again whenever the daemon or the last reader goes away."""
        while not self._ended:
            try:
                with Pcsc() as pcsc:
                    self._serve(pcsc)
            except CardError as error:
                self._reader = None
                self._tell(error.failure, present=False)
                self._refuse(error.failure)

    def _serve(self, pcsc: Pcsc) -> None:
        self._tell(None, present=self._look(pcsc))
        self._trust.store()  # loaded before the first citizen waits for it
        while not self._ended:
            self._tell(None, present=self._look(pcsc))
            self.memory.expire()
            try:
                job = self._jobs.get(timeout=POLL)
            except queue.Empty:
                continue
            if job is not None:
                job.done(self._read(pcsc, job))

    def _look(self, pcsc: Pcsc) -> bool:
        """Whether a card lies on a reader. Of several the first is ours, until it is taken away."""
        occupied = pcsc.occupied(self._settings.reader)
        if self._reader is not None and self._reader not in occupied:
            self._reader = None
            return False  # told before the next card is
        self._reader = self._reader or next(iter(occupied), None)
        return self._reader is not None

    def _read(self, pcsc: Pcsc, job: _Job) -> Citizen | Failure:
        try:
            reader = self._reader or pcsc.reader(self._settings.reader)
            with pcsc.card(reader, job.cancelled.is_set) as card:
                return self._read_card(card, job)
        except CardError as error:
            return error.failure
        except Exception as error:  # noqa: BLE001  # a hostile card must not end the thread that serves the next one
            where = "".join(traceback.format_tb(error.__traceback__))  # no message: it may hold what the card said
            log.error("card: %s\n%s", type(error).__name__, where)
            return Failure(Reason.CARD_DATA_BAD, type(error).__name__)

    def _read_card(self, card: Card, job: _Job) -> Citizen:
        channel = Channel(
            card.transmit,
            job.deadline,
            job.cancelled.is_set,
            reset=card.reset,
            atr=card.atr,
            largest=card.largest_apdu,
        )
        trust = self._trust.store()
        draft, progress = self.memory.begin(job.progress)
        started, keep, how = time.monotonic(), False, "failed"
        try:
            with PortraitDecoder() as decoder:
                decoder.start()
                reading = read_card(channel, job.keys, trust, progress, draft)
                how = "PACE" if reading.access.pace else "BAC"
                return reading.citizen(_shown(decoder, reading.portrait))
        except CardError as error:
            keep, how = error.failure.reason in KEPT, error.failure.reason.value
            raise
        finally:
            self.memory.end(draft, keep=keep)
            _log_cost(card, channel, time.monotonic() - started, how)

    def _tell(self, failure: Failure | None, *, present: bool) -> None:
        """Report a change."""
        told = (Reason.OK if failure is None else failure.reason, present)
        if told != self._told:
            self._told = told
            self._report(failure, present)

    def _refuse(self, failure: Failure) -> None:
        """Answer what was asked meanwhile; doubles as the pause before the next attempt."""
        self.memory.expire()
        until = time.monotonic() + RETRY
        while not self._ended and (left := until - time.monotonic()) > 0:
            try:
                job = self._jobs.get(timeout=left)
            except queue.Empty:
                return
            if job is not None:
                job.done(failure)


def _shown(decoder: PortraitDecoder, portrait: bytes) -> bytes:
    """The portrait for a screen; none if it is no picture: the holder is served all the same."""
    try:
        return decoder.decode(portrait)
    except BadData as error:
        log.warning("card: the portrait: %s", error.failure.detail)
        return b""


def _log_cost(card: Card, channel: Channel, seconds: float, how: str) -> None:
    """What a read took, for who judges reader and chip; nothing of the holder. `how`: access protocol or failure."""
    link = " ".join(part for part in (card.protocol, "contactless" if card.contactless else card.rate) if part)
    speed = channel.bytes / 1000 / max(seconds, 1e-3)
    values = (link, channel.commands, channel.bytes, seconds, speed, how)
    log.info("card: %s, %d commands, %d bytes in %.2f s (%.1f kB/s), %s", *values)


class PcscCardReader(Device):
    """Chip ID cards on the PC/SC readers of the configured name (kiosk.ports.CardReader).

    Nothing of a citizen is kept after `read` returns but the draft of an interrupted one: until `forget`, the card is
    read whole, or two minutes have passed.
    """

    name = "card"
    read_seconds = 60.0
    """The most a whole read may take."""
    grace_seconds = 2.0
    """How much longer until a worker that hangs in the driver is given up."""

    def __init__(self, settings: CardSettings) -> None:
        super().__init__()
        self._settings = settings
        self._trust = TrustFolder(settings.csca)
        self._present = False
        self._changed = asyncio.Event()
        self._worker: _Worker | None = None
        self._job: _Job | None = None

    async def start(self) -> None:
        """Begin to watch the reader."""
        self._new_worker()

    async def stop(self) -> None:
        """End the worker; one that hangs in the driver is left behind after a moment."""
        self.forget()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.submit(None)
            await asyncio.to_thread(worker.join, self.grace_seconds)
            worker.memory.forget(hung=worker.is_alive())

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
        """End a read under way and wipe what it brought so far."""
        if self._job is not None:
            self._job.cancelled.set()
        if self._worker is not None:
            self._worker.memory.forget()

    def _new_worker(self) -> None:
        """Watch with a fresh thread; reports of an abandoned one are dropped."""
        if self._worker is not None:
            self._worker.memory.forget(hung=True)
            self._worker.submit(None)
        loop = asyncio.get_running_loop()

        def take(failure: Failure | None, present: bool) -> None:
            if self._worker is worker:
                self._take(failure, present)

        def report(failure: Failure | None, present: bool) -> None:
            _call(loop, take, failure, present)

        worker = self._worker = _Worker(self._settings, self._trust, report)
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
