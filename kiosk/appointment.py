"""An appointment as the citizen shows it: the QR code of its page, and what the queue server knows of it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kiosk.text import Text

_CODE = re.compile(r"(https?://[^\s?#]{1,200}/a/)([A-Za-z0-9_-]{16,64})(?:[?#]\S*)?")


@dataclass(frozen=True, slots=True, repr=False)
class AppointmentCode:
    """The QR code of an appointment: the address of its page up to the token, and the token."""

    address: str
    token: str


def appointment_code(scanned: str) -> AppointmentCode | None:
    """The appointment in a scanned code («https://…/a/TOKEN»); None if it is something else."""
    found = _CODE.fullmatch(scanned.strip())
    return AppointmentCode(found[1], found[2]) if found else None


class Standing(StrEnum):
    """How an appointment stands now, by the server's clock."""

    EARLY = "early"
    DUE = "due"
    LATE = "late"
    """A number is still given, an ordinary one."""
    KEPT = "kept"
    """Its number was given out before."""


@dataclass(frozen=True, slots=True, repr=False)
class Appointment:
    """`at`: its time; `opens`: from when on it gives a number. Both UTC."""

    token: str
    service: Text
    at: datetime
    opens: datetime
    standing: Standing
