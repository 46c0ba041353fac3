"""A network cable that can be pulled: a TCP proxy between the kiosk and a server."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from hardware.simulators.simulator import Simulator, UnknownAction

QUIET_SECONDS = 0.4
"""When both ends have been silent for so long after a reply began, request and reply are complete."""

REPLY_SECONDS = 10.0
"""The longest wait for a reply that is to be lost."""

TLS_RECORDS, TLS_DATA = frozenset((0x14, 0x15, 0x16, 0x17)), 0x17


class Wire(Simulator):
    """Listens on `port` of the loopback (0: any; then `.port` tells) and passes everything on to the target.

    `lose_reply` waits for the next request, on an open connection or a new one, in plain text or under TLS: the
    server gets all of it, and the connection ends before the client hears of it.
    """

    actions: Mapping[str, str] = {
        "cut": "pull the cable: connections end, new ones are refused",
        "mend": "plug the cable in",
        "stall": "accept connections and pass nothing on",
        "lose_reply": "pass the next request on and end its connection before the reply",
    }

    def __init__(self, name: str, target_host: str, target_port: int, port: int = 0) -> None:
        self.name = name
        self.port = port
        self.passing = asyncio.Event()
        """Set while data flows."""
        self.losing = False
        """Whether the reply to the next request gets lost."""
        self.bytes = 0
        """Passed so far, in both directions."""
        self._target = target_host, target_port
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Plug in; raises OSError if the port is taken."""
        self.passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Pull the cable."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in tuple(self._links):
            link.cancel()
        if self._links:
            await asyncio.wait(tuple(self._links))

    def state(self) -> dict[str, Any]:
        """Whether data flows, over how many connections, and how many bytes have passed so far."""
        return {
            "connected": self._server is not None and self.passing.is_set(),
            "connections": len(self._links),
            "losing_reply": self.losing,
            "bytes": self.bytes,
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        if action not in self.actions or parameters:
            raise UnknownAction(f"{self.name}: {action} with {', '.join(parameters) or 'nothing'}")
        if action == "cut":
            await self.stop()
        elif action == "stall":
            self.passing.clear()
        elif action == "lose_reply":
            self.losing = True
        else:
            self.losing = False
            await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await self.passing.wait()
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            await _Link(self, reader, writer, server_reader, server_writer).run()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()  # either end hung up, or the cable was pulled
        finally:
            writer.close()
            self._links.discard(task)


class _Link:
    """One connection through the wire."""

    def __init__(
        self,
        wire: Wire,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._wire = wire
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._requests = _Requests()
        self._lost = asyncio.Event()
        self._replied = False
        self._last = time.monotonic()

    async def run(self) -> None:
        """Pass data until the server ends, or a reply has got lost; raises OSError if an end breaks."""
        ways = [asyncio.create_task(way()) for way in (self._up, self._down, self._lose)]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            self._to_server.transport.abort()

    async def _up(self) -> None:
        while data := await self._client.read(65536):
            await self._wire.passing.wait()
            if self._requests.begins(data) and self._wire.losing:
                self._wire.losing = False
                self._lost.set()
            await self._write(self._to_server, data)
        self._to_server.write_eof()
        await asyncio.Event().wait()  # a client that has said all still waits for the reply

    async def _down(self) -> None:
        while data := await self._server.read(65536):
            await self._wire.passing.wait()
            if self._lost.is_set():
                self._replied = True
                self._last = time.monotonic()
            else:
                await self._write(self._to_client, data)

    async def _lose(self) -> None:
        """Return with a broken line when the server has had the request."""
        await self._lost.wait()
        end = time.monotonic() + REPLY_SECONDS
        while (left := (self._last + QUIET_SECONDS if self._replied else end) - time.monotonic()) > 0:  # noqa: ASYNC110 (silence)
            await asyncio.sleep(min(left, QUIET_SECONDS))
        raise ConnectionAbortedError("the reply is lost")

    async def _write(self, drain: asyncio.StreamWriter, data: bytes) -> None:
        drain.write(data)
        await drain.drain()
        self._wire.bytes += len(data)
        self._last = time.monotonic()


class _Requests:
    """Tells requests from the handshake of TLS, which a client cannot do without the server's answers."""

    def __init__(self) -> None:
        self._open = False
        self._record = b""

    def begins(self, data: bytes) -> bool:
        """Whether `data`, the next from the client, holds some of a request."""
        self._record += data
        while not self._open and self._record:
            if self._record[0] not in TLS_RECORDS or self._record[0] == TLS_DATA:
                self._open = True
                break
            size = 5 + int.from_bytes(self._record[3:5], "big")
            if len(self._record) < max(5, size):
                return False
            self._record = self._record[size:]
        if self._open:
            self._record = b""
        return self._open
