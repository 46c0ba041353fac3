"""PC/SC error codes as the reasons a person can do something about (pcsclite.h, winscard error codes)."""

from smartcard import scard

from kiosk.health import Reason

SERVICE_GONE = frozenset(
    {
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_F_COMM_ERROR,
        scard.SCARD_F_INTERNAL_ERROR,
        scard.SCARD_E_INVALID_HANDLE,
        scard.SCARD_W_SECURITY_VIOLATION,
    }
)
"""The daemon ended, refuses us, or the context is dead: drop it and open another."""

READER_GONE = frozenset(
    {
        scard.SCARD_E_NO_READERS_AVAILABLE,
        scard.SCARD_E_READER_UNAVAILABLE,
        scard.SCARD_E_UNKNOWN_READER,
    }
)

HELD = frozenset({scard.SCARD_E_SHARING_VIOLATION})
"""Another program has the card for itself."""

CARD_GONE = frozenset({scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_RESET_CARD})


def reason_of(code: int) -> Reason:
    """The reason behind a PC/SC error; a card that just does not answer is the rest."""
    for codes, reason in (
        (SERVICE_GONE, Reason.NO_PCSCD),
        (READER_GONE, Reason.NO_READER),
        (HELD, Reason.CARD_IN_USE),
        (CARD_GONE, Reason.CARD_REMOVED),
    ):
        if code in codes:
            return reason
    return Reason.CARD_MUTE
