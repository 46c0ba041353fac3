"""What kiosks ask of the receiver, over mTLS. `openapi.TABLE` lists them.

The common name of the client's certificate is the kiosk's id; it sees and sends its own submissions only. A look-up
needs both numbers; an unknown code and a wrong number give the same answer.
"""

import base64
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kiosk.clock import utc_iso
from kiosk.dossier import DossierState
from sync import answers, serving, signed
from sync.allowance import Allowance
from sync.connectors import reuse
from sync.connectors.contract import Refused, Unreachable
from sync.envelope import KIOSK_ID, EnvelopeError, read_manifest
from sync.receiver import blobs, metrics, registry
from sync.receiver.admission import Admission
from sync.receiver.database import Conflict, DatabaseFault
from sync.receiver.openapi import SIGNED, TABLE, Endpoint, document
from sync.receiver.parts import Parts
from sync.receiver.registry import Submission
from sync.receiver.shapes import Announced, Clock, Comparison, Health, LookUp, Report, Status
from sync.receiver.watch import raise_alarm
from sync.receiver.worker import OwnerHash

log = logging.getLogger(__name__)

MOST_PIECE = 4 * 1024 * 1024
MOST_ASKED = 16 * 1024
"""Bytes of a question or a report."""
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class Kiosks:
    """The requests of kiosks over one registry."""

    def __init__(self, parts: Parts, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something to hand on."""
        self._parts = parts
        self._registry = parts.registry
        self._contacts = parts.contacts
        self._tthc = parts.desk
        self._admission = Admission(parts.blobs, parts.settings.least_free)
        self._owner_hash = OwnerHash(parts.keys.values())
        self._wake = wake
        self._look_ups = Allowance(60, seconds=60)
        self._wrong = Allowance(5, seconds=900)

    def routes(self) -> list[Route]:
        """Everything under /api/v1."""
        described = document()

        async def openapi(_: Request) -> Response:
            return JSONResponse(described)

        return [
            *(Route(f"/api/v1{one.path}", self._served(one), methods=[one.method]) for one in TABLE),
            Route("/api/v1/openapi.json", openapi),
        ]

    def _served(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The request of somebody whose certificate may make it."""
        does: Callable[[Request, str], Awaitable[Response]] = getattr(self, endpoint.does)

        async def serve(request: Request) -> Response:
            began, status = time.perf_counter(), 500
            try:
                response = await does(request, await self._client(request, endpoint))
                status = response.status_code
                return response
            except HTTPException as refusal:
                status = refusal.status_code
                raise
            finally:
                metrics.SECONDS.labels(endpoint.does, str(status)).observe(time.perf_counter() - began)

        return serve

    async def _client(self, request: Request, endpoint: Endpoint) -> str:
        """The kiosk that asks, or the monitor."""
        name: str = getattr(request.state, "client", "")
        monitor = self._parts.settings.monitor
        if (name == monitor != "") != (endpoint.does == "metrics"):
            raise HTTPException(403, "this certificate may not ask that")
        if not KIOSK_ID.fullmatch(name):
            raise HTTPException(403, "the certificate names no kiosk")
        if endpoint.does == "metrics":
            return name
        refusal = await _stored(self._parts.gate.refusal, name, request.state.fingerprint)
        if refusal:
            raise HTTPException(403, refusal)
        if self._contacts.fresh(name):
            await _stored(self._contacts.heard, name)
        return name

    async def metrics(self, _request: Request, _monitor: str) -> Response:
        """For Prometheus."""
        return Response(await _stored(metrics.page, self._parts.database), media_type=metrics.MEDIA_TYPE)

    async def healthz(self, _request: Request, _kiosk: str) -> Response:
        """It is there."""
        return _json(Health())

    async def announce(self, request: Request, kiosk: str) -> Response:
        """Take a manifest that the kiosk of the certificate has signed."""
        text = await serving.body(request, signed.MOST_BYTES)
        try:
            if read_manifest(text, None).kiosk != kiosk:
                raise HTTPException(403, "this certificate may not send for that kiosk")
            manifest = read_manifest(text, await self._enrolled_key(kiosk))
        except EnvelopeError as error:
            raise HTTPException(422, str(error)) from None
        if manifest.submission != request.path_params["id"]:
            raise HTTPException(422, "the manifest is for another submission")
        try:
            await _stored(self._registry.announce, manifest, text)
        except HTTPException as refusal:
            if refusal.status_code == 409:
                detail = f"{manifest.submission} (số {manifest.sequence})"
                await _stored(raise_alarm, self._parts.database, kiosk, "conflict", detail)
            raise
        return _json(Announced())

    async def _enrolled_key(self, kiosk: str) -> signed.Verifier:
        verifier: signed.Verifier | None = await _stored(self._parts.gate.verifier, kiosk)
        if verifier is None:
            raise HTTPException(403, "no signing key of this kiosk is good")
        return verifier

    async def keys(self, _request: Request, _kiosk: str) -> Response:
        """The province's list of keys (sync.key_list), for a kiosk that goes by an older one."""
        path = self._parts.settings.key_list
        if not path.is_file():
            raise HTTPException(404, "there is no list of keys yet")
        return Response(await _stored(path.read_bytes), media_type=SIGNED)

    async def offset(self, request: Request, kiosk: str) -> Response:
        """How much of a blob is here."""
        reached, size = await _stored(self._registry.offset, kiosk, request.path_params["sha256"])
        return Response(headers={"Upload-Offset": str(reached), "Upload-Length": str(size)})

    async def append(self, request: Request, kiosk: str) -> Response:
        """One piece; the new offset, or 409 with the offset at which to go on."""
        piece = await serving.body(request, MOST_PIECE)
        digest = _CONTENT_DIGEST.fullmatch(request.headers.get("Content-Digest", ""))
        offset = request.headers.get("Upload-Offset", "")
        if digest is None or not re.fullmatch(r"\d{1,12}", offset):
            raise HTTPException(400, "Content-Digest (sha-256) and Upload-Offset are required")
        sha256 = request.path_params["sha256"]
        if base64.b64decode(digest[1]) != hashlib.sha256(piece).digest():
            reached, _ = await _stored(self._registry.offset, kiosk, sha256)
            raise _go_on(reached, "the piece was altered on the way")
        with self._admission.piece():
            reached = await _stored(self._registry.append, kiosk, sha256, int(offset), piece)
        metrics.BYTES.inc(len(piece))
        return Response(status_code=204, headers={"Upload-Offset": str(reached)})

    async def commit(self, request: Request, kiosk: str) -> Response:
        """The receipt, once everything announced is durably here."""
        receipt = await _stored(self._registry.commit, kiosk, request.path_params["id"])
        self._wake()
        return Response(receipt, media_type=SIGNED)

    async def receipt(self, request: Request, kiosk: str) -> Response:
        """The receipt of before."""
        receipt = await _stored(self._registry.receipt, kiosk, request.path_params["id"])
        return Response(receipt, media_type=SIGNED)

    async def status(self, request: Request, kiosk: str) -> Response:
        """How far a submission is."""
        state, answer = await _stored(self._registry.status, kiosk, request.path_params["id"])
        return _json(Status(state, answers.to_json(answer) if answer else None))

    async def look_up(self, request: Request, kiosk: str) -> Response:
        """What is known of a dossier, for somebody who holds both numbers."""
        asked = await _read(LookUp, request)
        code, personal_id = "".join(asked.code.split()).upper()[:64], asked.personal_id.strip()[:12]
        if not (self._look_ups.take(kiosk) and self._wrong.left(code)):
            raise HTTPException(429, "too many look-ups", {"Retry-After": "60"})
        item = await run_in_threadpool(self._registry.find, code)
        kept, uid = (item.owner_hash, item.reference_uid) if item else (bytes(32), "")
        if not self._owner_hash.fits(kept, uid, personal_id) or item is None:
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

    # --- what the kiosk says of itself, and what it may know ---

    async def report(self, request: Request, kiosk: str) -> Response:
        """Keep the report; the receiver's time."""
        await _stored(self._contacts.report, kiosk, await _read(Report, request))
        return _json(Clock(utc_iso(datetime.now(UTC))))

    async def reconcile(self, request: Request, kiosk: str) -> Response:
        """Whether both sides hold the same receipts, else what is held here."""
        return _json(await _stored(self._contacts.compare, kiosk, await _read(Comparison, request)))

    async def catalogue(self, request: Request, _kiosk: str) -> Response:
        """The newest catalogue, unless the kiosk has it."""
        newest = await _stored(self._tthc.catalogues.latest)
        if newest is None:
            raise HTTPException(404, "there is no catalogue yet")
        tag = {"ETag": f'"{newest[0]}"'}
        if request.headers.get("If-None-Match") == tag["ETag"]:
            return Response(status_code=304, headers=tag)
        return Response(newest[1], media_type="application/json", headers=tag)

    async def reusable(self, request: Request, kiosk: str) -> Response:
        """Digitised papers of the citizen that may stand for components; only with consent."""
        if not self._look_ups.take(kiosk):
            raise HTTPException(429, "too many look-ups", {"Retry-After": "60"})
        try:
            wish = reuse.read_wish(await serving.body(request, MOST_ASKED))
        except reuse.NoConsent:
            raise HTTPException(403, "without the citizen's consent nothing is searched") from None
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        found = await _stored(self._tthc.reusable_results, wish)
        return Response(reuse.told(found), media_type="application/json")


def _go_on(offset: int, why: str) -> HTTPException:
    """The kiosk is told where to go on: nothing of the piece was taken."""
    return HTTPException(409, f"{why}; go on at Upload-Offset", {"Upload-Offset": str(offset)})


_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    registry.Unknown: (404, "this kiosk announced no such thing"),
    registry.Missing: (424, "not everything has arrived"),
    Conflict: (409, "this id or number stands for something else"),
    blobs.TooMuch: (413, "more than was announced"),
}


async def _stored(work: Callable[..., Any], *arguments: object) -> Any:
    try:
        return await run_in_threadpool(work, *arguments)
    except blobs.WrongOffset as wrong:
        raise _go_on(wrong.args[0], "this is not the next piece") from None
    except blobs.Damaged:
        raise _go_on(0, "what arrived is not what was announced") from None
    except tuple(_REFUSALS) as refusal:
        raise HTTPException(*_REFUSALS[type(refusal)]) from None
    except (OSError, DatabaseFault) as fault:
        log.error("storage: %s", fault if isinstance(fault, DatabaseFault) else fault.strerror)
        raise HTTPException(507, "the receiver's storage does not take it now") from None


T = TypeVar("T", bound=msgspec.Struct)


async def _read(shape: type[T], request: Request) -> T:
    """The body, if it has this shape. What is wrong is named by its place, never by its value."""
    try:
        return msgspec.json.decode(await serving.body(request, MOST_ASKED), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"not a {shape.__name__}: {error}") from None


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
