"""The receiver as the kiosk reaches it: HTTPS with this kiosk's certificate, and one verdict for each request.

What failed is told apart: «the road is closed» (RoadClosed), «no dossiers now, please» (Busy), «this item not now»
(Later), «this item is bad» (ItemBad).
"""

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests

from kiosk.clock import from_iso
from kiosk.config import ConfigError, OfficeSettings, require
from sync import dating, identity, key_files
from sync.web import NoAnswer, Reply, fetch, new_session

_REASON = re.compile(r"[ -~]{1,120}")

log = logging.getLogger(__name__)

LONGEST_WAIT = 900.0
"""Seconds: nobody makes the kiosk wait longer."""


class RoadClosed(Exception):
    """Nothing can be sent now. `retry_after` seconds, if the receiver said so; `clock`: how this machine's is wrong."""

    def __init__(self, problem: str, retry_after: float = 0.0, clock: str = "") -> None:
        super().__init__(problem)
        self.retry_after = retry_after
        self.clock = clock


class Busy(RoadClosed):
    """The receiver asks for `retry_after` seconds without this kind of request."""


class Later(RoadClosed):
    """The receiver stumbled over this item: others may still go through."""


class ItemBad(Exception):
    """The receiver refuses this item for good; the rest may go on."""


class Watch:
    """Whether files are other ones than at the last look: keys and certificates are renewed under running programs."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._seen = self._stamp()

    def changed(self) -> bool:
        """True once after a change."""
        before, self._seen = self._seen, self._stamp()
        return self._seen != before

    def _stamp(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in self._paths]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


class ReceiverClient:
    """One connection to the receiver; for one thread. Raises ConfigError if a certificate or key is missing."""

    def __init__(self, office: OfficeSettings) -> None:
        self._url = office.url.rstrip("/") + "/api/v1"
        self._office = office
        self._files = Watch(office.ca, office.certificate, office.key_file, key_files.waiting(office.key_file))
        self._session: requests.Session | None = self._connected()
        self.heard: float | None = None
        """When the receiver last answered (system's monotonic clock)."""
        self.earliest = dating.RELEASED
        """Before this it cannot be: the newest time that the receiver has signed, once it is known."""

    def close(self) -> None:
        """Drop the connection; the next request makes another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def learn_date(self, signed_at: object) -> None:
        """A time that the receiver has signed: it is not earlier. Only a label, so a step back is merely said."""
        try:
            date = from_iso(str(signed_at)).astimezone(UTC)
        except (ValueError, OverflowError):
            return
        if date < self.earliest - dating.TOLERANCE:
            log.warning("the receiver's clock went back: it signed %s, before that %s", date, self.earliest)
        self.earliest = max(date, self.earliest)

    def call(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        allowed: frozenset[int] = frozenset(),
        *,
        timeout: float | None = None,
        **limits: Any,
    ) -> Reply:
        """One request below `/api/v1`; statuses from 300 are raised unless `allowed`.

        `timeout`: seconds, if other than the configured; `limits` are those of `web.fetch`.
        """
        if self._files.changed():  # a renewed certificate counts from the next request on
            self.close()
        seconds = timeout or self._office.timeout
        try:
            self._session = self._session or self._connected()
            reply = fetch(self._session, method, self._url + path, seconds, data=body, headers=headers, **limits)
        except ConfigError as error:
            raise RoadClosed(str(error)) from None
        except NoAnswer as error:
            clock = dating.refused(self.earliest, self._office.certificate) if error.date else ""
            problem = f"{error}; {clock}" if clock else str(error)
            raise RoadClosed(problem, clock=clock) from None
        self.heard = time.monotonic()
        if reply.status >= 300 and reply.status not in allowed:
            raise _refusal(reply)
        return reply

    def _connected(self) -> requests.Session:
        """Raises ConfigError."""
        authority = require(self._office.ca, "the authority of the receiver's certificate")
        certificate, key = identity.pair(self._office)
        session = new_session()
        session.verify = str(authority)
        session.cert = (str(certificate), str(key))
        return session


def _refusal(reply: Reply) -> RoadClosed | ItemBad:
    problem, asked = f"HTTP {reply.status}{_reason(reply.body)}", _retry_after(reply.headers)
    if reply.status in (400, 409, 413, 422):
        return ItemBad(problem)
    if reply.status == 429 or (reply.status in (503, 507) and asked):
        return Busy(problem, asked)
    if reply.status in (408, 424, 425) or reply.status >= 500:
        return Later(problem)
    return RoadClosed(problem, asked)


def _reason(body: bytes) -> str:
    """What our receiver says of it; whatever else may have answered is not quoted."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f": {said}" if isinstance(said, str) and _REASON.fullmatch(said) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds asked for, as a number or as a date; a date is reckoned from the answer's own, not from our clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST_WAIT)
    then, now = _date(text), _date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((then - now).total_seconds(), 0.0), LONGEST_WAIT) if then else 0.0


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
