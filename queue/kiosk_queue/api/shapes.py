"""What programs send to `/api/v1` and get from it: requests are checked by these shapes, the document shows them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Id = Annotated[str, Meta(min_length=16, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
Name = Annotated[str, Meta(max_length=40)]
Line = Annotated[str, Meta(max_length=200)]
Paragraph = Annotated[str, Meta(max_length=1000)]
Moment = Annotated[datetime, Meta(tz=True)]
State = Literal["reserved", "waiting", "called", "serving", "held", "completed", "no_show", "void"]


class Request(Struct, forbid_unknown_fields=True):
    """A misspelt member is refused: a lost `group` would be a lost priority."""


# --- requests ---


class NewTicket(Request):
    """`channel` kiosk: the number is reserved until its paper is reported. `further`: services of the same visit."""

    service: Name
    group: Name | None = None
    channel: Literal["kiosk", "web", "counter", "api"] = "api"
    further: Annotated[list[Name], Meta(max_length=5)] = []


class Paper(Request):
    """Whether the slip came out."""

    printed: bool


class Open(Request):
    """Who works there. `take_over`: even if another machine holds the counter."""

    officer: Name = ""
    take_over: bool = False


class Pause(Request):
    """Why; an empty reason goes on."""

    reason: Line


class Next(Request):
    """`current`: the number that the caller believes is at the counter (null: none); another one there is refused."""

    current: Id | UnsetType | None = UNSET


class Because(Request):
    """A reason, if there is one to tell."""

    reason: Line = ""


class Void(Request):
    """Why the number is taken out."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class Transfer(Request):
    """Where to, at least one of them; `position`: keep the place by arrival, first, or last."""

    service: Name = ""
    counter: Name = ""
    officer: Name = ""
    position: Literal["keep", "first", "last"] = "keep"


class Note(Request):
    """A note for colleagues, a reference of the dossier; what is absent stays."""

    note: Paragraph | None = None
    reference: Line | None = None


class Group(Request):
    """The priority group that the officer has seen proof of; empty: none."""

    group: Name


class Rating(Request):
    """Satisfaction, 5 is best."""

    score: Annotated[int, Meta(ge=1, le=5)]


class Block(Request):
    """Numbers for the time without the server."""

    series: Annotated[str, Meta(pattern="^[A-ZĐ]{1,4}$")]
    size: Annotated[int, Meta(ge=1, le=50)]


class Given(Request):
    """A number that the kiosk gave out of its block; `id` is chosen by the kiosk, at random.

    `instead_of`: the Idempotency-Key under which the kiosk may have asked for the same citizen before, without hearing
    the answer. A number given for it is taken out, and the key gives no other one.
    """

    id: Id
    block: Id
    n: Annotated[int, Meta(ge=1)]
    service: Name
    issued_at: Moment
    group: Name = ""
    printed: bool = True
    instead_of: Annotated[str, Meta(max_length=128)] = ""


class StaffCall(Request):
    """`kiosk`: where the citizen stands; the device's own name unless given."""

    kiosk: Name = ""


class CheckIn(Request):
    """The priority group that the citizen declares, if any."""

    group: Name | None = None


# --- answers ---


class Text(Struct):
    """Both languages."""

    vi: str
    en: str


class Wait(Struct):
    """Minutes: between these with good probability."""

    low: float
    high: float


class Ticket(Struct):
    """A number. `ahead`: who would be called before; `url`: the ticket on the phone."""

    id: str
    number: str
    business_day: str
    state: State
    service: str
    service_name: Text
    centre: Text
    group: str
    group_name: Text | None
    issued_at: str
    ahead: int
    wait: Wait | None
    url: str


class TicketNow(Ticket):
    """A number as it stands now; `counter`: where it was called to last."""

    counter: str | None
    called_at: str | None


class Appointment(Struct):
    """`at`: its time; from `opens` on it gives a number: after some minutes an ordinary one, it is `late` then."""

    id: str
    service: str
    service_name: Text
    at: str
    opens: str
    standing: Literal["early", "due", "late", "kept", "cancelled"]


class Kept(Struct):
    """The time of an appointment; `late`: it is an ordinary number now."""

    at: str
    late: bool


class CheckedIn(Ticket):
    """The number of a citizen with an appointment."""

    appointment: Kept


class Reprint(Struct):
    """A number whose paper is wanted once more, for this kiosk alone; null if there is none."""

    ticket: Ticket | None


class PaperState(Struct):
    """What is known of the paper."""

    id: str
    paper: Literal["printed", "failed", "wanted"]


class Called(Struct):
    """The number called to the counter, why it, and how many seconds it waited."""

    id: str
    number: str
    business_day: str
    state: Literal["called"]
    service: str
    counter: str
    why: str
    waited: int


class Moved(Struct):
    """The number after the deed; `service` where that may have changed."""

    id: str
    state: State
    service: str | UnsetType = UNSET


class Recalled(Struct):
    """How often it was announced again."""

    id: str
    recalls: int


class Noted(Struct):
    """What is kept now."""

    id: str
    note: str | UnsetType = UNSET
    reference: str | UnsetType = UNSET


class Grouped(Struct):
    """The confirmed group."""

    id: str
    group: str


class Rated(Struct):
    """The score that counts."""

    id: str
    score: int


class AtCounter(Struct):
    """The number at a counter."""

    ticket: str
    number: str
    state: Literal["called", "serving"]


class Counter(Struct):
    """A counter; `paused`: why, empty if it is not."""

    counter: str
    open: bool
    officer: str | None
    paused: str
    skills: list[str]
    current: AtCounter | None


class Closed(Struct):
    """The counter is closed."""

    counter: str
    open: Literal[False]


class Counters(Struct):
    """Every counter."""

    counters: list[Counter]


class ServiceNow(Struct):
    """A service that gives out numbers now, and how many wait for it."""

    id: str
    name: Text
    series: str
    waiting: int


class GroupNow(Struct):
    """Services that belong together."""

    id: str
    name: Text
    icon: str
    services: list[ServiceNow]


class PriorityGroup(Struct):
    """Who is served by the priority rule."""

    id: str
    name: Text


class Services(Struct):
    """What a kiosk shows; `series` are those that blocks can be leased of."""

    centre: Text
    day: str
    open: bool
    groups: list[GroupNow]
    priorities: list[PriorityGroup]
    series: list[str]


class Centre(Struct):
    """The centre. `version` counts the changes of its settings, `seq` its events.

    A ticket's page is at `ticket_url` + its id; business days begin `cut_over_hours` after midnight in `zone`.
    """

    id: str
    name: Text
    zone: str
    cut_over_hours: int
    ticket_url: str
    day: str
    open: bool
    rule: str
    version: int
    seq: int


class Lease(Struct):
    """A block of numbers, `first` to `last`, that nobody else gets."""

    block: str
    day: str
    series: str
    first: int
    last: int


class StaffCalled(Struct):
    """The number of the call."""

    call: int


class StaffCallNow(Struct):
    """`counter`: whose officer answered."""

    call: int
    kiosk: str
    at: str
    answered_at: str | None
    counter: str | None


class Problem(Struct):
    """RFC 9457; `reason` is the code for programs."""

    type: str
    title: str
    status: int
    reason: str


Shape = type[Struct]
