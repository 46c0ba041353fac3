"""PC/SC through pyscard's low-level calls. All of it blocks: only for worker threads and command-line tools.

pyscard's own CardMonitor is left alone: it keeps a dead context when pcscd restarts (pyscard issues 27, 82, 128).
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from smartcard import scard

from hardware.card.errors import CardError
from hardware.card.status import reason_of
from kiosk.health import Reason

GONE_WITHIN = 1.2
"""Seconds in which the daemon notices that a card was taken away (it asks readers every 0.4 s)."""
IN_USE_PATIENCE = 2.0
"""Seconds another program gets to let go of the card: most only look at it as it is laid down."""
PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
SAM = re.compile(r"\bSAM\b")
"""A slot inside the reader for the operator's own card, which always lies there."""

GET_FEATURES = scard.SCARD_CTL_CODE(3400)
TLV_PROPERTIES, MAX_APDU_DATA_SIZE = 0x12, 0x0A
"""A feature and a property of PC/SC part 10 §2.3, §2.6.14."""

CONTACTLESS = b"\x80\x01"
"""TD1 and TD2 that stand for a contactless card (PC/SC part 3 §3.1.3.2.3)."""
CLOCKS = (372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0)
BITS = (0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0)
"""F and D by the halves of TA1 (ISO/IEC 7816-3 tables 7 and 8); 0 is reserved."""


def _checked(code: int, call: str) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise CardError(reason_of(code), _detail(call, code))


def _detail(call: str, code: int) -> str:
    return f"{call} {code & 0xFFFFFFFF:08X}"


class Pcsc:
    """A connection to pcscd, open inside `with`. Every call raises CardError; NO_PCSCD means: open another."""

    def __enter__(self) -> Self:
        code, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        _checked(code, "SCardEstablishContext")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scard.SCardReleaseContext(self._context)

    def readers(self, name: str = "") -> list[str]:
        """The readers whose name contains `name`, in the daemon's order; NO_READER if there is none.

        A slot for a SAM counts only if `name` names it.
        """
        code, names = scard.SCardListReaders(self._context, [])
        if code != scard.SCARD_E_NO_READERS_AVAILABLE:
            _checked(code, "SCardListReaders")
            if found := [str(one) for one in names if name in one and (SAM.search(name) or not SAM.search(one))]:
                return found
        raise CardError(Reason.NO_READER, f"no reader named like «{name}»" if name else "no reader")

    def occupied(self, name: str = "") -> list[str]:
        """Those of `readers` on which a card lies; NO_READER if none of them works."""
        lying, problem = {}, None
        for reader in self.readers(name):
            try:
                lying[reader] = self.is_card_on(reader)
            except CardError as error:
                if error.failure.reason is not Reason.NO_READER:
                    raise
                problem = error
        if problem is not None and not lying:
            raise problem
        return [reader for reader, there in lying.items() if there]

    def reader(self, name: str) -> str:
        """Of `readers` the first with a card, else the first."""
        return (self.occupied(name) or self.readers(name))[0]

    def is_card_on(self, reader: str) -> bool:
        """Whether a card lies on the reader, by the daemon's latest look."""
        code, states = scard.SCardGetStatusChange(self._context, 0, [(reader, scard.SCARD_STATE_UNAWARE)])
        _checked(code, "SCardGetStatusChange")
        state = int(states[0][1])
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise CardError(Reason.NO_READER, "the reader went away")
        return bool(state & scard.SCARD_STATE_PRESENT)

    @contextmanager
    def card(self, reader: str, cancelled: Callable[[], bool] = lambda: False) -> Iterator["Card"]:
        """The card on the reader, for us alone; reset afterwards, so that no session outlives the read.

        CARD_IN_USE if another program keeps it for longer than a moment.
        """
        handle, protocol = self._connected(reader, cancelled)
        try:
            yield Card(self, reader, handle, protocol)
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)

    def _connected(self, reader: str, cancelled: Callable[[], bool]) -> tuple[int, int]:
        deadline = time.monotonic() + IN_USE_PATIENCE
        while True:
            code, handle, protocol = scard.SCardConnect(self._context, reader, scard.SCARD_SHARE_EXCLUSIVE, PROTOCOLS)
            if code != scard.SCARD_E_SHARING_VIOLATION or cancelled() or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        if code == scard.SCARD_E_NO_SMARTCARD:
            raise CardError(Reason.NO_CARD)
        _checked(code, "SCardConnect")
        return handle, protocol


class Card:
    """A connected card. `atr` is its answer to reset, empty if the daemon does not tell."""

    def __init__(self, pcsc: Pcsc, reader: str, handle: int, protocol: int) -> None:
        self._pcsc = pcsc
        self._reader = reader
        self._handle = handle
        self._protocol = protocol
        code, _, _, _, atr = scard.SCardStatus(handle)
        self.atr = bytes(atr) if code == scard.SCARD_S_SUCCESS else b""

    @property
    def protocol(self) -> str:
        """T=0 or T=1."""
        return "T=0" if self._protocol == scard.SCARD_PROTOCOL_T0 else "T=1"

    @property
    def contactless(self) -> bool:
        """Whether it talks over the air, by its answer to reset."""
        return is_contactless(self.atr)

    @property
    def rate(self) -> str:
        """What a card with contacts offers for speed, empty for a contactless one."""
        return "" if self.contactless else offered_rate(self.atr)

    @property
    def largest_apdu(self) -> int:
        """Octets of data that reader and driver pass in one APDU; 0 if they do not say or pass only short ones."""
        features = _records(self._ask(GET_FEATURES))
        if TLV_PROPERTIES not in features:
            return 0
        properties = _records(self._ask(int.from_bytes(features[TLV_PROPERTIES], "big")))
        size = int.from_bytes(properties.get(MAX_APDU_DATA_SIZE, b""), "little")
        return min(size, 0x10000) if size > 256 else 0

    def transmit(self, command: bytes) -> bytes:
        """The raw answer. CARD_REMOVED, CARD_MUTE, NO_READER or NO_PCSCD as CardError."""
        pci = scard.SCARD_PCI_T0 if self._protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        code, answer = scard.SCardTransmit(self._handle, pci, list(command))
        if code != scard.SCARD_S_SUCCESS or len(answer) < 2:  # some drivers report success without an answer
            raise self._failed("SCardTransmit", code)
        return bytes(answer)

    def reset(self) -> None:
        """Make the card forget selection and session, as `transmit` raises."""
        code, protocol = scard.SCardReconnect(
            self._handle, scard.SCARD_SHARE_EXCLUSIVE, PROTOCOLS, scard.SCARD_RESET_CARD
        )
        if code != scard.SCARD_S_SUCCESS:
            raise self._failed("SCardReconnect", code)
        self._protocol = protocol

    def _ask(self, control: int) -> bytes:
        """What the driver answers to a control code; nothing if it does not know it."""
        code, answer = scard.SCardControl(self._handle, control, [])
        return bytes(answer) if code == scard.SCARD_S_SUCCESS else b""

    def _failed(self, call: str, code: int) -> CardError:
        """A call fails before the daemon knows why: give it the time to find out. Raises what it found out."""
        reason = Reason.CARD_MUTE if code == scard.SCARD_S_SUCCESS else reason_of(code)
        if code == scard.SCARD_E_INVALID_HANDLE:  # of a daemon or a reader that is gone, or both are back already
            self._pcsc.is_card_on(self._reader)
            reason = Reason.CARD_REMOVED
        elif reason is Reason.CARD_MUTE and self._taken_away():
            reason = Reason.CARD_REMOVED
        return CardError(reason, _detail(call, code))

    def _taken_away(self) -> bool:
        deadline = time.monotonic() + GONE_WITHIN
        while (lies_there := self._pcsc.is_card_on(self._reader)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return not lies_there


def is_contactless(atr: bytes) -> bool:
    """Whether an answer to reset is one that a reader made up for a contactless card (PC/SC part 3)."""
    return atr[:1] == b"\x3b" and len(atr) > 3 and atr[1] >> 4 == 8 and atr[2:4] == CONTACTLESS


def offered_rate(atr: bytes) -> str:
    """Clocks per `D` bits by TA1 of an answer to reset, e.g. «F=512 D=16»; F=372 D=1 without it. Empty: no ATR."""
    if len(atr) < 3:
        return ""
    first = atr[2] if atr[1] & 0x10 else 0x11
    return f"F={CLOCKS[first >> 4]} D={BITS[first & 0x0F]}"


def _records(raw: bytes) -> dict[int, bytes]:
    """Values by tag of PC/SC's own simple lists: one octet of tag, one of length."""
    found, at = {}, 0
    while at + 2 <= len(raw):
        found[raw[at]] = raw[at + 2 : at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
    return found
