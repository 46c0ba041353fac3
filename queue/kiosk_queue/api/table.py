"""The whole of `/api/v1`, in the order in which its document shows it."""

from functools import cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kiosk_queue.api import counters as api_counters
from kiosk_queue.api import openapi
from kiosk_queue.api import tickets as api_tickets
from kiosk_queue.api.dispatch import PREFIX, Endpoint


@cache
def table() -> tuple[Endpoint, ...]:
    """Every endpoint."""
    return (*api_tickets.endpoints(), *api_counters.endpoints())


def routes() -> list[BaseRoute]:
    """The document of the API, whose endpoints are answered before any route is looked for (`Api`)."""
    body = msgspec.json.encode(openapi.document(table()))

    async def document(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return [Route(f"{PREFIX}/openapi.json", document)]
