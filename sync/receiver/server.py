"""The province's receiver: takes sealed envelopes from enrolled kiosks over mTLS and answers with signed receipts."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kiosk.config import ConfigError, ReceiverSettings, private, require
from sync import serving
from sync.receiver.api import Kiosks
from sync.receiver.parts import Parts
from sync.receiver.watch import Watch
from sync.receiver.worker import Worker


def create_app(settings: ReceiverSettings) -> Starlette:
    """The application with its worker; raises ConfigError or OSError with one clear line."""
    parts = Parts.open(settings)
    worker = Worker(parts.registry, parts.desk, parts.keys, parts.database.lead, settings.catalogue_seconds)
    watch = Watch(parts.database, settings)
    kiosks = Kiosks(parts, worker.wake)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        worker.start()
        watch.start()
        yield
        watch.stop()
        worker.stop()
        parts.close()

    return Starlette(routes=kiosks.routes(), lifespan=lifespan, exception_handlers={HTTPException: _error})


def serve(settings: ReceiverSettings) -> None:
    """Serve until stopped. Raises ConfigError or OSError with one clear line."""
    certificate = require(settings.certificate, "the receiver's certificate")
    key = private(settings.key_file, "the key of the receiver's certificate")
    authority = require(settings.client_ca, "the authority of the kiosks' certificates")
    tls = serving.demand_client_certificate(str(certificate), str(key), str(authority))
    try:
        serving.run(create_app(settings), settings.host, settings.port, **tls)
    except ssl.SSLError as error:
        reason = error.reason or "not certificates"
        raise ConfigError(f"{certificate}, {key} or {authority}: cannot be used for TLS ({reason})") from None


async def _error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
