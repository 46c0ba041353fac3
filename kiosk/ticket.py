"""A queue ticket as the citizen holds it."""

import math
from dataclasses import dataclass
from datetime import datetime

from kiosk.appointment import Appointment
from kiosk.text import Text


@dataclass(frozen=True, slots=True)
class Ticket:
    """A number in the queue. `id` is opaque and random; `url` is what its QR code opens (no personal data).

    `ahead`: how many wait before it; None if the queue server could not be asked. `wait`: the expected range, minutes.
    `appointment`: the one that it was given for, as it stood then.
    """

    id: str
    number: str
    service: Text
    centre: Text
    issued_at: datetime
    ahead: int | None
    url: str
    priority: Text | None = None
    wait: tuple[int, int] | None = None
    appointment: Appointment | None = None


COARSE, LONG = 15, 120
"""Minutes from which on a range is told in steps of five, and from which on in hours."""


def told_range(low: float, high: float) -> tuple[int, int]:
    """A range of minutes as people are told it: whole, rounded outwards, as nobody can tell better."""
    step = 5 if high >= COARSE else 1
    return math.floor(low / step) * step, max(1, math.ceil(high / step)) * step
