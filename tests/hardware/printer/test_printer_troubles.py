"""What goes wrong around the printer: configuration, strange devices, time; and the kiosk's own slips on real paper."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from hardware.printer import EscposPrinter
from hardware.printer.bench import LETTERS
from hardware.printer.render import Style, render
from hardware.simulators.printer import PrinterSimulator
from kiosk.config import PrinterSettings
from kiosk.dossier import Dossier, Papers
from kiosk.health import Level, Reason
from kiosk.slips import Banner, Line, Size, Slip, interim_slip, ticket_slip
from kiosk.text import Text
from kiosk.ticket import Ticket
from plain_equipment import HOLDER, PAGE, plain_equipment
from waiting import until

Opened = Callable[[], list[Image.Image]]
Ink = Callable[[Image.Image], Image.Image]

NOW = datetime(2026, 11, 23, 1, 5, tzinfo=UTC)
CATALOGUE = plain_equipment().catalogue
GROUP = next(group for group in CATALOGUE.groups if group.services and group.procedures)


def ticket(ahead: int = 4) -> Slip:
    service, priority = GROUP.services[0].name, Text("Người cao tuổi từ đủ 75 tuổi", "Elderly, 75 or over")
    return ticket_slip(
        Ticket("t1", "HT-1047", service, CATALOGUE.centre, NOW, ahead, "https://motcua.example.vn/t/7Jq2mV0a", priority)
    )


def receipt() -> Slip:
    procedure = GROUP.procedures[0]
    papers = tuple(Papers(component, b"pdf", (PAGE,)) for component in procedure.components)
    dossier = Dossier("uid", "TAM-7K3F-92QD", procedure, HOLDER, {}, papers, NOW, "")
    return interim_slip(dossier, CATALOGUE.centre, "https://dichvucong.example.vn/tra-cuu?ma=TAM-7K3F-92QD")


SLIPS = {"ticket": ticket, "receipt": receipt}


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def white_rows(picture: Image.Image) -> str:
    grey = picture.convert("L")
    rows = (grey.crop((0, y, grey.width, y + 1)).getextrema() for y in range(grey.height))
    return "".join("." if low else "#" for low, _ in rows)


# --- the kiosk's slips ---


@pytest.mark.parametrize(("kind", "dots"), [("ticket", 384), ("receipt", 512), ("receipt", 576)])
async def test_slips_of_the_kiosk_come_out_dot_for_dot(tmp_path: Path, ink: Ink, kind: str, dots: int) -> None:
    slip = SLIPS[kind]()
    simulator = PrinterSimulator(tmp_path, dots=dots)
    simulator.rows_per_second = 0
    await simulator.start()
    try:
        async with EscposPrinter(PrinterSettings(address=f"tcp://127.0.0.1:{simulator.port}", dots=dots)) as printer:
            assert await printer.print(slip) is None
    finally:
        await simulator.stop()
    (name,) = simulator.state()["papers"]
    paper = Image.open(tmp_path / name).convert("1")
    assert same(ink(paper), ink(render(slip, dots)))
    (code,) = zxingcpp.read_barcodes(paper.convert("L"))
    assert code.text.startswith("https://")


@pytest.mark.parametrize("dots", [576, 512, 384])
@pytest.mark.parametrize("kind", SLIPS)
def test_nothing_but_the_banner_reaches_the_edges(kind: str, dots: int) -> None:
    """What stood in the outermost columns might continue beyond them."""
    elements = tuple(element for element in SLIPS[kind]().elements if not isinstance(element, Banner))
    picture = render(Slip(kind, elements), dots).convert("L")
    margin = Style(dots).margin - 2  # a curve may lean out of its column by a dot
    for edge in ((0, 0, margin, picture.height), (dots - margin, 0, dots, picture.height)):
        assert picture.crop(edge).getextrema() == (255, 255)


@pytest.mark.parametrize("dots", [576, 512, 384])
@pytest.mark.parametrize("size", [Size.SMALL, Size.NORMAL, Size.LARGE])
def test_marks_of_one_line_never_touch_the_next(size: Size, dots: int) -> None:
    """The dot below «Ộ» and the marks on «Ẵ», the lowest and the highest, between two lines."""
    rows = white_rows(render(Slip("test", (Line("Ộ Ẵ\nỘ Ẵ\nỘ Ẵ", size),)), dots)).strip(".")
    alone = white_rows(render(Slip("test", (Line("Ộ Ẵ", size),)), dots)).strip(".")
    assert rows.count("#") == 3 * alone.count("#")
    assert len([run for run in rows.split(".") if run]) == 3 * len([run for run in alone.split(".") if run])


def test_letters_that_differ_by_a_mark_differ_on_paper() -> None:
    for size in (Size.SMALL, Size.NORMAL):
        pictures = {c: render(Slip("test", (Line(c, size),)), 384).tobytes() for c in {*LETTERS} - {" "}}
        assert len(set(pictures.values())) == len(pictures)


# --- time ---


async def test_roll_running_low_is_told_without_a_job_and_a_new_one_too(
    printer: EscposPrinter, simulator: PrinterSimulator
) -> None:
    changes: list[tuple[Level, Reason]] = []
    await until(lambda: printer.status.level is Level.READY)
    printer.on_change = lambda status: changes.append((status.level, status.reason))
    await simulator.act("paper_low")
    await until(lambda: len(changes) == 1)
    await simulator.act("refill")
    await until(lambda: len(changes) == 2)
    assert changes == [(Level.DEGRADED, Reason.PAPER_LOW), (Level.READY, Reason.OK)]


@contextlib.asynccontextmanager
async def babbler() -> AsyncIterator[str]:
    """A printer that says all is well, executes nothing, and sends XON without end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def babble() -> None:
            while True:
                writer.write(b"\x11")
                await writer.drain()
                await asyncio.sleep(0.01)

        babbling = asyncio.create_task(babble())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(b"\x12" * data.count(b"\x10\x04"))
        babbling.cancel()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_endless_babble_holds_nobody_up() -> None:
    async with babbler() as address, EscposPrinter(PrinterSettings(address=address, timeout=0.5)) as printer:
        failure = await asyncio.wait_for(printer.print(ticket()), 5)
        assert failure is not None
        assert failure.reason is Reason.PRINTER_ERROR


async def test_device_that_reads_empty_does_not_keep_the_processor_busy() -> None:
    """A USB printer may answer every read with nothing; /dev/null does."""
    async with EscposPrinter(PrinterSettings(address="file:///dev/null", timeout=0.2)) as printer:
        await printer.print(ticket())  # loads what is loaded once
        printer._settings = PrinterSettings(address="file:///dev/null", timeout=1.0)
        busy = time.process_time()
        failure = await printer.print(ticket())
        assert failure is not None
        assert failure.reason is Reason.PRINTER_UNREACHABLE
        assert time.process_time() - busy < 0.3


# --- configuration ---


@pytest.mark.parametrize(
    "address",
    [
        "tcp://may..in:9100",
        f"tcp://{'x' * 70}:9100",
        "serial:///dev/ttyS0?baud=-1",
        "serial:///dev/ttyS0?baud=0",
        "serial:///dev/ttyS0?baud=99999999999",
        "file://",
        "tcp://[::1",
    ],
)
async def test_impossible_address_is_told_and_stops_nothing(address: str) -> None:
    async with EscposPrinter(PrinterSettings(address=address, timeout=0.5)) as printer:
        printer.watch_seconds = 0.05
        failure = await asyncio.wait_for(printer.print(ticket()), 5)
        assert failure is not None
        assert failure.reason is Reason.NOT_CONFIGURED
        assert "tcp://host:port" in failure.detail
        await asyncio.sleep(0.15)
        assert not printer._watching.done()


async def test_file_named_by_mistake_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "important"
    file.write_bytes(b"a" * 600)
    async with EscposPrinter(PrinterSettings(address=f"file://{file}", timeout=0.5)) as printer:
        failure = await printer.print(ticket())
        assert failure is not None
        assert failure.reason is Reason.PRINTER_UNREACHABLE
        assert "no character device" in failure.detail
    assert file.read_bytes() == b"a" * 600


async def test_printer_switched_off_and_on_between_two_looks_prints_at_once(
    printer: EscposPrinter, simulator: PrinterSimulator, papers: Opened, ink: Ink
) -> None:
    """The line of the last look is dead, and nobody has noticed yet."""
    await until(lambda: printer.status.level is Level.READY)
    printer.watch_seconds = 60
    await asyncio.sleep(0.2)
    await simulator.act("power_on")
    assert await printer.print(ticket()) is None
    (paper,) = papers()
    assert same(ink(paper), ink(render(ticket(), 576)))


# --- the simulated paper path ---


async def test_cleared_jam_is_seen_as_cleared_while_the_error_waits_for_the_host(simulator: PrinterSimulator) -> None:
    """As in the hardware: pulling the paper out does not end a cutter error, the host's DLE ENQ 2 does."""
    await simulator.act("jam")
    assert (simulator.state()["jam"], simulator.state()["online"]) == (True, False)
    await simulator.act("clear_jam")
    state = simulator.state()
    assert (state["jam"], state["error"], state["online"]) == (False, True, False)
    async with EscposPrinter(PrinterSettings(address=f"tcp://127.0.0.1:{simulator.port}", timeout=0.5)) as printer:
        assert await printer.print(ticket()) is None
    assert (simulator.state()["error"], simulator.state()["online"]) == (False, True)


async def test_paper_stuck_in_the_path_cannot_be_argued_away(
    printer: EscposPrinter, simulator: PrinterSimulator, papers: Opened
) -> None:
    await simulator.act("jam")
    for _ in range(2):
        failure = await printer.print(ticket())
        assert failure is not None
        assert failure.reason is Reason.PAPER_JAM
    await simulator.act("power_on")  # off and on again frees no paper
    failure = await printer.print(ticket())
    assert failure is not None
    assert failure.reason is Reason.PAPER_JAM
    assert papers() == []
