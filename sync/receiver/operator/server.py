"""`serve operator`: the operator's page as a program of its own, with the database and nothing else in its hands."""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from kiosk.config import ConfigError, OperatorSettings, Settings, private, require
from sync import serving
from sync.receiver.database import DatabaseFault, open_database
from sync.receiver.operator import web
from sync.receiver.operator.pages import Pages

log = logging.getLogger(__name__)

_PROBLEMS = {
    404: "Không có trang hoặc kiosk này.",
    405: "Yêu cầu không hợp lệ.",
    413: "Nội dung gửi lên quá dài.",
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def create_app(settings: Settings) -> Starlette:
    """The application over the receiver's database; raises ConfigError or OSError with one clear line."""
    database, tls = open_database(settings.receiver), settings.operator.certificate is not None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        database.close()

    return Starlette(
        routes=[
            *Pages(database, tls=tls).routes(),
            Mount("/static", StaticFiles(directory=web.HERE / "static")),
        ],
        middleware=[Middleware(web.Headers, tls=tls)],
        exception_handlers={HTTPException: _refused, DatabaseFault: _database_away},
        lifespan=lifespan,
    )


def serve(settings: Settings) -> None:
    """Serve until stopped. Raises ConfigError or OSError with one clear line."""
    tls = _tls(settings.operator)
    try:
        serving.run(create_app(settings), settings.operator.host, settings.operator.port, **tls)
    except ssl.SSLError as error:
        reason = error.reason or "not a certificate and its key"
        raise ConfigError(f"operator.certificate, operator.key_file: cannot be used for TLS ({reason})") from None


def _tls(settings: OperatorSettings) -> dict[str, str]:
    if (settings.certificate is None) != (settings.key_file is None):
        raise ConfigError("operator.certificate and operator.key_file: give both, or neither")
    if settings.certificate is None or settings.key_file is None:
        if settings.host not in _LOOPBACK:
            raise ConfigError(
                f"operator.host is {settings.host!r}; without operator.certificate allowed: {', '.join(_LOOPBACK)}"
            )
        return {}
    certificate = require(settings.certificate, "the certificate of the operator's page")
    key = private(settings.key_file, "the key of the operator's page")
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return web.page("problem.html", error.status_code, problem=_PROBLEMS.get(error.status_code, error.detail))


async def _database_away(_: Request, fault: Exception) -> Response:
    log.error("operator's page: the receiver's database: %s", fault)
    return web.page("problem.html", 503, problem="Cơ sở dữ liệu của máy tiếp nhận không trả lời. Hãy thử lại sau.")
