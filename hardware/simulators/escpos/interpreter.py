"""The commands a receipt printer executes one after another, read from its receive buffer (Epson ESC/POS reference)."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Take = Callable[[int], Awaitable[bytes]]
"""Gives exactly so many of the next bytes, when they have come."""

LINE_SPACING = 30  # dots of a line feed after ESC @
WIDEST = 128  # bytes of a picture's row that are looked at: twice the widest print head

# Parameter bytes of commands that change nothing a picture shows: they are read and tolerated.
ESC_PARAMETERS = {
    b" ": 1, b"!": 1, b"$": 2, b"%": 1, b"-": 1, b"=": 1, b"?": 1, b"E": 1, b"G": 1, b"L": 0, b"M": 1, b"R": 1,
    b"S": 0, b"T": 1, b"U": 1, b"V": 1, b"W": 8, b"\\": 2, b"a": 1, b"c": 2, b"i": 0, b"m": 0, b"p": 3, b"t": 1,
    b"v": 0, b"{": 1,
}  # fmt: skip
GS_PARAMETERS = {
    b"!": 1, b"$": 2, b":": 0, b"/": 1, b"B": 1, b"H": 1, b"I": 1, b"L": 2, b"P": 2, b"T": 1, b"W": 2, b"\\": 2,
    b"a": 1, b"b": 1, b"f": 1, b"h": 1, b"w": 1,
}  # fmt: skip


class Machine(Protocol):
    """What the commands move. Every call returns when it is done: never, while there is no paper."""

    async def ready(self) -> None:
        """Return when the printer can execute commands."""

    async def row(self, dots: bytes) -> None:
        """Burn one row, 1 is black, leftmost dot first."""

    async def feed(self, rows: int) -> None:
        """Move the paper."""

    async def cut(self) -> None:
        """Cut at the cutter, which stands above the print head."""

    def answer(self, data: bytes) -> None:
        """Send to the host."""

    def paper_sensors(self) -> int:
        """The byte that answers GS r 1."""


class Interpreter:
    """Executes a stream of commands; anything unknown is skipped and counted."""

    def __init__(self, take: Take, machine: Machine) -> None:
        self._take = take
        self._machine = machine
        self._spacing = LINE_SPACING
        self.unknown = 0
        """Bytes and commands that were not understood; text counts too: this printer prints pictures only."""

    async def run(self) -> None:
        """Execute for ever; cancel it to switch off."""
        while True:
            byte = await self._take(1)
            await self._machine.ready()
            match byte:
                case b"\x1b":
                    await self._escape()
                case b"\x1d":
                    await self._group()
                case b"\n":
                    await self._machine.feed(self._spacing)
                case b"\x00" | b"\r" | b"\x18" | b"\t" | b"\x0c":
                    pass
                case _:
                    self.unknown += 1

    async def _escape(self) -> None:
        match command := await self._take(1):
            case b"@" | b"2":
                self._spacing = LINE_SPACING
            case b"3":
                self._spacing = await self._byte()
            case b"J":
                await self._machine.feed(await self._byte())
            case b"d":
                await self._machine.feed(await self._byte() * self._spacing)
            case b"*":
                mode, width = await self._byte(), await self._word()
                await self._skip(width * (3 if mode in (32, 33) else 1))
            case b"D":
                while await self._byte():
                    pass
            case _:
                await self._tolerate(ESC_PARAMETERS.get(command))

    async def _group(self) -> None:
        match command := await self._take(1):
            case b"v":
                await self._picture()
            case b"V":
                await self._cut()
            case b"r":
                await self._status()
            case b"(":
                await self._take(1)
                await self._skip(await self._word())
            case b"8":
                await self._take(1)
                await self._skip(await self._word() + (await self._word() << 16))
            case _:
                await self._tolerate(GS_PARAMETERS.get(command))

    async def _picture(self) -> None:
        """GS v 0 m xL xH yL yH d…: rows are burnt as they come."""
        if await self._take(1) != b"0":
            self.unknown += 1
            return
        mode, row_bytes, rows = await self._byte(), await self._word(), await self._word()
        for _ in range(rows):
            dots = await self._take(min(row_bytes, WIDEST))
            await self._skip(max(0, row_bytes - WIDEST))
            for _ in range(2 if mode & 2 else 1):
                await self._machine.row(dots)

    async def _cut(self) -> None:
        """GS V m: 0, 1 cut here; 65, 66 n: feed the printed part and n dots past the cutter, then cut."""
        mode = await self._byte()
        if mode in (65, 66):
            await self._machine.feed(CUTTER + await self._byte())
        elif mode not in (0, 1, 48, 49):
            self.unknown += 1
            return
        await self._machine.cut()

    async def _status(self) -> None:
        """GS r n: 1 and 49 paper sensors, 2 and 50 drawer."""
        kind = await self._byte()
        if kind in (1, 49):
            self._machine.answer(bytes([self._machine.paper_sensors()]))
        elif kind in (2, 50):
            self._machine.answer(b"\x00")
        else:
            self.unknown += 1

    async def _tolerate(self, parameters: int | None) -> None:
        if parameters is None:
            self.unknown += 1
        else:
            await self._skip(parameters)

    async def _byte(self) -> int:
        return (await self._take(1))[0]

    async def _word(self) -> int:
        return int.from_bytes(await self._take(2), "little")

    async def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(await self._take(min(count, WIDEST)))


CUTTER = 96
"""Rows between print head and cutter (12 mm)."""
