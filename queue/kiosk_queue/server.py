"""`serve queue`: the application of one centre and the program around it."""

import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from kiosk import catalogue
from kiosk.clock import Clock, SystemClock
from kiosk.config import ConfigError, QueueServerSettings, secret
from kiosk_queue import console, kiosk_api, public
from kiosk_queue.desk import Desk, Refused
from kiosk_queue.feed import Feed
from kiosk_queue.store import StorageFault, Store
from kiosk_queue.voice import Voice
from kiosk_queue.web import Centre, SecurityHeaders, problem

log = logging.getLogger(__name__)

PATIENCE_AT_END = 3
"""Seconds that running requests get when the server stops."""


def create_app(settings: QueueServerSettings, clock: Clock | None = None) -> Starlette:
    """The queue server of one centre; raises ConfigError or CatalogueError for anything it cannot start with."""
    offered = catalogue.load(settings.catalogue)
    token = _strong(secret(settings.kiosk_token_file, "the kiosk token"), settings.kiosk_token_file, 16)
    password = _strong(
        secret(settings.console_password_file, "the console password"), settings.console_password_file, 8
    )
    clock = clock or SystemClock()
    store = Store(settings.database)
    desk = Desk(store, offered, clock, settings.public_url)
    voice = Voice(settings.database.parent / "voice", settings.voice)
    centre = Centre(offered, clock, store, desk, Feed(store), voice)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        centre.feed.start()
        yield
        centre.feed.close()
        store.close()

    app = Starlette(
        routes=[
            *kiosk_api.routes(centre, token),
            *console.routes(centre, password, secure=settings.public_url.startswith("https:")),
            *public.routes(centre),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={Refused: _refused, StorageFault: _storage_fault},
        lifespan=lifespan,
    )
    app.state.centre = centre
    return app


def serve(settings: QueueServerSettings) -> None:
    """Run until SIGINT or SIGTERM; raises ConfigError for anything it cannot start with."""
    with _listening(settings) as listener:
        app = create_app(settings)
        host, port = listener.getsockname()[:2]
        log.info("queue server on http://%s:%d (console /console, display /display)", host, port)
        _Server(app).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends the event streams first, which would otherwise never end."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # a ticket's address is its holder's business
            server_header=False,
            timeout_graceful_shutdown=PATIENCE_AT_END,
        )
        super().__init__(config)
        self._feed: Feed = app.state.centre.feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._feed.close()
        await super().shutdown(sockets)


def _listening(settings: QueueServerSettings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=256)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"queue server cannot listen on {where} ({reason}); stop what uses it or change queue_server.port"
        ) from None
    # Connections inherit it; asyncio sets it only where the protocol number is given. Without it: 40 ms an answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _strong(value: str, path: object, shortest: int) -> str:
    if len(value) < shortest:
        raise ConfigError(f"{path}: shorter than {shortest} characters; put a longer random secret there")
    return value


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.reason, error.text)


async def _storage_fault(_: Request, error: Exception) -> Response:
    log.error("not stored: %s", error)
    return problem(503, "storage_error", "Máy chủ chưa lưu được. Hãy thử lại.")
