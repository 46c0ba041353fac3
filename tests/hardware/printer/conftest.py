from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from hardware.printer import EscposPrinter
from hardware.simulators.printer import PrinterSimulator
from kiosk.config import PrinterSettings
from kiosk.slips import Banner, Line, Pair, Qr, Rule, Size, Slip

URL = "https://motcua.example.vn/t/7Jq2mV0aXb9sKd3f"


@pytest.fixture
def slip() -> Slip:
    return Slip(
        "test",
        (
            Line("Trung tâm Phục vụ hành chính công phường Mẫu", bold=True),
            Line("Public Service Centre", Size.SMALL),
            Rule(),
            Line("A-047", Size.HUGE, bold=True),
            Banner("CHƯA ĐƯỢC TIẾP NHẬN"),
            Pair("Chủ hồ sơ / Owner", "NGUYỄN THỊ MẪU"),
            Pair("1. Tờ khai đăng ký khai sinh theo mẫu", "2 trang"),
            Qr(URL),
            Line("Quét mã để theo dõi lượt của bạn", Size.SMALL),
        ),
    )


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[PrinterSimulator]:
    simulator = PrinterSimulator(tmp_path / "papers")
    simulator.rows_per_second = 0
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def papers(tmp_path: Path, simulator: PrinterSimulator) -> Callable[[], list[Image.Image]]:
    def opened() -> list[Image.Image]:
        return [Image.open(tmp_path / "papers" / name).convert("1") for name in simulator.state()["papers"]]

    return opened


@pytest.fixture
async def printer(simulator: PrinterSimulator) -> AsyncIterator[EscposPrinter]:
    printer = EscposPrinter(PrinterSettings(address=f"tcp://127.0.0.1:{simulator.port}", timeout=0.5))
    printer.watch_seconds = 0.1
    async with printer:
        yield printer


@pytest.fixture
def ink() -> Callable[[Image.Image], Image.Image]:
    """A picture without its white margins."""

    def cropped(picture: Image.Image) -> Image.Image:
        box = ImageChops.invert(picture.convert("L")).getbbox()
        assert box is not None, "nothing is printed on it"
        return picture.crop(box)

    return cropped
