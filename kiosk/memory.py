"""What a process holds in memory of a citizen does not reach a disk by way of a crash."""

import ctypes
import resource
from pathlib import Path

_PR_SET_DUMPABLE = 4
_SWAPS = Path("/proc/swaps")


def keep_private() -> None:
    """No core file, by limit (for child processes too) and by flag; the flag also keeps debuggers of the user out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def swaps() -> bool:
    """Whether this machine may write memory to a swap disk."""
    try:
        return len(_SWAPS.read_text().splitlines()) > 1
    except OSError:
        return False
