import argparse
import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from hardware.printer import EscposPrinter
from hardware.printer import type as printer_type
from hardware.printer.bench import print_command
from hardware.printer.render import render
from hardware.simulators.printer import PrinterSimulator
from hardware.simulators.simulator import UnknownAction
from kiosk.config import PrinterSettings
from kiosk.health import Failure, Level, Reason
from kiosk.slips import Line, Size, Slip
from waiting import until

Papers = Callable[[], list[Image.Image]]
Ink = Callable[[Image.Image], Image.Image]

FAULTS = [
    ("paper_out", "refill", Reason.PAPER_OUT),
    ("open_cover", "close_cover", Reason.COVER_OPEN),
    ("jam", "clear_jam", Reason.PAPER_JAM),
    ("power_off", "power_on", Reason.PRINTER_UNREACHABLE),
    ("hang", "power_on", Reason.PRINTER_UNREACHABLE),
]


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def reason(result: Failure | None) -> Reason | None:
    return None if result is None else result.reason


async def test_one_slip_gives_one_paper_dot_for_dot(
    printer: EscposPrinter, slip: Slip, papers: Papers, ink: Ink
) -> None:
    assert await printer.print(slip) is None
    (paper,) = papers()
    assert paper.width == 640  # 80 mm
    assert same(ink(paper), ink(render(slip, 576)))
    assert zxingcpp.read_barcodes(paper.convert("L"))[0].text.startswith("https://motcua.example.vn/")
    assert printer.status.level is Level.READY


async def test_slips_asked_for_at_once_come_out_one_after_another(
    printer: EscposPrinter, papers: Papers, ink: Ink
) -> None:
    slips = [Slip("test", (Line(f"B-{n:03}", Size.HUGE, bold=True),)) for n in range(4)]
    assert await asyncio.gather(*map(printer.print, slips)) == [None] * 4
    for slip, paper in zip(slips, papers(), strict=True):
        assert same(ink(paper), ink(render(slip, 576)))


@pytest.mark.parametrize(("fault", "remedy", "expected"), FAULTS)
async def test_fault_before_the_job(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink,
    fault: str, remedy: str, expected: Reason,
) -> None:  # fmt: skip
    await simulator.act(fault)
    assert reason(await asyncio.wait_for(printer.print(slip), 10)) is expected
    assert printer.status.reason is expected
    assert not printer.status.usable
    await simulator.act(remedy)
    assert await printer.print(slip) is None
    (paper,) = papers()
    assert same(ink(paper), ink(render(slip, 576)))


@pytest.mark.parametrize(("fault", "remedy", "expected"), FAULTS)
async def test_fault_in_the_middle_leaves_nothing_that_comes_out_later(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink,
    fault: str, remedy: str, expected: Reason,
) -> None:  # fmt: skip
    simulator.rows_per_second = 1500
    printing = asyncio.create_task(printer.print(slip))
    await until(lambda: simulator._paper.begun)
    await simulator.act(fault)
    assert reason(await asyncio.wait_for(printing, 10)) is expected  # the driver's timeout is 0.5 s here
    assert papers() == []
    await simulator.act(remedy)
    simulator.rows_per_second = 0
    await until(lambda: printer.status.usable)
    torso = papers()  # what hung from the slot when the line broke may be cut off, nothing is added to it
    assert all(paper.height < render(slip, 576).height for paper in torso)
    assert not torso or expected is Reason.PRINTER_UNREACHABLE
    assert await printer.print(slip) is None
    *before, last = papers()
    assert len(before) == len(torso)
    assert same(ink(last), ink(render(slip, 576)))


@pytest.mark.parametrize("lines", [1, 24, 700])
async def test_paper_that_ends_in_a_slip_stops_it(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink, lines: int
) -> None:
    await until(lambda: printer.status.usable)
    await simulator.act("out_after", lines=lines)
    assert reason(await printer.print(slip)) is Reason.PAPER_OUT
    await simulator.act("refill")
    await until(lambda: printer.status.usable)
    assert await printer.print(slip) is None
    (paper,) = papers()
    assert same(ink(paper), ink(render(slip, 576)))


async def test_paper_low_still_prints(printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip) -> None:
    await simulator.act("paper_low")
    assert await printer.print(slip) is None
    assert (printer.status.level, printer.status.reason) == (Level.DEGRADED, Reason.PAPER_LOW)


@pytest.mark.parametrize(("fault", "remedy", "expected"), FAULTS)
async def test_idle_printer_tells_its_faults_and_comes_back_by_itself(
    printer: EscposPrinter, simulator: PrinterSimulator, monkeypatch: pytest.MonkeyPatch,
    fault: str, remedy: str, expected: Reason,
) -> None:  # fmt: skip
    monkeypatch.setattr("hardware.printer.printer.RECOVERY_SECONDS", 0.3)
    await until(lambda: printer.status.level is Level.READY)
    await simulator.act(fault)
    await until(lambda: printer.status.reason is expected)
    await simulator.act(remedy)
    await until(lambda: printer.status.level is Level.READY)
    assert simulator.state()["papers"] == []


async def test_only_changes_are_logged(
    printer: EscposPrinter, simulator: PrinterSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await simulator.act("power_off")
    await until(lambda: printer.status.reason is Reason.PRINTER_UNREACHABLE)
    caplog.clear()
    await asyncio.sleep(0.5)  # several looks
    assert caplog.records == []


async def test_hung_printer_never_stops_the_clock(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip
) -> None:
    await simulator.act("hang")
    printing = asyncio.create_task(printer.print(slip))
    turns = 0
    while not printing.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert reason(printing.result()) is Reason.PRINTER_UNREACHABLE
    assert turns > 20, "the event loop stood still"


async def test_slip_cancelled_before_its_turn_is_not_printed(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip
) -> None:
    simulator.rows_per_second = 3000
    first, second = asyncio.create_task(printer.print(slip)), asyncio.create_task(printer.print(slip))
    await until(lambda: simulator._paper.begun)
    second.cancel()
    assert await first is None
    await asyncio.sleep(0.3)
    assert len(simulator.state()["papers"]) == 1


async def test_begun_slip_is_finished_though_nobody_waits(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink
) -> None:
    simulator.rows_per_second = 3000
    printing = asyncio.create_task(printer.print(slip))
    await until(lambda: simulator._paper.begun)
    printing.cancel()
    await until(lambda: bool(papers()))
    assert same(ink(papers()[0]), ink(render(slip, 576)))


async def test_printer_that_executes_nothing_fails_the_job(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers DLE EOT «all is well» for ever; only the barrier shows that no paper came."""
    monkeypatch.setattr("hardware.printer.printer.STALL_SECONDS", 0.5)
    await until(lambda: printer.status.usable)
    simulator._working.cancel()  # type: ignore[union-attr]
    assert reason(await printer.print(slip)) is Reason.PRINTER_ERROR


async def test_picture_cut_off_by_a_lost_connection_spoils_no_later_slip(
    printer: EscposPrinter, simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink
) -> None:
    """Another program died in the middle of a picture: the printer waits for its rest."""
    _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(b"\x1dv0\x00\x48\x00\x18\x00" + b"\xaa" * 100)
    await writer.drain()
    writer.close()
    await simulator.act("power_off")
    await until(lambda: printer.status.reason is Reason.PRINTER_UNREACHABLE)
    await simulator.start()  # the network came back, the printer never lost power
    assert await printer.print(slip) is None
    assert same(ink(papers()[-1]), ink(render(slip, 576)))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://127.0.0.1:1", Reason.PRINTER_UNREACHABLE),
        ("serial:///dev/motcua-nothing", Reason.PRINTER_UNREACHABLE),
        ("file:///dev/motcua-nothing", Reason.PRINTER_UNREACHABLE),
        ("tcp://127.0.0.1:99999", Reason.NOT_CONFIGURED),
        ("lpt1", Reason.NOT_CONFIGURED),
        ("serial:///dev/null?baud=fast", Reason.NOT_CONFIGURED),
    ],
)
async def test_no_printer_at_the_address(slip: Slip, address: str, expected: Reason) -> None:
    async with EscposPrinter(PrinterSettings(address=address, timeout=0.5)) as printer:
        assert reason(await printer.print(slip)) is expected
        assert printer.status.level is Level.ABSENT


async def test_missing_font_is_told_and_named(
    printer: EscposPrinter, slip: Slip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(printer_type, "FONTS", tmp_path)
    printer_type._font.cache_clear()
    try:
        failure = await printer.print(slip)
        assert failure is not None
        assert "fonts-inter" in failure.detail
    finally:
        printer_type._font.cache_clear()


@asynccontextmanager
async def device_node(port: int) -> AsyncIterator[str]:
    """A character device whose other end is the printer at `port`."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asyncio.get_running_loop().add_reader(master, lambda: writer.write(os.read(master, 4096)))

    async def back() -> None:
        while data := await reader.read(100):
            os.write(master, data)

    answering = asyncio.create_task(back())
    yield os.ttyname(slave)
    answering.cancel()
    asyncio.get_running_loop().remove_reader(master)
    writer.close()
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("scheme", ["serial", "file"])
async def test_printer_on_a_device_node(
    simulator: PrinterSimulator, slip: Slip, papers: Papers, ink: Ink, scheme: str
) -> None:
    async with (
        device_node(simulator.port) as node,
        EscposPrinter(PrinterSettings(address=f"{scheme}://{node}", timeout=0.5)) as printer,
    ):
        assert await printer.print(slip) is None
        await simulator.act("out_after", lines=200)
        assert reason(await printer.print(slip)) is Reason.PAPER_OUT
        await simulator.act("refill")
        assert await printer.print(slip) is None
    assert [same(ink(paper), ink(render(slip, 576))) for paper in papers()] == [True, True]


async def test_narrow_printer_without_cutter_needs_no_cut(simulator: PrinterSimulator, slip: Slip) -> None:
    settings = PrinterSettings(address=f"tcp://127.0.0.1:{simulator.port}", dots=384, cut=False, timeout=0.5)
    async with EscposPrinter(settings) as printer:
        assert await printer.print(slip) is None
    assert simulator.state()["papers"] == []  # it hangs from the tear bar
    assert simulator._paper.begun


async def test_device_can_be_started_again(printer: EscposPrinter, slip: Slip) -> None:
    await printer.stop()
    await printer.start()
    assert await printer.print(slip) is None


async def test_bench_prints_a_test_slip_and_tells_as_json(
    simulator: PrinterSimulator, papers: Papers, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = PrinterSettings(address=f"tcp://127.0.0.1:{simulator.port}", timeout=0.5)

    def run(as_json: bool) -> Awaitable[int]:
        return asyncio.to_thread(print_command, settings, argparse.Namespace(json=as_json))

    assert await run(as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["printed"], told["status"], told["reason"]) == (True, "ready", "ok")
    assert zxingcpp.read_barcodes(papers()[0].convert("L"))
    await simulator.act("paper_out")
    assert await run(as_json=False) == 1
    assert "paper_out" in capsys.readouterr().out


async def test_simulator_refuses_what_it_cannot_do(simulator: PrinterSimulator) -> None:
    for action, parameters in (("explode", {}), ("refill", {"a": 1}), ("out_after", {}), ("out_after", {"lines": "x"})):
        with pytest.raises(UnknownAction):
            await simulator.act(action, **parameters)
