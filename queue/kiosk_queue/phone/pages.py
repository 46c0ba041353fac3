"""A number on the phone: `/t/{ticket}`, its stream, and what its holder may do: give it back, say how it was.

Thousands may look. A centre's line is read once for all of them after each change; each stream then gets a frame only
when its own number stands differently.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue import counter
from kiosk_queue.floor import Deed, Refused
from kiosk_queue.model import Json, text_json
from kiosk_queue.phone import appointment_pages
from kiosk_queue.phone.appointment_pages import dress
from kiosk_queue.phone.view import OVER, Boards, clock_of, give_back
from kiosk_queue.storage.store import StorageFault
from kiosk_queue.web import KEY, EventStream, Site, base_of, json_body, page

log = logging.getLogger(__name__)

SPACING = 0.4
"""Seconds between two readings of a centre's line."""
BEAT = 20.0
"""Seconds after which a stream says that it is alive."""
LONGEST_KEY = 64


def routes(site: Site) -> list[BaseRoute]:
    """The phone page with its stream and deeds, and the appointments."""
    pages = _Pages(site, Followers(site))
    return [
        Route("/t/{ticket}", pages.ticket),
        Route("/t/{ticket}/state", pages.state),
        Route("/t/{ticket}/events", pages.events),
        Route("/t/{ticket}/give-back", pages.give_back, methods=["POST"]),
        Route("/t/{ticket}/rate", pages.rate, methods=["POST"]),
        *appointment_pages.routes(site),
    ]


@dataclass(eq=False, slots=True)
class _Viewer:
    """One open page: what it was told last, and whether there is more to tell."""

    state: Json | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, state: Json | None) -> None:
        if state != self.state:
            self.state = state
            self.changed.set()


class Followers:
    """The open pages of every centre; one task reads for all of a centre as long as there are any."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._boards = Boards()
        self._viewers: dict[str, dict[str, set[_Viewer]]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._clock: dict[str, str] = {}
        self._renewing: dict[str, asyncio.Task[None]] = {}
        site.estimates.on_renewed = self._renewed

    async def state(self, centre: str, ticket: str) -> Json:
        """How a number stands now; raises Refused 404."""
        found = (await self._look(centre, [ticket])).get(ticket)
        if found is None:
            raise Refused("not_found", "Không có số này", 404)
        return found

    def told(self, centre: str, state: Json) -> Json:
        """The state with the centre's time."""
        return {**state, "at": self._clock[centre]}

    async def follow(self, centre: str, ticket: str) -> AsyncIterator[bytes]:
        """Frames for one page until the number is done with or the server ends."""
        viewer = _Viewer()
        viewers = self._viewers.setdefault(centre, {})
        viewers.setdefault(ticket, set()).add(viewer)
        try:
            viewer.tell(await self.state(centre, ticket))
            self._read_for(centre)
            while True:
                await self._wait(viewer)
                told = viewer.state
                if told is None:
                    return
                frame = self._frame(centre, told) if viewer.changed.is_set() else self._beat(centre)
                viewer.changed.clear()
                yield frame
                if told["state"] in OVER:
                    return
        finally:
            viewers[ticket].discard(viewer)
            if not viewers[ticket]:
                del viewers[ticket]
            self._forget(centre)

    async def _wait(self, viewer: _Viewer) -> None:
        """Until there is something to tell, be it only that the stream is alive."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT):
                await viewer.changed.wait()

    def _frame(self, centre: str, state: Json) -> bytes:
        return b"data: %b\n\n" % msgspec.json.encode(self.told(centre, state))

    def _beat(self, centre: str) -> bytes:
        return b"event: beat\ndata: %b\n\n" % self._clock[centre].encode()

    async def _look(self, centre: str, tickets: list[str]) -> dict[str, Json]:
        outlook = self._site.estimates.outlook(centre)
        found, self._clock[centre] = await self._site.see(
            centre, lambda view: (self._boards.states(view, tickets, outlook), clock_of(view))
        )
        return found

    def _read_for(self, centre: str) -> None:
        if centre not in self._readers:
            self._readers[centre] = asyncio.get_running_loop().create_task(self._read(centre))

    async def _read(self, centre: str) -> None:
        viewers = self._viewers[centre]
        try:
            async for _ in self._site.feed.ticks(centre, SPACING):
                if not viewers:
                    return
                await self._tell(centre, viewers)
        finally:
            del self._readers[centre]
            for every in viewers.values():  # the server ends
                for viewer in every:
                    viewer.tell(None)
            self._forget(centre)

    def _forget(self, centre: str) -> None:
        """Drop what nobody looks at and no reader holds; addresses name centres that are not there, too."""
        if centre not in self._readers and not self._viewers.get(centre):
            self._viewers.pop(centre, None)
            self._renewing.pop(centre, None)

    def _renewed(self, centre: str) -> None:
        """There is a new forecast: ranges may be others though nothing happened."""
        viewers, last = self._viewers.get(centre), self._renewing.get(centre)
        if viewers and (last is None or last.done()):
            self._renewing[centre] = asyncio.get_running_loop().create_task(self._tell(centre, viewers))

    async def _tell(self, centre: str, viewers: dict[str, set[_Viewer]]) -> None:
        try:
            states = await self._look(centre, list(viewers))
        except StorageFault as error:
            log.warning("phones are not told: %s", error)
            return
        for ticket, state in states.items():
            for viewer in viewers.get(ticket, ()):
                viewer.tell(state)


class _Pages:
    def __init__(self, site: Site, followers: Followers) -> None:
        self._site, self._followers = site, followers

    async def ticket(self, request: Request) -> Response:
        centre, ticket = self._of(request)
        name = await self._site.see(centre, lambda view: text_json(view.centre.name))
        dressing = dress(request, name)
        try:
            state = await self._followers.state(centre, ticket)
        except Refused as refused:
            if refused.status != 404:
                raise
            return _unlisted(page("no_ticket.html", 404, **dressing))
        state = self._followers.told(centre, state)
        path = f"{base_of(request)}/t/{ticket}"
        return _unlisted(page("ticket.html", ticket=state, path=path, **dressing))

    async def state(self, request: Request) -> Response:
        centre, ticket = self._of(request)
        return JSONResponse(self._followers.told(centre, await self._followers.state(centre, ticket)))

    async def events(self, request: Request) -> Response:
        return EventStream(self._followers.follow(*self._of(request)))

    async def give_back(self, request: Request) -> Response:
        ticket = request.path_params["ticket"]
        return await self._do(request, "give-back", lambda floor: give_back(floor, ticket))

    async def rate(self, request: Request) -> Response:
        score = (await json_body(request)).get("score")
        ticket = request.path_params["ticket"]
        if type(score) is not int:
            raise Refused("bad_request", "Thiếu hoặc sai trường score", 400)
        return await self._do(request, f"rate {score}", lambda floor: counter.rate(floor, ticket, score))

    async def _do(self, request: Request, what: str, deed: Deed) -> Response:
        key = request.headers.get("idempotency-key", "")
        if not KEY.fullmatch(key) or len(key) > LONGEST_KEY:
            raise Refused("key_required", "Thiếu tiêu đề Idempotency-Key", 400)
        centre, ticket = self._of(request)
        return JSONResponse(await self._site.do(centre, deed, f"t:{ticket}:{key}", what))

    def _of(self, request: Request) -> tuple[str, str]:
        return self._site.centre_of(request), request.path_params["ticket"]


def _unlisted(answer: Response) -> Response:
    """No search engine keeps the address of a number."""
    answer.headers["x-robots-tag"] = "noindex, nofollow"
    return answer
