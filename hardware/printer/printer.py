"""The printer as a device: jobs one after another, each printed whole or refused with its reason."""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from hardware.device import Device
from hardware.printer.link import BAND, AddressWrong, Link, Stopped
from hardware.printer.render import render
from hardware.printer.status import Condition
from hardware.printer.type import FontMissing, require_fonts
from kiosk.config import PrinterSettings
from kiosk.health import Failure, Level, Reason
from kiosk.slips import Slip

JOB_SECONDS = 60.0
"""The longest time for one slip, even when the printer keeps answering that all is well."""

STALL_SECONDS = 10.0
"""The longest time for one band of it."""

RECOVERY_SECONDS = 10.0
"""Pause between two attempts to leave a cutter error: each one moves the cutter."""


class EscposPrinter(Device):
    """A thermal printer that speaks ESC/POS.

    A slip counts as printed when the printer has executed everything up to the cut and said so. After a slip that
    stopped half-way the printer's buffers are cleared, so that nothing of it comes out after the remedy.
    """

    name = "printer"
    watch_seconds = 2.0
    """Seconds between two looks at an idle printer."""

    def __init__(self, settings: PrinterSettings) -> None:
        super().__init__()
        self._settings = settings
        self._link: Link | None = None
        self._torso = False  # half a slip may hang from the slot
        self._recover_after = 0.0

    async def start(self) -> None:
        """Begin to watch the printer."""
        self._worker = ThreadPoolExecutor(1, "printer")  # one thread: jobs and looks never overlap
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Let a running job end, drop those that wait."""
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        self._worker.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._worker.shutdown)
        self._hang_up()

    async def print(self, slip: Slip) -> Failure | None:
        """Print and cut. None means that the paper is out; otherwise why it stopped.

        Cancelled before its turn, the slip is not printed; a slip begun is printed to its end.
        """
        return await asyncio.wrap_future(self._worker.submit(self._print, slip))

    async def _watch(self) -> None:
        while True:
            await asyncio.wrap_future(self._worker.submit(self._look))
            await asyncio.sleep(self.watch_seconds)

    # --- on the worker thread ---

    def _look(self) -> None:
        with contextlib.suppress(OSError, AddressWrong, FontMissing):
            self._prepared(asked=False)

    def _print(self, slip: Slip) -> Failure | None:
        try:
            link, condition = self._prepared(asked=True)
            if not condition.prints:
                return condition.failure
            return self._send(link, render(slip, self._settings.dots))
        except (OSError, AddressWrong, FontMissing):
            return Failure(self.status.reason, self.status.detail)

    def _prepared(self, asked: bool) -> tuple[Link, Condition]:
        """The printer, clean if it can print, and its published condition; `asked`: a person waits for it.

        Raises OSError, AddressWrong or FontMissing after publishing it.
        """
        try:
            require_fonts()
            link, condition = self._reached()
            condition = self._recovered(link, condition, asked)
            if condition.prints and not link.clean:
                condition = self._cleaned(link)
        except AddressWrong as error:
            self.publish(Level.ABSENT, Reason.NOT_CONFIGURED, str(error))
            raise
        except FontMissing as error:
            self.publish(Level.FAULT, Reason.PRINTER_ERROR, str(error))
            raise
        except OSError as error:
            self._lost(error)
            raise
        self._publish(condition)
        return link, condition

    def _reached(self) -> tuple[Link, Condition]:
        """An open line and what the printer says on it; a line that broke since the last look is replaced."""
        if self._link is not None:
            try:
                return self._link, self._link.condition()
            except ConnectionError:
                self._hang_up()
        self._link = Link(self._settings.address, self._settings.dots, self._settings.timeout)
        return self._link, self._link.condition()

    def _recovered(self, link: Link, condition: Condition, asked: bool) -> Condition:
        """The condition after an attempt to leave a cutter error, which stays until the printer is told so."""
        if condition.reason is not Reason.PAPER_JAM or (time.monotonic() < self._recover_after and not asked):
            return condition
        self._recover_after = time.monotonic() + RECOVERY_SECONDS
        return link.clear(recover=True)

    def _cleaned(self, link: Link) -> Condition:
        """Leave nothing of an unfinished slip, neither in the buffers nor hanging from the slot."""
        link.clear(recover=False)
        link.complete((self._settings.dots + 7) // 8)
        link.begin()
        if self._torso:
            link.end(self._settings.cut)
        else:
            link.barrier()
        try:
            link.wait(0, time.monotonic() + self._settings.timeout)
        except Stopped as stopped:
            return stopped.condition
        link.drain(0.1)
        link.clean, self._torso = True, False
        return link.condition()

    def _send(self, link: Link, picture: Image.Image) -> Failure | None:
        self._torso = True
        try:
            self._send_bands(link, picture)
        except Stopped as stopped:
            return self._abandoned(link, stopped.condition)
        except OSError as error:
            return self._lost(error)
        self._torso = False
        with contextlib.suppress(OSError):
            self._publish(link.condition())
        return None

    def _send_bands(self, link: Link, picture: Image.Image) -> None:
        end = time.monotonic() + JOB_SECONDS
        link.begin()
        for top in range(0, picture.height, BAND):
            link.picture(picture.crop((0, top, picture.width, min(top + BAND, picture.height))))
            link.wait(1, min(end, time.monotonic() + STALL_SECONDS))  # one band is printed, the next on its way
        link.end(self._settings.cut)
        link.wait(0, min(end, time.monotonic() + STALL_SECONDS))

    def _abandoned(self, link: Link, condition: Condition) -> Failure:
        """Clear the printer while it is stopped, so that it does not go on by itself after the remedy."""
        link.clean = False
        with contextlib.suppress(OSError):
            link.clear(recover=False)
        self._publish(condition)
        return condition.failure

    def _lost(self, error: OSError) -> Failure:
        self._hang_up()
        detail = error.strerror or str(error)
        self.publish(Level.ABSENT, Reason.PRINTER_UNREACHABLE, f"{self._settings.address}: {detail}")
        return Failure(Reason.PRINTER_UNREACHABLE, self.status.detail)

    def _publish(self, condition: Condition) -> None:
        self.publish(condition.level, condition.reason, condition.detail)

    def _hang_up(self) -> None:
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.close()
        self._link = None
