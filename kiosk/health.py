"""The state of devices and services: levels, a closed set of reasons, expected failures as results."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from kiosk.i18n import remedy
from kiosk.text import Text

log = logging.getLogger(__name__)


class Level(StrEnum):
    """How well a device serves; the worst level of its parts wins."""

    READY = "ready"
    DEGRADED = "degraded"
    FAULT = "fault"
    ABSENT = "absent"


class Reason(StrEnum):
    """Why something does not work. Closed: each has a title and remedy in assets/translations (`reason.*`)."""

    OK = "ok"
    STARTING = "starting"
    NOT_CONFIGURED = "not_configured"
    KIOSK_FAULT = "kiosk_fault"
    # chip card
    NO_PCSCD = "no_pcscd"
    NO_READER = "no_reader"
    NO_CARD = "no_card"
    CARD_REMOVED = "card_removed"
    CARD_MUTE = "card_mute"
    CARD_IN_USE = "card_in_use"
    NOT_AN_ID_CARD = "not_an_id_card"
    ACCESS_KEY_REFUSED = "access_key_refused"
    CARD_DATA_BAD = "card_data_bad"
    CARD_TIMEOUT = "card_timeout"
    # printer
    PRINTER_UNREACHABLE = "printer_unreachable"
    PAPER_OUT = "paper_out"
    PAPER_LOW = "paper_low"
    COVER_OPEN = "cover_open"
    PAPER_JAM = "paper_jam"
    PRINTER_ERROR = "printer_error"
    # camera
    NO_CAMERA = "no_camera"
    CAMERA_STALLED = "camera_stalled"
    PAGE_NOT_FOUND = "page_not_found"
    PAGE_BLURRED = "page_blurred"
    PAGE_TOO_SMALL = "page_too_small"
    PAGE_CUT_OFF = "page_cut_off"
    PAGE_SEVERAL = "page_several"
    PAGE_HAND = "page_hand"
    PAGE_GLARE = "page_glare"
    PAGE_DARK = "page_dark"
    PAGE_SHADOW = "page_shadow"
    PAGE_MOVING = "page_moving"
    # code scanner
    NO_SCANNER = "no_scanner"
    CODE_UNREADABLE = "code_unreadable"
    # servers
    QUEUE_UNREACHABLE = "queue_unreachable"
    QUEUE_OFFLINE_NUMBERS = "queue_offline_numbers"
    QUEUE_REFUSED = "queue_refused"
    SERVICE_CLOSED = "service_closed"
    APPOINTMENT_UNCHECKED = "appointment_unchecked"
    APPOINTMENT_UNKNOWN = "appointment_unknown"
    APPOINTMENT_ELSEWHERE = "appointment_elsewhere"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_USED = "appointment_used"
    RECEIVER_UNREACHABLE = "receiver_unreachable"
    RECEIVER_DISAGREES = "receiver_disagrees"
    CLOCK_WRONG = "clock_wrong"
    TTHC_UNREACHABLE = "tthc_unreachable"
    NOT_FOUND = "not_found"
    # storage
    DISK_LOW = "disk_low"
    DISK_FULL = "disk_full"
    STORAGE_ERROR = "storage_error"
    # speech
    NO_VOICE = "no_voice"


@dataclass(frozen=True, slots=True)
class Failure:
    """An expected failure, returned and not raised. `detail` is for technicians: no personal data in it."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What a device publishes: how well it serves, why, and since when (UTC)."""

    level: Level
    reason: Reason
    since: datetime
    detail: str = ""

    @property
    def usable(self) -> bool:
        """Whether a citizen can be served with it now."""
        return self.level in (Level.READY, Level.DEGRADED)

    @property
    def remedy(self) -> Text:
        """What a person does about it."""
        return remedy(self.reason)

    def as_json(self) -> dict[str, Any]:
        """The shape of `diagnose --json`."""
        return {
            "status": self.level.value,
            "reason": self.reason.value,
            "since": self.since.isoformat(timespec="seconds"),
            "detail": self.detail,
            "remedy": {"vi": self.remedy.vi, "en": self.remedy.en},
        }


class Published:
    """Something with a published state: a device, or a server as the kiosk sees it. Logs changes, never polls."""

    name: str

    def __init__(self) -> None:
        self._status = Status(Level.ABSENT, Reason.STARTING, datetime.now(UTC))
        self.on_change: Callable[[Status], None] | None = None

    @property
    def status(self) -> Status:
        """The state now."""
        return self._status

    def publish(self, level: Level, reason: Reason, detail: str = "") -> None:
        """Take over a state; the same level and reason again only bring the detail up. Callable from any thread."""
        if (level, reason) == (self._status.level, self._status.reason):
            self._status = replace(self._status, detail=detail)
            return
        self._status = Status(level, reason, datetime.now(UTC), detail)
        log.info("%s: %s (%s) %s", self.name, level.value, reason.value, detail)
        if self.on_change is not None:
            self.on_change(self._status)

    def forget(self) -> None:
        """Drop everything of the present citizen. Never fails, never blocks."""
