"""A code scanner on a serial line: a pseudo-terminal under a name that comes and goes with the cable."""

import os
import tty
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hardware.simulators.simulator import Simulator, UnknownAction

GARBLED = b"\xff\xfe\x80CCCD\xc3\x28\r\n"


class ScannerSimulator(Simulator):
    """Its device node is the symbolic link `link`."""

    name = "scanner"
    actions: Mapping[str, str] = {
        "scan": "hold a code to the scanner that says {data}",
        "garble": "scan something unreadable",
        "unplug": "pull the cable",
        "plug": "plug the cable in",
    }

    def __init__(self, link: Path) -> None:
        self._link = link
        self._wire: tuple[int, int] | None = None
        self._scans = 0

    async def start(self) -> None:
        """Plug in; raises OSError if the link's folder cannot be written."""
        if self._wire is None:
            master, slave = os.openpty()  # the slave stays open here, or the wire would end with the driver
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(slave))
            self._wire = master, slave

    async def stop(self) -> None:
        """Unplug."""
        if self._wire is not None:
            self._link.unlink(missing_ok=True)
            for end in self._wire:
                os.close(end)
            self._wire = None

    def state(self) -> dict[str, Any]:
        """Whether the cable is plugged in, and how many codes were sent."""
        return {"plugged": self._wire is not None, "scans": self._scans}

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        match action, parameters:
            case "scan", {"data": str(data), **more} if not more:
                self._send(data.encode() + b"\r\n")
            case "garble", {**more} if not more:
                self._send(GARBLED)
            case "unplug", {**more} if not more:
                await self.stop()
            case "plug", {**more} if not more:
                await self.start()
            case _:
                raise UnknownAction(f"scanner: {action} with {', '.join(parameters) or 'nothing'}")

    def _send(self, code: bytes) -> None:
        """Unplugged, or with nobody reading for thousands of bytes, a code is lost, as with the hardware."""
        if self._wire is not None:
            self._scans += 1
            try:
                os.write(self._wire[0], code)
            except BlockingIOError:
                return
