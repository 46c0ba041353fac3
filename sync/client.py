"""The receiver as the kiosk reaches it: HTTPS with this kiosk's certificate, and one verdict for each request.

What failed is told apart: «the road is closed» (RoadClosed), «this item not now» (Later), «this item is bad» (ItemBad).
"""

import time
from collections.abc import Mapping

from kiosk.config import OfficeSettings, require
from sync import identity
from sync.web import NoAnswer, Reply, fetch, new_session


class RoadClosed(Exception):
    """Nothing can be sent now. `retry_after` seconds, if the receiver said so."""

    def __init__(self, problem: str, retry_after: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class Later(RoadClosed):
    """The receiver stumbled over this item: others may still go through."""


class ItemBad(Exception):
    """The receiver refuses this item for good; the rest may go on."""


class ReceiverClient:
    """One connection to the receiver; for one thread. Raises ConfigError if a certificate or key is missing."""

    def __init__(self, office: OfficeSettings) -> None:
        self._url = office.url.rstrip("/") + "/api/v1"
        self._timeout = office.timeout
        self._session = new_session()
        self._session.verify = str(require(office.ca, "the authority of the receiver's certificate"))
        certificate, key = identity.pair(office)
        self._session.cert = (str(certificate), str(key))
        self.heard: float | None = None
        """When the receiver last answered (system's monotonic clock)."""

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        allowed: frozenset[int] = frozenset(),
    ) -> Reply:
        """One request below `/api/v1`; statuses from 300 are raised unless `allowed`."""
        try:
            reply = fetch(self._session, method, self._url + path, self._timeout, data=body, headers=headers)
        except NoAnswer as error:
            raise RoadClosed(str(error)) from None
        self.heard = time.monotonic()
        if reply.status >= 300 and reply.status not in allowed:
            raise _refusal(reply)
        return reply


def _refusal(reply: Reply) -> RoadClosed | ItemBad:
    problem = f"HTTP {reply.status}"
    if reply.status in (400, 409, 413, 422):
        return ItemBad(problem)
    if reply.status in (408, 424, 425, 500, 502, 504):
        return Later(problem)
    return RoadClosed(problem, _seconds(reply.headers.get("Retry-After", "")))


def _seconds(text: str) -> float:
    """`Retry-After` in seconds; a date is not awaited from our receiver and counts as nothing."""
    return float(text) if text.isdecimal() and len(text) < 7 else 0.0
