"""What both servers share: uvicorn on a socket of our own, the client's certificate, bodies with a limit."""

import asyncio
import hashlib
import logging
import socket
import ssl
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)


class CertifiedProtocol(H11Protocol):
    """Tells the application of the client's verified certificate.

    `request.state.client` is its common name, `request.state.fingerprint` the SHA-256 (hex) of its DER.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """TLS is up and the certificate verified."""
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert")
        tls = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(True) if tls else None
        known = {"client": common_name(certificate or {}), "fingerprint": hashlib.sha256(der or b"").hexdigest()}
        self.app_state = {**self.app_state, **known}


def common_name(certificate: dict[str, Any]) -> str:
    """The subject's common name of a certificate as `ssl` describes it; empty if it has none."""
    names = [value for group in certificate.get("subject", ()) for key, value in group if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def run(app: ASGIApp, host: str, port: int, **tls: Any) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError if the address is taken or a certificate cannot be loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    config = uvicorn.Config(
        app,
        http=CertifiedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        **tls,
    )
    config.load()
    with _listening(host, port, family) as listening:
        log.info("listening on %s://%s:%d", "https" if tls else "http", *listening.getsockname()[:2])
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(error.errno, f"{host}:{port} cannot be listened on: {error.strerror}") from None
    # Inherited by every connection; asyncio forgets it on sockets it did not make, and each answer would wait 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def demand_client_certificate(certificate: str, key: str, authority: str) -> dict[str, Any]:
    """TLS options: our certificate, and no client without one of `authority`."""
    return {
        "ssl_certfile": certificate,
        "ssl_keyfile": key,
        "ssl_ca_certs": authority,
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
    }


async def body(request: Request, most: int) -> bytes:
    """The whole body; 413 above `most` bytes, however it was announced."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > most:
            raise HTTPException(413, f"more than {most} bytes")
    return bytes(content)
