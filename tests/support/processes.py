"""What a test process has beside itself: programs it started, names in shared memory."""

from contextlib import suppress
from pathlib import Path

OTHERS = ("PostgreSQL.", ".org.chromium.", ".com.google.")
"""What tests that run at the same time leave in /dev/shm for a while."""


def children(program: str = "") -> set[int]:
    """The processes that this one started and that are still there; with `program` those whose command line has it."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found.update(map(int, task.read_text().split()))
    return {pid for pid in found if program in command_of(pid)}


def command_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def shared_memory() -> set[str]:
    """The names in /dev/shm that may be ours."""
    return {path.name for path in Path("/dev/shm").iterdir() if not path.name.startswith(OTHERS)}
