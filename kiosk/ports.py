"""What a visit may use: devices, queue and delivery, as the core sees them.

Expected failures come back as `Failure`; an exception is a defect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kiosk.appointment import Appointment, AppointmentCode
from kiosk.catalogue import Catalogue, Group, PriorityGroup, Service
from kiosk.citizen import AccessKey, Citizen
from kiosk.clock import Clock
from kiosk.dossier import Document, DocumentLabel, Dossier, DossierState, Page
from kiosk.health import Failure, Reason, Status
from kiosk.reuse import Reusable, Wish
from kiosk.slips import Slip
from kiosk.ticket import Ticket

Progress = Callable[[float], None]
"""Takes the share done, 0 to 1. May be called from any thread."""

PagesDone = Callable[[int, int], None]
"""Takes pages done and pages in all. Called on the event loop."""

Point = tuple[float, float]

CodeKind = Literal["qr", "mrz", "card"]
"""What a camera reads: any QR code; an ID card's machine readable zone; whichever of the two an ID card shows."""


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One preview picture: RGB rows top down, and the page outline found in it.

    `outline` is four corners clockwise from the page's top left, in fractions of width and height; None if no page.
    """

    width: int
    height: int
    rgb: bytes
    outline: tuple[Point, Point, Point, Point] | None
    number: int
    advice: Reason | None = None
    """Why no page could be taken of it (PAGE_NOT_FOUND, PAGE_HAND …); None if one whole sheet lies there."""


@dataclass(frozen=True, slots=True)
class PageLook:
    """What strikes the eye about a page just taken: nothing on it, or the same as an earlier one (index from 0)."""

    blank: bool = False
    same_as: int | None = None


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """How alike a living face and the chip's portrait look to a machine. It proves nothing: an officer decides."""

    score: float
    """Cosine, 1 is the same picture; the median of `frames` frames."""
    threshold: float
    frames: int
    models: str
    liveness: str = ""
    """Name of the vendor's liveness check; empty: there was none, and a photograph may have been held up."""
    live: bool | None = None
    liveness_score: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold


class Device(Protocol):
    """What every device publishes and forgets."""

    @property
    def status(self) -> Status:
        """The state now."""

    def forget(self) -> None:
        """Drop everything of the present citizen. Never fails, never blocks."""


class CardReader(Device, Protocol):
    """Reads chip ID cards."""

    async def wait_for_card(self) -> Failure | None:
        """Return when a card lies on the reader; a Failure if there is no reader to wait for."""

    async def wait_for_removal(self) -> None:
        """Return when no card lies on the reader."""

    async def read(self, keys: Sequence[AccessKey], progress: Progress) -> Citizen | Failure:
        """Open the chip with the first key that fits and read it whole.

        ACCESS_KEY_REFUSED only after every key was refused; each key costs the chip one attempt.
        """


class Camera(Device, Protocol):
    """Sees the papers on the tray."""

    def preview(self) -> Frame | None:
        """The newest frame, or None while there is none."""

    async def capture(self) -> Page | Failure:
        """Take the page that lies on the tray: found, straightened, judged."""

    async def read_code(self, kind: CodeKind, seconds: float) -> str | AccessKey | Failure:
        """What lies there: the QR code's text (UTF-8, NFC), or the key that an ID card's zone spells.

        CODE_UNREADABLE after `seconds`, or what is wrong with the camera.
        """

    async def look(self, page: Page, earlier: Sequence[Page]) -> PageLook:
        """Whether a page is blank, or a second picture of one that was taken earlier."""

    async def turned(self, page: Page) -> Page:
        """The page turned a quarter clockwise."""

    async def assemble(self, pages: Sequence[Page], label: DocumentLabel, progress: PagesDone) -> Document | Failure:
        """A checked PDF/A-2b of the pages in order, colour, each at its own size, with its words to search in.

        Cancelled: it stops at once and leaves nothing behind.
        """


class FaceComparer(Device, Protocol):
    """Compares the person before the face camera with a portrait. Keeps no picture and nothing computed of one."""

    def preview(self) -> Frame | None:
        """The newest frame as in a mirror, its outline around the face seen last; None while there is none."""

    async def compare(self, portrait: bytes, seconds: float) -> FaceMatch | Failure:
        """How alike they are; NOT_FOUND if no face was seen, in the portrait or within `seconds` before the camera."""


class Scanner(Device, Protocol):
    """Reads QR and bar codes."""

    async def next_code(self) -> str:
        """The next code shown to the scanner, decoded as UTF-8, NFC."""


class Printer(Device, Protocol):
    """Prints slips."""

    async def print(self, slip: Slip) -> Failure | None:
        """Print and cut. None means that the paper is out; otherwise why it stopped."""


class Speaker(Device, Protocol):
    """Speaks to the citizen."""

    async def say(self, text: str, language: str) -> None:
        """Speak; a new utterance replaces the present one."""


class QueueDesk(Device, Protocol):
    """The queue server of the centre."""

    async def groups(self) -> tuple[Group, ...] | Failure:
        """The two-level catalogue of services open now."""

    async def issue(self, service: Service, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        """A number, also while the server is away as long as the reserve lasts (its `ahead` is None then).

        The same `key` always answers with the same ticket.
        """

    async def appointment(self, code: AppointmentCode) -> Appointment | Failure:
        """The appointment behind a scanned code; a Failure (APPOINTMENT_…) if there is none to be kept here."""

    async def check_in(self, appointment: Appointment, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        """The number of an appointment, the same one however often it is asked for; never out of the reserve."""

    async def printed(self, ticket: Ticket, on_paper: bool) -> None:
        """Report whether the slip came out. Never fails towards the citizen."""

    async def reprint(self) -> Ticket | None:
        """A ticket whose paper an officer wants once more, given to this kiosk alone; None if there is none."""

    async def call_staff(self) -> Failure | None:
        """Ask for a person at this kiosk."""

    async def staff_coming(self) -> None:
        """Return when somebody has answered the last call; waits as long as it takes."""


class Office(Device, Protocol):
    """Where dossiers go: the outbox here, the receiver and the TTHC system beyond it."""

    async def submit(self, dossier: Dossier) -> Failure | None:
        """Seal and store durably. None means: it will arrive, exactly once."""

    async def answer(self, provisional_ref: str) -> DossierState:
        """Return when the TTHC system has answered for this dossier; waits as long as it takes."""

    async def look_up(self, code: str, personal_id: str) -> DossierState | Failure:
        """What is known of a dossier (its code or provisional reference) whose owner has this number."""

    @property
    def asks_for_papers(self) -> bool:
        """Whether digitised papers can be asked for now, as far as is known."""

    async def reusable(self, wish: Wish) -> tuple[Reusable, ...] | Failure:
        """Digitised papers for components of the wish, newest first; a Failure after a few seconds at the latest."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """Everything a visit works with."""

    clock: Clock
    catalogue: Catalogue
    status_url: str
    """What the QR code of a slip opens; the reference is appended as `?ma=`."""
    card: CardReader
    camera: Camera
    scanner: Scanner
    printer: Printer
    speaker: Speaker
    queue: QueueDesk
    office: Office
    card_camera: Camera | None = None
    """Sees cards and codes from near; None: `camera` has to do."""
    face_camera: Camera | None = None
    """Sees the person's face; None: there is none."""
    face: FaceComparer | None = None
    """Compares faces; None: switched off, as it is by default."""

    @property
    def devices(self) -> Mapping[str, Device]:
        """Everything that has a status, by name."""
        optional: dict[str, Device | None] = {
            "card_camera": self.card_camera,
            "face_camera": self.face_camera,
            "face": self.face,
        }
        return {
            "card": self.card,
            "camera": self.camera,
            "scanner": self.scanner,
            "printer": self.printer,
            "speaker": self.speaker,
            "queue": self.queue,
            "office": self.office,
            **{name: device for name, device in optional.items() if device is not None},
        }

    def forget(self) -> None:
        """Make every device drop what it holds of the citizen."""
        for device in self.devices.values():
            device.forget()
