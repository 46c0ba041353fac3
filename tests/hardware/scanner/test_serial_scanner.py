import argparse
import asyncio
import fcntl
import json
import struct
import termios
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.scanner import SerialScanner
from hardware.scanner.bench import scan_codes_command
from hardware.scanner.lines import LONGEST, Lines, Unreadable
from hardware.simulators.scanner import ScannerSimulator
from hardware.simulators.simulator import UnknownAction
from kiosk.config import ScannerSettings
from kiosk.health import Level, Reason
from waiting import until

CARD = "001199000123|123456789|NGUYỄN THỊ MẪU|01011999|Nữ|Số 1, phường Mẫu|01012021"


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[ScannerSimulator]:
    simulator = ScannerSimulator(tmp_path / "scanner")
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def scanner(tmp_path: Path, simulator: ScannerSimulator) -> AsyncIterator[SerialScanner]:
    async with SerialScanner(ScannerSettings(device=str(tmp_path / "scanner"))) as scanner:
        await until(lambda: scanner.status.level is Level.READY)
        yield scanner


async def scanned(scanner: SerialScanner, simulator: ScannerSimulator, data: str) -> str:
    waiting = asyncio.create_task(scanner.next_code())
    await asyncio.sleep(0)
    await simulator.act("scan", data=data)
    return await asyncio.wait_for(waiting, 30)


async def test_code_of_a_card_is_read_with_all_its_marks(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    assert await scanned(scanner, simulator, CARD) == CARD
    assert await scanned(scanner, simulator, unicodedata.normalize("NFD", CARD)) == CARD


async def test_code_scanned_before_the_question_is_no_answer(
    scanner: SerialScanner, simulator: ScannerSimulator
) -> None:
    await simulator.act("scan", data="of the citizen before")
    await simulator.act("garble")
    await until(lambda: scanner.status.reason is Reason.CODE_UNREADABLE)  # and what was scanned before is through
    assert await scanned(scanner, simulator, "now") == "now"


async def test_waiting_can_be_given_up(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scanner.next_code(), 0.05)
    assert await scanned(scanner, simulator, "later") == "later"


async def test_unreadable_code_is_told_and_dropped(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    for dropped in ("garble", "long"):
        if dropped == "garble":
            await simulator.act("garble")
        else:
            await simulator.act("scan", data="x" * (LONGEST + 1))
        await until(lambda: scanner.status.reason is Reason.CODE_UNREADABLE)
        assert scanner.status.usable
        assert "xxx" not in scanner.status.detail
        assert await scanned(scanner, simulator, "fine") == "fine"
        assert scanner.status.reason is Reason.OK


async def test_forgetting_takes_back_the_complaint(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    await simulator.act("garble")
    await until(lambda: scanner.status.reason is Reason.CODE_UNREADABLE)
    scanner.forget()
    assert scanner.status.reason is Reason.OK


def unread(line) -> int:
    return struct.unpack("i", fcntl.ioctl(line, termios.FIONREAD, bytes(4)))[0]


async def test_half_a_code_of_the_citizen_before_is_forgotten(
    scanner: SerialScanner, simulator: ScannerSimulator, tmp_path: Path
) -> None:
    with (tmp_path / "scanner").open("wb", buffering=0) as line:
        simulator._send(b"001199000123|NGUY")
        await until(lambda: not unread(line))
        scanner.forget()
        await until(lambda: not scanner._forgotten.is_set())
    waiting = asyncio.create_task(scanner.next_code())
    await asyncio.sleep(0)
    simulator._send("ỄN THỊ MẪU\r\n".encode())
    await simulator.act("scan", data="next citizen")
    assert await asyncio.wait_for(waiting, 30) == "next citizen"


async def test_unplugged_scanner_is_told_and_comes_back(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    for _ in range(2):
        await simulator.act("unplug")
        await until(lambda: scanner.status.reason is Reason.NO_SCANNER)
        assert scanner.status.level is Level.ABSENT
        await simulator.act("plug")
        await until(lambda: scanner.status.level is Level.READY)
    assert await scanned(scanner, simulator, "back") == "back"


async def test_question_outlives_the_cable(scanner: SerialScanner, simulator: ScannerSimulator) -> None:
    waiting = asyncio.create_task(scanner.next_code())
    await simulator.act("unplug")
    await until(lambda: scanner.status.reason is Reason.NO_SCANNER)
    await simulator.act("plug")
    await until(lambda: scanner.status.level is Level.READY)
    await simulator.act("scan", data="code")
    assert await asyncio.wait_for(waiting, 30) == "code"


async def test_missing_device_stops_nobody(tmp_path: Path) -> None:
    async with SerialScanner(ScannerSettings(device=str(tmp_path / "nothing"))) as scanner:
        await until(lambda: scanner.status.reason is Reason.NO_SCANNER)
        assert str(tmp_path) in scanner.status.detail


async def test_no_code_reaches_the_log(
    scanner: SerialScanner, simulator: ScannerSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await scanned(scanner, simulator, CARD)
    await simulator.act("scan", data=CARD * 20)
    await until(lambda: scanner.status.reason is Reason.CODE_UNREADABLE)
    assert "MẪU" not in caplog.text


async def test_simulator_refuses_what_it_cannot_do(simulator: ScannerSimulator) -> None:
    for action, parameters in (("scan", {}), ("scan", {"data": 1}), ("unplug", {"x": 1}), ("dance", {})):
        with pytest.raises(UnknownAction):
            await simulator.act(action, **parameters)


async def test_bench_shows_the_code_as_json(
    simulator: ScannerSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ScannerSettings(device=str(tmp_path / "scanner"))
    running = asyncio.create_task(asyncio.to_thread(scan_codes_command, settings, argparse.Namespace(json=True)))
    while not running.done():
        await simulator.act("scan", data=CARD)
        await asyncio.sleep(0.05)
    assert await running == 0
    assert json.loads(capsys.readouterr().out)["codes"] == [CARD]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 7))
def test_any_bytes_give_codes_or_complaints_however_they_are_cut(parts: list[bytes], size: int) -> None:
    whole = b"\r\n".join([*parts, b""])
    pieces = Lines()
    read = [code for at in range(0, len(whole), size) for code in pieces.feed(whole[at : at + size])]
    at_once = Lines().feed(whole)
    assert list(map(str, read)) == list(map(str, at_once))
    assert all(isinstance(code, Unreadable) or (code and unicodedata.is_normalized("NFC", code)) for code in read)


def test_endless_line_takes_no_memory() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 10_000) == []
    assert len(lines._line) <= LONGEST + 1
    assert isinstance(lines.feed(b"\n")[0], Unreadable)
