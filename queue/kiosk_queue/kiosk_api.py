"""What kiosks ask the queue server, under `/api`, with their bearer token."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue import views
from kiosk_queue.access import check_bearer
from kiosk_queue.desk import Refused
from kiosk_queue.web import ANYTHING, KEY, Centre, json_body, text_of


def routes(centre: Centre, token: str) -> list[BaseRoute]:
    """The kiosk API."""

    async def catalogue(_: Request) -> Response:
        now = centre.now()
        view = centre.store.read(lambda db: views.kiosk_catalogue(db, centre.catalogue, now))
        return JSONResponse(await asyncio.wrap_future(view))

    async def tickets(_: Request) -> Response:
        day = centre.desk.today()
        return JSONResponse(
            {"tickets": await asyncio.wrap_future(centre.store.read(lambda db: views.tickets(db, day)))}
        )

    async def issue(request: Request) -> Response:
        body = await json_body(request)
        service, priority = text_of(body, "service"), text_of(body, "priority", ANYTHING, "")
        ticket = await asyncio.wrap_future(centre.desk.issue(service, priority, text_of(body, "key", KEY)))
        return JSONResponse(ticket, 201)

    async def paper(request: Request) -> Response:
        printed = (await json_body(request)).get("printed")
        if not isinstance(printed, bool):
            raise Refused("bad_request", "Thiếu hoặc sai trường printed", 400)
        return JSONResponse(await asyncio.wrap_future(centre.desk.paper(request.path_params["ticket"], printed)))

    async def reprint(_: Request) -> Response:
        return JSONResponse({"ticket": await asyncio.wrap_future(centre.desk.claim_reprint())})

    async def staff_call(request: Request) -> Response:
        kiosk = text_of(await json_body(request), "kiosk")
        return JSONResponse(await asyncio.wrap_future(centre.desk.call_staff(kiosk[:40])), 201)

    def known(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            check_bearer(request, token)
            return await handler(request)

        return checked

    return [
        Route("/api/catalogue", known(catalogue)),
        Route("/api/tickets", known(tickets)),
        Route("/api/tickets", known(issue), methods=["POST"]),
        Route("/api/tickets/{ticket}/paper", known(paper), methods=["POST"]),
        Route("/api/reprints", known(reprint), methods=["POST"]),
        Route("/api/staff-calls", known(staff_call), methods=["POST"]),
    ]
