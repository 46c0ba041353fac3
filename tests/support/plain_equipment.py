"""Equipment in memory for tests of journeys alone: what it answers is set by the test."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from kiosk.appointment import Appointment, AppointmentCode
from kiosk.catalogue import Catalogue, Group, PriorityGroup, Service, load
from kiosk.citizen import AccessKey, Citizen, IdentityGrade
from kiosk.dossier import Document, DocumentLabel, Dossier, DossierState, Page
from kiosk.health import Failure, Level, Published, Reason
from kiosk.ports import CodeKind, Equipment, FaceMatch, Frame, PageLook, PagesDone, Progress
from kiosk.reuse import Reusable, Wish
from kiosk.slips import Slip
from kiosk.ticket import Ticket

CATALOGUE = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"

HOLDER = Citizen(
    "001199000123",
    "NGUYỄN THỊ MẪU",
    date(1999, 1, 2),
    "Nữ",
    "Số 1 phố Mẫu, phường Sông Mây",
    IdentityGrade.ISSUER_VERIFIED,
    b"portrait",
    {"EF.SOD": b"sod"},
)
CARD_QR = "001199000123||NGUYỄN THỊ MẪU|02011999|Nữ|Số 1 phố Mẫu, phường Sông Mây|05052021"
PAGE = Page(b"jpeg", 1654, 2339, 200)


class Hands:
    """A clock whose hands the test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 1, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Thing(Published):
    """Base of everything here: ready, and counts how often it was told to forget."""

    forgotten = 0

    def __init__(self) -> None:
        super().__init__()
        self.publish(Level.READY, Reason.OK)

    def forget(self) -> None:
        self.forgotten += 1


class PlainCard(Thing):
    name = "card"

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Failure | None = None
        self.present = True
        self.results: list[Citizen | Failure] = []
        self.keys: list[Sequence[AccessKey]] = []

    async def wait_for_card(self) -> Failure | None:
        if not self.present:
            await asyncio.Event().wait()
        return self.waiting

    async def wait_for_removal(self) -> None:
        return

    async def read(self, keys: Sequence[AccessKey], progress: Progress) -> Citizen | Failure:
        self.keys.append(keys)
        progress(0.5)
        return self.results.pop(0) if self.results else HOLDER


class PlainCamera(Thing):
    name = "camera"

    def __init__(self) -> None:
        super().__init__()
        self.shots: list[Page | Failure] = []
        self.looks: list[PageLook] = []
        self.frame: Frame | None = None
        self.assembling = asyncio.Event()
        self.assembling.set()
        self.assembled: list[DocumentLabel] = []
        self.cancelled = 0
        self.failures: list[Failure] = []
        self.codes: list[str | AccessKey | Failure] = []
        self.asked: list[CodeKind] = []

    def preview(self) -> Frame | None:
        return self.frame

    async def capture(self) -> Page | Failure:
        return self.shots.pop(0) if self.shots else PAGE

    async def read_code(self, kind: CodeKind, seconds: float) -> str | AccessKey | Failure:
        self.asked.append(kind)
        if not self.codes:
            await asyncio.Event().wait()
        return self.codes.pop(0)

    async def look(self, page: Page, earlier: Sequence[Page]) -> PageLook:
        return self.looks.pop(0) if self.looks else PageLook()

    async def turned(self, page: Page) -> Page:
        return Page(page.jpeg + b" turned", page.height, page.width, page.dpi)

    async def assemble(self, pages: Sequence[Page], label: DocumentLabel, progress: PagesDone) -> Document | Failure:
        try:
            await self.assembling.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failures:
            return self.failures.pop(0)
        progress(len(pages), len(pages))
        self.assembled.append(label)
        data = f"pdf of {len(pages)}".encode()
        return Document(data, hashlib.sha256(data).hexdigest(), len(pages), len(pages))


class PlainFace(Thing):
    name = "face"

    def __init__(self) -> None:
        super().__init__()
        self.results: list[FaceMatch | Failure] = []
        self.portraits: list[bytes] = []
        self.frame: Frame | None = None

    def preview(self) -> Frame | None:
        return self.frame

    async def compare(self, portrait: bytes, seconds: float) -> FaceMatch | Failure:
        self.portraits.append(portrait)
        if not self.results:
            await asyncio.Event().wait()
        return self.results.pop(0)


class PlainScanner(Thing):
    name = "scanner"

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []

    async def next_code(self) -> str:
        for _ in range(
            20
        ):  # a hand with a code is slower than an answer of the script: in turns, as a machine may stall
            await asyncio.sleep(0)
        if not self.codes:
            await asyncio.Event().wait()
        return self.codes.pop(0)


class PlainPrinter(Thing):
    name = "printer"

    def __init__(self) -> None:
        super().__init__()
        self.slips: list[Slip] = []
        self.results: list[Failure | None] = []

    async def print(self, slip: Slip) -> Failure | None:
        result = self.results.pop(0) if self.results else None
        if result is None:
            self.slips.append(slip)
        return result


class PlainSpeaker(Thing):
    name = "speaker"

    async def say(self, text: str, language: str) -> None:
        return


class PlainQueue(Thing):
    name = "queue"

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.failures: list[Failure] = []
        self.keys: list[str] = []
        self.paper: list[bool] = []
        self.staff_calls = 0
        self.coming = asyncio.Event()
        self.reprints: list[Ticket] = []
        self.appointments: dict[str, Appointment | Failure] = {}
        self.lost_check_ins = 0
        self.slow = asyncio.Event()
        self.slow.set()

    async def groups(self) -> tuple[Group, ...] | Failure:
        return tuple(g for g in self.catalogue.groups if g.services)

    async def issue(self, service: Service, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        await self.slow.wait()
        self.keys.append(key)
        if self.failures:
            return self.failures.pop(0)
        return Ticket(
            "t1",
            f"{service.series}-001",
            service.name,
            self.catalogue.centre,
            datetime(2026, 11, 23, 1, 5, tzinfo=UTC),
            4,
            "http://localhost/t/abc",
            priority.name if priority else None,
        )

    async def appointment(self, code: AppointmentCode) -> Appointment | Failure:
        return self.failures.pop(0) if self.failures else self.appointments[code.token]

    async def check_in(self, appointment: Appointment, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        self.keys.append(key)
        if self.lost_check_ins:
            self.lost_check_ins -= 1
            return Failure(Reason.APPOINTMENT_UNCHECKED)
        return Ticket(
            "t7",
            "HT-007",
            appointment.service,
            self.catalogue.centre,
            datetime(2026, 11, 23, 1, 5, tzinfo=UTC),
            0,
            "http://localhost/t/abd",
            priority.name if priority else None,
            appointment=appointment,
        )

    async def printed(self, ticket: Ticket, on_paper: bool) -> None:
        self.paper.append(on_paper)

    async def reprint(self) -> Ticket | None:
        return self.reprints.pop(0) if self.reprints else None

    async def call_staff(self) -> Failure | None:
        self.staff_calls += 1
        return None

    async def staff_coming(self) -> None:
        await self.coming.wait()


@dataclass
class PlainOffice(Thing):
    failures: list[Failure] = field(default_factory=list)
    submitted: list[Dossier] = field(default_factory=list)
    states: dict[str, DossierState] = field(default_factory=dict)
    answers: asyncio.Queue[DossierState] = field(default_factory=asyncio.Queue)
    asks_for_papers: bool = False
    on_file: tuple[Reusable, ...] | Failure | None = None
    """What the province holds; None: it never answers."""
    wishes: list[Wish] = field(default_factory=list)
    name = "office"

    def __post_init__(self) -> None:
        super().__init__()

    async def submit(self, dossier: Dossier) -> Failure | None:
        if self.failures:
            return self.failures.pop(0)
        self.submitted.append(dossier)
        return None

    async def answer(self, provisional_ref: str) -> DossierState:
        return await self.answers.get()

    async def look_up(self, code: str, personal_id: str) -> DossierState | Failure:
        return self.states.get(f"{code} {personal_id}", Failure(Reason.NOT_FOUND))

    async def reusable(self, wish: Wish) -> tuple[Reusable, ...] | Failure:
        self.wishes.append(wish)
        if self.on_file is None:
            await asyncio.Event().wait()
        return self.on_file or ()


def plain_equipment() -> Any:
    """A whole kiosk in memory. Typed Any: tests reach into the plain parts."""
    catalogue = load(CATALOGUE)
    return Equipment(
        clock=Hands(),
        catalogue=catalogue,
        status_url="https://example.invalid/tra-cuu",
        card=PlainCard(),
        camera=PlainCamera(),
        scanner=PlainScanner(),
        printer=PlainPrinter(),
        speaker=PlainSpeaker(),
        queue=PlainQueue(catalogue),
        office=PlainOffice(),
    )
