"""The queue server as a kiosk sees it: HTTP with a whole-request deadline, failures as results, state published.

While the server is away numbers come from a block leased in advance (`offline`); it is told of them afterwards.
"""

import asyncio
import contextlib
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import requests

from kiosk.appointment import Appointment, AppointmentCode, Standing
from kiosk.catalogue import Group, PriorityGroup, Service
from kiosk.clock import Clock, SystemClock, business_day, from_iso
from kiosk.config import KioskSettings, QueueSettings, require, secret
from kiosk.health import Failure, Level, Published, Reason
from kiosk.text import Text, nfc
from kiosk.ticket import Ticket, told_range
from kiosk_queue.offline import Given, Ledger, Reserve

log = logging.getLogger(__name__)

API = "/api/v1"
LARGEST_ANSWER = 512 * 1024
WATCH_SECONDS = 5.0
"""How soon a server that went away or came back is noticed when nobody uses it."""
LOOK_SECONDS = 1.0
"""How soon it is noticed that somebody has answered a call for staff."""
LARGEST_BLOCK = 50
"""Numbers that the server leases at once at most."""

Json = dict[str, Any]

_WRONG_TOKEN = Failure(Reason.QUEUE_REFUSED, "HTTP 401: the server does not know this kiosk's token")
_NOT_THERE = Failure(Reason.QUEUE_REFUSED, "HTTP 404")
_NO_ANSWER = Failure(Reason.QUEUE_UNREACHABLE, "no answer in time")
_NEVER = (Failure(Reason.QUEUE_REFUSED, "HTTP 400"), Failure(Reason.QUEUE_REFUSED, "HTTP 422"))
"""What the server says of a number that it will not take however often it is told."""


_REASONS = {"service_closed": Reason.SERVICE_CLOSED, "cancelled": Reason.APPOINTMENT_CANCELLED}
"""Refusals that a citizen can do something about."""
_ENDED = ("completed", "no_show", "void")


class QueueClient(Published):
    """Implements `kiosk.ports.QueueDesk`. In use between `start` and `stop`; raises ConfigError without its token."""

    name = "queue"

    def __init__(self, settings: QueueSettings, kiosk: KioskSettings, clock: Clock | None = None) -> None:
        super().__init__()
        self._server = _Server(settings)
        self._kiosk = kiosk
        self._clock = clock or SystemClock()
        self._block_size = min(settings.offline_numbers, LARGEST_BLOCK)
        self._reserve = Reserve(kiosk.state)
        self._away = False
        self._call: int | None = None
        self._unreported: dict[str, bool] = {}
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch the server."""
        self._watch = asyncio.create_task(self._watching())

    async def stop(self) -> None:
        """End the watch; requests under way end by their deadline."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self._server.close()
        self._reserve.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- what a visit asks for ---

    async def groups(self) -> tuple[Group, ...] | Failure:
        """The groups and services that take numbers now; without the server those of which numbers are in reserve."""
        if self._away and (kept := await self._groups_in_reserve()):
            return kept
        answer = await self._ask("GET", "/services")
        if isinstance(answer, Failure):
            kept = await self._groups_in_reserve() if answer.reason is Reason.QUEUE_UNREACHABLE else ()
            return kept or answer
        try:
            return tuple(_group(group) for group in answer["groups"])
        except (KeyError, TypeError, AttributeError):
            return Failure(Reason.QUEUE_REFUSED, "catalogue answer not understood")

    async def issue(self, service: Service, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        """A number of the server, or of the reserve if it does not answer; the same key has the same ticket.

        What became of a request whose answer was lost is decided when the server is told of the number from the
        reserve: it carries the request's key.
        """
        known = await self._reserve.use(lambda ledger: _with_centre(ledger, ledger.given(key)), None)
        if known is not None:
            return _ticket_of(*known, service, priority)
        reserve = await self._left()
        answer: Json | Failure = _NO_ANSWER
        if not (self._away and reserve.get(service.series)):
            answer = await self._issue_there(service, priority, key, patient=not reserve.get(service.series))
        if not isinstance(answer, Failure):
            try:
                return _ticket(answer)
            except (KeyError, TypeError, ValueError, AttributeError):
                return Failure(Reason.QUEUE_REFUSED, "ticket answer not understood")
        if answer.reason is not Reason.QUEUE_UNREACHABLE:
            return answer
        return await self._issue_here(service, priority, key) or answer

    async def appointment(self, code: AppointmentCode) -> Appointment | Failure:
        """The appointment behind a scanned code; a Failure (APPOINTMENT_…) if there is none to be kept here."""
        answer = await self._ask("GET", f"/appointments/{code.token}")
        if answer == _NOT_THERE:
            elsewhere = await self._elsewhere(code)
            return Failure(Reason.APPOINTMENT_ELSEWHERE if elsewhere else Reason.APPOINTMENT_UNKNOWN)
        if isinstance(answer, Failure):
            return _unchecked(answer)
        if answer.get("standing") == "cancelled":
            return Failure(Reason.APPOINTMENT_CANCELLED)
        try:
            return _appointment(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Failure(Reason.QUEUE_REFUSED, "appointment answer not understood")

    async def check_in(self, appointment: Appointment, priority: PriorityGroup | None, key: str) -> Ticket | Failure:
        """The number of an appointment, the same one however often it is asked for; never out of the reserve."""
        path, order = f"/appointments/{appointment.token}/check-in", {"group": priority.id if priority else ""}
        answer = await self._ask("POST", path, order, key)
        if isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE:
            answer = await self._ask("POST", path, order, key)
        if isinstance(answer, Failure):
            return _unchecked(answer)
        try:
            return _kept(answer, appointment)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Failure(Reason.QUEUE_REFUSED, "ticket answer not understood")

    async def _elsewhere(self, code: AppointmentCode) -> bool:
        """Whether a code that this centre does not know leads to the pages of another one."""
        centre = await self._ask("GET", "/centre")
        ours = "" if isinstance(centre, Failure) else str(centre.get("ticket_url", ""))
        return bool(ours) and code.address != ours.removesuffix("t/") + "a/"

    async def printed(self, ticket: Ticket, on_paper: bool) -> None:
        """Report whether the slip came out; a report that cannot be delivered follows when the server is back."""
        if await self._reserve.use(lambda ledger: ledger.report(ticket.id, printed=on_paper), default=False):
            return
        self._unreported[ticket.id] = on_paper
        if not self._away:
            await self._report()

    async def reprint(self) -> Ticket | None:
        """A ticket whose paper an officer wants once more, for this kiosk alone; None if there is none."""
        if self._away:
            return None
        answer = await self._ask("POST", "/reprints")
        if isinstance(answer, Failure) or not answer.get("ticket"):
            return None
        try:
            return _ticket(answer["ticket"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    async def call_staff(self) -> Failure | None:
        """Ask for a person at this kiosk."""
        answer = await self._ask("POST", "/staff-calls", {"kiosk": self._kiosk.id})
        self._call = None if isinstance(answer, Failure) else answer.get("call")
        return answer if isinstance(answer, Failure) else None

    async def staff_coming(self) -> None:
        """Return when somebody has answered the last call; waits as long as it takes."""
        while True:
            answer = await self._ask("GET", f"/staff-calls/{self._call}")
            if not isinstance(answer, Failure) and answer.get("answered_at"):
                return
            await asyncio.sleep(LOOK_SECONDS)

    # --- numbers, from there and from here ---

    async def _issue_there(
        self, service: Service, priority: PriorityGroup | None, key: str, *, patient: bool
    ) -> Json | Failure:
        """Asked once more with the same key if the answer was lost; after a silence only if there is no other way."""
        order = {"service": service.id, "group": priority.id if priority else "", "channel": "kiosk"}
        answer = await self._ask("POST", "/tickets", order, key)
        lost = isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE
        if lost and (patient or answer != _NO_ANSWER):
            answer = await self._ask("POST", "/tickets", order, key)
        return answer

    async def _issue_here(self, service: Service, priority: PriorityGroup | None, key: str) -> Ticket | None:
        """The next number of the reserve; None if there is none."""
        now, group = self._clock.now(), priority.id if priority else ""

        def give(ledger: Ledger) -> "tuple[Given, Json] | None":
            day = _day(ledger, now)
            return _with_centre(ledger, ledger.give(key, day, service.series, service.id, group, now))

        given = await self._reserve.use(give, None)
        if given is None:
            return None
        log.info("number %s given out of the reserve", given[0].number)
        await self._publish_away(_NO_ANSWER.detail)
        return _ticket_of(*given, service, priority)

    async def _left(self) -> dict[str, int]:
        """How many numbers of each series are in reserve for today."""
        now = self._clock.now()
        return await self._reserve.use(lambda ledger: ledger.left(_day(ledger, now)), {})

    async def _groups_in_reserve(self) -> tuple[Group, ...]:
        left = await self._left()
        nothing: Json = {}
        known = await self._reserve.use(lambda ledger: ledger.known("groups"), nothing)
        groups = [_group(group, left) for group in known.get("groups", [])]
        return tuple(group for group in groups if group.services)

    # --- the server, watched ---

    async def _watching(self) -> None:
        while True:
            answer = await self._ask("GET", "/services")
            if not isinstance(answer, Failure):
                await self._report()
                await self._tell()
                await self._provide(answer)
            await asyncio.sleep(WATCH_SECONDS)

    async def _report(self) -> None:
        for ticket, on_paper in list(self._unreported.items()):
            answer = await self._ask("POST", f"/tickets/{ticket}/paper", {"printed": on_paper})
            if isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE:
                return
            if self._unreported.get(ticket) == on_paper:
                del self._unreported[ticket]

    async def _tell(self) -> None:
        """Tell the server, in order, which numbers were given out while it was away."""
        now = self._clock.now()
        nothing: list[Given] = []
        for given in await self._reserve.use(lambda ledger: ledger.to_tell(now), nothing):
            answer = await self._ask("POST", "/tickets/reconcile", given.as_json())
            if answer in _NEVER:
                log.error("the server does not take number %s, which was given out: %s", given.number, answer)
                await self._refused(given)
            elif not isinstance(answer, Failure):
                await self._told(given)
            elif answer.reason is Reason.QUEUE_UNREACHABLE:
                return

    async def _told(self, given: Given) -> None:
        paper = await self._reserve.use(lambda ledger: ledger.told(given.id), None)
        if paper is not None and paper != bool(given.printed):
            self._unreported[given.id] = paper

    async def _refused(self, given: Given) -> None:
        await self._reserve.use(lambda ledger: ledger.refused(given.id), None)

    async def _provide(self, services: Json) -> None:
        """Keep what is needed without the server: its catalogue, its addresses, and numbers of every series."""
        centre = await self._ask("GET", "/centre")
        if isinstance(centre, Failure) or not self._block_size:
            return
        now = self._clock.now()
        try:
            known = {name: centre[name] for name in ("name", "zone", "cut_over_hours", "ticket_url")}
            kept = {"groups": [_plain(group) for group in services["groups"]]}
            day, wanted = str(services["day"]), [str(series) for series in services["series"]]
            _text(known["name"]), business_day(now, ZoneInfo(known["zone"]), int(known["cut_over_hours"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("the server's answer about the centre is not understood; no numbers are kept in reserve")
            return
        await self._reserve.use(lambda ledger: ledger.remember("centre", known), None)
        if kept["groups"]:
            await self._reserve.use(lambda ledger: ledger.remember("groups", kept), None)
        if await self._reserve.use(lambda ledger: _day(ledger, now), "") != day:
            return  # midnight passes, or this machine's clock is wrong: such a block could not be used
        left = await self._left()
        for series in wanted:
            if 2 * left.get(series, 0) <= self._block_size and not await self._lease(day, series, now):
                return

    async def _lease(self, day: str, series: str, now: datetime) -> bool:
        """Another block of numbers; whether it went well."""
        key = await self._reserve.use(lambda ledger: ledger.lease_key(day, series), "")
        if not key:
            return False
        block = await self._ask("POST", "/blocks", {"series": series, "size": self._block_size}, key)
        if isinstance(block, Failure):
            return False

        def keep(ledger: Ledger) -> bool:
            ledger.add_block(block["block"], block["day"], block["series"], int(block["first"]), int(block["last"]))
            ledger.tidy(now)
            return True

        with contextlib.suppress(KeyError, TypeError, ValueError):
            return await self._reserve.use(keep, default=False)
        return False

    async def _ask(self, method: str, path: str, body: Json | None = None, key: str = "") -> Json | Failure:
        """One request within the deadline; publishes what it says of the server."""
        answer = await self._server.ask(method, path, body, key)
        self._away = isinstance(answer, Failure) and answer.reason is Reason.QUEUE_UNREACHABLE
        if isinstance(answer, Failure) and self._away:
            await self._publish_away(answer.detail)
        elif answer == _WRONG_TOKEN:
            self.publish(Level.FAULT, _WRONG_TOKEN.reason, _WRONG_TOKEN.detail)
        else:
            self.publish(Level.READY, Reason.OK)
        return answer

    async def _publish_away(self, detail: str) -> None:
        if await self._left():
            self.publish(Level.DEGRADED, Reason.QUEUE_OFFLINE_NUMBERS, detail)
        else:
            self.publish(Level.FAULT, Reason.QUEUE_UNREACHABLE, detail)


class _Server:
    """Requests to the server, each within the deadline."""

    def __init__(self, settings: QueueSettings) -> None:
        self._url = settings.url.rstrip("/") + API
        self._timeout = settings.timeout
        self._headers = {"authorization": f"Bearer {secret(settings.token_file, 'the kiosk token')}"}
        self._verify: bool | str = True
        if settings.ca is not None:
            self._verify = str(require(settings.ca, "the certificate authority of the queue server"))
        self._workers = ThreadPoolExecutor(4, "queue-client")

    def close(self) -> None:
        """Requests under way end by their deadline."""
        workers, self._workers = self._workers, ThreadPoolExecutor(4, "queue-client")
        workers.shutdown(wait=False, cancel_futures=True)

    async def ask(self, method: str, path: str, body: Json | None, key: str) -> Json | Failure:
        """The answer's JSON object."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._workers, self._request, method, path, body, key)
        # Not a timeout that cancels: if this loop itself was late, the answer may lie there already.
        await asyncio.wait({work}, timeout=self._timeout + 0.5)
        return work.result() if work.done() else _NO_ANSWER

    def _request(self, method: str, path: str, body: Json | None, key: str) -> Json | Failure:
        """Blocking. A session of its own: no stale connection, no cookies, no proxy or netrc from the environment."""
        deadline = time.monotonic() + self._timeout
        headers = self._headers | ({"idempotency-key": key} if key else {})
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.request(
                    method,
                    self._url + path,
                    json=body,
                    headers=headers,
                    timeout=self._timeout,
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return _understood(response.status_code, _read(response, deadline))
        except (requests.Timeout, TimeoutError):
            return _NO_ANSWER
        except (requests.RequestException, OSError) as error:
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
    if answer.get("reason") in _REASONS:
        return Failure(_REASONS[answer["reason"]])
    reason = Reason.QUEUE_UNREACHABLE if status >= 500 else Reason.QUEUE_REFUSED
    return Failure(reason, f"HTTP {status}")


def _with_centre(ledger: Ledger, given: Given | None) -> tuple[Given, Json] | None:
    return None if given is None else (given, ledger.known("centre"))


def _ticket_of(given: Given, centre: Json, service: Service, priority: PriorityGroup | None) -> Ticket:
    """The ticket of a number out of the reserve."""
    return Ticket(
        id=given.id,
        number=nfc(given.number),
        service=service.name,
        centre=_text(centre["name"]),
        issued_at=given.issued_at,
        ahead=None,
        url=f"{centre['ticket_url']}{given.id}",
        priority=priority.name if priority else None,
    )


def _day(ledger: Ledger, now: datetime) -> str:
    """The centre's business day; empty while the centre is not known."""
    centre = ledger.known("centre")
    return business_day(now, ZoneInfo(centre["zone"]), centre["cut_over_hours"]).isoformat() if centre else ""


def _text(raw: Json) -> Text:
    return Text(nfc(raw["vi"]), nfc(raw["en"]))


def _group(raw: Json, left: dict[str, int] | None = None) -> Group:
    """A group with its services; with `left` only those whose numbers are in reserve."""
    services = [Service(str(s["id"]), _text(s["name"]), str(s["series"])) for s in raw["services"]]
    kept = tuple(service for service in services if left is None or service.series in left)
    return Group(str(raw["id"]), _text(raw["name"]), str(raw["icon"]), services=kept)


def _plain(raw: Json) -> Json:
    """A group without what changes by the minute."""
    services = [{name: service[name] for name in ("id", "name", "series")} for service in raw["services"]]
    return {"id": raw["id"], "name": raw["name"], "icon": raw["icon"], "services": services}


def _ticket(raw: Json) -> Ticket:
    return Ticket(
        id=str(raw["id"]),
        number=nfc(raw["number"]),
        service=_text(raw["service_name"]),
        centre=_text(raw["centre"]),
        issued_at=from_iso(raw["issued_at"]),
        ahead=int(raw["ahead"]),
        url=str(raw["url"]),
        priority=_text(raw["group_name"]) if raw["group_name"] else None,
        wait=told_range(float(raw["wait"]["low"]), float(raw["wait"]["high"])) if raw["wait"] else None,
    )


def _appointment(raw: Json) -> Appointment:
    return Appointment(
        token=str(raw["id"]),
        service=_text(raw["service_name"]),
        at=from_iso(raw["at"]),
        opens=from_iso(raw["opens"]),
        standing=Standing(raw["standing"]),
    )


def _kept(raw: Json, appointment: Appointment) -> Ticket | Failure:
    """The ticket of an appointment; a number that was called and ended is none any more."""
    if raw["state"] in _ENDED:
        return Failure(Reason.APPOINTMENT_USED)
    ticket = _ticket(raw)
    if raw["state"] in ("called", "serving"):
        ticket = replace(ticket, ahead=None, wait=None)
    standing = Standing.LATE if raw["appointment"]["late"] else Standing.DUE
    return replace(ticket, appointment=replace(appointment, standing=standing))


def _unchecked(failure: Failure) -> Failure:
    """Without the server nobody can tell what an appointment is worth."""
    unreachable = failure.reason is Reason.QUEUE_UNREACHABLE
    return Failure(Reason.APPOINTMENT_UNCHECKED, failure.detail) if unreachable else failure
