"""The document camera's other end: an HTTP server whose stream and stills show papers on a desk.

`/stream.mjpg` is MJPEG (960×1280, 25 frames a second), `/still.jpg` a picture of 8 MP of the same view. Scenes are
composed once, when they change, and sent from memory: a stream costs a few per cent of a core.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from hardware.simulators.papers import PAPERS, Paper, cards_of
from hardware.simulators.papers.conditions import MOST_LEVELS, TOGGLES, Conditions
from hardware.simulators.papers.desk import Pose, Scene, compose, enlarged, slide
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.simulator import Simulator, UnknownAction

FRAMES_PER_SECOND = 25
MOST_CLIENTS = 16
_SEND_BUFFER = 262_144
"""Bytes on the way: a slow reader gets fewer frames, not older ones."""
_REQUEST_SECONDS = 5.0
_BOUNDARY = b"frame"


class CameraSimulator(Simulator):
    """Shows the paper that `act` laid down, in easy or hard scenes; stalls or is unplugged on request."""

    name = "camera"
    actions: Mapping[str, str] = {
        "lay": "lay down {paper}, which may be an ID card: card-front-… or card-back-… and the card's name",
        "lay_wrong": "lay down {paper} so that a fifth of it is outside the picture",
        "slide": "let a hand push {paper} in from below; it rests after a second",
        "clear": "take the paper away",
        "blur": "put the lens out of focus, or back: {on} true or false",
        "low_light": "switch the lamp off, or on again: {on} true or false",
        "glare": "mirror the lamp in the sheet, or no more: {on} true or false",
        "shadow": "let a person lean over the tray, or back: {on} true or false",
        "clutter": "put pen, coins, telephone and cable around, or away: {on} true or false",
        "curl": "bend the sheets, or flatten them: {on} true or false",
        "hand": "lay a hand on the sheet, or take it away: {on} true or false",
        "two_sheets": "lay another sheet beside or under, or take it away: {on} true or false",
        "white_on_white": "change to a white mat {levels} (1 to 30) grey levels darker than paper; 0: the dark mat",
        "tidy": "end all that makes the scene hard; the paper stays",
        "stall": "keep connections open, but send nothing",
        "resume": "send pictures again",
        "unplug": "drop all connections and refuse new ones",
        "plug": "connect again",
    }

    def __init__(
        self, port: int = 0, host: str = "127.0.0.1", people: Mapping[str, Personalisation] | None = None
    ) -> None:
        """`people`: those whose ID cards can be laid down."""
        self.port = port
        self._cards = cards_of(people or {})
        self._holders = {name: person.full_name for name, person in (people or {}).items()}
        self._host = host
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._running = asyncio.Event()
        self._running.set()
        self._acting = asyncio.Lock()
        self._paper: str | None = None
        self._pose = Pose(0, 0, 0)
        self._conditions = Conditions()
        self._laid = 0
        self._scene: Scene | None = None
        self._slide: tuple[bytes, ...] = ()
        self._slide_from = 0.0

    @property
    def stream_url(self) -> str:
        """What `camera.source` is set to."""
        return f"http://{self._host}:{self.port}/stream.mjpg"

    @property
    def still_url(self) -> str:
        """What `camera.still` is set to."""
        return f"http://{self._host}:{self.port}/still.jpg"

    async def start(self) -> None:
        """Open the wire; raises OSError if it is taken."""
        await self._compose()
        await self._listen()

    async def stop(self) -> None:
        """Close the wire."""
        if self._server is not None:
            self._server.close()
            self._server = None
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def state(self) -> dict[str, Any]:
        """What is to be seen now; `outline`: the (upper) sheet's true corners in fractions of the frame, clockwise.

        While `moving`, `outline` is where the sheet will rest.
        """
        return {
            "paper": self._paper,
            "papers": [{"name": name, "title": paper.title} for name, paper in PAPERS.items()],
            "cards": self._holders,
            "cut_off": self._paper is not None and self._pose.cut_off,
            **asdict(self._conditions),
            "conditions": list(self._conditions.names),
            "moving": self._sliding() is not None,
            "stalled": not self._running.is_set(),
            "plugged": self._server is not None,
            "outline": self._scene.outline if self._scene else None,
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        async with self._acting:
            match action, parameters:
                case "lay" | "lay_wrong" | "slide", {"paper": str() as paper, **more} if not more:
                    await self._lay(paper, cut_off=action == "lay_wrong", slowly=action == "slide")
                case _, {"on": on, **more} if not more and action in TOGGLES:
                    await self._change(self._conditions.turned(TOGGLES[action], on in (True, "true", "1")))
                case "white_on_white", {"levels": int() as levels, **more} if not more and 0 <= levels <= MOST_LEVELS:
                    await self._change(replace(self._conditions, white_on_white=int(levels)))
                case _ if action in self.actions and "{" not in self.actions[action] and not parameters:
                    await self._handle(action)
                case _:
                    can = "; ".join(f"{name}: {what}" for name, what in self.actions.items())
                    raise UnknownAction(f"the camera cannot do that; it can {can}")

    async def _handle(self, action: str) -> None:
        match action:
            case "clear":
                self._paper, self._slide = None, ()
                await self._compose()
            case "tidy":
                await self._change(Conditions())
            case "stall":
                self._running.clear()
            case "resume":
                self._running.set()
            case "unplug":
                await self.stop()
            case "plug" if self._server is None:
                await self._listen()

    async def _lay(self, paper: str, cut_off: bool, slowly: bool) -> None:
        if paper not in PAPERS and paper not in self._cards:
            raise UnknownAction(f"there is no paper {paper!r}; there are: {', '.join((*PAPERS, *self._cards))}")
        self._laid += 1
        pose = Pose.by_hand(f"{paper} {self._laid}", cut_off)
        frames = await asyncio.to_thread(tuple, slide(self._sheet(paper), pose, self._conditions)) if slowly else ()
        self._paper, self._pose = paper, pose
        await self._compose()
        self._slide, self._slide_from = frames, time.monotonic()

    async def _change(self, conditions: Conditions) -> None:
        self._conditions, self._slide = conditions, ()
        await self._compose()

    async def _compose(self) -> None:
        sheet = None if self._paper is None else self._sheet(self._paper)
        self._scene = await asyncio.to_thread(compose, sheet, self._pose, self._conditions)

    def _sheet(self, paper: str) -> str | Paper:
        return self._cards.get(paper, paper)

    def _sliding(self) -> bytes | None:
        """The frame of a sheet that is sliding in now; None if nothing moves."""
        number = int((time.monotonic() - self._slide_from) * FRAMES_PER_SECOND)
        return self._slide[number] if number < len(self._slide) else None

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=8192)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        try:
            if len(self._clients) <= MOST_CLIENTS:
                await self._answer(await _path(reader), writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # the client left, or what it sent was no request
        except asyncio.CancelledError:
            writer.transport.abort()  # unplugged
        finally:
            self._clients.discard(client)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        await self._running.wait()
        if path == "/stream.mjpg":
            await self._stream(writer)
        elif path == "/still.jpg":
            await _send(writer, "200 OK", "image/jpeg", await self._still())
        else:
            await _send(writer, "404 Not Found", "text/plain", b"/stream.mjpg or /still.jpg\n")

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\r\n".encode())
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        number, due = 0, time.monotonic()
        while True:
            await self._running.wait()
            assert self._scene
            jpeg = self._sliding() or self._scene.stream[number % len(self._scene.stream)]
            head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (_BOUNDARY, len(jpeg))
            writer.writelines((head, jpeg, b"\r\n"))
            await writer.drain()
            number += 1
            due = max(due + 1 / FRAMES_PER_SECOND, time.monotonic())  # late frames are dropped, not sent in a burst
            await asyncio.sleep(due - time.monotonic())

    async def _still(self) -> bytes:
        assert self._scene
        moving = self._sliding()
        return self._scene.still if moving is None else await asyncio.to_thread(enlarged, moving)


async def _path(reader: asyncio.StreamReader) -> str:
    """The path of a GET request; raises ValueError if it is none."""
    async with asyncio.timeout(_REQUEST_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    method, path, _version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    if method != "GET":
        raise ValueError("only GET")
    return path


async def _send(writer: asyncio.StreamWriter, status: str, kind: str, body: bytes) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
