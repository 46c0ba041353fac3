"""A cable between kiosk and server: passes, breaks, stalls, and loses a reply after the server has acted."""

import asyncio

import pytest

from hardware.simulators.simulator import UnknownAction
from hardware.simulators.wire import Wire


class Counter:
    """A server that counts requests (lines) and answers each with its number."""

    def __init__(self):
        self.requests = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        while line := await reader.readline():
            self.requests.append(line)
            writer.write(b"%d\n" % len(self.requests))
        writer.close()


@pytest.fixture
async def ends():
    async with Counter() as counter:
        wire = Wire("wire", "127.0.0.1", counter.port)
        await wire.start()
        yield counter, wire
        await wire.stop()


async def ask(wire, line=b"hello\n"):
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.transport.abort()


async def test_everything_passes_both_ways(ends):
    counter, wire = ends
    assert await ask(wire) == b"1\n"
    assert counter.requests == [b"hello\n"]
    assert wire.state()["bytes"] == len(b"hello\n") + len(b"1\n")


async def test_a_pulled_cable_ends_connections_and_refuses_new_ones(ends):
    counter, wire = ends
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"hello\n")
    assert await reader.readline() == b"1\n"
    await wire.act("cut")
    with pytest.raises(ConnectionError):
        writer.write(b"more\n")
        await writer.drain()
        if await reader.read(1) == b"":
            raise ConnectionError
    with pytest.raises(OSError):
        await ask(wire)
    port = wire.port
    await wire.act("mend")
    assert wire.port == port
    assert await ask(wire) == b"2\n"
    assert len(counter.requests) == 2


async def test_a_stalled_cable_accepts_and_passes_nothing_until_mended(ends):
    counter, wire = ends
    await wire.act("stall")
    asking = asyncio.create_task(ask(wire))
    await asyncio.sleep(0.3)
    assert not asking.done()
    assert counter.requests == []
    await wire.act("mend")
    assert await asking == b"1\n"


async def test_a_lost_reply_means_the_server_has_acted_and_the_client_knows_nothing(ends):
    counter, wire = ends
    await wire.act("lose_reply")
    with pytest.raises(OSError):
        if await ask(wire) == b"":
            raise ConnectionResetError
    assert counter.requests == [b"hello\n"]
    assert await ask(wire) == b"2\n", "only one reply is lost"


async def test_a_reply_is_lost_on_an_open_connection_too(ends):
    counter, wire = ends
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"one\n")
    assert await reader.readline() == b"1\n"
    await wire.act("lose_reply")
    writer.write(b"two\n")
    async with asyncio.timeout(5):
        try:
            assert await reader.read(10) == b""
        except ConnectionError:
            pass
    assert counter.requests == [b"one\n", b"two\n"]
    writer.transport.abort()


async def test_unknown_actions_are_refused(ends):
    _, wire = ends
    with pytest.raises(UnknownAction):
        await wire.act("bite")
