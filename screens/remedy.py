"""A physical condition and its one remedy, in words and picture."""

from collections.abc import Collection

from kiosk.health import Reason
from kiosk.i18n import remedy
from kiosk.i18n import title as reason_title
from kiosk.questions import Mend, Remedy
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, SECONDARY, Button
from screens.widgets.illustration import Illustration
from screens.widgets.notice import Badge
from screens.widgets.part import Part
from screens.widgets.text import Words

PRINTER = {
    Reason.PAPER_OUT: "no_paper",
    Reason.PAPER_LOW: "no_paper",
    Reason.COVER_OPEN: "cover_open",
    Reason.PAPER_JAM: "paper_jam",
    Reason.PRINTER_UNREACHABLE: "printer_down",
    Reason.PRINTER_ERROR: "printer_down",
}
CARD = (
    Reason.NO_CARD,
    Reason.CARD_REMOVED,
    Reason.CARD_MUTE,
    Reason.CARD_IN_USE,
    Reason.NOT_AN_ID_CARD,
    Reason.CARD_TIMEOUT,
    Reason.ACCESS_KEY_REFUSED,
)
CHIP = (*CARD, Reason.NO_PCSCD, Reason.NO_READER, Reason.CARD_DATA_BAD)
PAGE = (
    Reason.PAGE_NOT_FOUND,
    Reason.PAGE_BLURRED,
    Reason.PAGE_TOO_SMALL,
    Reason.PAGE_CUT_OFF,
    Reason.PAGE_SEVERAL,
    Reason.PAGE_HAND,
    Reason.PAGE_GLARE,
    Reason.PAGE_DARK,
    Reason.PAGE_SHADOW,
    Reason.PAGE_MOVING,
    Reason.CAMERA_STALLED,
    Reason.NO_CAMERA,
)
SERVER = (Reason.QUEUE_UNREACHABLE, Reason.RECEIVER_UNREACHABLE, Reason.TTHC_UNREACHABLE)
BOOKED = (
    Reason.APPOINTMENT_UNCHECKED,
    Reason.APPOINTMENT_UNKNOWN,
    Reason.APPOINTMENT_ELSEWHERE,
    Reason.APPOINTMENT_CANCELLED,
    Reason.APPOINTMENT_USED,
    Reason.NO_SCANNER,
    Reason.QUEUE_REFUSED,
    Reason.SERVICE_CLOSED,
)
"""Where WITHOUT means an ordinary number instead of the appointment's."""
SCENES = (
    PRINTER
    | dict.fromkeys(CARD, "place_card")
    | dict.fromkeys(PAGE, "lay_page")
    | {Reason.PAGE_HAND: "hand_off", Reason.PAGE_GLARE: "glare"}
    | dict.fromkeys(SERVER, "network_down")
    | {Reason.APPOINTMENT_UNCHECKED: "network_down", Reason.APPOINTMENT_UNKNOWN: "show_phone"}
    | {Reason.CODE_UNREADABLE: "show_qr", Reason.NOT_FOUND: "searching"}
)
"""The picture of each remedy; the others end with a person at the desk."""

WITHOUT: dict[str, Collection[Reason]] = {"paper": PRINTER, "card": CHIP, "camera": PAGE, "appointment": BOOKED}
"""What is gone without, by reason."""
ICONS = {Mend.RETRY: "restart", Mend.WITHOUT: "forward", Mend.LEAVE: "exit"}


class RemedyScreen(Screen[Remedy]):
    """The offers come in order, the main one lowest."""

    def intro(self) -> list[Part]:
        """Picture, condition, remedy."""
        reason = self.question.reason
        return [
            Illustration(SCENES.get(reason, "staff")),
            Badge("warning", words(reason_title(reason.value)), look().colours.warn, look().colours.warn_tint),
            Words(words(remedy(reason.value)), "heading"),
        ]

    def actions(self) -> list[Part]:
        """What can be done."""
        return [self._offer(n) for n in reversed(range(len(self.question.offers)))]

    def _offer(self, index: int) -> Part:
        mend = self.question.offers[index]
        kind = PRIMARY if index == 0 else SECONDARY
        return Button(f"answer:{mend.value}", self.words(self._text(mend)), self.answering(mend), kind, ICONS[mend])

    def _text(self, mend: Mend) -> str:
        reason = self.question.reason
        if mend is Mend.RETRY and reason in PRINTER:
            return "retry_printing"
        if mend is Mend.WITHOUT:
            about = next((name for name, reasons in WITHOUT.items() if reason in reasons), "other")
            return f"without_{about}"
        return mend.value
