"""The PC/SC daemon for demo and tests: the one that runs, or our own with Debian's virtual reader in it."""

import asyncio
import shutil
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hardware.card.errors import CardError
from hardware.card.pcsc import Pcsc
from kiosk.health import Reason

PROGRAM = "/usr/sbin/pcscd"
VIRTUAL_READER = "Virtual PCD"
PORT = 35963
CLAIM = "\0motcua-virtual-card-reader"
START_SECONDS = 10.0
PROBLEMS = {
    Reason.NO_PCSCD: "pcscd does not answer: look at the output of `pcscd --foreground`",
    Reason.NO_READER: "pcscd has no virtual card reader: apt install vsmartcard-vpcd and restart pcscd",
}


class PcscdUnavailable(OSError):
    """There is no PC/SC daemon with a virtual reader; the message is one line with the remedy."""


class Pcscd:
    """pcscd in use between `__aenter__` and `__aexit__`, its virtual reader for us alone on this machine.

    `config` is a folder of reader files instead of the system's (an empty one: no virtual reader). `patience`: seconds
    to wait for another program of ours (a demo, a test run) that uses the virtual reader.
    """

    def __init__(self, config: Path | None = None, patience: float = 0.0) -> None:
        self._config = config
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._claim: socket.socket | None = None

    @property
    def is_ours(self) -> bool:
        """Whether we started it, so that we may stop it."""
        return self._process is not None

    async def start(self) -> None:
        """Use the daemon that answers, else start one; raises PcscdUnavailable."""
        try:
            await self._claim_reader()
            await self._until_ready()
        except PcscdUnavailable:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the daemon if it is ours, and give up the virtual reader."""
        await self.halt()
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    async def halt(self) -> None:
        """End the daemon if it is ours, as a crash would; `start` brings it back."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def restart(self) -> None:
        """End our daemon and start it again; not for one that is not ours."""
        if not self.is_ours:
            raise PcscdUnavailable("pcscd was running before: restart it with `systemctl restart pcscd`")
        await self.halt()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _claim_reader(self) -> None:
        """An abstract socket is the claim: it ends with the process, whatever ends it."""
        deadline = time.monotonic() + self._patience
        while self._claim is None:
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(CLAIM)
                self._claim = claim
            except OSError:
                claim.close()
                if time.monotonic() >= deadline:
                    raise PcscdUnavailable("the virtual card reader is used by another demo or test: end it") from None
                await asyncio.sleep(0.1)

    async def _launch(self) -> None:
        program = shutil.which("pcscd") or shutil.which(PROGRAM)
        if program is None:
            raise PcscdUnavailable("pcscd is not installed: apt install pcscd vsmartcard-vpcd")
        if self._config is None and _taken(PORT):
            raise PcscdUnavailable(f"port {PORT} of the virtual card reader is taken by another program: end it")
        options = [] if self._config is None else ["--config", str(self._config)]
        nowhere = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            program, "--foreground", *options, stdin=nowhere, stdout=nowhere, stderr=nowhere
        )

    async def _until_ready(self) -> None:
        """Launches a daemon where none answers. One that systemd wakes just now lists its readers a moment later."""
        deadline = time.monotonic() + START_SECONDS
        while (missing := await asyncio.to_thread(_missing)) is not None:
            if missing is Reason.NO_READER and self._config is not None:
                return
            if missing is Reason.NO_PCSCD and self._process is None:
                await self._launch()
            if self._process is not None and self._process.returncode is not None:
                raise PcscdUnavailable("pcscd cannot start: run as root, or `systemctl start pcscd`")
            if time.monotonic() > deadline:
                raise PcscdUnavailable(PROBLEMS[missing])
            await asyncio.sleep(0.05)


def _missing() -> Reason | None:
    """NO_PCSCD, NO_READER, or None if the virtual reader is there."""
    try:
        with Pcsc() as pcsc:
            pcsc.reader(VIRTUAL_READER)
    except CardError as error:
        return Reason.NO_PCSCD if error.failure.reason is Reason.NO_PCSCD else Reason.NO_READER
    return None


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
