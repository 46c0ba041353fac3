"""The kiosk's PC/SC card reader."""

import logging
import threading
import time
from functools import partial

from hardware.card.apdu import Channel
from hardware.card.device import Attempt, CardWorker, Report, WatchedReader
from hardware.card.errors import BadData, CardError
from hardware.card.pcsc import Card, Pcsc
from hardware.card.portrait import PortraitDecoder
from hardware.card.session import Draft, read_card
from hardware.card.trust_folder import TrustFolder
from kiosk.citizen import Citizen
from kiosk.config import CardSettings
from kiosk.health import Reason
from kiosk.ports import Progress

log = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between looks at the reader. A wait inside PC/SC would be quicker for cards, but a read could not wake it
without a race; the daemon itself looks every 0.4 s."""
KEPT_SECONDS = 120.0
"""How long an interrupted read waits for its card to be laid back."""
KEPT = frozenset({Reason.CARD_REMOVED, Reason.CARD_TIMEOUT, Reason.CARD_MUTE, Reason.NO_PCSCD, Reason.NO_READER})
"""Interruptions after which a read may go on; every other end says something about the card."""


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


class _Worker(CardWorker):
    """Watches the PC/SC readers of a name and runs reads."""

    def __init__(self, settings: CardSettings, report: Report) -> None:
        super().__init__(report)
        self._settings = settings
        self._trust = TrustFolder(settings.csca)
        self._reader: str | None = None
        self._memory = _Memory()

    def serve(self) -> None:
        """Over one connection to PC/SC."""
        with Pcsc() as pcsc:
            self.tell(None, present=self._look(pcsc))
            self._trust.store()  # loaded before the first citizen waits for it
            while not self.ended:
                self.tell(None, present=self._look(pcsc))
                self._memory.expire()
                attempt = self.next_attempt(POLL)
                if attempt is not None:
                    self.answer(attempt, partial(self._read, pcsc))

    def lost(self) -> None:
        """No reader is ours any more."""
        self._reader = None
        self._memory.expire()

    def wipe(self, *, hung: bool = False) -> None:
        """Drop the draft of an interrupted read."""
        self._memory.forget(hung=hung)

    def _look(self, pcsc: Pcsc) -> bool:
        """Whether a card lies on a reader. Of several the first is ours, until it is taken away."""
        occupied = pcsc.occupied(self._settings.reader)
        if self._reader is not None and self._reader not in occupied:
            self._reader = None
            return False  # told before the next card is
        self._reader = self._reader or next(iter(occupied), None)
        return self._reader is not None

    def _read(self, pcsc: Pcsc, attempt: Attempt) -> Citizen:
        reader = self._reader or pcsc.reader(self._settings.reader)
        with pcsc.card(reader, attempt.cancelled.is_set) as card:
            return self._read_card(card, attempt)

    def _read_card(self, card: Card, attempt: Attempt) -> Citizen:
        channel = Channel(
            card.transmit,
            attempt.deadline,
            attempt.cancelled.is_set,
            reset=card.reset,
            atr=card.atr,
            largest=card.largest_apdu,
        )
        trust = self._trust.store()
        draft, progress = self._memory.begin(attempt.progress)
        started, keep, how = time.monotonic(), False, "failed"
        try:
            with PortraitDecoder() as decoder:
                decoder.start()
                reading = read_card(channel, attempt.keys, trust, progress, draft)
                how = "PACE" if reading.access.pace else "BAC"
                return reading.citizen(_shown(decoder, reading.portrait))
        except CardError as error:
            keep, how = error.failure.reason in KEPT, error.failure.reason.value
            raise
        finally:
            self._memory.end(draft, keep=keep)
            _log_cost(card, channel, time.monotonic() - started, how)


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


class PcscCardReader(WatchedReader):
    """Chip ID cards on the PC/SC readers of the configured name.

    Nothing of a citizen is kept after `read` returns but the draft of an interrupted one: until `forget`, the card is
    read whole, or two minutes have passed.
    """

    def __init__(self, settings: CardSettings) -> None:
        super().__init__(partial(_Worker, settings))
