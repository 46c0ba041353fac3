"""The dock's pages and HTTP API.

GET /api/state: every simulator's state by name · GET /api/actions: what each can do, parameters in braces ·
POST /api/{simulator}/{action} with a JSON object of parameters: does it, answers with that simulator's new state ·
GET /events: the same as /api/state as server-sent events, now and on each change · GET /papers/{name}: a printed slip ·
GET /camera.jpg: what the camera sees now. Errors are `{"error": "…"}` with status 400 and up.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from hardware.simulators.dock.glimpse import glimpse
from hardware.simulators.dock.guard import OwnPagesOnly
from hardware.simulators.simulator import Simulator, UnknownAction

HERE = Path(__file__).parent
BODY_LIMIT = 4096  # bytes of parameters
LOOK_EVERY = 0.25  # s between looks at the simulators
KEEP_ALIVE = 15.0  # s of silence before a comment proves the stream alive

PARAMETER = re.compile(r"\{(\w+)\}")
SLIP = re.compile(r"\w[\w.-]*\.png")


@runtime_checkable
class Filming(Protocol):
    """A simulator whose picture the page can show."""

    stream_url: str
    """Address of its MJPEG stream."""


def application(
    simulators: Sequence[Simulator], links: Mapping[str, str], papers: Path | None, closing: asyncio.Event
) -> Starlette:
    """The ASGI application; event streams end when `closing` is set."""
    desk = _Desk(simulators, links, papers, closing)
    return Starlette(
        routes=[
            Route("/", desk.page),
            Route("/api/state", desk.show_states),
            Route("/api/actions", desk.show_actions),
            Route("/api/{simulator}/{action}", desk.act, methods=["POST"]),
            Route("/events", desk.events),
            Route("/papers/{name}", desk.slip),
            Route("/camera.jpg", desk.glimpse),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(OwnPagesOnly)],
        exception_handlers={UnknownAction: _refuse, HTTPException: _explain},
    )


async def _refuse(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _explain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


class _Desk:
    """The endpoints over one set of simulators."""

    def __init__(
        self, simulators: Sequence[Simulator], links: Mapping[str, str], papers: Path | None, closing: asyncio.Event
    ) -> None:
        self._simulators = {simulator.name: simulator for simulator in simulators}
        self._links = links
        self._papers = papers
        self._closing = closing
        self._templates = Jinja2Templates(HERE / "templates")
        self._templates.env.trim_blocks = self._templates.env.lstrip_blocks = True

    async def page(self, request: Request) -> Response:
        context = {"simulators": self._simulators, "state": self._states(), "links": self._links}
        return self._templates.TemplateResponse(request, "desk.html", context)

    async def show_states(self, _: Request) -> Response:
        return JSONResponse(self._states())

    async def show_actions(self, _: Request) -> Response:
        return JSONResponse({name: dict(simulator.actions) for name, simulator in self._simulators.items()})

    async def act(self, request: Request) -> Response:
        name, action = request.path_params["simulator"], request.path_params["action"]
        simulator = self._simulators.get(name)
        if simulator is None:
            raise UnknownAction(f"there is no simulator {name!r}; there are: {', '.join(self._simulators)}")
        if action not in simulator.actions:
            raise UnknownAction(f"{name} cannot {action!r}; it can: {', '.join(simulator.actions)}")
        await simulator.act(action, **await _parameters(request, simulator.actions[action]))
        return JSONResponse(simulator.state())

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def slip(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = self._papers / name if self._papers and SLIP.fullmatch(name) else None
        if path is None or not path.is_file():
            raise HTTPException(404, "there is no such slip")
        return FileResponse(path, media_type="image/png")

    async def glimpse(self, _: Request) -> Response:
        camera = self._simulators.get("camera")
        picture = await glimpse(camera.stream_url) if isinstance(camera, Filming) else None
        if picture is None:
            raise HTTPException(503, "the camera shows no picture")
        return Response(picture, media_type="image/jpeg")

    def _states(self) -> dict[str, Any]:
        return {name: simulator.state() for name, simulator in self._simulators.items()}

    async def _changes(self) -> AsyncIterator[str]:
        shown, silent = "", 0.0
        while not self._closing.is_set():
            now = json.dumps(self._states(), ensure_ascii=False)
            if now != shown:
                shown, silent = now, 0.0
                yield f"data: {now}\n\n"
            elif silent >= KEEP_ALIVE:
                silent = 0.0
                yield ":\n\n"
            silent += LOOK_EVERY
            await _pause(self._closing)


async def _pause(closing: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(closing.wait(), LOOK_EVERY)
    except TimeoutError:
        return


async def _parameters(request: Request, action: str) -> dict[str, Any]:
    """The body: a small JSON object of plain values, named as the braces in `action` say; raises UnknownAction."""
    body = await _body(request)
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise UnknownAction("the parameters must be a JSON object") from None
    if not isinstance(values, dict) or any(isinstance(value, dict | list) for value in values.values()):
        raise UnknownAction("the parameters must be an object of texts, numbers, true or false")
    known = PARAMETER.findall(action)
    for name in values:
        if name not in known:
            raise UnknownAction(f"{name!r} is no parameter of this action; it takes: {', '.join(known) or 'none'}")
    return values


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise HTTPException(413, f"the parameters are longer than {BODY_LIMIT} bytes")
    return body
