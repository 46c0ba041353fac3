"""What anybody may see: the hall display, its stream and voice, the phone page of a ticket, health."""

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from kiosk_queue import views
from kiosk_queue.desk import Json, Refused
from kiosk_queue.feed import Audience
from kiosk_queue.web import PAGES, Centre, events, page


def routes(centre: Centre) -> list[BaseRoute]:
    """The pages without sign-in."""
    return [*_hall_routes(centre), *_phone_routes(centre), Mount("/static", StaticFiles(directory=PAGES / "static"))]


def _hall_routes(centre: Centre) -> list[BaseRoute]:
    audience: Audience = (
        views.public_events,
        lambda db: views.public_state(db, centre.catalogue, centre.now()),
    )

    async def root(_: Request) -> Response:
        return RedirectResponse("/display", 303)

    async def display(_: Request) -> Response:
        return page("display.html", centre=centre.catalogue.centre)

    async def stream(request: Request) -> Response:
        return events(centre, request, audience)

    async def voice(request: Request) -> Response:
        seq = request.path_params["seq"]
        call = await asyncio.wrap_future(centre.store.read(lambda db: views.announcement(db, seq)))
        path = await asyncio.to_thread(centre.voice.announcement, *call) if call else None
        if path is None:
            raise Refused("not_found", "Không có lời gọi này", 404)
        return FileResponse(path, media_type="audio/wav")

    async def health(_: Request) -> Response:
        seq = await asyncio.wrap_future(centre.store.read(views.last_seq))
        return JSONResponse({**centre.voice.status.as_json(), "status": _level(centre), "last_event": seq})

    return [
        Route("/", root),
        Route("/display", display),
        Route("/events", stream),
        Route("/voice/{seq:int}.wav", voice),
        Route("/healthz", health),
    ]


def _level(centre: Centre) -> str:
    """Without a voice the queue still works: degraded, not broken."""
    return "ready" if centre.voice.status.usable else "degraded"


def _phone_routes(centre: Centre) -> list[BaseRoute]:
    async def state_of(request: Request) -> Json:
        ticket, now = request.path_params["ticket"], centre.now()
        view = centre.store.read(lambda db: views.ticket_state(db, ticket, centre.catalogue, now))
        state = await asyncio.wrap_future(view)
        if state is None:
            raise Refused("not_found", "Không có số này", 404)
        return state

    async def ticket(request: Request) -> Response:
        try:
            state = await state_of(request)
        except Refused:
            return page("no_ticket.html", 404, centre=centre.catalogue.centre)
        return page("ticket.html", centre=centre.catalogue.centre, ticket=state)

    async def ticket_state(request: Request) -> Response:
        return JSONResponse(await state_of(request))

    return [Route("/t/{ticket}", ticket), Route("/t/{ticket}/state", ticket_state)]
