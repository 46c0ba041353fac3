"""What a journey may ask or tell a person: plain data, no pixels. A screen renders one kind of question.

`Question[A]` is answered with an `A`. The name of the class names the screen, its texts (`screen.<name>.*`) and its
pictures. Anything a visit handles itself on every screen (back, start over, staff, language …) is a `Control`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Generic, TypeVar

from kiosk.appointment import Appointment
from kiosk.catalogue import Component, FormField, Group, PriorityGroup, Procedure, Service
from kiosk.citizen import AccessKey, Citizen
from kiosk.dossier import Dossier, DossierState, Page
from kiosk.health import Reason
from kiosk.leaves import Leaf
from kiosk.reuse import Reusable
from kiosk.shutter import Sight
from kiosk.text import Language, Text
from kiosk.ticket import Ticket

A = TypeVar("A")

Behind = Callable[[], float | None]
"""The share done of what goes on behind a question; None when nothing does."""


class Control(StrEnum):
    """Answers to every question, handled by the visit."""

    BACK = "back"
    START_OVER = "start_over"
    CALL_STAFF = "call_staff"
    LANGUAGE = "language"
    TEXT_SIZE = "text_size"
    CONTRAST = "contrast"


class Nothing(Enum):
    """The answer «nothing of these», where None would be ambiguous."""

    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the present citizen reads the screen; back to default after every visit."""

    language: Language = "vi"
    large_text: bool = False
    high_contrast: bool = False


@dataclass(frozen=True, slots=True)
class Question(Generic[A]):
    """Something asked or told on one screen."""


# --- every visit ---


@dataclass(frozen=True, slots=True)
class Attract(Question[Language]):
    """Nobody is there: invites, and takes the language as the first touch."""

    centre: Text


class Errand(StrEnum):
    """What a citizen may come for."""

    TAKE_TICKET = "take_ticket"
    FILE_DOSSIER = "file_dossier"
    LOOK_UP = "look_up"
    KEEP_APPOINTMENT = "keep_appointment"


@dataclass(frozen=True, slots=True)
class ChooseErrand(Question[Errand]):
    """The start of a visit."""


@dataclass(frozen=True, slots=True)
class ConfirmLeaving(Question[bool]):
    """Start over throws away what was given so far: really?"""


@dataclass(frozen=True, slots=True)
class StaffCalled(Question[None]):
    """The call is out, or (`reached` false) did not get through and the citizen should go to the desk.

    `coming`: somebody has answered it.
    """

    reached: bool
    coming: bool = False


@dataclass(frozen=True, slots=True)
class Working(Question[None]):
    """Long work under way; `what` is a key under `working.`. `progress` answers the share done, None if unknown.

    The only answer is None: cancelled by the citizen, offered if `can_cancel`.
    """

    what: str
    progress: Callable[[], float | None] = lambda: None
    can_cancel: bool = False


class Mend(StrEnum):
    """What a citizen may choose when something does not work."""

    RETRY = "retry"
    WITHOUT = "without"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Remedy(Question[Mend]):
    """A physical condition and its one remedy, in words, picture and sound. `offers` in order, main one first."""

    reason: Reason
    offers: tuple[Mend, ...]


# --- queue ---


@dataclass(frozen=True, slots=True)
class ChooseService(Question[Service]):
    """A service out of two levels, with search."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class ChoosePriority(Question[PriorityGroup | Nothing]):
    """Does the citizen belong to a group that is served first? NOTHING is the main answer."""

    groups: tuple[PriorityGroup, ...]


class Paper(StrEnum):
    """What became of a slip."""

    PRINTED = "printed"
    FAILED = "failed"
    EARLIER = "earlier"
    """It came out when the number was given, some time ago."""


class AfterTicket(StrEnum):
    """What to do with a number in hand."""

    DONE = "done"
    REPRINT = "reprint"


@dataclass(frozen=True, slots=True)
class TicketIssued(Question[AfterTicket]):
    """The number, large. If the paper failed: `reason` and the offer to print again."""

    ticket: Ticket
    paper: Paper
    reason: Reason | None = None


class AppointmentAnswer(StrEnum):
    """What else one may do than keep the appointment."""

    ORDINARY = "ordinary"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class ShowAppointment(Question[AppointmentAnswer]):
    """Hold the QR code of the appointment to the scanner (ends by itself), or take an ordinary number."""

    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class ComeLater(Question[AppointmentAnswer]):
    """Too early for the appointment: when it is, and from when on it gives a number."""

    appointment: Appointment
    now: datetime


# --- identity ---


class PlaceCardAnswer(StrEnum):
    """What else one may do than put the card down."""

    NO_CARD = "no_card"


@dataclass(frozen=True, slots=True)
class PlaceCard(Question[PlaceCardAnswer]):
    """Put the ID card on the reader; ends by itself when the card lies there."""


class KeyMethod(StrEnum):
    """How else to give the chip's access key, or not at all."""

    TYPE = "type"
    SKIP = "skip"
    CAMERA = "camera"
    SCANNER = "scanner"


@dataclass(frozen=True, slots=True)
class ShowCardQr(Question[KeyMethod]):
    """Hold the card's QR code to the scanner (ends by itself), or choose to type instead.

    `in_passing`: nobody needs to be known here, so the other answer is SKIP. `camera`: one could read the card too.
    """

    unreadable: bool = False
    in_passing: bool = False
    camera: bool = False


@dataclass(frozen=True, slots=True)
class ShowCardToCamera(Question[KeyMethod]):
    """Put the card under the camera (ends by itself), or choose to type instead; live preview, one instruction.

    `in_passing` as above. `qr_only`: the side with the QR code, else either side. `scanner`: there is one to go to.
    """

    watch: Callable[[], Sight]
    in_passing: bool = False
    qr_only: bool = False
    scanner: bool = False


@dataclass(frozen=True, slots=True)
class TypeAccessKey(Question[AccessKey]):
    """Type number, birth and expiry as printed. `refused`: the last one did not open the chip."""

    refused: bool = False
    known_id: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmHolder(Question[bool]):
    """Who the citizen is as read, with the grade. True: that is me. `expired`: the card is, which stops nobody.

    `in_passing`: a greeting, which shows no more than name, portrait and masked number.
    """

    citizen: Citizen
    in_passing: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class ConsentToFace(Question[bool]):
    """May the face be compared with the chip's portrait? What for, and that no picture is kept. No is as good."""


class FaceAnswer(StrEnum):
    """What to do before the face camera."""

    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class ShowFace(Question[FaceAnswer]):
    """Look into the camera; ends by itself. SKIP: rather not, after all."""

    watch: Callable[[], Sight]


@dataclass(frozen=True, slots=True)
class FaceCompared(Question[None]):
    """Whether the face looks like the portrait, None if none was seen. Either way it goes on: an officer decides."""

    agrees: bool | None


@dataclass(frozen=True, slots=True)
class TakeCard(Question[None]):
    """Take the card back; ends by itself when it is gone. `in_passing`: it was laid down unasked."""

    in_passing: bool = False


# --- dossier ---


@dataclass(frozen=True, slots=True)
class ChooseProcedure(Question[Procedure]):
    """A procedure out of two levels, with search."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class ShowComponents(Question[None]):
    """What the procedure needs, before anything is captured: papers, fee, time."""

    procedure: Procedure


@dataclass(frozen=True, slots=True)
class ConsentToReuse(Question[bool]):
    """May the province's digitised papers be searched for those of `owner`, who is also the one who asks?

    `components`: for how many papers of the procedure. No is as good: nothing is searched, nothing is kept.
    """

    owner: Citizen
    components: int


@dataclass(frozen=True, slots=True)
class OfferReuse(Question[Reusable | Nothing]):
    """What was found for one component, newest first: use one of them, or capture the paper (NOTHING)."""

    component: Component
    position: int
    of: int
    found: tuple[Reusable, ...]


@dataclass(frozen=True, slots=True)
class NothingToReuse(Question[None]):
    """Nothing was found, or (`searched` false) nobody could be asked: the papers are captured as usual."""

    searched: bool


class CaptureAnswer(StrEnum):
    """What to do before the camera."""

    SHUTTER = "shutter"
    PAPER_ONLY = "paper_only"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CapturePage(Question[CaptureAnswer]):
    """Lay page `number` of a component on the tray; live preview with the found outline and one instruction.

    `pages`: what was taken of this component so far. `lifted`: the same page once more, its stuck-on slip lifted.
    """

    component: Component
    position: int
    of: int
    number: int
    watch: Callable[[], Sight]
    pages: tuple[Page, ...] = ()
    lifted: bool = False


class PageAnswer(StrEnum):
    """What to do with a page just taken."""

    NEXT_PAGE = "next_page"
    COMPLETE = "complete"
    RETAKE = "retake"
    ROTATE = "rotate"
    DROP = "drop"
    SLIP = "slip"


@dataclass(frozen=True, slots=True)
class ReviewPage(Question[PageAnswer]):
    """The page as taken, straightened: legible? More pages of this component?

    `blank`, `same_as` (the number of another page): is it there by mistake?
    SLIP: something is stuck on it, it is taken once more with that lifted. `room`: there may be more pages.
    """

    component: Component
    page: Page
    number: int
    blank: bool = False
    same_as: int | None = None
    room: bool = True


class Deed(StrEnum):
    """What to do with the pages of a component, or with one of them."""

    DONE = "done"
    ADD = "add"
    RETAKE = "retake"
    ROTATE = "rotate"
    EARLIER = "earlier"
    LATER = "later"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class PageDeed:
    """A deed and the page chosen for it (index from 0)."""

    deed: Deed
    at: int = 0


@dataclass(frozen=True, slots=True)
class ArrangePages(Question[PageDeed]):
    """All pages of a component in order, `chosen` one for changes: as many as the paper has? `room`: for more."""

    component: Component
    leaves: tuple[Leaf, ...]
    chosen: int = 0
    room: bool = True


@dataclass(frozen=True, slots=True)
class FillField(Question[str]):
    """One field of the procedure's form; `value` is what it was prefilled with. `behind`: see `Behind`."""

    field: FormField
    position: int
    of: int
    value: str = ""
    behind: Behind | None = None


class ReviewAnswer(StrEnum):
    """After reading the summary; going back step by step is the visit's business."""

    GO_ON = "go_on"


@dataclass(frozen=True, slots=True)
class ReviewDossier(Question[ReviewAnswer]):
    """Everything to be filed, at a glance. `behind`: see `Behind`."""

    dossier: Dossier
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class Consent(Question[bool]):
    """What is sent, to whom, for what; agree and submit, or not."""

    receiving_unit: str


@dataclass(frozen=True, slots=True)
class DossierFiled(Question[None]):
    """Filed: provisional reference large, «CHƯA ĐƯỢC TIẾP NHẬN» until the TTHC system answers (`state`)."""

    provisional_ref: str
    paper: Paper
    reason: Reason | None = None
    state: DossierState | None = None


# --- look-up ---


@dataclass(frozen=True, slots=True)
class TypeDossierCode(Question[str]):
    """The official code or provisional reference, typed or (by itself) scanned from the slip's QR."""

    not_found: bool = False


@dataclass(frozen=True, slots=True)
class TypePersonalId(Question[str]):
    """The owner's 12-digit number: the second factor."""


class AfterStatus(StrEnum):
    """What to do with a status on screen."""

    DONE = "done"
    PRINT = "print"


@dataclass(frozen=True, slots=True)
class ShowStatus(Question[AfterStatus]):
    """What is known of a dossier, in plain words. `printed` after it was put on paper."""

    state: DossierState
    printed: bool = False
