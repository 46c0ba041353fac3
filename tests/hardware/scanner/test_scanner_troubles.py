"""Noise, missing line ends and missing devices: nothing of it may cost the next citizen a scan."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware.scanner import SerialScanner
from hardware.scanner import scanner as scanner_module
from hardware.scanner.lines import Lines
from hardware.simulators.scanner import ScannerSimulator
from kiosk.config import ScannerSettings
from kiosk.health import Level, Reason
from waiting import until


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[ScannerSimulator]:
    simulator = ScannerSimulator(tmp_path / "scanner")
    yield simulator
    await simulator.stop()


@pytest.fixture
async def scanner(tmp_path: Path) -> AsyncIterator[SerialScanner]:
    async with SerialScanner(ScannerSettings(device=str(tmp_path / "scanner"))) as scanner:
        yield scanner


async def test_scanner_plugged_in_after_the_start_is_found(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    await until(lambda: scanner.status.reason is Reason.NO_SCANNER)
    waiting = asyncio.create_task(scanner.next_code())
    await simulator.act("plug")
    await until(lambda: scanner.status.level is Level.READY)
    await simulator.act("scan", data="mã số")
    assert await asyncio.wait_for(waiting, 30) == "mã số"


async def test_noise_without_a_line_end_does_not_spoil_the_next_code(
    scanner: SerialScanner, simulator: ScannerSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As cables make when they are plugged in. A scanner that is set to send no CR is found out the same way."""
    monkeypatch.setattr(scanner_module, "SILENT_LOOKS", 3)
    await simulator.act("plug")
    await until(lambda: scanner.status.level is Level.READY)
    assert simulator._wire is not None
    os.write(simulator._wire[0], b"\x00\xff")
    await until(lambda: scanner.status.reason is Reason.CODE_UNREADABLE)
    assert "without an end" in scanner.status.detail
    waiting = asyncio.create_task(scanner.next_code())
    await asyncio.sleep(0)
    await simulator.act("scan", data="001199000123")
    assert await asyncio.wait_for(waiting, 30) == "001199000123"
    assert scanner.status.level is Level.READY


async def test_wrong_baud_rate_is_a_status(simulator: ScannerSimulator, tmp_path: Path) -> None:
    await simulator.start()
    async with SerialScanner(ScannerSettings(device=str(tmp_path / "scanner"), baud=2**40)) as scanner:
        await until(lambda: scanner.status.reason is Reason.NO_SCANNER)
        assert scanner._thread.is_alive()


def test_forgetting_twice_still_drops_the_rest() -> None:
    """A visit may end twice over (idle, then card removed) before the rest of a code has come."""
    lines = Lines()
    lines.feed(b"001199000123|NGUY")
    lines.forget()
    lines.forget()
    assert lines.feed("ỄN THỊ MẪU\r\n".encode()) == []
    assert lines.feed(b"next\r\n") == ["next"]


def test_forgotten_line_that_never_ends_is_no_complaint() -> None:
    lines = Lines()
    lines.feed(b"001199000123|NGUY")
    lines.forget()
    assert lines.give_up() == []
    assert lines.feed(b"next\r\n") == ["next"]
    assert lines.give_up() == []
