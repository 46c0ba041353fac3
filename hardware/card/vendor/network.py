"""A network reader of the HN212 / 3T-E4 class: it reads the chip, and hands over the files for us to judge."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import socketio
from socketio.exceptions import SocketIOError

from hardware.card.device import Attempt
from hardware.card.errors import BadData, CardError
from hardware.card.portrait import PortraitDecoder
from hardware.card.trust_folder import TrustFolder
from hardware.card.vendor import messages
from hardware.card.vendor.claims import Claims, claimed_citizen, picture_in
from hardware.card.vendor.device import Link, VendorReader
from hardware.card.vendor.messages import Info, Message, Personal, Proof, Raw, Refused
from hardware.card.vendor.pinned import pinned_session
from hardware.card.vendor.proof import Chip, proven_citizen
from kiosk.citizen import AccessKey, Citizen
from kiosk.config import CardSettings
from kiosk.health import Reason

LOOK = 0.1
"""Seconds of the longest wait for a message: how fast the thread notices that it shall end."""
CONNECT_SECONDS = 3.0
FAREWELL_SECONDS = 0.3
READ_SILENCE = 15.0
"""Seconds without a message in a read; one comes when the chip is open, one when it is read whole."""
AA_SECONDS = 8.0
"""Seconds for Active Authentication: one command, and an RSA signature on the chip."""
WAITING = 64
"""Messages that may wait; a reader that sends more is broken."""
_SILENT = logging.getLogger(f"{__name__}.library")
_SILENT.setLevel(logging.CRITICAL + 1)
"""The library would log messages, which are personal data, and every end of a connection as an error."""


class NetworkCardReader(VendorReader):
    """Chip ID cards on a network reader at `[card] address`. Raises ConfigError without its certificate."""

    def __init__(self, settings: CardSettings) -> None:
        assert settings.certificate is not None
        pinned_session(settings.certificate).close()
        trust = TrustFolder(settings.csca)
        super().__init__(lambda: _open(settings, trust))


@contextmanager
def _open(settings: CardSettings, trust: TrustFolder) -> Iterator[Link]:
    """Long polling only: each byte then goes through the one session that knows the reader's certificate."""
    assert settings.certificate is not None
    session = pinned_session(settings.certificate)
    client = socketio.Client(
        reconnection=False,
        handle_sigint=False,
        http_session=session,
        request_timeout=CONNECT_SECONDS,
        logger=_SILENT,
        engineio_logger=_SILENT,
    )
    link = NetworkLink(settings.address, trust, client.emit)
    client.on(messages.INFO, link.told_info)
    client.on(messages.EVENT, link.told_event)
    client.on("disconnect", link.told_gone)
    try:
        client.connect(settings.address, transports=["polling"], wait_timeout=CONNECT_SECONDS)
        yield link
    except SocketIOError as error:
        raise CardError(Reason.NO_READER, f"{settings.address}: {_cause(error)}") from None
    finally:
        farewell = threading.Thread(target=client.disconnect, name="card-farewell", daemon=True)
        farewell.start()  # it waits for the reader's answer, which may take long or never come
        farewell.join(FAREWELL_SECONDS)
        session.close()


def _cause(error: Exception) -> str:
    """What a technician needs of a long message."""
    return "another certificate, or none" if "SSL" in str(error) else "cannot be connected"


class NetworkLink:
    """The open connection. Messages come on the library's threads and wait here for ours."""

    def __init__(self, address: str, trust: TrustFolder, emit: Callable[[str, Any], None]) -> None:
        self.alive = False
        self.present = False
        self._address = address
        self._trust = trust
        self._emit = emit
        self._client_id = ""
        self._inbox: queue.Queue[Message | CardError] = queue.Queue(WAITING)
        self._opened = time.monotonic()

    # --- on the library's threads ---

    def told_info(self, raw: Any = None, *_: Any) -> None:
        """Take `/info`."""
        self._put(messages.info, raw)

    def told_event(self, raw: Any = None, *_: Any) -> None:
        """Take `/event`."""
        self._put(messages.event, raw)

    def told_gone(self, *_: Any) -> None:
        """Take the end of the connection."""
        with suppress(queue.Full):
            self._inbox.put_nowait(self._gone("the connection ended"))

    def _put(self, parse: Callable[[Any], Message | None], raw: Any) -> None:
        try:
            message: Message | CardError | None = parse(raw)
        except BadData as error:
            message = error
        if message is not None:
            with suppress(queue.Full):
                self._inbox.put_nowait(message)

    # --- on the worker's thread ---

    def listen(self) -> None:
        """Take in what the reader says; outside a read that is its state only."""
        with suppress(BadData):
            self._next()
        if not self.alive and time.monotonic() - self._opened > CONNECT_SECONDS:
            raise self._gone("no /info")

    def read(self, attempt: Attempt) -> Citizen:
        """Ask with one key after the other, judge the files, and have the chip prove that it is no copy."""
        if not self.alive or not self.present:
            raise CardError(Reason.NO_CARD if self.alive else Reason.NO_READER, "at the start of the read")
        with PortraitDecoder() as decoder:
            decoder.start()
            for key in attempt.keys:
                attempt.progress(0.1)
                try:
                    return self._read(key, attempt, decoder)
                except CardError as error:
                    if error.failure.reason is not Reason.ACCESS_KEY_REFUSED:
                        raise
        raise CardError(Reason.ACCESS_KEY_REFUSED, f"the reader refused {len(attempt.keys)} keys")

    def _read(self, key: AccessKey, attempt: Attempt, decoder: PortraitDecoder) -> Citizen:
        self._empty()
        self._send(messages.READ, messages.read_request(key))
        claims, raw = self._chip(attempt)
        attempt.progress(0.8)
        if claims is None:
            chip = Chip(raw.files, key, lambda challenged: self._signed(challenged, attempt))
            citizen = proven_citizen(chip, self._trust.store(), decoder)
        else:
            portrait = decoder.decode(picture_in(raw.avatar)) if raw.avatar else b""
            citizen = claimed_citizen(claims, key, portrait)
        attempt.progress(1.0)
        return citizen

    def _chip(self, attempt: Attempt) -> tuple[Claims | None, Raw]:
        """The chip's files, id 4; if EF.DG1 is not among them, also what the reader says of the holder, id 2."""
        claims, raw = None, None
        until = time.monotonic() + READ_SILENCE
        while True:
            message = self._expect(attempt, until)
            if message is None:
                continue
            if isinstance(message, Personal):
                claims = message.claims
            elif isinstance(message, Raw):
                raw = message
            if raw is not None and messages.FILES["dg1"].name in raw.files:
                return None, raw
            if raw is not None and claims is not None:
                return claims, raw
            until = time.monotonic() + READ_SILENCE
            attempt.progress(0.4 if raw is None else 0.7)

    def _signed(self, challenged: bytes, attempt: Attempt) -> bytes:
        """The chip's answer to our challenge. A reader that owes it has not read the card."""
        self._send(messages.GET_AA, messages.challenge_request(self._client_id, challenged))
        until = time.monotonic() + AA_SECONDS
        while True:
            message = self._expect(attempt, until)
            if isinstance(message, Proof):
                return message.response

    def _expect(self, attempt: Attempt, until: float) -> Message | None:
        """The next message of a read, None if none came yet. Raises CardError when the read is over."""
        attempt.go_on()
        message = self._next()
        if isinstance(message, Refused):
            raise CardError(message.reason, "cardError")
        if not self.present:
            raise CardError(Reason.CARD_REMOVED, "while the reader read it")
        if time.monotonic() > until:
            raise CardError(Reason.CARD_TIMEOUT, "the reader went silent")
        return message

    def _next(self) -> Message | None:
        """What came within LOOK seconds; the reader's state is kept from it. Raises CardError."""
        try:
            message = self._inbox.get(timeout=LOOK)
        except queue.Empty:
            return None
        if isinstance(message, CardError):
            raise message
        if isinstance(message, Info):
            self.alive, self.present, self._client_id = True, message.present, message.client_id
        return message

    def _empty(self) -> None:
        """Drop what came before it was asked for: it may be another citizen's."""
        while not self._inbox.empty():
            with suppress(BadData):
                self._next()

    def _send(self, name: str, request: dict[str, str]) -> None:
        try:
            self._emit(name, request)
        except SocketIOError:
            raise self._gone("the connection ended") from None

    def _gone(self, detail: str) -> CardError:
        return CardError(Reason.NO_READER, f"{self._address}: {detail}")
