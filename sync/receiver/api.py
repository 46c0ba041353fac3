"""What kiosks ask of the receiver, over mTLS.

    PUT  /api/v1/submissions/{id}           signed manifest (all are idempotent)
    HEAD /api/v1/blobs/{sha256}             Upload-Offset, Upload-Length
    PATCH /api/v1/blobs/{sha256}            one piece at Upload-Offset, with Content-Digest (RFC 9530)
    POST /api/v1/submissions/{id}/commit    signed receipt
    GET  /api/v1/submissions/{id}/receipt   the same again
    GET  /api/v1/submissions/{id}/status    {"state": …, "answer": …}
    POST /api/v1/lookups                    {"code": …, "personal_id": …} → state, owner masked
    PUT  /api/v1/report                     what the kiosk says of itself (contacts)
    POST /api/v1/reconciliation             do both sides hold the same receipts?
    GET  /api/v1/catalogue                  procedures, fees, receiving units; ETag is the version
    POST /api/v1/reusable                   digitised papers that may stand for components (connectors.reuse)
    GET  /api/v1/healthz

The common name of the client's certificate is the kiosk's id; it sees and sends its own submissions only. A look-up
needs both numbers; an unknown code and a wrong number give the same answer.
"""

import base64
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kiosk.clock import utc_iso
from kiosk.config import ConfigError, ReceiverSettings
from kiosk.dossier import DossierState
from sync import answers, serving, signed
from sync.allowance import Allowance
from sync.connectors import reuse
from sync.connectors.contract import Refused, Unreachable
from sync.connectors.desk import Desk
from sync.envelope import KIOSK_ID, EnvelopeError, read_manifest
from sync.receiver import blobs, registry
from sync.receiver.admission import Admission
from sync.receiver.contacts import Contacts
from sync.receiver.database import Conflict, DatabaseFault
from sync.receiver.registry import Registry, Submission
from sync.receiver.shapes import Announced, Clock, Comparison, Health, LookUp, Report, Status
from sync.receiver.worker import OwnerHash

log = logging.getLogger(__name__)

MOST_PIECE = 4 * 1024 * 1024
MOST_ASKED = 16 * 1024
"""Bytes of a question or a report."""
_SIGNED_TEXT = "application/vnd.motcua.signed"
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class Kiosks:
    """The requests of kiosks over one registry."""

    def __init__(
        self,
        settings: ReceiverSettings,
        held: Registry,
        known: Contacts,
        admission: Admission,
        tthc: Desk,
        owner_hash: OwnerHash,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._registry = held
        self._contacts = known
        self._admission = admission
        self._tthc = tthc
        self._owner_hash = owner_hash
        self._wake = wake
        self._look_ups = Allowance(60, seconds=60)
        self._wrong = Allowance(5, seconds=900)

    def routes(self) -> list[Route]:
        """Everything under /api/v1."""
        submission, blob = "/api/v1/submissions/{id:str}", "/api/v1/blobs/{sha256:str}"
        return [
            Route("/api/v1/healthz", self.healthz),
            Route(submission, self.announce, methods=["PUT"]),
            Route(f"{submission}/commit", self.commit, methods=["POST"]),
            Route(f"{submission}/receipt", self.receipt),
            Route(f"{submission}/status", self.status),
            Route(blob, self.offset, methods=["HEAD"]),
            Route(blob, self.append, methods=["PATCH"]),
            Route("/api/v1/lookups", self.look_up, methods=["POST"]),
            Route("/api/v1/report", self.report, methods=["PUT"]),
            Route("/api/v1/reconciliation", self.reconcile, methods=["POST"]),
            Route("/api/v1/catalogue", self.catalogue),
            Route("/api/v1/reusable", self.reusable, methods=["POST"]),
        ]

    async def _client(self, request: Request) -> str:
        """The kiosk that asks."""
        kiosk: str = getattr(request.state, "client", "")
        if not KIOSK_ID.fullmatch(kiosk):
            raise HTTPException(403, "the certificate names no kiosk")
        await _stored(self._contacts.heard, kiosk)
        return kiosk

    async def healthz(self, request: Request) -> Response:
        """It is there."""
        await self._client(request)
        return _json(Health())

    async def announce(self, request: Request) -> Response:
        """Take a manifest that the kiosk of the certificate has signed."""
        kiosk, text = await self._client(request), await serving.body(request, signed.MOST_BYTES)
        try:
            if read_manifest(text, None).kiosk != kiosk:
                raise HTTPException(403, "this certificate may not send for that kiosk")
            manifest = read_manifest(text, self._enrolled_key(kiosk))
        except EnvelopeError as error:
            raise HTTPException(422, str(error)) from None
        if manifest.submission != request.path_params["id"]:
            raise HTTPException(422, "the manifest is for another submission")
        await _stored(self._registry.announce, manifest, text)
        return _json(Announced())

    def _enrolled_key(self, kiosk: str) -> Ed25519PublicKey:
        path = self._settings.kiosk_keys / f"{kiosk}.pub"
        try:
            return signed.verifying_key(path, "the key of an enrolled kiosk")
        except ConfigError:
            raise HTTPException(403, "this kiosk is not enrolled") from None

    async def offset(self, request: Request) -> Response:
        """How much of a blob is here."""
        reached, size = await _stored(self._registry.offset, await self._client(request), request.path_params["sha256"])
        return Response(headers={"Upload-Offset": str(reached), "Upload-Length": str(size)})

    async def append(self, request: Request) -> Response:
        """One piece; the new offset, or 409 with the offset at which to go on."""
        kiosk, piece = await self._client(request), await serving.body(request, MOST_PIECE)
        digest = _CONTENT_DIGEST.fullmatch(request.headers.get("Content-Digest", ""))
        offset = request.headers.get("Upload-Offset", "")
        if digest is None or not re.fullmatch(r"\d{1,12}", offset):
            raise HTTPException(400, "Content-Digest (sha-256) and Upload-Offset are required")
        if base64.b64decode(digest[1]) != hashlib.sha256(piece).digest():
            raise HTTPException(503, "the piece was altered on the way")
        sha256 = request.path_params["sha256"]
        with self._admission.piece():
            reached = await _stored(self._registry.append, kiosk, sha256, int(offset), piece)
        return Response(status_code=204, headers={"Upload-Offset": str(reached)})

    async def commit(self, request: Request) -> Response:
        """The receipt, once everything announced is durably here."""
        receipt = await _stored(self._registry.commit, await self._client(request), request.path_params["id"])
        self._wake()
        return Response(receipt, media_type=_SIGNED_TEXT)

    async def receipt(self, request: Request) -> Response:
        """The receipt of before."""
        receipt = await _stored(self._registry.receipt, await self._client(request), request.path_params["id"])
        return Response(receipt, media_type=_SIGNED_TEXT)

    async def status(self, request: Request) -> Response:
        """How far a submission is."""
        state, answer = await _stored(self._registry.status, await self._client(request), request.path_params["id"])
        return _json(Status(state, answers.to_json(answer) if answer else None))

    async def look_up(self, request: Request) -> Response:
        """What is known of a dossier, for somebody who holds both numbers."""
        kiosk = await self._client(request)
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

    async def report(self, request: Request) -> Response:
        """Keep the report; the receiver's time."""
        kiosk = await self._client(request)
        await _stored(self._contacts.report, kiosk, await _read(Report, request))
        return _json(Clock(utc_iso(datetime.now(UTC))))

    async def reconcile(self, request: Request) -> Response:
        """Whether both sides hold the same receipts, else what is held here."""
        kiosk = await self._client(request)
        return _json(await _stored(self._contacts.compare, kiosk, await _read(Comparison, request)))

    async def catalogue(self, request: Request) -> Response:
        """The newest catalogue, unless the kiosk has it."""
        await self._client(request)
        newest = await _stored(self._tthc.catalogues.latest)
        if newest is None:
            raise HTTPException(404, "there is no catalogue yet")
        tag = {"ETag": f'"{newest[0]}"'}
        if request.headers.get("If-None-Match") == tag["ETag"]:
            return Response(status_code=304, headers=tag)
        return Response(newest[1], media_type="application/json", headers=tag)

    async def reusable(self, request: Request) -> Response:
        """Digitised papers of the citizen that may stand for components; only with consent."""
        kiosk = await self._client(request)
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


_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    registry.Unknown: (404, "this kiosk announced no such thing"),
    registry.Missing: (424, "not everything has arrived"),
    Conflict: (409, "this id or number stands for something else"),
    blobs.TooMuch: (413, "more than was announced"),
    blobs.Damaged: (503, "what arrived is not what was announced; send it again"),
}


async def _stored(work: Callable[..., Any], *arguments: object) -> Any:
    try:
        return await run_in_threadpool(work, *arguments)
    except blobs.WrongOffset as wrong:
        raise HTTPException(409, "go on at Upload-Offset", {"Upload-Offset": str(wrong.args[0])}) from None
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
    except (msgspec.DecodeError, RecursionError) as error:
        raise HTTPException(400, f"not a {shape.__name__}: {error}") from None


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
