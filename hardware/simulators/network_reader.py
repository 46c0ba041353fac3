"""A network reader of the HN212 / 3T-E4 class: HTTPS and Socket.IO, each simulator with a new certificate of its own.

Speaks the language of `hardware.card.vendor.messages`, written from the domain reference on its own.
"""

import asyncio
import contextlib
import ipaddress
import secrets
import socket
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import socketio
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hardware.card.lds import SOD
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.personalisation.portrait import portrait
from hardware.simulators.vendor_reader import VendorReaderSimulator

LOOPBACK = "127.0.0.1"
BEAT = 5
"""Seconds between signs of life of the connection, and until a missing one ends it."""
GROUPS = {"sod": SOD.sfi, "dg1": 1, "dg2": 2, "dg13": 13, "dg14": 14, "dg15": 15}
REMOVED, KEY_REFUSED, MUTE = 1, 2, 5


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to the program it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class NetworkReaderSimulator(VendorReaderSimulator):
    """Listens on `port` of the loopback (0: any; then `.port` tells); its certificate goes to `certificate`."""

    faults: Mapping[str, str] = {
        "card_error": "every read ends with cardError",
        "noise": "messages that are none",
        "broken_files": "the files are not base64",
        "silent": "a read stops in the middle",
        "lift": "the card is taken away in the middle of a read",
        "wrong_aa": "the chip's answer is to another challenge",
        "no_aa": "the chip's answer does not come",
        "no_raw_data": "the files are kept back",
        "no_dg15": "the key of Active Authentication is kept back",
    }

    def __init__(
        self,
        cards: Path | Mapping[str, Personalisation],
        certificate: Path,
        port: int = 0,
        issuer: Issuer | None = None,
    ) -> None:
        super().__init__(cards, issuer)
        self.port = port
        self._certificate = certificate
        self._identity = _new_certificate()
        self._client_id = secrets.token_hex(8)
        self._connections: set[str] = set()
        self._sockets: socketio.AsyncServer | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its address, with the final port once started."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def plugged(self) -> bool:
        """Whether it can be connected to."""
        return self._server is not None

    async def start(self) -> None:
        """Plug in; raises OSError if the port is taken or the certificate cannot be written."""
        if self._server is not None:
            return
        sockets = self._sockets = socketio.AsyncServer(async_mode="asgi", ping_interval=BEAT, ping_timeout=BEAT)
        sockets.on("connect", self._connected)
        sockets.on("disconnect", self._disconnected)
        sockets.on("/read", self._read)
        sockets.on("/get_aa", self._sign)
        listener = socket.create_server((LOOPBACK, self.port))
        self.port = listener.getsockname()[1]
        self._server = _Server(self._config(socketio.ASGIApp(sockets)))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="network reader")

    def _config(self, app: Any) -> uvicorn.Config:
        """With our key, which is on the disk for this moment only."""
        key, certificate = self._identity
        with TemporaryDirectory() as folder:
            key_file = Path(folder) / "key.pem"
            key_file.write_bytes(key)
            self._certificate.parent.mkdir(parents=True, exist_ok=True)
            self._certificate.write_bytes(certificate)
            config = uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                ssl_certfile=str(self._certificate),
                ssl_keyfile=str(key_file),
            )
            config.load()
        return config

    async def stop(self) -> None:
        """Unplug: every connection ends."""
        if self._server is None or self._serving is None or self._sockets is None:
            return
        server, self._server = self._server, None
        for connection in tuple(self._connections):
            await self._sockets.disconnect(connection)
        await self._sockets.shutdown()
        server.should_exit = server.force_exit = True  # a client that went away answers no farewell
        await self._serving
        self._serving = self._sockets = None

    async def tell(self) -> None:
        """`/info` to whoever is connected."""
        await self._emit("/info", {"clientId": self._client_id, "cardPresent": self.holder is not None})

    async def _connected(self, sid: str, _environment: Any) -> None:
        self._connections.add(sid)
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.tell()))

    async def _disconnected(self, sid: str, _reason: str) -> None:
        self._connections.discard(sid)

    async def _read(self, _sid: str, request: Any) -> None:
        """Read the card that lies there with the key given."""
        person = self.holder
        if self.fault == "noise":
            for noise in (None, "?", {"id": "4"}, {"id": 99, "data": {}}, {"id": 5, "data": {"cert": "AA=="}}):
                await self._emit("/event", noise)
        if person is None or self.fault == "card_error":
            await self._event(3, {"code": MUTE})
        elif request != _key_of(person):
            await self._event(3, {"code": KEY_REFUSED})
        else:
            await self._hand_over(person)

    async def _hand_over(self, person: Personalisation) -> None:
        files = dict(self._files)
        await self._event(2, _personal_info(person))
        if self.fault == "lift":
            await self.lift()
            await self._event(3, {"code": REMOVED})
        elif self.fault != "silent":
            avatar = await asyncio.to_thread(portrait, person.look, int(person.personal_id), "jpeg")
            await self._event(4, {"avatar": _text(avatar), "rawData": self._raw_data(files)})

    def _raw_data(self, files: Mapping[int, bytes]) -> dict[str, str]:
        kept_back = {"no_raw_data": set(GROUPS), "no_dg15": {"dg15"}}.get(self.fault, set())
        end = "!" if self.fault == "broken_files" else ""
        return {name: _text(files[n]) + end for name, n in GROUPS.items() if n in files and name not in kept_back}

    async def _sign(self, _sid: str, request: Any) -> None:
        """Have the chip sign a challenge."""
        person = self.holder
        active = None if person is None else person.chip.secrets(person.personal_id).active
        if active is None or request.get("clientId") != self._client_id:
            await self._event(3, {"code": MUTE})
        elif self.fault != "no_aa":
            challenge = b64decode(request["challenge"]) if self.fault != "wrong_aa" else secrets.token_bytes(8)
            answer = await asyncio.to_thread(active.answer, challenge)
            await self._event(7, {"response": _text(answer)})

    async def _event(self, number: int, data: dict[str, Any]) -> None:
        await self._emit("/event", {"id": number, "data": data})

    async def _emit(self, name: str, content: Any) -> None:
        if self._sockets is not None:
            await self._sockets.emit(name, content)


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _key_of(person: Personalisation) -> dict[str, str]:
    key = person.key
    return {"idCode": key.personal_id, "dob": f"{key.birth:%y%m%d}", "expiry": f"{key.expiry:%y%m%d}"}


def _personal_info(person: Personalisation) -> dict[str, str]:
    return {
        "idCode": person.personal_id,
        "personName": person.full_name,
        "dateOfBirth": f"{person.birth:%d/%m/%Y}",
        "gender": person.sex,
        "nationality": "Việt Nam",
        "originPlace": person.origin,
        "residencePlace": person.address,
        "issueDate": f"{person.issued:%d/%m/%Y}",
        "expiryDate": f"{person.expiry:%d/%m/%Y}" if person.expiry else "Không thời hạn",
    }


def _new_certificate() -> tuple[bytes, bytes]:
    """A private key and its self-signed certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated card reader")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)
