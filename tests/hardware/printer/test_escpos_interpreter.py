import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hardware.simulators.escpos.buffer import CLEAR, Reception
from hardware.simulators.printer import PrinterSimulator

Papers = Callable[[], list[Image.Image]]
INIT, CUT, BARRIER = b"\x1b@", b"\x1dVB\x00", b"\x1dr\x01"


def picture(rows: int, pattern: bytes = b"\xff", row_bytes: int = 72) -> bytes:
    head = b"\x1dv0\x00" + row_bytes.to_bytes(2, "little") + rows.to_bytes(2, "little")
    return head + pattern * (row_bytes * rows)


async def talk(port: int, *sent: bytes, answer: bytes | None = None) -> bytes:
    """Send, and read until `answer` (or just one byte) has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in sent:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(30):
            return await (reader.readexactly(1) if answer is None else reader.readuntil(answer))
    finally:
        writer.transport.abort()


def black_rows(paper: Image.Image) -> int:
    grey = paper.convert("L")
    return sum(1 for y in range(grey.height) if grey.getpixel((320, y)) == 0)


async def test_picture_feed_and_cut(simulator: PrinterSimulator, papers: Papers) -> None:
    await talk(simulator.port, INIT, picture(10), b"\x1bJ\x05", picture(7), CUT, BARRIER)
    (paper,) = papers()
    assert (paper.width, black_rows(paper)) == (640, 17)
    assert paper.height == 96 + 10 + 5 + 7  # 12 mm between head and cutter begin every paper


async def test_cut_without_feed_cuts_through_the_picture(simulator: PrinterSimulator, papers: Papers) -> None:
    """GS V 0 cuts where the paper is: the last 12 mm are still inside."""
    await talk(simulator.port, INIT, picture(200), b"\x1dV\x00", CUT, BARRIER)
    assert [black_rows(paper) for paper in papers()] == [200 - 96, 96]


async def test_wider_picture_is_cut_off_at_the_edge(simulator: PrinterSimulator, papers: Papers) -> None:
    await talk(simulator.port, INIT, picture(5, row_bytes=300), CUT, BARRIER)
    assert [black_rows(paper) for paper in papers()] == [5]


async def test_real_time_status_comes_before_waiting_data(simulator: PrinterSimulator) -> None:
    await simulator.act("paper_out")
    assert await talk(simulator.port, picture(4), BARRIER, b"\x10\x04\x04") == b"\x7e"
    assert await talk(simulator.port, b"\x10\x04\x01") == b"\x1a"


async def test_what_was_not_cleared_is_printed_after_the_refill(simulator: PrinterSimulator, papers: Papers) -> None:
    """As real printers do: the trap that the driver has to avoid."""
    await simulator.act("paper_out")
    await talk(simulator.port, picture(4), CUT, b"\x10\x04\x01")
    await simulator.act("refill")
    async with asyncio.timeout(30):
        while not papers():
            await asyncio.sleep(0.01)
    assert [black_rows(paper) for paper in papers()] == [4]


async def test_clearing_drops_it(simulator: PrinterSimulator, papers: Papers) -> None:
    await simulator.act("paper_out")
    assert await talk(simulator.port, picture(4), CUT, CLEAR, answer=b"\x00") == b"\x37\x25\x00"
    await simulator.act("refill")
    await talk(simulator.port, BARRIER)
    assert papers() == []


async def test_full_buffer_makes_the_printer_busy(simulator: PrinterSimulator) -> None:
    await simulator.act("open_cover")
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(picture(200) + b"\x10\x04\x02")
    try:
        async with asyncio.timeout(0.3):
            raise AssertionError(await reader.read(1))
    except TimeoutError:
        pass
    await simulator.act("close_cover")
    assert await asyncio.wait_for(reader.read(1), 5) == b"\x12"
    writer.transport.abort()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_real_time_commands_are_found_however_the_stream_is_cut(parts: list[bytes]) -> None:
    command = b"\x10\x04\x02"
    whole = b"".join(parts) + b"\x00" + command + b"\x00"
    one, many = Reception(), Reception()
    at_once = [*one.feed(whole)]
    bytewise = [pair for byte in whole for pair in many.feed(bytes([byte]))]
    for heard in (at_once, bytewise):
        assert command in [sign for _, sign in heard]
        assert b"".join(data + sign for data, sign in heard) == whole


GARBAGE = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [b"\x1b", b"\x1d", b"\x1b*", b"\x1dv0", b"\x1d(k", b"\x1d8L", b"\x10\x04\x01", b"\x1dV", b"\x1bD"]
        ),
        st.integers(0, 0xFFFF).map(lambda n: b"\x1dv0\x00\x48\x00" + n.to_bytes(2, "little")),
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(GARBAGE)
def test_any_bytes_are_survived_and_the_next_slip_is_whole(garbage: bytes) -> None:
    async def scene(folder: Path) -> None:
        simulator = PrinterSimulator(folder)
        simulator.rows_per_second = 0
        await simulator.start()
        try:
            await talk(simulator.port, garbage, CLEAR, answer=b"\x37\x25\x00")
            await talk(simulator.port, INIT, CUT, picture(9), CUT, BARRIER)
            last = simulator.state()["papers"][-1]
            assert black_rows(Image.open(folder / last)) == 9
        finally:
            await simulator.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scene(Path(folder)))
