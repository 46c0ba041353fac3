"""The queue server as a kiosk sees it: HTTP with a whole-request deadline, failures as results, state published."""

import asyncio
import contextlib
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import requests

from kiosk.catalogue import Group, PriorityGroup, Service
from kiosk.clock import from_iso
from kiosk.config import QueueSettings, secret
from kiosk.health import Failure, Level, Published, Reason
from kiosk.text import Text, nfc
from kiosk.ticket import Ticket

log = logging.getLogger(__name__)

LARGEST_ANSWER = 512 * 1024
WATCH_SECONDS = 5.0
"""How soon a server that went away or came back is noticed when nobody uses it."""

Json = dict[str, Any]

_WRONG_TOKEN = Failure(Reason.QUEUE_REFUSED, "HTTP 401: the server does not know this kiosk's token")


class QueueClient(Published):
    """Implements `kiosk.ports.QueueDesk`. In use between `start` and `stop`; raises ConfigError without its token."""

    name = "queue"

    def __init__(self, settings: QueueSettings, kiosk_id: str) -> None:
        super().__init__()
        self._url = settings.url.rstrip("/")
        self._timeout = settings.timeout
        self._headers = {"authorization": f"Bearer {secret(settings.token_file, 'the kiosk token')}"}
        self._kiosk_id = kiosk_id
        self._unreported: dict[str, bool] = {}
        self._workers = ThreadPoolExecutor(4, "queue-client")
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch the server."""
        self._workers = ThreadPoolExecutor(4, "queue-client")
        self._watch = asyncio.create_task(self._watching())

    async def stop(self) -> None:
        """End the watch; requests under way end by their deadline."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def groups(self) -> tuple[Group, ...] | Failure:
        """The groups and services that take numbers now."""
        answer = await self._ask("GET", "/api/catalogue")
        if isinstance(answer, Failure):
            return answer
        try:
            return tuple(_group(group) for group in answer["groups"])
        except (KeyError, TypeError, AttributeError):
            return Failure(Reason.QUEUE_REFUSED, "catalogue answer not understood")

    async def issue(self, service: Service, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        """A number; asked once more with the same key if the answer was lost, which gives the same number."""
        order = {"service": service.id, "priority": priority.id if priority else "", "key": key}
        answer = await self._ask("POST", "/api/tickets", order)
        if isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE:
            answer = await self._ask("POST", "/api/tickets", order)
        if isinstance(answer, Failure):
            return answer
        try:
            return _ticket(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Failure(Reason.QUEUE_REFUSED, "ticket answer not understood")

    async def printed(self, ticket: Ticket, on_paper: bool) -> None:
        """Report whether the slip came out; a report that cannot be delivered follows when the server is back."""
        self._unreported[ticket.id] = on_paper
        await self._report()

    async def reprint(self) -> Ticket | None:
        """A ticket whose paper an officer wants once more, for this kiosk alone; None if there is none."""
        answer = await self._ask("POST", "/api/reprints")
        if isinstance(answer, Failure) or not answer.get("ticket"):
            return None
        try:
            return _ticket(answer["ticket"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    async def call_staff(self) -> Failure | None:
        """Ask for a person at this kiosk."""
        answer = await self._ask("POST", "/api/staff-calls", {"kiosk": self._kiosk_id})
        return answer if isinstance(answer, Failure) else None

    async def _watching(self) -> None:
        while True:
            answer = await self._ask("GET", "/api/catalogue")
            if not isinstance(answer, Failure):
                await self._report()
            await asyncio.sleep(WATCH_SECONDS)

    async def _report(self) -> None:
        for ticket, on_paper in list(self._unreported.items()):
            answer = await self._ask("POST", f"/api/tickets/{ticket}/paper", {"printed": on_paper})
            if isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE:
                return
            if self._unreported.get(ticket) == on_paper:
                del self._unreported[ticket]

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Json | Failure:
        """One request within the deadline; publishes what it says of the server."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._workers, self._request, method, path, body)
        try:
            async with asyncio.timeout(self._timeout + 0.5):  # wait_for of Python 3.11 can swallow a cancellation
                answer = await work
        except TimeoutError:
            answer = Failure(Reason.QUEUE_UNREACHABLE, "no answer in time")
        if isinstance(answer, Failure) and (answer.reason is Reason.QUEUE_UNREACHABLE or answer == _WRONG_TOKEN):
            self.publish(Level.FAULT, answer.reason, answer.detail)
        else:
            self.publish(Level.READY, Reason.OK)
        return answer

    def _request(self, method: str, path: str, body: Json | None) -> Json | Failure:
        """Blocking. A session of its own: no stale connection, no cookies, no proxy or netrc from the environment."""
        deadline = time.monotonic() + self._timeout
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.request(
                    method,
                    self._url + path,
                    json=body,
                    headers=self._headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return _understood(response.status_code, _read(response, deadline))
        except (requests.RequestException, OSError, TimeoutError) as error:
            return Failure(Reason.QUEUE_UNREACHABLE, type(error).__name__)


def _read(response: requests.Response, deadline: float) -> bytes:
    """The body within size and time; raises TimeoutError when it is not."""
    data = b""
    for chunk in response.iter_content(16 * 1024):
        data += chunk
        if time.monotonic() > deadline or len(data) > LARGEST_ANSWER:
            raise TimeoutError
    return data


def _understood(status: int, data: bytes) -> Json | Failure:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return Failure(Reason.QUEUE_REFUSED, f"HTTP {status} without JSON")
    if status < 300:
        return answer
    if status == 401:
        return _WRONG_TOKEN
    if answer.get("reason") == "service_closed":
        return Failure(Reason.SERVICE_CLOSED)
    reason = Reason.QUEUE_UNREACHABLE if status >= 500 else Reason.QUEUE_REFUSED
    return Failure(reason, f"HTTP {status}")


def _text(raw: Json) -> Text:
    return Text(nfc(raw["vi"]), nfc(raw["en"]))


def _group(raw: Json) -> Group:
    services = tuple(Service(str(s["id"]), _text(s["name"]), str(s["series"])) for s in raw["services"])
    return Group(str(raw["id"]), _text(raw["name"]), str(raw["icon"]), services=services)


def _ticket(raw: Json) -> Ticket:
    return Ticket(
        id=str(raw["id"]),
        number=nfc(raw["number"]),
        service=_text(raw["service"]),
        centre=_text(raw["centre"]),
        issued_at=from_iso(raw["issued_at"]),
        ahead=int(raw["ahead"]),
        url=str(raw["url"]),
        priority=_text(raw["priority"]) if raw["priority"] else None,
    )
