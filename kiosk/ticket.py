"""A queue ticket as the citizen holds it."""

from dataclasses import dataclass
from datetime import datetime

from kiosk.text import Text


@dataclass(frozen=True, slots=True)
class Ticket:
    """A number in the queue. `id` is opaque and random; `url` is what its QR code opens (no personal data).

    `ahead`: how many wait before it; None if the queue server could not be asked.
    """

    id: str
    number: str
    service: Text
    centre: Text
    issued_at: datetime
    ahead: int | None
    url: str
    priority: Text | None = None
