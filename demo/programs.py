"""The programs of a demonstration as child processes: started, waited for, watched, ended together."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.world import World

MAIN = Path(__file__).parent.parent / "main.py"
READY_SECONDS = 30.0


class ProgramError(RuntimeError):
    """A program did not start; the message is its own last line."""


@dataclass(frozen=True, slots=True)
class Program:
    """One child: its command line after `main.py` and the port that answers when it is ready (0: none)."""

    name: str
    command: tuple[str, ...]
    port: int = 0


def programs(world: World) -> tuple[Program, ...]:
    """Everything but the application, in starting order."""
    p = world.ports
    return (
        Program("simulators", ("simulate",), p.dock),
        Program("queue", ("serve", "queue"), p.queue),
        Program("tthc-model", ("serve", "tthc-model"), p.tthc),
        Program("receiver", ("serve", "receiver"), p.receiver),
        Program("operator", ("serve", "operator"), p.operator),
        Program("forwarder", ("forward",)),
    )


class Children:
    """The running programs; `restart` and `kill` are for tests of faults."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._programs = {p.name: p for p in programs(world)}

    async def start_all(self) -> None:
        """Start everything and wait until it answers; raises ProgramError."""
        for name in self._programs:
            await self.start(name, wait=False)
        await asyncio.gather(*(self._ready(p) for p in self._programs.values()))

    async def start(self, name: str, *, wait: bool = True) -> None:
        """Start one program, its log appended to `<world>/logs/<name>.log`."""
        program = self._programs[name]
        logs = self._world.folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self._children[name] = await asyncio.create_subprocess_exec(
                sys.executable,
                str(MAIN),
                *program.command,
                "--config",
                str(self._world.config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        if wait:
            await self._ready(program)

    async def kill(self, name: str) -> None:
        """End one program as a power cut does."""
        await _end(self._children.pop(name), signal.SIGKILL)

    async def stop_all(self) -> None:
        """End everything, the last started first."""
        children = [self._children.pop(name) for name in reversed(list(self._children))]
        await asyncio.gather(*(_end(child, signal.SIGTERM) for child in children))

    async def restart_ended(self) -> None:
        """Start again what has ended by itself, after a breath."""
        await asyncio.sleep(1)
        for name in [n for n, child in self._children.items() if child.returncode is not None]:
            await self.start(name, wait=False)

    async def first_to_end(self) -> str:
        """Wait until any program ends by itself; its name and last words."""
        waits = {asyncio.ensure_future(child.wait()): name for name, child in self._children.items()}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        name = waits[done.pop()]
        return f"{name} has ended: {self._last_line(name)}"

    async def _ready(self, program: Program) -> None:
        child = self._children[program.name]

        def ended() -> bool:
            return child.returncode is not None

        if not program.port or await answers(program.port, READY_SECONDS, ended):
            return
        raise ProgramError(f"{program.name} did not start: {self._last_line(program.name)}")

    def _last_line(self, name: str) -> str:
        lines = (self._world.folder / "logs" / f"{name}.log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


async def answers(port: int, seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
    """Whether something listens on a local port within `seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline and not give_up():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return True
    return False


def _end_with_parent() -> None:
    """In the child: SIGTERM when the demonstration dies without ending it (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _end(child: asyncio.subprocess.Process, sign: signal.Signals) -> None:
    if child.returncode is not None:
        return
    child.send_signal(sign)
    try:
        await asyncio.wait_for(child.wait(), 10)
    except TimeoutError:
        child.kill()
        await child.wait()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Children]:
    """All programs of `world`, ended on leaving."""
    children = Children(world)
    try:
        await children.start_all()
        yield children
    finally:
        await children.stop_all()
