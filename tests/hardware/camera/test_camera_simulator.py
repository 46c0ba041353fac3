"""The simulated camera's own wire and what the dock may ask of it."""

import asyncio

import pytest

from hardware.simulators.simulator import UnknownAction


async def ask(port, request, size=200):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(size), 5)
    writer.close()
    return answer


async def test_the_wire_refuses_what_it_does_not_know(desk):
    assert (await ask(desk.port, b"GET /other HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
    assert await ask(desk.port, b"POST /still.jpg HTTP/1.1\r\n\r\n") == b""
    assert await ask(desk.port, b"rubbish\r\n\r\n") == b""
    assert await ask(desk.port, b"x" * 100_000) == b""


async def test_still_and_stream_are_jpeg_and_frames_differ(desk):
    still = await ask(desk.port, b"GET /still.jpg HTTP/1.1\r\n\r\n")
    assert b"image/jpeg" in still
    stream = await ask(desk.port, b"GET /stream.mjpg HTTP/1.1\r\n\r\n", 60)
    assert stream.startswith(b"HTTP/1.1 200 OK")
    assert len(set(desk._scene.stream)) == len(desk._scene.stream) > 1


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("fly", {}),
        ("_lay", {"paper": "birth-form-1"}),
        ("lay", {}),
        ("lay", {"paper": "no-such-paper"}),
        ("lay", {"paper": "birth-form-1", "more": 1}),
        ("clear", {"paper": "birth-form-1"}),
        ("blur", {}),
    ],
)
async def test_what_the_dock_may_not_ask(desk, action, parameters):
    with pytest.raises(UnknownAction):
        await desk.act(action, **parameters)
    assert desk.state()["paper"] is None


async def test_the_port_stays_the_same_over_unplug_and_plug(desk):
    port = desk.port
    await desk.act("unplug")
    assert desk.state()["plugged"] is False
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    await desk.act("unplug")
    await desk.act("plug")
    await desk.act("plug")
    assert desk.port == port
    assert desk.state()["plugged"] is True


async def test_state_names_every_paper_and_what_lies_there(desk):
    papers = {paper["name"]: paper["title"] for paper in desk.state()["papers"]}
    assert papers["birth-form-1"] == "Tờ khai đăng ký khai sinh, trang 1"
    await desk.act("lay_wrong", paper="petition-1")
    state = desk.state()
    assert (state["paper"], state["cut_off"]) == ("petition-1", True)
    assert max(x for x, _ in state["outline"]) > 1
