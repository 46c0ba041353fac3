"""The scanner as a device: a thread reads the line, whoever waits gets the code, nobody's code is kept."""

import asyncio
import termios
import threading

import serial

from hardware.device import Device
from hardware.scanner.lines import Lines, Unreadable
from kiosk.config import ScannerSettings
from kiosk.health import Level, Reason

LOOK_SECONDS = 0.1  # longest wait for bytes: how fast the thread notices that it shall end
SILENT_LOOKS = 20  # so many in vain after a half-finished line, and its end is not coming: noise, or no CR is set
RETRY_SECONDS = 0.5  # between two attempts to open a device that is missing


class SerialScanner(Device):
    """A scanner that sends each code as a line. It comes back by itself when it is plugged in again."""

    name = "scanner"

    def __init__(self, settings: ScannerSettings) -> None:
        super().__init__()
        self._settings = settings
        self._waiting: set[asyncio.Future[str]] = set()
        self._ending = threading.Event()
        self._forgotten = threading.Event()

    async def start(self) -> None:
        """Open the line as soon as the device is there."""
        self._ending.clear()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Close the line."""
        self._ending.set()
        await asyncio.to_thread(self._thread.join)

    async def next_code(self) -> str:
        """The next code that is scanned from now on."""
        code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.add(code)
        try:
            return await code
        finally:
            self._waiting.discard(code)

    def forget(self) -> None:
        """Drop what has been scanned in part, and the complaint about an unreadable code."""
        self._forgotten.set()
        if self.status.reason is Reason.CODE_UNREADABLE:
            self.publish(Level.READY, Reason.OK)

    # --- on the thread ---

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with serial.Serial(self._settings.device, self._settings.baud, timeout=LOOK_SECONDS) as line:
                    self.publish(Level.READY, Reason.OK)
                    self._listen(line)
            except (OSError, ValueError, OverflowError, termios.error) as error:  # the second and third: baud rate
                detail = getattr(error, "strerror", None) or type(error).__name__
                self.publish(Level.ABSENT, Reason.NO_SCANNER, f"{self._settings.device}: {detail}")
                self._ending.wait(RETRY_SECONDS)

    def _listen(self, line: serial.Serial) -> None:
        lines, silent = Lines(), 0
        while not self._ending.is_set():
            data = line.read(max(1, line.in_waiting))
            silent = 0 if data else silent + 1
            codes = lines.give_up() if silent == SILENT_LOOKS else lines.feed(data)
            if self._forgotten.is_set():  # what has come until now may be of the visit that ended
                self._forgotten.clear()
                lines.forget()
                continue
            for code in codes:
                self._scanned(code)

    def _scanned(self, code: str | Unreadable) -> None:
        if isinstance(code, Unreadable):
            self.publish(Level.DEGRADED, Reason.CODE_UNREADABLE, f"dropped {code}")
            return
        self.publish(Level.READY, Reason.OK)
        if not self._ending.is_set():
            self._loop.call_soon_threadsafe(self._deliver, code)

    # --- on the event loop ---

    def _deliver(self, code: str) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(code)
