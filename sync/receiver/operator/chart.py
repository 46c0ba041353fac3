"""The throughput chart: three bars for every hour, as geometry for an SVG. The page draws it, with a table beside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sync.receiver.operator.province import Hour

WIDTH, HEIGHT = 1200, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 6, 10, 30
SERIES = (("received", "Nhận", "received"), ("filed", "Chuyển", "filed"), ("answered", "Trả lời", "answered"))
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle in the units of the SVG; `series` is its place in SERIES."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A line with its label: across at `at` (y), or below at `at` (x)."""

    at: float
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to be drawn."""

    bars: tuple[Bar, ...]
    across: tuple[Tick, ...]
    below: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def drawn(hours: Sequence[Hour]) -> Chart:
    """The chart of these hours."""
    most = max((max(hour.received, hour.filed, hour.answered) for hour in hours), default=0)
    step = _step(most)
    top = step * max(1, math.ceil(most / step))
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(hours))
    unit = (HEIGHT - TOP - BOTTOM) / top
    bars = tuple(
        Bar(
            x=round(LEFT + n * slot + slot * (0.08 + 0.28 * series), 1),
            y=round(HEIGHT - BOTTOM - value * unit, 1),
            width=round(slot * 0.28, 1),
            height=round(value * unit, 1),
            series=series,
        )
        for n, hour in enumerate(hours)
        for series, value in enumerate((hour.received, hour.filed, hour.answered))
        if value
    )
    across = tuple(Tick(round(HEIGHT - BOTTOM - value * unit, 1), str(value)) for value in range(0, top + 1, step))
    below = tuple(
        Tick(round(LEFT + n * slot, 1), f"{hour.begins:%d/%m}" if hour.begins.hour == 0 else f"{hour.begins:%H}:00",
             hour.begins.hour == 0)
        for n, hour in enumerate(hours)
        if hour.begins.hour % 6 == 0 and n < len(hours) - 1  # the last one's label has no room
    )  # fmt: skip
    return Chart(bars, across, below)


def _step(most: int) -> int:
    """1, 2 or 5 times a power of ten: at most five lines."""
    scale = 1
    while True:
        for step in _STEPS:
            if step * scale * 5 >= most:
                return step * scale
        scale *= 10
