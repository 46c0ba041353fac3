"""PC/SC through pyscard's low-level calls. All of it blocks: only for worker threads and command-line tools.

pyscard's own CardMonitor is left alone: it keeps a dead context when pcscd restarts (pyscard issues 27, 82, 128).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from smartcard import scard

from hardware.card.errors import CardError
from hardware.card.status import reason_of
from kiosk.health import Reason

GONE_WITHIN = 1.2
"""Seconds in which the daemon notices that a card was taken away (it asks readers every 0.4 s)."""


def _checked(code: int, call: str) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise CardError(reason_of(code), f"{call} {code & 0xFFFFFFFF:08X}")


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

    def reader(self, name: str) -> str:
        """The first reader whose name contains `name`; NO_READER if there is none."""
        code, names = scard.SCardListReaders(self._context, [])
        if code != scard.SCARD_E_NO_READERS_AVAILABLE:
            _checked(code, "SCardListReaders")
            for found in names:
                if name in found:
                    return str(found)
        raise CardError(Reason.NO_READER, f"no reader named like «{name}»" if name else "no reader")

    def is_card_on(self, reader: str) -> bool:
        """Whether a card lies on the reader, by the daemon's latest look."""
        code, states = scard.SCardGetStatusChange(self._context, 0, [(reader, scard.SCARD_STATE_UNAWARE)])
        _checked(code, "SCardGetStatusChange")
        state = int(states[0][1])
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise CardError(Reason.NO_READER, "the reader went away")
        return bool(state & scard.SCARD_STATE_PRESENT)

    @contextmanager
    def card(self, reader: str) -> Iterator["Card"]:
        """The card on the reader, for us alone; reset afterwards, so that no session outlives the read."""
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(self._context, reader, scard.SCARD_SHARE_EXCLUSIVE, protocols)
        if code == scard.SCARD_E_NO_SMARTCARD:
            raise CardError(Reason.NO_CARD)
        _checked(code, "SCardConnect")
        try:
            yield Card(self, reader, handle, protocol)
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)


class Card:
    """A connected card."""

    def __init__(self, pcsc: Pcsc, reader: str, handle: int, protocol: int) -> None:
        self._pcsc = pcsc
        self._reader = reader
        self._handle = handle
        self._pci = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1

    def transmit(self, command: bytes) -> bytes:
        """The raw answer. CARD_REMOVED, CARD_MUTE, NO_READER or NO_PCSCD as CardError."""
        code, answer = scard.SCardTransmit(self._handle, self._pci, list(command))
        silent = len(answer) < 2 if code == scard.SCARD_S_SUCCESS else reason_of(code) is Reason.CARD_MUTE
        if silent:  # some drivers report success without an answer
            reason = Reason.CARD_REMOVED if self._taken_away() else Reason.CARD_MUTE
            raise CardError(reason, f"SCardTransmit {code & 0xFFFFFFFF:08X}")
        _checked(code, "SCardTransmit")
        return bytes(answer)

    def _taken_away(self) -> bool:
        """A transmission fails before the daemon knows why: give it the time to find out."""
        deadline = time.monotonic() + GONE_WITHIN
        while (lies_there := self._pcsc.is_card_on(self._reader)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return not lies_there
