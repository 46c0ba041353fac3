"""The readiness report: every device with its state and what to do about it. `diagnose` prints it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kiosk.clock import from_iso, shown, utc_iso
from kiosk.health import Level, Reason
from kiosk.ports import Device

WORST_LAST = tuple(Level)
LOOK_EVERY = 0.05  # s


async def readiness(devices: Mapping[str, Device], settle: float = 3.0, kiosk: str = "") -> dict[str, Any]:
    """The state of every device once none is starting any more, or after `settle` seconds at most.

    Shape: `time` (UTC), `kiosk` if given, `overall` (the worst level), `usable`, `devices` [{`name`, `usable`, and
    what `Status.as_json` says}].
    """
    await _settled(devices, settle)
    states = {name: device.status for name, device in devices.items()}
    overall = max((s.level for s in states.values()), key=WORST_LAST.index, default=Level.READY)
    return {
        "time": utc_iso(datetime.now(UTC)),
        **({"kiosk": kiosk} if kiosk else {}),
        "overall": overall.value,
        "usable": all(s.usable for s in states.values()),
        "devices": [{"name": name, "usable": s.usable, **s.as_json()} for name, s in states.items()],
    }


async def _settled(devices: Mapping[str, Device], settle: float) -> None:
    """Return when no device is starting, at latest after `settle` seconds."""
    for _ in range(int(settle / LOOK_EVERY)):
        if not any(device.status.reason is Reason.STARTING for device in devices.values()):
            return
        await asyncio.sleep(LOOK_EVERY)


def exit_code(report: Mapping[str, Any]) -> int:
    """0 if every device is usable, 1 otherwise."""
    return 0 if report["usable"] else 1


def as_text(report: Mapping[str, Any]) -> str:
    """The report as a table in local time, each remedy in both languages under its device."""
    rows = [(d["name"], d["status"], d["reason"], shown(from_iso(d["since"])), d["detail"]) for d in report["devices"]]
    head = ("DEVICE", "STATUS", "REASON", "SINCE", "DETAIL")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [_headline(report), "", _line("", head, widths)]
    for row, device in zip(rows, report["devices"], strict=True):
        lines.append(_line(_mark(device), row, widths))
        if device["reason"] != Reason.OK:
            lines += [f"      {device['remedy'][language]}" for language in ("vi", "en")]
    return "\n".join(lines)


def _headline(report: Mapping[str, Any]) -> str:
    kiosk = f"Kiosk {report['kiosk']}: " if "kiosk" in report else ""
    unusable = sum(not device["usable"] for device in report["devices"])
    count = f"{unusable} of {len(report['devices'])} devices cannot be used" if unusable else "all devices can be used"
    return f"{kiosk}{report['overall'].upper()}, {count} ({shown(from_iso(report['time']))})"


def _mark(device: Mapping[str, Any]) -> str:
    if not device["usable"]:
        return "✗"
    return "✓" if device["status"] == Level.READY else "!"


def _line(mark: str, cells: tuple[str, ...], widths: list[int]) -> str:
    padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{mark:2}{padded}".rstrip()
