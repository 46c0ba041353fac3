"""A network cable that can be pulled: a TCP proxy between the kiosk and a server."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from hardware.simulators.simulator import Simulator, UnknownAction

QUIET_SECONDS = 0.2
"""When both ends have been silent for so long, a request and its reply are complete."""

TLS_HANDSHAKE = 0x16
"""First byte of a TLS handshake record: a connection being set up is no request yet."""


class Wire(Simulator):
    """Listens on `port` of the loopback (0: any; then `.port` tells) and passes everything on to the target.

    `lose_reply` waits for the next whole request, on an open connection or a new one, in plain text or under TLS: the
    server gets it, and the connection ends before the client hears of it.
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
        self._target = target_host, target_port
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._losing = False
        self._bytes = 0
        self._links: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Plug in; raises OSError if the port is taken."""
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
        """Whether data passes, over how many connections, and how many bytes have passed so far."""
        return {
            "connected": self._server is not None and self._passing.is_set(),
            "connections": len(self._links),
            "losing_reply": self._losing,
            "bytes": self._bytes,
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        if action not in self.actions or parameters:
            raise UnknownAction(f"{self.name}: {action} with {', '.join(parameters) or 'nothing'}")
        if action == "cut":
            await self.stop()
        elif action == "stall":
            self._passing.clear()
        elif action == "lose_reply":
            self._losing = True
        else:
            self._losing = False
            self._passing.set()
            await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            await self._passing.wait()
            await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either end hung up, or the cable was pulled
        finally:
            writer.transport.abort()
            self._links.discard(link)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        loss = _Loss()

        def request(data: bytes) -> bool:
            if self._losing and data[0] != TLS_HANDSHAKE:
                self._losing = False
                loss.begin()
            loss.touch()
            return True

        def reply(_: bytes) -> bool:
            loss.touch(reply=True)
            return not loss.begun

        ways = [
            asyncio.create_task(self._pass(reader, server_writer, request)),
            asyncio.create_task(self._pass(server_reader, writer, reply)),
            asyncio.create_task(loss.complete()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_writer.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, may_pass: Callable[[bytes], bool]
    ) -> None:
        """Pass one direction on until it ends."""
        while data := await source.read(65536):
            await self._passing.wait()
            if may_pass(data):
                drain.write(data)
                await drain.drain()
                self._bytes += len(data)


class _Loss:
    """A reply on its way into nothing: complete when server and client have been silent for a moment."""

    def __init__(self) -> None:
        self.begun = False
        self._replied = False
        self._last = 0.0

    def begin(self) -> None:
        """From now on nothing reaches the client."""
        self.begun, self._replied = True, False

    def touch(self, *, reply: bool = False) -> None:
        """Something was sent."""
        self._last = asyncio.get_running_loop().time()
        self._replied = self._replied or reply

    async def complete(self) -> None:
        """Return when a lost reply has been sent whole; never if none is being lost."""
        while not (self.begun and self._replied and asyncio.get_running_loop().time() - self._last > QUIET_SECONDS):
            await asyncio.sleep(QUIET_SECONDS / 4)  # noqa: ASYNC110  # silence is no event
