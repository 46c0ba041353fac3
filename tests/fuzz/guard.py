"""What every target promises of any input: no exception but CardError, an answer in time, no memory to speak of.

Targets raise an error of their own where something false is believed.
"""

import re
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from hardware.card.errors import CardError
from tests.fuzz.targets import Target

SECONDS = 1.0
"""Processor time for one input."""
GROWTH = 64 << 10
"""KiB that the process may grow by in one input."""


_OURS = re.compile("/(hardware|kiosk|sync)/")


class TooLong(BaseException):
    """The input took too long. Not an Exception, so that no parser takes it for bad data."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that breaks the promise; `place` tells findings apart."""

    target: str
    data: bytes
    place: str
    story: str


class Guard:
    """Runs inputs in the main thread. `patience` multiplies the time, for instrumented code."""

    def __init__(self, patience: float = 1.0) -> None:
        self._seconds = SECONDS * patience

    def __enter__(self) -> Self:
        signal.signal(signal.SIGVTALRM, _alarm)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)

    def run(self, target: Target, data: bytes) -> Finding | None:
        """Feed one input; None if all is well."""
        before = _fresh_peak()
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds)
            target.run(data)
        except CardError:
            return self._weighed(target, data, before)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  # anything else is what we look for
            return Finding(target.name, data, _place(error), "".join(traceback.format_exception(error)))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return self._weighed(target, data, before)

    @staticmethod
    def _weighed(target: Target, data: bytes, before: int) -> Finding | None:
        growth = _peak() - before
        if growth <= GROWTH:
            return None
        return Finding(target.name, data, "memory", f"the process grew by {growth} KiB")


def _fresh_peak() -> int:
    """KiB now, from where the peak is counted anew: getrusage's holds what the process ever had (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return _peak()


def _peak() -> int:
    """KiB of memory at the highest since the last _fresh_peak."""
    found = re.search(rb"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_bytes(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _alarm(_signal: int, _frame: FrameType | None) -> None:
    raise TooLong


def _place(error: BaseException) -> str:
    """The kind of error and the last lines of ours that it came through."""
    if isinstance(error, TooLong):
        return "time"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _OURS.search(frame.filename)]
    lines = [f"{frame.filename.rsplit('/', 1)[1]}:{frame.lineno}" for frame in frames[-2:]]
    return ":".join([type(error).__name__, *lines])
