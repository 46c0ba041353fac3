"""The controls of a V4L2 camera through Debian's `v4l2-ctl`: lock the automatics, keep their values, set them again.

A subprocess, because it cannot hang a thread and no permissively licensed library does it. A camera without V4L2
(a URL) has no controls here.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

MANUAL = {
    "auto_exposure": 1,  # menu: 1 is manual mode
    "exposure_auto": 1,  # its name before Linux 5.19
    "exposure_dynamic_framerate": 0,
    "exposure_auto_priority": 0,
    "white_balance_automatic": 0,
    "white_balance_temperature_auto": 0,
    "focus_automatic_continuous": 0,
    "focus_auto": 0,
    "gain_automatic": 0,
    "autogain": 0,
    "hue_auto": 0,
}
"""Automatics that the difference from an empty tray cannot bear, and the value that ends each."""

_SECONDS = 1.5
_LINE = re.compile(r"\s*(?P<name>[a-z]\w*) 0x[0-9a-f]{8} \((?P<kind>\w+)\)\s*: (?P<facts>.*)")
_FACT = re.compile(r"(\w+)=([\w,-]+)")
_SETTABLE = ("int", "bool", "menu", "intmenu")
_CLOSED = {"inactive", "read-only", "disabled", "grabbed", "write-only"}


class ControlError(Exception):
    """`v4l2-ctl` is missing, hangs, or refuses; the message is for technicians."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control as the driver lists it."""

    value: int
    settable: bool


def listed(device: str) -> dict[str, Control]:
    """The controls with a number, by name; raises ControlError."""
    found = {}
    for line in _run(device, "--list-ctrls").splitlines():
        match = _LINE.fullmatch(line)
        if match and match["kind"] in _SETTABLE:
            facts = dict(_FACT.findall(match["facts"]))
            if "value" in facts:
                closed = _CLOSED & set(re.split(r"[,\s]+", match["facts"].partition("flags=")[2]))
                found[match["name"]] = Control(int(facts["value"]), not closed)
    return found


def lock(device: str) -> dict[str, int]:
    """End every automatic where it has settled; the values of all controls then. Raises ControlError."""
    automatic = {name: MANUAL[name] for name in listed(device) if name in MANUAL}
    _set(device, automatic)
    return {name: control.value for name, control in listed(device).items() if control.settable}


def restore(device: str, wanted: Mapping[str, int]) -> tuple[str, ...]:
    """Make the camera have these values; the names of controls that had another. Raises ControlError.

    Automatics first: while one is on, the driver refuses what it governs.
    """
    off = _differing(device, wanted)
    for names in ([name for name in off if name in MANUAL], [name for name in off if name not in MANUAL]):
        _set(device, {name: wanted[name] for name in names})
    if left := _differing(device, wanted):
        raise ControlError(f"the camera does not keep {', '.join(left)}")
    return off


def _differing(device: str, wanted: Mapping[str, int]) -> tuple[str, ...]:
    now = listed(device)
    return tuple(name for name, value in wanted.items() if name not in now or now[name].value != value)


def _set(device: str, values: Mapping[str, int]) -> None:
    if values:
        _run(device, "--set-ctrl=" + ",".join(f"{name}={value}" for name, value in values.items()))


def _run(device: str, option: str) -> str:
    try:
        done = subprocess.run(
            ["v4l2-ctl", "-d", device, option],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise ControlError("v4l2-ctl is missing: install the package v4l-utils") from None
    except subprocess.TimeoutExpired:
        raise ControlError("v4l2-ctl hangs") from None
    if done.returncode != 0:
        raise ControlError((done.stderr.strip() or done.stdout.strip() or "v4l2-ctl failed").splitlines()[0])
    return done.stdout
