"""The dock's server: one uvicorn on loopback in the running event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import uvicorn

from hardware.simulators.dock.app import application
from hardware.simulators.simulator import Simulator

LOOPBACK = "127.0.0.1"


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to the program it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Dock:
    """The page and HTTP API over `simulators`, which the caller starts and stops.

    `port` 0 takes a free one; `links` are titles with addresses of the other pages; `papers` is the folder of the
    printer's pictures.
    """

    def __init__(
        self,
        simulators: Sequence[Simulator],
        port: int = 0,
        links: Mapping[str, str] | None = None,
        papers: Path | None = None,
    ) -> None:
        self.port = port
        self._closing = asyncio.Event()
        self._app = application(simulators, links or {}, papers, self._closing)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address of the page, with its final port once started."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Listen; raises OSError if the port is taken."""
        listener = socket.create_server((LOOPBACK, self.port))  # from here on connections wait for uvicorn
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not on a socket made by hand
        self.port = listener.getsockname()[1]
        self._closing.clear()
        self._server = _Server(
            uvicorn.Config(
                self._app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=64,
                timeout_graceful_shutdown=2,
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="dock")

    async def stop(self) -> None:
        """End open event streams, then the server."""
        if self._server is None or self._serving is None:
            return
        self._closing.set()
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None
