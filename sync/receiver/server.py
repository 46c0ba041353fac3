"""The province's receiver: takes sealed envelopes from enrolled kiosks over mTLS and answers with signed receipts."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kiosk.config import ConfigError, ReceiverSettings, require
from sync import serving, signed
from sync.connectors.desk import open_desk
from sync.envelope import key_id
from sync.receiver.admission import Admission
from sync.receiver.api import Kiosks
from sync.receiver.blobs import open_blobs
from sync.receiver.contacts import Contacts
from sync.receiver.database import open_database
from sync.receiver.registry import Registry
from sync.receiver.worker import OwnerHash, Worker


def create_app(settings: ReceiverSettings) -> Starlette:
    """The application with its worker; raises ConfigError or OSError with one clear line."""
    opening = signed.opening_key(settings.hpke_key_file, "the key that opens envelopes")
    receipt_key = signed.signing_key(settings.receipt_key_file, "the key that signs receipts")
    if not settings.kiosk_keys.is_dir():
        raise ConfigError(f"{settings.kiosk_keys}: the folder of enrolled kiosks' keys is missing; create it")
    blobs, database = open_blobs(settings), open_database(settings)
    tthc = open_desk(settings, database)
    held = Registry(database, blobs, receipt_key)
    keys = {key_id(opening.public_key()): opening}
    worker = Worker(held, tthc, keys, database.lead, settings.catalogue_seconds)
    admission, known = Admission(blobs, settings.least_free), Contacts(database, held)
    kiosks = Kiosks(settings, held, known, admission, tthc, OwnerHash(keys.values()), worker.wake)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()
        database.close()

    return Starlette(routes=kiosks.routes(), lifespan=lifespan, exception_handlers={HTTPException: _error})


def serve(settings: ReceiverSettings) -> None:
    """Serve until stopped. Raises ConfigError or OSError with one clear line."""
    certificate = require(settings.certificate, "the receiver's certificate")
    key = require(settings.key_file, "the key of the receiver's certificate")
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
