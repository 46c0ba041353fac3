"""The hall: `/display` for large screens, its stream, and the voice that says each call.

A page may play sound only where the browser is started with `--autoplay-policy=no-user-gesture-required`; elsewhere it
shows a button. `?zone=A` shows one part of the hall, `?sound=off` is for the screens beside the one that speaks.
"""

import asyncio
import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue.feed import Audience
from kiosk_queue.floor import Refused, View
from kiosk_queue.hall.announcements import announcer
from kiosk_queue.hall.view import announced, hall_calls, hall_state, hall_texts
from kiosk_queue.model import Json
from kiosk_queue.web import NAME, PAGES, Site, base_of, events, page

VOICE_SECONDS = "private, max-age=600"
"""A call's announcement does not change; a display that plays it again need not fetch it."""


def routes(site: Site) -> list[BaseRoute]:
    """What anybody in the hall may see and hear."""
    voice = announcer(site.settings.voice_folder, site.settings.voice)
    build = page_build()

    async def root(request: Request) -> Response:
        return RedirectResponse(f"{base_of(request)}/display", 303)

    async def display(request: Request) -> Response:
        texts = await site.see(site.centre_of(request), hall_texts)
        return page("display.html", centre=texts["centre"], base=base_of(request), zone=zone_of(request), build=build)

    async def texts(request: Request) -> Response:
        return JSONResponse(await site.see(site.centre_of(request), hall_texts))

    async def stream(request: Request) -> Response:
        await site.see(site.centre_of(request), lambda view: view.seq)  # an unknown centre is told before the stream
        return events(site, request, audience(zone_of(request), base_of(request), build))

    async def speech(request: Request) -> Response:
        seq = request.path_params["seq"]
        call = await site.see(site.centre_of(request), lambda view: announced(view, seq)) if seq < 2**62 else None
        data = await asyncio.to_thread(voice.announcement, *call) if call else None
        if data is None:
            raise Refused("not_found", "Không có lời gọi này", 404)
        return Response(data, media_type="audio/wav", headers={"cache-control": VOICE_SECONDS})

    return [
        Route("/", root),
        Route("/display", display),
        Route("/display/texts", texts),
        Route("/display/events", stream),
        Route("/voice/{seq:int}.wav", speech),
    ]


def audience(zone: str, base: str, build: str) -> Audience:
    """Who looks at the displays of a part of the hall."""

    def calls(view: View, seen: int) -> list[Json]:
        return hall_calls(view, zone, seen, base)

    def state(view: View) -> Json:
        return hall_state(view, zone, build)

    return Audience(f"hall {base} {zone}", calls, state)


def zone_of(request: Request) -> str:
    """The part of the hall that a display asks for; what is no name asks for all."""
    zone = request.query_params.get("zone", "")
    return zone if NAME.fullmatch(zone) else ""


def page_build() -> str:
    """Changes whenever the display's files do: pages that were loaded before load themselves anew."""
    digest = hashlib.sha256()
    for path in sorted([PAGES / "display.html", *(PAGES / "static").glob("display*")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
