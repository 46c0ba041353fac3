"""The whole of `/api/v1`, in the order in which its document shows it."""

from functools import cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kiosk_queue.api import counters as api_counters
from kiosk_queue.api import openapi
from kiosk_queue.api import tickets as api_tickets
from kiosk_queue.api.dispatch import PREFIX, Api, Endpoint
from kiosk_queue.web import Site


@cache
def table() -> tuple[Endpoint, ...]:
    """Every endpoint."""
    return (*api_tickets.endpoints(), *api_counters.endpoints())


def routes(site: Site) -> list[BaseRoute]:
    """The API and its document."""
    body = msgspec.json.encode(openapi.document(table()))

    async def document(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return [Api(site, table()), Route(f"{PREFIX}/openapi.json", document)]
