"""The kiosk put together: the only place, with the command line, that knows devices, screens, queue and delivery."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from sync.office import OutboxOffice

if TYPE_CHECKING:
    from screens.presenter import KivyPresenter

from hardware.camera import DocumentCamera
from hardware.card.readers import card_reader
from hardware.diagnostics.readiness import as_text, exit_code, readiness
from hardware.face import CameraFaceComparer
from hardware.printer import EscposPrinter
from hardware.scanner import SerialScanner
from hardware.speech import EspeakSpeaker
from kiosk import catalogue
from kiosk.clock import SystemClock
from kiosk.config import CameraSettings, Settings
from kiosk.ports import Equipment
from kiosk.reception import Reception
from kiosk_queue.client import QueueClient


@asynccontextmanager
async def equipment(settings: Settings) -> AsyncIterator[Equipment]:
    """Everything a visit works with, started; raises ConfigError if the configuration cannot be right."""
    offered = _offered(settings)()
    card = card_reader(settings.card)
    camera = DocumentCamera(settings.camera, settings.kiosk.id, settings.kiosk.state)
    card_camera = _camera(settings, settings.card_camera, "card_camera")
    face_camera = _camera(settings, settings.face_camera, "face_camera")
    face = CameraFaceComparer(settings.face, face_camera) if settings.face.enabled and face_camera else None
    scanner = SerialScanner(settings.scanner)
    printer = EscposPrinter(settings.printer)
    speaker = EspeakSpeaker(settings.speech)
    queue = QueueClient(settings.queue, settings.kiosk)
    office = OutboxOffice(settings.office, settings.kiosk, settings.outbox)
    async with AsyncExitStack() as stack:
        optional = [device for device in (card_camera, face_camera, face) if device is not None]
        for device in (card, camera, scanner, printer, speaker, queue, office, *optional):
            await stack.enter_async_context(device)
        yield Equipment(
            clock=SystemClock(),
            catalogue=offered,
            status_url=settings.office.status_url,
            card=card,
            camera=camera,
            scanner=scanner,
            printer=printer,
            speaker=speaker,
            queue=queue,
            office=office,
            card_camera=card_camera,
            face_camera=face_camera,
            face=face,
        )


def _offered(settings: Settings) -> catalogue.Offered:
    return catalogue.Offered(settings.kiosk.catalogue, settings.kiosk.state / "catalogue.json")


def _camera(settings: Settings, ours: CameraSettings, role: str) -> DocumentCamera | None:
    """A camera beside the document camera, if there is one."""
    return DocumentCamera(ours, settings.kiosk.id, settings.kiosk.state, role) if ours.source else None


Beside = Callable[[Reception, "KivyPresenter"], Coroutine[Any, Any, None]]


async def run(settings: Settings, beside: Beside | None = None) -> None:
    """The touchscreen application until it is ended, or until `beside` (a tour, a watch over programs) is done."""
    from screens.window import run_screens

    async def serve(presenter: "KivyPresenter") -> None:
        async with equipment(settings) as everything:
            reception = Reception(everything, presenter, settings.kiosk, _offered(settings))
            presenter.on_touch = reception.touched
            presenter.on_speak = reception.speak if settings.speech.enabled else None
            running = [reception.attend()] + ([beside(reception, presenter)] if beside else [])
            await _until_first(*running)

    await run_screens(settings.screen, serve)


async def _until_first(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs together until one is done; its exception, if any, is raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def diagnose(settings: Settings, *, as_json: bool) -> int:
    """Print the state of every device; 0 if all can serve."""
    async with equipment(settings) as everything:
        report = await readiness(everything.devices, kiosk=settings.kiosk.id)
    print(json.dumps(report, ensure_ascii=False, indent=2) if as_json else as_text(report))
    return exit_code(report)
