"""The live preview: our camera process beside plain `cv2.VideoCapture` in the application's own process.

python benchmarks/preview.py [--seconds S] [--json]

A simulated camera in a process of its own sends 720p-class MJPEG (960×1280, 30 frames a second) over loopback HTTP. A
screen loop ticks 60 times a second, takes the newest frame and, like the kiosk, seeks the page 13 times a second. Plain
reads, seeks and converts in the loop's own thread, as tutorials do. Then the camera stalls, and is unplugged: how long
the loop stood still, and how long until it knew. Ends with 1 if ours shows fewer than 25 frames a second, stands still
for more than 0.25 s, or needs more than 2 s to notice.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2

from hardware.camera import DocumentCamera
from hardware.camera.reader import ANALYSIS_SECONDS, previewed
from hardware.camera.scene import find
from hardware.simulators import camera as simulated
from kiosk.config import CameraSettings
from kiosk.health import Reason

TICK = 1 / 60
SENT_FPS = 30
LEAST_FPS, MOST_GAP, MOST_NOTICE = 25.0, 0.25, 2.0
GIVEN_UP = 6.0
"""Seconds after which a loop that still stands is counted as standing so long (OpenCV's own limit is 30 s)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way of reading gave."""

    fps: float
    """Different frames the screen loop showed in a second."""
    worst_gap: float
    """Longest time between two ticks of the loop while all is well, s."""
    cpu: float
    """Cores used by reading, seeking and converting, the loop included."""
    stall_gap: float
    """Longest time between two ticks after the camera stalled, s."""
    stall_noticed: float | None
    """Until the loop knew of the stall, s; None: not within GIVEN_UP."""
    unplug_noticed: float | None
    """The same when the camera is unplugged."""


def play(orders: Connection) -> None:
    """The simulated camera; does what it is told until told to end."""
    simulated.FRAMES_PER_SECOND = SENT_FPS
    asyncio.run(_play(orders))


async def _play(orders: Connection) -> None:
    camera = simulated.CameraSimulator()
    await camera.start()
    await camera.act("lay", paper="birth-form-1")
    orders.send(camera.stream_url)
    while (action := await asyncio.to_thread(orders.recv)) != "end":
        await camera.act(action)
        orders.send("done")
    await camera.stop()


class World:
    """The camera's process, told what to do."""

    def __init__(self) -> None:
        self._orders, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=play, args=(theirs,), daemon=True)
        self._process.start()
        self.url: str = self._orders.recv()
        self.pid = self._process.pid or 0

    def act(self, action: str) -> None:
        """Do it, and return when it is done."""
        self._orders.send(action)
        self._orders.recv()

    def end(self) -> None:
        """Stop the process."""
        self._orders.send("end")
        self._process.join(5)


def cpu_of(*pids: int) -> float:
    """Seconds of processor time that processes have used."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children() -> Iterator[int]:
    """Reading processes of ours."""
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, path.read_text().split()):
            if b"hardware.camera.reader" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid


class Ticks:
    """A screen loop's clock: the longest time between two ticks."""

    def __init__(self) -> None:
        self._last, self.worst = time.monotonic(), 0.0

    def tick(self) -> None:
        """Once a turn of the loop."""
        now = time.monotonic()
        self.worst, self._last = max(self.worst, now - self._last), now


async def ours(world: World, seconds: float) -> Figures:
    """DocumentCamera: a process that is killed when it hangs, frames in shared memory."""
    async with DocumentCamera(CameraSettings(source=world.url)) as camera:
        await _until(lambda: camera.preview() is not None, 15)
        await asyncio.sleep(1)
        pids = (os.getpid(), *children())
        ticks, seen, before, began = Ticks(), set(), cpu_of(*pids), time.monotonic()
        async for _ in _turns(seconds):
            ticks.tick()
            frame = camera.preview()
            if frame is not None:
                seen.add(frame.number)
        took = time.monotonic() - began
        cpu = (cpu_of(*pids) - before) / took
        stalled = Ticks()
        world.act("stall")
        noticed = await _until(lambda: camera.status.reason is Reason.CAMERA_STALLED, GIVEN_UP, stalled)
        world.act("resume")
        await _until(lambda: camera.preview() is not None, 15)
        world.act("unplug")
        gone = await _until(lambda: not camera.status.usable, GIVEN_UP)
        world.act("plug")
        return Figures(len(seen) / took, ticks.worst, cpu, stalled.worst, noticed, gone)


async def _turns(seconds: float) -> AsyncIterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        await asyncio.sleep(TICK)


async def _until(condition: Callable[[], bool], seconds: float, ticks: Ticks | None = None) -> float | None:
    began = time.monotonic()
    async for _ in _turns(seconds):
        if ticks is not None:
            ticks.tick()
        if condition():
            return time.monotonic() - began
    return None


def plain(world: World, seconds: float) -> Figures:
    """`cv2.VideoCapture` in the loop's thread: read, shrink, seek, convert, tick."""
    capture = cv2.VideoCapture(world.url, cv2.CAP_FFMPEG)
    looked, count = 0.0, 0

    def turn(ticks: Ticks) -> bool:
        nonlocal looked
        done, picture = capture.read()
        if done:
            preview = previewed(picture)
            if time.monotonic() - looked > ANALYSIS_SECONDS:
                looked = time.monotonic()
                find(preview)
            cv2.cvtColor(preview, cv2.COLOR_BGR2RGB).tobytes()
        ticks.tick()
        return bool(done)

    warm = time.monotonic() + 1
    while time.monotonic() < warm:
        turn(Ticks())
    ticks, before, began = Ticks(), cpu_of(os.getpid()), time.monotonic()
    while time.monotonic() - began < seconds:
        count += turn(ticks)
    took = time.monotonic() - began
    fps, cpu = count / took, (cpu_of(os.getpid()) - before) / took
    stall_gap, stalled = _standing(turn, lambda: world.act("stall"), lambda: world.act("resume"))
    _, gone = _standing(turn, lambda: world.act("unplug"), lambda: world.act("plug"))
    capture.release()
    return Figures(fps, ticks.worst, cpu, stall_gap, stalled, gone)


def _standing(
    turn: Callable[[Ticks], bool], fault: Callable[[], None], end: Callable[[], None]
) -> tuple[float, float | None]:
    """Longest stand of the loop after `fault`, and until `read` said so; the fault ends after GIVEN_UP."""
    fault()
    rescue = threading.Timer(GIVEN_UP, end)
    rescue.start()
    ticks, began, noticed = Ticks(), time.monotonic(), None
    while noticed is None and time.monotonic() - began < GIVEN_UP:
        if not turn(ticks):
            noticed = time.monotonic() - began
    rescue.join()
    return ticks.worst, noticed


def table(rows: dict[str, Figures]) -> str:
    """The figures side by side."""
    first, second = rows.values()
    lines = [f"{'':34}" + "".join(f"{name:>12}" for name in rows)]
    names = {
        "fps": f"frames a second shown ({SENT_FPS} sent)",
        "worst_gap": "screen stood still, all well, s",
        "cpu": "cores used",
        "stall_gap": "screen stood still, camera stalls, s",
        "stall_noticed": "stall noticed after, s",
        "unplug_noticed": "unplugging noticed after, s",
    }
    for key, text in names.items():
        pair = [getattr(first, key), getattr(second, key)]
        lines.append(f"{text:38}" + "".join(f"{'> 6' if value is None else f'{value:.2f}':>10}" for value in pair))
    return "\n".join(lines)


def main() -> int:
    """Measure both, print, judge ours."""
    parser = argparse.ArgumentParser(description="live preview: ours beside plain cv2 in-process")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    world = World()
    try:
        before, began = cpu_of(world.pid), time.monotonic()
        rows = {"ours": asyncio.run(ours(world, options.seconds)), "plain cv2": plain(world, options.seconds)}
        sender = (cpu_of(world.pid) - before) / (time.monotonic() - began)
    finally:
        world.end()
    result: dict[str, Any] = {name: asdict(figures) for name, figures in rows.items()}
    print(json.dumps({**result, "simulator_cores": sender}, indent=2) if options.json else table(rows))
    if not options.json:
        print(f"the simulated camera itself used {sender:.2f} cores")
    us = rows["ours"]
    good = us.fps >= LEAST_FPS and max(us.worst_gap, us.stall_gap) <= MOST_GAP
    late = [value is None or value > MOST_NOTICE for value in (us.stall_noticed, us.unplug_noticed)]
    return 0 if good and not any(late) else 1


if __name__ == "__main__":
    sys.exit(main())
