"""Where a vendor's check against pictures, screens and masks is plugged in. The kiosk brings none and claims none.

A vendor's package offers a factory without arguments in the entry point group `motcua.liveness`; `[face] liveness`
names it. What it says goes along with the score to the officer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy.typing as npt

GROUP = "motcua.liveness"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a living person was there, None if the check cannot tell; `score` in the vendor's own measure."""

    live: bool | None
    score: float | None = None


class Liveness(Protocol):
    """A check for presentation attacks (ISO/IEC 30107-3)."""

    name: str
    """Product and version, told with the verdict."""

    def judge(self, pictures: Sequence[npt.NDArray[Any]]) -> Verdict:
        """Look at the BGR pictures of one person, in order. Blocks; runs on a thread; keeps nothing."""


def installed(name: str) -> Liveness | None:
    """The check of that name; None without a name. Raises LookupError if it is not installed."""
    if not name:
        return None
    (found,) = entry_points(group=GROUP, name=name) or (None,)
    if found is None:
        raise LookupError(f"no liveness check {name!r} is installed (entry points {GROUP})")
    check: Liveness = found.load()()
    return check
