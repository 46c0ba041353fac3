"""What kiosks send and get as JSON, checked by msgspec; the OpenAPI document is made from the same."""

from typing import Annotated, Any, Literal

import msgspec

from kiosk.clock import from_iso
from sync.envelope import SHA256, SUBMISSION_ID

MOST_COMPARED = 1000
"""Sequence numbers in one reconciliation."""

Natural = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Measure = Annotated[float, msgspec.Meta(ge=0, lt=2**53)]
Digest = Annotated[str, msgspec.Meta(pattern=f"^{SHA256.pattern}$")]
SubmissionId = Annotated[str, msgspec.Meta(pattern=f"^{SUBMISSION_ID.pattern}$")]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class AuditHead(msgspec.Struct, frozen=True):
    """The end of the kiosk's audit log: number of lines, hash of the last."""

    n: Natural
    sha256: Digest


class Aside(msgspec.Struct, frozen=True):
    """A submission in the kiosk's quarantine."""

    submission: SubmissionId
    problem: Annotated[str, msgspec.Meta(max_length=200)]


class Report(msgspec.Struct, frozen=True):
    """What a kiosk says of itself; nothing of a dossier depends on it, nothing in it is personal."""

    schema: Literal[1]
    utc: Moment
    program: Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern="^[ -~]*$")]
    first_sequence: Natural
    last_sequence: Natural
    waiting: Natural
    oldest_seconds: Measure | None
    quarantined: Annotated[list[Aside], msgspec.Meta(max_length=50)]
    quarantined_count: Natural
    bytes_free: Natural
    days_free: Measure | None
    audit: AuditHead
    certificate_days: Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)]

    def __post_init__(self) -> None:
        """Refuse a moment that no calendar has: it would be met again wherever the report is read."""
        from_iso(self.utc)


class Comparison(msgspec.Struct, frozen=True):
    """A kiosk's digest over its receipts between two sequence numbers (see `contacts.digest_of`)."""

    first: Annotated[int, msgspec.Meta(ge=1, lt=2**53)] = msgspec.field(name="from")
    last: Annotated[int, msgspec.Meta(ge=1, lt=2**53)] = msgspec.field(name="to")
    sha256: Digest

    def __post_init__(self) -> None:
        """Refuse what is no range, or a longer one than is compared at once."""
        if not 0 <= self.last - self.first < MOST_COMPARED:
            raise ValueError(f"from … to must be a range of at most {MOST_COMPARED} numbers")


class LookUp(msgspec.Struct, frozen=True):
    """The two numbers of a look-up."""

    code: Annotated[str, msgspec.Meta(max_length=200)]
    personal_id: Annotated[str, msgspec.Meta(max_length=200)]


class Announced(msgspec.Struct, frozen=True):
    """The manifest is held."""

    state: Literal["announced"] = "announced"


class Status(msgspec.Struct, frozen=True):
    """How far a submission is; `answer` is the TTHC system's, as in sync.answers."""

    state: str
    answer: dict[str, Any] | None


class Clock(msgspec.Struct, frozen=True):
    """The receiver's time."""

    utc: str


class Agreement(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether both sides hold the same receipts; if not, what is held here: [sequence, submission, SHA-256]."""

    agrees: bool
    held: list[list[int | str]] | None = None


class Health(msgspec.Struct, frozen=True):
    """The receiver is there."""

    status: Literal["ok"] = "ok"


class Problem(msgspec.Struct, frozen=True):
    """Why it was refused."""

    error: str
