"""A serial CCCD reader on a pseudo-terminal under a name that comes and goes with the cable.

Speaks the language of `hardware.card.vendor.lines`, written from the domain reference on its own.
"""

import asyncio
import json
import os
import tty
from base64 import encodebytes
from collections.abc import Iterator, Mapping
from pathlib import Path

from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.personalisation.portrait import portrait
from hardware.simulators.vendor_reader import VendorReaderSimulator

NOISE = b'\xff\xfe\x00[DG2\x80_RAW\r\n{"CCCD Number": \r\n\x07\x07' + b"~" * 60_000 + b"\n"
PIECE = 512
"""Bytes written at once; a pseudo-terminal takes some thousand."""
PATIENCE = 0.005
"""Seconds until the next attempt when nobody has read the last piece."""


class SerialReaderSimulator(VendorReaderSimulator):
    """Its device node is the symbolic link `link`."""

    faults: Mapping[str, str] = {
        "scan_fail": "every read ends with SCAN_FAIL",
        "noise": "noise between the lines",
        "silent": "nothing is answered, and a read stops in the middle",
        "lift": "the card is taken away in the middle of a read",
        "other_card": "a read answers with another person",
        "broken_portrait": "the portrait has lost its end",
    }

    def __init__(self, cards: Path | Mapping[str, Personalisation], link: Path, issuer: Issuer | None = None) -> None:
        super().__init__(cards, issuer)
        self._link = link
        self._wire: tuple[int, int] | None = None
        self._heard = b""
        self._scan: asyncio.Task[None] | None = None

    @property
    def plugged(self) -> bool:
        """Whether the device node is there."""
        return self._wire is not None

    async def start(self) -> None:
        """Plug in; raises OSError if the link cannot be made, or a real device has its name."""
        if self._wire is not None:
            return
        if self._link.exists() and not self._link.is_symlink():
            raise FileExistsError(f"{self._link} is there already, and not a simulator's")
        master, slave = os.openpty()  # the slave stays open here, or the wire would end with the driver
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(slave))
        self._wire = master, slave
        self._heard = b""
        asyncio.get_running_loop().add_reader(master, self._hear)

    async def stop(self) -> None:
        """Unplug."""
        if self._wire is None:
            return
        wire, self._wire = self._wire, None
        asyncio.get_running_loop().remove_reader(wire[0])
        await self._end_scan()
        self._link.unlink(missing_ok=True)
        for end in wire:
            os.close(end)

    async def tell(self) -> None:
        """NFC_DETECTED or CARD_REMOVED, which ends a read."""
        await self._end_scan()
        self._say("NFC_DETECTED" if self.holder else "CARD_REMOVED")

    async def _end_scan(self) -> None:
        scan, self._scan = self._scan, None
        if scan is not None and scan is not asyncio.current_task():
            scan.cancel()
            await asyncio.gather(scan, return_exceptions=True)

    def _hear(self) -> None:
        """Take the lines that the kiosk sends."""
        assert self._wire is not None
        *lines, self._heard = (self._heard + os.read(self._wire[0], 4096)).split(b"\n")
        for line in lines:
            self._obey(line.decode("ascii", "replace").strip())

    def _obey(self, line: str) -> None:
        if line == "PING" and self.fault != "silent":
            self._say("PONG")
            if self.holder and self._scan is None:
                self._say("NFC_DETECTED")
        elif line.startswith("CCCD:") and self._scan is None:
            self._scan = asyncio.create_task(self._read(line))

    async def _read(self, key: str) -> None:
        """Read the card that lies there with the key given."""
        try:
            person = self.holder
            if person is None or key != _key_of(person) or self.fault == "scan_fail":
                self._say("SCAN_FAIL")
                return
            for line in await asyncio.to_thread(lambda: list(self._lines_of(person))):
                await self._write(line)
                if self.fault == "silent":
                    return
                if self.fault == "lift" and line.startswith(b"[DG2_RAW_START]"):
                    await self.lift()
                    return
        finally:
            self._scan = None

    def _lines_of(self, person: Personalisation) -> Iterator[bytes]:
        """What the reader says of a card, in order."""
        if self.fault == "noise":
            yield NOISE
        yield _identity_of(self._other_than(person) if self.fault == "other_card" else person)
        if self.fault == "noise":
            yield NOISE
        yield b"SUCCESS\r\n"
        text = encodebytes(portrait(person.look, int(person.personal_id), "jpeg")).replace(b"\n", b"\r\n")
        half = len(text) // 2
        yield b"[DG2_RAW_START]\r\n" + text[:half]
        yield text[half:] + b"[DG2_RAW_END]\r\n" if self.fault != "broken_portrait" else b"\r\n[DG2_RAW_END]\r\n"
        yield b"SCAN_DONE\r\n"

    def _other_than(self, person: Personalisation) -> Personalisation:
        return next(other for other in self.people.values() if other is not person)

    def _say(self, word: str) -> None:
        """Unplugged, or with nobody reading for thousands of bytes, a word is lost, as with the hardware."""
        if self._wire is not None:
            try:
                os.write(self._wire[0], word.encode("ascii") + b"\r\n")
            except BlockingIOError:
                return

    async def _write(self, data: bytes) -> None:
        """As fast as the kiosk reads."""
        while data and self._wire is not None:
            try:
                data = data[os.write(self._wire[0], data[:PIECE]) :]
                await asyncio.sleep(0)
            except BlockingIOError:
                await asyncio.sleep(PATIENCE)


def _key_of(person: Personalisation) -> str:
    key = person.key
    return f"CCCD:{key.personal_id}|BIRTH:{key.birth:%y%m%d}|EXPIRY:{key.expiry:%y%m%d}"


def _identity_of(person: Personalisation) -> bytes:
    fields = {
        "CCCD Number": person.personal_id,
        "Full Name": person.full_name,
        "Date of Birth": f"{person.birth:%d/%m/%Y}",
        "Gender": person.sex,
        "Date of Expiry": f"{person.key.expiry:%d/%m/%Y}",
    }
    return json.dumps(fields, ensure_ascii=False).encode() + b"\r\n"
