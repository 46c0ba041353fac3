"""Real receivers as processes, a plain peer beside them, and clients that cost little, for benchmarks/delivery.py."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "queue"), str(ROOT / "tests" / "support")]

from sync import signed  # noqa: E402
from sync.envelope import Label, new_submission_id, seal  # noqa: E402
from sync.outbox import Sealer  # noqa: E402

__all__ = ["PLAIN", "RECEIVER", "Server", "client_context", "connect", "free_port", "manifests"]

RECEIVER = """
import sys
from pathlib import Path
from kiosk.config import load
from sync.receiver.server import serve
serve(load(Path(sys.argv[1]), {"MOTCUA_RECEIVER_PORT": sys.argv[2]}).receiver)
"""
PLAIN = """
import os, sys
from pathlib import Path
from kiosk.config import load
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from sync import serving
settings, folder = load(Path(sys.argv[1]), {}).receiver, Path(sys.argv[3])

def keep(name, content):
    with (folder / name).open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

async def upload(request: Request) -> Response:
    async with request.form(max_files=1000, max_part_size=2**30) as form:
        for name, part in form.multi_items():
            await run_in_threadpool(keep, os.urandom(8).hex(), await part.read())
    return Response(status_code=201)

tls = serving.demand_client_certificate(str(settings.certificate), str(settings.key_file), str(settings.client_ca))
serving.run(Starlette(routes=[Route("/", upload, methods=["POST"])]), "127.0.0.1", int(sys.argv[2]), **tls)
"""
"""What a plain multipart upload needs at the other end: TLS with client certificates, each part a synced file."""


class Server:
    """One process on a port of its own."""

    def __init__(self, code: str, config: Path, *more: str) -> None:
        self.port = free_port()
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
        with (config.parent / f"server-{self.port}.log").open("ab") as log:
            program = [sys.executable, "-c", code, str(config), str(self.port), *more]
            self._process = subprocess.Popen(program, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a server does not answer; see {config.parent}")
            time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_context(secrets: Path, prefix: str = "kiosk") -> ssl.SSLContext:
    """A kiosk's TLS."""
    context = ssl.create_default_context(cafile=str(secrets / "ca.pem"))
    context.load_cert_chain(secrets / f"{prefix}.pem", secrets / f"{prefix}.key")
    return context


@contextlib.contextmanager
def connect(port: int, context: ssl.SSLContext) -> Iterator[http.client.HTTPSConnection]:
    """A connection that is kept."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield connection
    finally:
        connection.close()


def manifests(secrets: Path, prefix: str, kiosk: str, count: int) -> list[tuple[str, bytes]]:
    """Signed manifests of small dossiers with two files, as a backlog has them: submission and text."""
    key = signed.signing_key(secrets / f"{prefix}-signing.key", "key")
    sealer = Sealer(kiosk, signed.sealing_key(secrets / "receiver-hpke.pub", "key"), key)
    found = []
    for sequence in range(1, count + 1):
        submission = new_submission_id()
        moment = datetime.now(UTC)
        label = Label(kiosk, submission, sequence, "TAM-7K3F-92QD", "1.001193", moment, os.urandom(8).hex(), "1")
        files = {"a.pdf": os.urandom(64), "b.pdf": os.urandom(64)}
        found.append((submission, seal(label, {"n": sequence}, files, sealer.recipients, key).manifest))
    return found
