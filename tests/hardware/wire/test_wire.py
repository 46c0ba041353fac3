import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hardware.simulators.simulator import UnknownAction
from hardware.simulators.wire import Wire


class Server:
    """Answers every line; remembers what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.think = 0.0

    async def start(self, context: ssl.SSLContext | None = None) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.got.append(line.strip())
                await asyncio.sleep(self.think)
                writer.write(b"answer to " + line)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        self._server.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    wire = Wire("wire-queue", "127.0.0.1", await server.start())
    await wire.start()
    yield wire
    await wire.stop()


class Client:
    def __init__(self, wire: Wire, context: ssl.SSLContext | None = None) -> None:
        self.wire, self.context = wire, context

    async def __aenter__(self) -> Self:
        name = "localhost" if self.context else None
        opening = asyncio.open_connection("127.0.0.1", self.wire.port, ssl=self.context, server_hostname=name)
        self.reader, self.writer = await asyncio.wait_for(opening, 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def ask(self, text: str, seconds: float = 5) -> str:
        """The answer; "" when the connection ended instead."""
        try:
            self.writer.write(text.encode() + b"\n")
            line = await asyncio.wait_for(self.reader.readline(), seconds)
        except ConnectionError:
            return ""
        return line.decode().strip()


async def test_everything_passes(wire: Wire) -> None:
    async with Client(wire) as client:
        assert await client.ask("one") == "answer to one"
        assert await client.ask("x" * 60_000) == "answer to " + "x" * 60_000
        assert wire.state()["connected"] is True
        assert wire.state()["bytes"] > 120_000


async def test_cut_ends_connections_and_refuses_new_ones_until_mended(wire: Wire) -> None:
    async with Client(wire) as client:
        await client.ask("one")
        await wire.act("cut")
        assert await client.ask("two") == ""
    assert wire.state()["connected"] is False
    with pytest.raises(ConnectionRefusedError):
        await Client(wire).__aenter__()
    await wire.act("mend")
    async with Client(wire) as client:
        assert await client.ask("three") == "answer to three"


async def test_stalled_wire_accepts_and_says_nothing(wire: Wire, server: Server) -> None:
    async with Client(wire) as old:
        await old.ask("one")
        await wire.act("stall")
        async with Client(wire) as new:
            for client in (old, new):
                with pytest.raises(TimeoutError):
                    await client.ask("two", 0.2)
            assert server.got == [b"one"]
            await wire.act("mend")
            assert await old.reader.readline() == await new.reader.readline() == b"answer to two\n"


@pytest.mark.parametrize("think", [0.0, 0.8])
async def test_lost_reply_means_the_server_has_the_request(wire: Wire, server: Server, think: float) -> None:
    server.think = think
    await wire.act("lose_reply")
    async with Client(wire) as client:
        assert await client.ask("issue a ticket") == ""
    assert server.got == [b"issue a ticket"]
    async with Client(wire) as client:
        assert await client.ask("again") == "answer to again", "only one reply gets lost"


async def test_reply_on_a_connection_kept_open_gets_lost_too(wire: Wire, server: Server) -> None:
    async with Client(wire) as client:
        assert await client.ask("one") == "answer to one"
        await wire.act("lose_reply")
        assert await client.ask("two") == ""
    assert server.got == [b"one", b"two"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kept", [True, False])
async def test_reply_under_tls_gets_lost_after_the_handshake(
    tmp_path: Path, version: ssl.TLSVersion, kept: bool
) -> None:
    """With client certificates, as between kiosk and receiver."""
    server_side, client_side = contexts(tmp_path, version)
    server = Server()
    wire = Wire("wire-receiver", "127.0.0.1", await server.start(server_side))
    await wire.start()
    try:
        if not kept:
            await wire.act("lose_reply")
        async with Client(wire, client_side) as client:
            if kept:
                assert await client.ask("one") == "answer to one"
                await wire.act("lose_reply")
            assert await client.ask("a dossier") == ""
        assert server.got[-1] == b"a dossier"
    finally:
        await wire.stop()
        server.stop()


async def test_server_that_is_down_ends_the_connection(server: Server, wire: Wire) -> None:
    server.stop()
    async with Client(wire) as client:
        assert await client.ask("one") == ""


async def test_unknown_action_is_refused(wire: Wire) -> None:
    for action, parameters in (("bend", {}), ("cut", {"x": 1})):
        with pytest.raises(UnknownAction):
            await wire.act(action, **parameters)


def contexts(folder: Path, version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pem)
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context(cafile=pem)
    for side in (server_side, client_side):
        side.load_cert_chain(pem)
        side.minimum_version = side.maximum_version = version
    return server_side, client_side
