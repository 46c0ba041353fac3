from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hardware.simulators.camera import CameraSimulator
from hardware.simulators.card import CardSimulator
from hardware.simulators.dock import Dock
from hardware.simulators.printer import PrinterSimulator
from hardware.simulators.scanner import ScannerSimulator
from hardware.simulators.wire import Wire

CARDS = Path(__file__).parents[3] / "assets" / "cards"
NOBODY = 1  # a port where nothing listens: the dock is under test here, not pcscd and the queue server


@pytest.fixture
async def desk(tmp_path):
    """Every simulator but the camera, whose pictures take a second to draw, by name."""
    simulators = (
        CardSimulator(CARDS, port=NOBODY),
        PrinterSimulator(tmp_path / "papers"),
        ScannerSimulator(tmp_path / "scanner"),
        Wire("wire-queue", "127.0.0.1", NOBODY),
    )
    async with AsyncExitStack() as stack:
        for simulator in simulators:
            await simulator.start()
            stack.push_async_callback(simulator.stop)
        yield {simulator.name: simulator for simulator in simulators}


@pytest.fixture
async def whole_desk(desk):
    """Every simulator there is."""
    camera = CameraSimulator()
    await camera.start()
    yield {**desk, "camera": camera}
    await camera.stop()


@pytest.fixture
async def dock(desk, tmp_path):
    dock = Dock([*desk.values()], links={"Staff console": "http://127.0.0.1:9/console"}, papers=tmp_path / "papers")
    await dock.start()
    yield dock
    await dock.stop()


@pytest.fixture
async def whole_dock(whole_desk, tmp_path):
    dock = Dock([*whole_desk.values()], links={"Hall": "http://127.0.0.1:9/"}, papers=tmp_path / "papers")
    await dock.start()
    yield dock
    await dock.stop()
