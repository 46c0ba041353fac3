"""A receipt printer on TCP: takes ESC/POS, puts out pictures of paper, and breaks in every way a printer breaks."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hardware.simulators.escpos.buffer import CLEAR, ReceiveBuffer, Reception
from hardware.simulators.escpos.interpreter import Interpreter
from hardware.simulators.escpos.paper import Paper
from hardware.simulators.simulator import Simulator, UnknownAction


class PrinterSimulator(Simulator):
    """Listens on `port` of the loopback (0: any; then `.port` tells); every cut leaves `paper-NN.png` in `folder`.

    While it cannot print it executes nothing and takes data until its small buffer is full, like the hardware; only
    real-time commands are answered. Who opens the cover or changes the roll tears off the paper that hangs out.
    """

    name = "printer"
    actions: Mapping[str, str] = {
        "paper_out": "take the paper away",
        "out_after": "let the paper end after {lines} more dot lines",
        "paper_low": "let the paper run low",
        "refill": "put in a new roll",
        "open_cover": "open the cover",
        "close_cover": "close the cover",
        "jam": "jam the paper",
        "clear_jam": "clear the jam",
        "power_off": "switch off",
        "power_on": "switch on (again)",
        "hang": "accept data, answer nothing",
    }
    rows_per_second = 2400
    """Print speed: 300 mm/s, as fast as the hardware; 0 prints at once."""

    def __init__(self, folder: Path, port: int = 0, dots: int = 576) -> None:
        self.port = port
        self._paper = Paper(folder, dots)
        self._paper_left: int | None = None
        self._roll = "ok"
        self._cover_open = self._jammed = self._error = self._hung = False
        self._buffer = ReceiveBuffer()
        self._working: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._hosts: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._changed = asyncio.Condition()
        self._owed = 0.0

    async def start(self) -> None:
        """Switch on; raises OSError if the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._work_afresh()

    async def stop(self) -> None:
        """Switch off."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for host in self._hosts.values():
            host.transport.abort()
        for task in (*self._hosts, *filter(None, [self._working])):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._working = None

    def state(self) -> dict[str, Any]:
        """What is to be seen at the printer, and the files of its papers.

        `jam` is paper in the path; `error` is the lamp of a cutter error, which goes out when the host recovers it
        (DLE ENQ 2) or the power is cycled, not when the paper is pulled out.
        """
        return {
            "online": self._can_print and not self._hung,
            "paper": self._roll,
            "cover": "open" if self._cover_open else "closed",
            "jam": self._jammed,
            "error": self._error,
            "papers": list(self._paper.names),
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        match action, parameters:
            case "out_after", {"lines": int() | str() as lines, **more} if not more and str(lines).isdecimal():
                self._paper_left = int(lines)
            case "power_off", {**more} if not more:
                await self.stop()
            case "power_on", {**more} if not more:
                await self._power_on()
            case _ if action in self.actions and "{" not in self.actions[action] and not parameters:
                self._handle(action)
            case _:
                raise UnknownAction(f"printer: {action} with {', '.join(parameters) or 'nothing'}")
        async with self._changed:
            self._changed.notify_all()

    def _handle(self, action: str) -> None:
        match action:
            case "paper_out":
                self._roll, self._paper_left = "out", None
            case "paper_low":
                self._roll = "low"
            case "refill":
                self._roll, self._paper_left = "ok", None
            case "open_cover" | "close_cover":
                self._cover_open = action == "open_cover"
            case "jam":
                self._jammed = self._error = True
            case "clear_jam":
                self._jammed = False
            case "hang":
                self._hung = True
        if action in ("refill", "close_cover", "clear_jam"):
            self._paper.tear()

    async def _power_on(self) -> None:
        """Off and on again: buffers, errors and whatever hung are gone, the paper stays where it was."""
        await self.stop()
        self._hung, self._error = False, self._jammed
        await self._buffer.clear()
        await self.start()

    # --- the wire ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reception = Reception()
        task = asyncio.current_task()
        assert task is not None
        self._hosts[task] = writer
        try:
            while data := await reader.read(1024):
                await self._until(lambda: not self._hung)
                for ordinary, command in reception.feed(data):
                    await self._buffer.put(ordinary)
                    if command:
                        await self._at_once(command)
        except ConnectionError:
            pass
        finally:
            del self._hosts[task]
            writer.close()

    async def _at_once(self, command: bytes) -> None:
        """A real-time command: executed on arrival, also while nothing is printed."""
        if command == CLEAR:
            await self._forget()
            self.answer(b"\x37\x25\x00")
        elif command.startswith(b"\x10\x04"):
            self.answer(bytes([self._status(command[2])]))
        elif command == b"\x10\x05\x02":
            self._error = self._jammed
            await self._forget()

    async def _forget(self) -> None:
        await self._buffer.clear()
        self._work_afresh()
        async with self._changed:
            self._changed.notify_all()

    def _work_afresh(self) -> None:
        if self._working is not None:
            self._working.cancel()
        self._working = asyncio.create_task(Interpreter(self._buffer.take, self).run())

    def _status(self, kind: int) -> int:
        """The byte that answers DLE EOT `kind`."""
        match kind:
            case 1:
                return 0x12 | 0x08 * (not self._can_print)
            case 2:
                return 0x12 | 0x04 * self._cover_open | 0x20 * (self._roll == "out") | 0x40 * self._error
            case 3:
                return 0x12 | 0x08 * self._error
            case _:
                return 0x12 | {"ok": 0x00, "low": 0x0C, "out": 0x6C}[self._roll]

    # --- the machine ---

    @property
    def _can_print(self) -> bool:
        return self._server is not None and self._roll != "out" and not self._cover_open and not self._error

    async def ready(self) -> None:
        """Return when commands can be executed."""
        if not self._can_print:
            await self._until(lambda: self._can_print)

    async def row(self, dots: bytes) -> None:
        """Burn one row as soon as there is paper under the head."""
        await self._advance()
        self._paper.add(dots)

    async def feed(self, rows: int) -> None:
        """Move the paper as far as there is some."""
        for _ in range(rows):
            await self._advance()
            self._paper.feed()

    async def cut(self) -> None:
        """Put out the paper."""
        await self.ready()
        self._paper.cut()

    def answer(self, data: bytes) -> None:
        """To the newest connection."""
        if self._hosts and not self._hung:
            [*self._hosts.values()][-1].write(data)

    def paper_sensors(self) -> int:
        """The byte that answers GS r 1: near end in bits 0 and 1, end in bits 2 and 3."""
        return {"ok": 0x00, "low": 0x03, "out": 0x0F}[self._roll]

    async def _advance(self) -> None:
        if self._paper_left is not None:
            if self._paper_left == 0:
                self._roll, self._paper_left = "out", None
            else:
                self._paper_left -= 1
        await self.ready()
        if not self.rows_per_second:
            await asyncio.sleep(0)
            return
        self._owed += 1 / self.rows_per_second
        if self._owed > 0.01:  # shorter sleeps are not kept by the machine
            await asyncio.sleep(self._owed)
            self._owed = 0.0

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(holds)
