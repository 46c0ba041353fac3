"""`demo`: everything on one machine, in a window or as a tour."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from demo.programs import Children, ProgramError, running
from demo.tour import play
from demo.world import OPERATORS, STAFF, Patience, Ports, World
from kiosk import app
from kiosk.config import ConfigError, Settings, secret
from kiosk.reception import Reception

if TYPE_CHECKING:
    from demo.stage import Stage
    from screens.presenter import KivyPresenter

T = TypeVar("T")
Script = Callable[["Stage"], Coroutine[Any, Any, int]]

DEFAULT_WORLD = Path("var") / "demo"


def demo(folder: Path | None, *, free_ports: bool = False) -> int:
    """The application in a window over simulators and servers; ends when the window is closed."""
    world = World((folder or DEFAULT_WORLD).resolve(), Ports.free() if free_ports else Ports())
    settings = world.prepare()
    with suppress(asyncio.CancelledError):
        asyncio.run(_ended_by_signal(_demo(world, settings)))
    return 0


async def _demo(world: World, settings: Settings) -> None:
    async with _started(world) as children:
        print(_addresses(world, settings), flush=True)

        async def watch(_reception: Reception, _presenter: "KivyPresenter") -> None:
            while True:
                print(f"motcua: {await children.first_to_end()}; starting it again", file=sys.stderr)
                await children.restart_ended()

        await app.run(settings, watch)


def _addresses(world: World, settings: Settings) -> str:
    p = world.ports
    staff = "\n".join(
        f"{'':33}name: {name:10} password: {world.password_of(name)}   ({role})" for name, _, role in STAFF
    )
    watch = "\n".join(f"{'':33}name: {name:10} password: {world.password_of(name)}" for name in OPERATORS)
    user, _, word = secret(settings.tthc_model.user_file, "TTHC user").partition(":")
    return f"""
  Motcua is running.

  Dock (cards, papers, faults)   http://127.0.0.1:{p.dock}/
  Staff console                  http://127.0.0.1:{p.queue}/console
  Supervisor                     http://127.0.0.1:{p.queue}/supervisor
{staff}
  Hall display                   http://127.0.0.1:{p.queue}/display
  Receiver's operators           http://127.0.0.1:{p.operator}/
{watch}
  Model TTHC system              http://127.0.0.1:{p.tthc}/          user: {user}   password: {word}

  Close the window or press Ctrl+C to end.
"""


def tour(folder: Path) -> int:
    """Scripted visits without a screen; results in `folder`; 0 if every visit ended as scripted."""
    return on_stage(folder, play)


def on_stage(folder: Path, script: Script) -> int:
    """Run a script against a whole demonstration of its own, without a screen; its exit code. Pictures: `folder`."""
    os.environ["SDL_VIDEODRIVER"] = "offscreen"
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.png"), *folder.glob("*.pdf"), *folder.glob("*.json")]:
        old.unlink()
    place = Path(tempfile.mkdtemp(prefix="motcua-tour-"))
    world = World(place, Ports.free(), Patience(idle=8, warning=4, tthc_answer=1.5), silent=True)
    try:
        settings = world.prepare()
        return asyncio.run(_ended_by_signal(_on_stage(world, settings, folder, script)))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _on_stage(world: World, settings: Settings, folder: Path, script: Script) -> int:
    codes: list[int] = []
    async with _started(world) as children:

        async def perform(reception: Reception, presenter: "KivyPresenter") -> None:
            from demo.stage import Stage  # Kivy's window must be open before this module is imported

            codes.append(await script(Stage(world, settings, children, reception, presenter, folder)))

        await app.run(settings, perform)
    return codes[0]


@asynccontextmanager
async def _started(world: World) -> AsyncIterator[Children]:
    try:
        async with running(world) as children:
            yield children
    except ProgramError as error:
        raise ConfigError(str(error)) from None


async def _ended_by_signal(job: Coroutine[Any, Any, T]) -> T:
    """Run a job; SIGTERM or Ctrl+C cancels it, so that every child is ended in order."""
    task = asyncio.ensure_future(job)
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, task.cancel)
    return await task
