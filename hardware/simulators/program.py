"""`simulate`: the far ends of all wires in one process, and the dock that moves them."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from hardware.simulators.camera import CameraSimulator
from hardware.simulators.card import CardSimulator
from hardware.simulators.dock import Dock
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.person import load_people
from hardware.simulators.printer import PrinterSimulator
from hardware.simulators.scanner import ScannerSimulator
from hardware.simulators.serial_reader import SerialReaderSimulator
from hardware.simulators.simulator import Simulator
from hardware.simulators.vendor_reader import VendorReaderSimulator
from hardware.simulators.wire import Wire
from kiosk.config import ConfigError, Settings

LOOPBACK = ("127.0.0.1", "localhost")


def card_simulator(settings: Settings) -> CardSimulator | VendorReaderSimulator:
    """The far end of the configured card reader; raises ConfigError if that is a real one."""
    card, cards = settings.card, settings.simulators.cards
    if card.kind == "serial":
        return SerialReaderSimulator(cards, Path(card.address))
    if card.kind == "network":
        from hardware.simulators.network_reader import NetworkReaderSimulator  # most kiosks never need Socket.IO

        address = urlsplit(card.address)
        if address.hostname not in LOOPBACK:
            raise ConfigError(f"card.address is {card.address!r}; allowed for the simulator: https://127.0.0.1:port")
        assert card.certificate is not None
        return NetworkReaderSimulator(cards, card.certificate, address.port or 443)
    return CardSimulator(cards)


def simulators(settings: Settings) -> list[Simulator]:
    """One simulator for every wire of the configuration; nothing is started yet."""
    ours = settings.simulators
    card = card_simulator(settings)
    ours.csca.mkdir(parents=True, exist_ok=True)
    for old in ours.csca.iterdir():  # the issuer of the last start has lost its key
        old.unlink()
    card.write_csca(ours.csca)
    ours.papers.mkdir(parents=True, exist_ok=True)
    queue, receiver = settings.queue_server, settings.receiver
    return [
        card,
        CameraSimulator(ours.camera_port, people=load_people(ours.cards)),
        PrinterSimulator(ours.papers, ours.printer_port, settings.printer.dots),
        ScannerSimulator(ours.scanner_link),
        Wire("wire-queue", queue.host, queue.port, ours.queue_wire_port),
        Wire("wire-receiver", receiver.host, receiver.port, ours.receiver_wire_port),
    ]


def links(settings: Settings) -> dict[str, str]:
    """The pages of the demonstration, for the dock's header."""
    queue, tthc = settings.queue_server, urlsplit(settings.receiver.tthc_url)
    return {
        "Staff console": f"http://{queue.host}:{queue.port}/console",
        "Hall display": f"http://{queue.host}:{queue.port}/display",
        "Model TTHC system": f"{tthc.scheme}://{tthc.netloc}/",
    }


async def simulate(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; raises OSError for a taken port or a missing pcscd."""
    ended = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, ended.set)
    async with AsyncExitStack() as stack:
        if settings.card.kind == "pcsc":
            await stack.enter_async_context(Pcscd())
        parts = simulators(settings)
        for part in parts:
            await part.start()
            stack.push_async_callback(part.stop)
        dock = Dock(parts, settings.simulators.dock_port, links(settings), settings.simulators.papers)
        await dock.start()
        stack.push_async_callback(dock.stop)
        await ended.wait()
