"""How foreign programs are run on citizens' pages: no core file, no more than one core, gone when the kiosk is gone."""

import os
from dataclasses import dataclass

MEMORY_BYTES = 1_500_000_000
"""Address space of such a program at most; Tesseract needs 0.4 GB for an A4 page at 300 dpi."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: the whole argument list and environment."""

    arguments: tuple[str, ...]
    environment: dict[str, str]


def contained(*arguments: str) -> Command:
    """The command in its bounds (util-linux and coreutils: they replace themselves, so it keeps one process)."""
    bounds = (
        *("setpriv", "--pdeathsig", "KILL", "--no-new-privs"),
        *("prlimit", "--core=0", f"--as={MEMORY_BYTES}", "--fsize=0"),
        *("nice", "-n", "5"),
    )
    return Command((*bounds, *arguments), {**os.environ, "OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"})
