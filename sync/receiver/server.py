"""The province's receiver: takes sealed envelopes from enrolled kiosks over mTLS and answers with signed receipts.

    PUT  /api/v1/submissions/{id}           signed manifest (all are idempotent)
    HEAD /api/v1/blobs/{sha256}             Upload-Offset, Upload-Length
    PATCH /api/v1/blobs/{sha256}            one piece at Upload-Offset, with Content-Digest (RFC 9530)
    POST /api/v1/submissions/{id}/commit    signed receipt
    GET  /api/v1/submissions/{id}/receipt   the same again
    GET  /api/v1/submissions/{id}/status    {"state": …, "answer": …}
    POST /api/v1/lookups                    {"code": …, "personal_id": …} → state, owner masked
    GET  /api/v1/healthz

The common name of the client's certificate is the kiosk's id; it sees and sends its own submissions only. A look-up
needs both numbers; an unknown code and a wrong number give the same answer.
"""

import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kiosk.config import ConfigError, ReceiverSettings, require
from kiosk.dossier import DossierState
from sync import answers, serving, signed, store
from sync.allowance import Allowance
from sync.connectors.contract import Refused, Unreachable
from sync.connectors.desk import Desk, open_desk
from sync.envelope import KIOSK_ID, EnvelopeError, read_manifest
from sync.receiver import registry
from sync.receiver.registry import Registry, Submission
from sync.receiver.worker import OwnerHash, Worker

MOST_PIECE = 4 * 1024 * 1024
_SIGNED_TEXT = "application/vnd.motcua.signed"
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


def create_app(settings: ReceiverSettings) -> Starlette:
    """The application with its worker; raises ConfigError if a key is missing, OSError if the folder is in use."""
    hpke_key = signed.opening_key(settings.hpke_key_file, "the key that opens envelopes")
    receipt_key = signed.signing_key(settings.receipt_key_file, "the key that signs receipts")
    if not settings.kiosk_keys.is_dir():
        raise ConfigError(f"{settings.kiosk_keys}: the folder of enrolled kiosks' keys is missing; create it")
    tthc = open_desk(settings)
    held = Registry(settings.state, receipt_key)
    worker = Worker(held, tthc, hpke_key, settings.catalogue_seconds)
    receiver = Receiver(settings, held, tthc, OwnerHash(hpke_key), worker.wake)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()
        tthc.close()
        held.close()

    return Starlette(routes=receiver.routes(), lifespan=lifespan, exception_handlers={HTTPException: _error})


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


class Receiver:
    """The requests of kiosks over one registry."""

    def __init__(
        self, settings: ReceiverSettings, held: Registry, tthc: Desk, owner_hash: OwnerHash, wake: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._registry = held
        self._tthc = tthc
        self._owner_hash = owner_hash
        self._wake = wake
        self._look_ups = Allowance(60, seconds=60)
        self._wrong = Allowance(5, seconds=900)

    def routes(self) -> list[Route]:
        """Everything under /api/v1."""
        submission, blob = "/api/v1/submissions/{id:str}", "/api/v1/blobs/{sha256:str}"
        return [
            Route("/api/v1/healthz", _healthz),
            Route(submission, self.announce, methods=["PUT"]),
            Route(f"{submission}/commit", self.commit, methods=["POST"]),
            Route(f"{submission}/receipt", self.receipt),
            Route(f"{submission}/status", self.status),
            Route(blob, self.offset, methods=["HEAD"]),
            Route(blob, self.append, methods=["PATCH"]),
            Route("/api/v1/lookups", self.look_up, methods=["POST"]),
        ]

    async def announce(self, request: Request) -> Response:
        """Take a manifest that the kiosk of the certificate has signed."""
        kiosk, text = _client(request), await serving.body(request, signed.MOST_BYTES)
        try:
            if read_manifest(text, None).kiosk != kiosk:
                raise HTTPException(403, "this certificate may not send for that kiosk")
            manifest = read_manifest(text, self._enrolled_key(kiosk))
        except EnvelopeError as error:
            raise HTTPException(422, str(error)) from None
        if manifest.submission != request.path_params["id"]:
            raise HTTPException(422, "the manifest is for another submission")
        await _registry(self._registry.announce, manifest, text)
        return JSONResponse({"state": "announced"})

    def _enrolled_key(self, kiosk: str) -> Any:
        path = self._settings.kiosk_keys / f"{kiosk}.pub"
        try:
            return signed.verifying_key(path, "the key of an enrolled kiosk")
        except ConfigError:
            raise HTTPException(403, "this kiosk is not enrolled") from None

    async def offset(self, request: Request) -> Response:
        """How much of a blob is here."""
        reached, size = await _registry(self._registry.offset, _client(request), request.path_params["sha256"])
        return Response(headers={"Upload-Offset": str(reached), "Upload-Length": str(size)})

    async def append(self, request: Request) -> Response:
        """One piece; the new offset, or 409 with the offset at which to go on."""
        kiosk, piece = _client(request), await serving.body(request, MOST_PIECE)
        digest = _CONTENT_DIGEST.fullmatch(request.headers.get("Content-Digest", ""))
        offset = request.headers.get("Upload-Offset", "")
        if digest is None or not re.fullmatch(r"\d{1,12}", offset):
            raise HTTPException(400, "Content-Digest (sha-256) and Upload-Offset are required")
        if base64.b64decode(digest[1]) != hashlib.sha256(piece).digest():
            raise HTTPException(503, "the piece was altered on the way")
        sha256 = request.path_params["sha256"]
        reached = await _registry(self._registry.append, kiosk, sha256, int(offset), piece)
        return Response(status_code=204, headers={"Upload-Offset": str(reached)})

    async def commit(self, request: Request) -> Response:
        """The receipt, once everything announced is durably here."""
        receipt = await _registry(self._registry.commit, _client(request), request.path_params["id"])
        self._wake()
        return Response(receipt, media_type=_SIGNED_TEXT)

    async def receipt(self, request: Request) -> Response:
        """The receipt of before."""
        receipt = await _registry(self._registry.receipt, _client(request), request.path_params["id"])
        return Response(receipt, media_type=_SIGNED_TEXT)

    async def status(self, request: Request) -> Response:
        """How far a submission is."""
        state, answer = await _registry(self._registry.status, _client(request), request.path_params["id"])
        return JSONResponse({"state": state, "answer": answers.to_json(answer) if answer else None})

    async def look_up(self, request: Request) -> Response:
        """What is known of a dossier, for somebody who holds both numbers."""
        kiosk = _client(request)
        code, personal_id = _two_factors(await serving.body(request, 1024))
        if not (self._look_ups.take(kiosk) and self._wrong.left(code)):
            raise HTTPException(429, "too many look-ups", {"Retry-After": "60"})
        item = await run_in_threadpool(self._registry.find, code)
        given = self._owner_hash.of(item.reference_uid if item else "", personal_id)
        if not hmac.compare_digest(given, item.owner_hash if item else bytes(32)) or item is None:
            self._wrong.take(code)
            raise HTTPException(404, "not found")
        state = await run_in_threadpool(self._newest, item)
        return JSONResponse(answers.to_json(state))

    def _newest(self, item: Submission) -> DossierState:
        """Fresh from the TTHC system; its last answer, or status 0 (being handed on), while it is away."""
        try:
            fresh = self._tthc.state(item.reference_uid, item.provisional_ref, item.procedure)
        except (Unreachable, Refused):
            fresh = None
        return fresh or item.answer or DossierState(item.provisional_ref, None, 0, item.procedure)


_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    registry.Unknown: (404, "this kiosk announced no such thing"),
    registry.Missing: (424, "not everything has arrived"),
    registry.Conflict: (409, "this id or number stands for something else"),
    registry.TooMuch: (413, "more than was announced"),
    registry.Damaged: (503, "what arrived is not what was announced; send it again"),
}


async def _registry(work: Callable[..., Any], *arguments: object) -> Any:
    try:
        return await run_in_threadpool(work, *arguments)
    except registry.WrongOffset as wrong:
        raise HTTPException(409, "go on at Upload-Offset", {"Upload-Offset": str(wrong.args[0])}) from None
    except tuple(_REFUSALS) as refusal:
        raise HTTPException(*_REFUSALS[type(refusal)]) from None
    except (OSError, store.DatabaseError):
        raise HTTPException(507, "the receiver's storage does not take it now") from None


def _client(request: Request) -> str:
    kiosk: str = getattr(request.state, "client", "")
    if not KIOSK_ID.fullmatch(kiosk):
        raise HTTPException(403, "the certificate names no kiosk")
    return kiosk


def _two_factors(body: bytes) -> tuple[str, str]:
    try:
        raw = json.loads(body)
        code, personal_id = raw["code"], raw["personal_id"]
        return "".join(code.split()).upper()[:64], personal_id.strip()[:12]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise HTTPException(400, "code and personal_id are required") from None


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
