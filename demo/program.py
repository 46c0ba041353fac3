"""`demo`: everything on one machine, in a window or as a tour."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from demo.programs import Children, ProgramError, running
from demo.stage import Stage
from demo.tour import play
from demo.world import Patience, Ports, World
from kiosk import app
from kiosk.config import ConfigError, Settings, secret
from kiosk.reception import Reception
from kiosk.visit import Presenter

T = TypeVar("T")

DEFAULT_WORLD = Path("var") / "demo"


def demo(folder: Path | None) -> int:
    """The application in a window over simulators and servers; ends when the window is closed."""
    world = World((folder or DEFAULT_WORLD).resolve())
    settings = world.prepare()
    asyncio.run(_ended_by_signal(_demo(world, settings)))
    return 0


async def _demo(world: World, settings: Settings) -> None:
    async with _started(world) as children:
        print(_addresses(world, settings), flush=True)

        async def watch(_reception: Reception, _presenter: Presenter) -> None:
            while True:
                print(f"motcua: {await children.first_to_end()}; starting it again", file=sys.stderr)
                await children.restart_ended()

        await app.run(settings, watch)


def _addresses(world: World, settings: Settings) -> str:
    p = world.ports
    password = secret(settings.queue_server.console_password_file, "console password")
    return f"""
  Motcua is running.

  Dock (cards, papers, faults)   http://127.0.0.1:{p.dock}/
  Staff console                  http://127.0.0.1:{p.queue}/console   password: {password}
  Hall display                   http://127.0.0.1:{p.queue}/display
  Model TTHC system              http://127.0.0.1:{p.tthc}/

  Close the window or press Ctrl+C to end.
"""


def tour(folder: Path) -> int:
    """Scripted visits without a screen; results in `folder`; 0 if every visit ended as scripted."""
    os.environ["SDL_VIDEODRIVER"] = "offscreen"
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.png"), *folder.glob("*.pdf"), *folder.glob("report.json")]:
        old.unlink()
    place = Path(tempfile.mkdtemp(prefix="motcua-tour-"))
    world = World(place, Ports.free(), Patience(idle=8, warning=4, tthc_answer=1.5), silent=True)
    try:
        return asyncio.run(_ended_by_signal(_tour(world, world.prepare(), folder)))
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _tour(world: World, settings: Settings, folder: Path) -> int:
    result: list[int] = []

    async with _started(world) as children:

        async def script(reception: Reception, presenter: Presenter) -> None:
            result.append(await play(Stage(world, settings, children, reception, presenter, folder)))

        await app.run(settings, script)
    return result[0]


@asynccontextmanager
async def _started(world: World) -> AsyncIterator[Children]:
    try:
        async with running(world) as children:
            yield children
    except ProgramError as error:
        raise ConfigError(str(error)) from None


async def _ended_by_signal(job: Coroutine[Any, Any, T]) -> T:
    """Run a job; SIGTERM cancels it, so that every child is ended in order."""
    task = asyncio.ensure_future(job)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task
