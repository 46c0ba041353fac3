"""A receiver of a few lines over real mTLS, which notes what it is asked and answers as the test wants."""

import hashlib
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from kiosk.clock import utc_iso
from sync import signed

Answer = tuple[int, dict[str, str], bytes]
Rule = Callable[[str, str, bytes], Answer | None]


@dataclass
class Held:
    """A submission and its blobs."""

    manifest: dict[str, Any]
    sha256: str
    blobs: dict[str, bytearray] = field(default_factory=dict)
    receipted: bool = False


class Peer:
    """`rule` answers first; None leaves it to the peer. `asked`: (method, path) of everything, in order."""

    def __init__(self, keys: Path) -> None:
        self._receipt_key = signed.signing_key(keys / "receiver-receipt.key", "key")
        self.rule: Rule = lambda *_: None
        self.asked: list[tuple[str, str]] = []
        self.held: dict[str, Held] = {}
        self.bodies: list[tuple[str, bytes]] = []
        self.now = lambda: datetime.now(UTC)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
        self.certify(keys / "receiver.pem", keys / "receiver.key", keys / "ca.pem")
        self._server.socket = self._tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def certify(self, certificate: Path, key: Path, authority: Path) -> None:
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.load_cert_chain(certificate, key)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        self.asked.append((method, path))
        self.bodies.append((path, body))
        said = self.rule(method, path, body)
        if said is not None:
            return said
        kind, _, rest = path.removeprefix("/api/v1/").partition("/")
        if kind == "submissions":
            return self._submission(method, rest, body)
        if kind == "blobs":
            return self._blob(method, rest, body, headers)
        if kind == "report":
            return reply({"utc": utc_iso(self.now())})
        if kind == "reconciliation":
            return self._reconcile(json.loads(body))
        return (404, {}, b"") if kind == "catalogue" else reply({"status": "ok"})

    def _submission(self, method: str, rest: str, body: bytes) -> Answer:
        name, _, step = rest.partition("/")
        if method == "PUT":
            manifest = signed.unverified("manifest", body)
            self.held.setdefault(name, Held(manifest, signed.digest(body)))
            return reply({})
        held = self.held.get(name)
        if held is None or step == "status":
            return reply({"state": "committed", "answer": None}) if held else (404, {}, b"")
        held.receipted = True
        receipt = {"submission": name, "manifest_sha256": held.sha256, "received_at": utc_iso(self.now()), "number": 1}
        return 200, {}, signed.sign("receipt", receipt, self._receipt_key)

    def _blob(self, method: str, sha256: str, body: bytes, headers: Any) -> Answer:
        owner = next((h for h in self.held.values() if sha256 in str(h.manifest)), None)
        if owner is None:
            return 404, {}, b""
        content = owner.blobs.setdefault(sha256, bytearray())
        if method == "PATCH":
            assert int(headers["Upload-Offset"]) == len(content)
            content += body
        return 204, {"Upload-Offset": str(len(content))}, b""

    def _reconcile(self, asked: dict[str, Any]) -> Answer:
        held = sorted(
            [h.manifest["sequence"], name, h.sha256]
            for name, h in self.held.items()
            if h.receipted and asked["from"] <= h.manifest["sequence"] <= asked["to"]
        )
        lines = "".join(f"{n} {name} {sha256}\n" for n, name, sha256 in held)
        agrees = hashlib.sha256(lines.encode()).hexdigest() == asked["sha256"]
        return reply({"agrees": True} if agrees else {"agrees": False, "held": held})

    def _handler(peer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, content = peer.answer(self.command, self.path, body, self.headers)
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_PUT = do_HEAD = do_PATCH = do_POST = do_GET = serve

            def log_message(self, *_: object) -> None: ...

        return Handler


def reply(document: Any, status: int = 200, **headers: str) -> Answer:
    return status, headers, json.dumps(document).encode()
