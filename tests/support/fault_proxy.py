"""A hostile network: TCP passed on with delays, cuts and limits, the same for the same seed; and captive portals."""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

BLOCK = 16384
SLACK = 0.02
"""Seconds that the limit of a line may catch up: the loop wakes late, a real line does not."""
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection; by default nothing."""

    delay: float = 0.0
    """Seconds before each block, both ways."""
    refused: bool = False
    """Reset as soon as it stands."""
    silent: bool = False
    """Taken, and nothing is ever heard."""
    cut_request: int | None = None
    """Reset after so many bytes towards the server."""
    cut_answer: int | None = None
    """Reset after so many bytes towards the client: what was asked for may have been done."""
    hush_answer: int | None = None
    """The same, but instead of a reset nothing is heard any more."""
    trickle: float | None = None
    """Bytes a second towards the client, one by one, once its TLS handshake is through."""
    to: int | None = None
    """Another port than the server's: somebody else answers."""


Plan = Callable[[int], Fault]


def chaos(seed: int, share: float = 0.5, longest: float = 0.02) -> Plan:
    """Faults at random: `share` of all connections meet one."""

    def plan(number: int) -> Fault:
        dice = random.Random(f"{seed}-{number}")
        delay, where = dice.uniform(0, longest), int(dice.triangular(0, 60_000, 2000))
        if dice.random() >= share:
            return Fault(delay)
        cuts = Fault(delay, cut_request=where * 10), Fault(delay, cut_answer=where // 8)
        return dice.choice((Fault(delay, refused=True), *cuts))

    return plan


class FaultProxy:
    """Listens on a port of its own and passes on to `port`; runs on a thread. `plan` and `kbit` may be changed.

    `kbit`: limit of each direction of the whole line in kilobits a second; 0: none. `passed`: bytes to the server.
    """

    def __init__(self, port: int, plan: Plan = lambda _: Fault(), kbit: float = 0) -> None:
        self._target = port
        self.plan = plan
        self.kbit = kbit
        self.connections = self.passed = 0
        self._free = {"up": 0.0, "down": 0.0}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lines: set[asyncio.Task[None] | None] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(30)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        lines = [line for line in self._lines if line]
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(task := asyncio.current_task())
        number, self.connections = self.connections, self.connections + 1
        try:
            await self._connection(self.plan(number), reader, writer)
        except (OSError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._lines.discard(task)

    async def _connection(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault.refused:
            return _reset(writer)
        if fault.silent:
            return await asyncio.sleep(3600)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", fault.to or self._target)
        up = self._pass("up", reader, far_writer, fault, fault.cut_request)
        down = self._pass("down", far_reader, writer, fault, fault.cut_answer)
        ways = [asyncio.ensure_future(up), asyncio.ensure_future(down)]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if any(way.exception() for way in done):
                _reset(writer)
            else:
                await asyncio.wait(ways, timeout=1)
        finally:
            for end in (*ways, writer, far_writer):
                end.cancel() if isinstance(end, asyncio.Future) else end.close()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault, cut: int | None
    ) -> None:
        passed = 0
        while content := await reader.read(BLOCK):
            await asyncio.sleep(fault.delay)
            await self._wait_for_room(way, len(content))
            if cut is not None and passed + len(content) > cut:
                writer.write(content[: cut - passed])
                await writer.drain()
                raise ConnectionResetError
            if way == "down" and fault.hush_answer is not None and passed + len(content) > fault.hush_answer:
                await asyncio.sleep(3600)
            if way == "down" and fault.trickle and passed > 4000:
                for byte in content[:-1]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(1 / fault.trickle)
                content = content[-1:]
            writer.write(content)
            await writer.drain()
            passed += len(content)
            self.passed += len(content) if way == "up" else 0
        writer.write_eof()

    async def _wait_for_room(self, way: str, size: int) -> None:
        if self.kbit:
            now = self._loop.time()
            self._free[way] = max(now - SLACK, self._free[way]) + size / (self.kbit * 125)
            await asyncio.sleep(max(0.0, self._free[way] - now))


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN, as a firewall does it."""
    line = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@contextlib.contextmanager
def portal(certificate: Path | None = None, key: Path | None = None, status: int = 200) -> Iterator[int]:
    """A captive portal that answers `status` to everything, over TLS if it has a certificate; its port."""

    class Portal(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = b"<h1>Free WiFi</h1>"
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Upload-Offset", "99999999")
            self.send_header("Location", "/welcome")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_HEAD = do_PATCH = do_POST = do_GET = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up in the handshake
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
