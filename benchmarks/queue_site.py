"""Real queue server processes for load and stress runs, and a client that costs little beside them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "queue"), str(ROOT / "tests" / "support")]

import postgres  # noqa: E402
from kiosk.text import Text  # noqa: E402
from kiosk_queue.api.devices import add_device  # noqa: E402
from kiosk_queue.floor import add_centre  # noqa: E402
from kiosk_queue.model import Centre, Counter, PriorityGroup, Service, ServiceGroup  # noqa: E402
from kiosk_queue.storage.store import open_store  # noqa: E402

__all__ = ["COUNTERS", "SERVICES", "Connection", "Servers", "connect", "database_cpu", "listen", "postgres"]

COUNTERS = tuple(str(n) for n in range(1, 17))
SERVICES = {f"s{n}": series for n, series in enumerate("ABCDEFGH")}
PROGRAM = """
import sys
from pathlib import Path
from kiosk.config import QueueServerSettings
from kiosk_queue.server import serve
port, address, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
where = {"postgres": address} if address.startswith("postgres") else {"database": Path(address)}
voice, catalogue = folder / "voice", folder / "catalogue.toml"
serve(QueueServerSettings(port=port, centre="c0", catalogue=catalogue, voice_folder=voice, **where))
"""
CATALOGUE = """version = "1"
counters = ["1"]
[centre]
vi = "Trung tâm"
en = "Centre"
[[group]]
id = "g"
vi = "Nhóm"
en = "Group"
icon = "document"
[[group.service]]
id = "s0"
vi = "Dịch vụ"
en = "Service"
series = "A"
"""


def centre(name: str) -> Centre:
    """Eight services, sixteen counters that serve them all."""
    words = Text("Trung tâm", "Centre")
    services = tuple(Service(service, words, series) for service, series in SERVICES.items())
    return Centre(
        id=name,
        name=words,
        groups=(ServiceGroup("g", words, "document", services),),
        counters=tuple(Counter(counter) for counter in COUNTERS),
        priorities=(PriorityGroup("elderly", words),),
    )


@dataclass
class Servers:
    """Server processes on one database; the first centre is c0."""

    address: str
    folder: Path
    processes: int = 1
    centres: int = 1
    ports: list[int] = field(default_factory=list)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def start(self) -> "Servers":
        """Make centres and devices, start the processes, wait until they answer."""
        (self.folder / "catalogue.toml").write_text(CATALOGUE, "utf-8")
        store = open_store(self.address)
        for name in (f"c{n}" for n in range(self.centres)):
            add_centre(store, centre(name))
            for role in ("kiosk", "counter", "display"):
                self.tokens[name, role] = add_device(store, name, role, role)
        store.close()
        self.ports = [_free_port() for _ in range(self.processes)]
        self.running = [self._run(port) for port in self.ports]
        for number in range(self.processes):
            self.wait_for(number)
        return self

    def restart(self, number: int) -> None:
        """Kill a process as a power cut does, start it again on its port; it may not answer yet."""
        self.running[number].send_signal(signal.SIGKILL)
        self.running[number].wait()
        self.running[number] = self._run(self.ports[number])

    def wait_for(self, number: int, seconds: float = 30.0) -> None:
        """Until the process takes connections; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[number]), 1):
                return
            if self.running[number].poll() is not None:
                raise RuntimeError("a server process ended; see its output")
            time.sleep(0.05)
        raise TimeoutError("a server process does not answer")

    def cpu(self) -> float:
        """Seconds of processor time that the processes have used."""
        return _cpu([process.pid for process in self.running])

    def stop(self) -> None:
        """End every process, kindly."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(20)

    def _run(self, port: int) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
        with (self.folder / f"server-{port}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(port), self.address, str(self.folder)],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip


def database_cpu(cluster: postgres.Cluster) -> float:
    """The same of a PostgreSQL cluster: its first process and those that run of its own."""
    first = int((cluster.folder / "data" / "postmaster.pid").read_text("ascii").split()[0])
    return _cpu([first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split())])


def _cpu(processes: Sequence[int]) -> float:
    fields = [Path(f"/proc/{process}/stat").read_text("ascii").rsplit(") ", 1)[1] for process in processes]
    return sum(int(ticks) for line in fields for ticks in line.split()[11:13]) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request at a time, the least of HTTP that reads our own server's answers."""

    def __init__(self) -> None:
        self._data = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what we write to."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Whoever waits is told."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a whole one is there."""
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length and self._answer is not None and not self._answer.done():
            self._data = rest[length:]
            self._answer.set_result((int(head[9:12]), rest[:length]))

    async def ask(self, path: str, token: str, body: bytes = b"{}", key: str = "") -> tuple[int, bytes]:
        """POST; status and body. ConnectionError when the server goes away."""
        if self._transport is None:
            raise ConnectionError("not connected")
        self._answer = asyncio.get_running_loop().create_future()
        more = f"Idempotency-Key: {key}\r\n" if key else ""
        self._transport.write(
            f"POST {path} HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {token}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    """A new connection to a server process; raises OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def listen(port: int, path: str, token: str, arrived: Any) -> None:
    """Follow a stream of events until cancelled: `arrived(event)` for each, as decoded JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    kind = b""
    try:
        while line := await reader.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            elif line.startswith(b"data: ") and kind == b"event":
                arrived(json.loads(line[6:]))
    finally:
        writer.close()
