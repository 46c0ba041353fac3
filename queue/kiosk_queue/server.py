"""`serve queue`: the application of a site's centres and the program around it."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from kiosk import catalogue
from kiosk.clock import Clock, SystemClock
from kiosk.config import ConfigError, QueueServerSettings
from kiosk_queue.api import metrics
from kiosk_queue.api import table as api_table
from kiosk_queue.api.devices import Devices
from kiosk_queue.api.dispatch import Api
from kiosk_queue.api.webhooks import Webhooks
from kiosk_queue.estimate import Estimates
from kiosk_queue.feed import Feed
from kiosk_queue.floor import Desk, Refused, add_centre
from kiosk_queue.hall import pages as hall
from kiosk_queue.hall.announcements import announcer
from kiosk_queue.model import from_catalogue
from kiosk_queue.phone import pages as phone
from kiosk_queue.staff import console
from kiosk_queue.storage.store import Conflict, StorageFault, Store, open_store
from kiosk_queue.supervisor import pages as supervisor
from kiosk_queue.web import PAGES, SecurityHeaders, Site, problem

log = logging.getLogger(__name__)

PATIENCE_AT_END = 3
"""Seconds that running requests get when the server stops."""


KEEP_ALIVE = 30
"""Seconds that an idle connection of a kiosk or a counter is kept."""


def open_site_store(settings: QueueServerSettings) -> Store:
    """The configured database with the home centre in it; raises ConfigError or CatalogueError."""
    home = from_catalogue(catalogue.load(settings.catalogue), settings.centre)
    store = open_store(settings.postgres or str(settings.database))
    add_centre(store, home)
    return store


def create_app(settings: QueueServerSettings, clock: Clock | None = None) -> Starlette:
    """The queue server; raises ConfigError or CatalogueError for anything it cannot start with."""
    store = open_site_store(settings)
    desk = Desk(store, clock or SystemClock())
    feed = Feed(desk)
    site = Site(desk, feed, settings, settings.centre, Devices(store, desk.clock.now), Estimates(desk, feed))
    webhooks = Webhooks(store)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        site.feed.start()
        site.estimates.start()
        webhooks.start()
        voice = asyncio.create_task(asyncio.to_thread(announcer(settings.voice_folder, settings.voice).check))
        yield
        await voice
        site.estimates.close()
        site.feed.close()
        webhooks.close()
        store.close()

    areas = _areas(site)
    app = Starlette(
        routes=[
            *areas,
            Mount("/c/{centre}", routes=areas),
            *metrics.routes(site),
            Mount("/static", StaticFiles(directory=PAGES / "static")),
        ],
        middleware=[Middleware(Api, site=site, table=api_table.table()), Middleware(SecurityHeaders)],
        exception_handlers={
            Refused: _refused,
            StorageFault: _storage_fault,
            Conflict: _conflict,
            HTTPException: _http_error,
        },
        lifespan=lifespan,
    )
    app.state.site = site
    return app


def _areas(site: Site) -> list[BaseRoute]:
    """The addresses of every area, the busiest first."""
    return [
        *api_table.routes(),
        *hall.routes(site),
        *phone.routes(site),
        *console.routes(site),
        *supervisor.routes(site),
    ]


def serve(settings: QueueServerSettings) -> None:
    """Run until SIGINT or SIGTERM; raises ConfigError for anything it cannot start with."""
    with _listening(settings) as listener:
        app = create_app(settings)
        host, port = listener.getsockname()[:2]
        scheme = "http" if settings.certificate is None else "https"
        log.info("queue server on %s://%s:%d (console /console, display /display)", scheme, host, port)
        _Server(app).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends the event streams first, which would otherwise never end."""

    def __init__(self, app: Starlette) -> None:
        site: Site = app.state.site
        if site.settings.key_file is not None and site.settings.certificate is None:
            raise ConfigError("queue_server.key_file is set without queue_server.certificate; set both or none")
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,  # a ticket's address is its holder's business
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=PATIENCE_AT_END,
            ssl_certfile=site.settings.certificate,
            ssl_keyfile=site.settings.key_file,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{site.settings.certificate}: cannot be used with {site.settings.key_file} ({error})"
            ) from None
        super().__init__(config)
        self._feed = site.feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._feed.close()
        await super().shutdown(sockets)


def _listening(settings: QueueServerSettings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"queue server cannot listen on {where} ({reason}); stop what uses it or change queue_server.port"
        ) from None
    # Connections inherit it; asyncio sets it only where the protocol number is given. Without it: 40 ms an answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.reason, error.text)


async def _storage_fault(_: Request, error: Exception) -> Response:
    log.error("not stored: %s", error)
    return problem(503, "storage_error", "Máy chủ chưa lưu được. Hãy thử lại.")


async def _conflict(_: Request, error: Exception) -> Response:
    log.warning("refused by the database: %s", error)
    return problem(409, "changed", "Dữ liệu vừa thay đổi. Hãy thử lại.")


async def _http_error(request: Request, error: Exception) -> Response:
    """What no route answered: problem details for programs, a line for people."""
    assert isinstance(error, HTTPException)
    if "/api/" not in request.url.path:
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    answer = problem(error.status_code, "not_found" if error.status_code == 404 else "bad_request", error.detail)
    answer.headers.update(error.headers or {})
    return answer
