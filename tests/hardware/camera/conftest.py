"""A simulated desk, and the real driver reading it over its real wire."""

from collections.abc import AsyncIterator, Callable

import pytest

from hardware.camera import DocumentCamera
from hardware.simulators.camera import CameraSimulator
from kiosk.config import CameraSettings
from kiosk.health import Reason
from waiting import until


@pytest.fixture
async def desk() -> AsyncIterator[CameraSimulator]:
    simulator = CameraSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def camera(desk: CameraSimulator) -> AsyncIterator[DocumentCamera]:
    async with DocumentCamera(CameraSettings(source=desk.stream_url, still=desk.still_url)) as device:
        await until(lambda: device.status.reason is Reason.OK)
        yield device


@pytest.fixture
def lay(desk: CameraSimulator, camera: DocumentCamera) -> Callable[..., object]:
    """Do something on the desk and wait until the camera shows it."""

    def empty() -> bool:
        return (frame := camera.preview()) is not None and frame.advice is Reason.PAGE_NOT_FOUND

    async def act(action: str, **parameters: object) -> None:
        if action.startswith("lay"):
            await desk.act("clear")
            await until(empty)
        await desk.act(action, **parameters)
        before = camera.preview()
        await until(lambda: (frame := camera.preview()) and before and frame.number >= before.number + 12)
        await until(lambda: empty() == (desk.state()["paper"] is None))
        seen = desk.state()["outline"] is not None and not desk.state()["cut_off"]
        await until(lambda: (frame := camera.preview()) and (frame.outline is not None) == seen)

    return act
