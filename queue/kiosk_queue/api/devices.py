"""Machines that use the API: a bearer token each, issued on the command line, kept as SHA-256, revoked at any time.

Known devices are read at most every two seconds, so that a request costs no query and a revocation needs no restart.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request

from kiosk.clock import utc_iso
from kiosk.config import ConfigError
from kiosk_queue.floor import Refused
from kiosk_queue.storage.store import Row, Store, Tx

if TYPE_CHECKING:
    from kiosk_queue.web import Site

Role = Literal["kiosk", "counter", "display"]
ROLES: tuple[Role, ...] = ("kiosk", "counter", "display")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
STALE_SECONDS = 2.0
"""How long a revoked token may still work."""
HEARD_SECONDS = 15.0
"""How exactly it is known when a device last spoke."""
UNKNOWN_SECONDS = 0.2
"""A token that is not known waits for a look that is at least so much later than the last one."""


class DeviceError(ConfigError):
    """A device that cannot be added or revoked; the message says why."""


@dataclass(frozen=True, slots=True)
class Device:
    """One machine. Its name is unique among the centre's devices that are not revoked."""

    id: str
    centre: str
    name: str
    role: Role
    digest: bytes


def digest_of(token: str) -> bytes:
    """What is kept of a token: it has 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def add_device(store: Store, centre: str, name: str, role: str) -> str:
    """Make a device known; its token, which nobody can read again. A token it had before no longer works."""
    if role not in ROLES or not NAME.fullmatch(name):
        raise DeviceError(
            f"device {name!r}, role {role!r}: allowed are letters, digits, dot, dash, underscore; {ROLES}"
        )
    token = secrets.token_urlsafe(32)
    now = utc_iso(datetime.now(UTC))

    def job(tx: Tx) -> None:
        if tx.one("SELECT id FROM centre WHERE id = :centre", centre=centre) is None:
            raise DeviceError(f"centre {centre} is not in the database; start the server once or correct the name")
        _revoke(tx, centre, name, now)
        tx.run(
            "INSERT INTO device (id, centre, name, role, token, since)"
            " VALUES (:id, :centre, :name, :role, :token, :now)",
            id=secrets.token_urlsafe(12), centre=centre, name=name, role=role, token=digest_of(token).hex(), now=now,
        )  # fmt: skip

    store.write(centre, job).result()
    return token


def revoke_device(store: Store, centre: str, name: str) -> None:
    """From now (2 s at most) the device's token does not work; DeviceError if there is no such device."""
    now = utc_iso(datetime.now(UTC))
    if not store.write(centre, lambda tx: _revoke(tx, centre, name, now)).result():
        raise DeviceError(f"there is no device {name} in centre {centre}")


def list_devices(tx: Tx, centre: str) -> list[Row]:
    """Every device of a centre, without its token, in the order of their names."""
    return tx.all(
        "SELECT id, name, role, since, revoked_at FROM device WHERE centre = :centre ORDER BY name, since",
        centre=centre,
    )  # fmt: skip


def _revoke(tx: Tx, centre: str, name: str, now: str) -> int:
    return tx.run(
        "UPDATE device SET revoked_at = :now WHERE centre = :centre AND name = :name AND revoked_at IS NULL",
        now=now, centre=centre, name=name,
    )  # fmt: skip


@dataclass(slots=True)
class Devices:
    """The devices as this process knows them."""

    store: Store
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic
    _heard: dict[str, float] = field(default_factory=dict)
    """Device → when it was last written down that it spoke."""
    _known: dict[bytes, Device] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: "asyncio.Task[None] | None" = None

    async def of(self, authorization: str) -> Device:
        """The device of an `Authorization` header; raises Refused 401."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not 20 <= len(token) <= 100:
            raise _unauthorized()
        digest = digest_of(token)
        age = self.clock() - self._read_at
        if age > STALE_SECONDS:
            await self._refresh()
        elif digest not in self._known:  # perhaps it was issued a moment ago
            await asyncio.sleep(UNKNOWN_SECONDS - age)
            await self._refresh()
        device = self._known.get(digest)
        if device is None or not hmac.compare_digest(device.digest, digest):
            raise _unauthorized()
        self._hear(device)
        return device

    def _hear(self, device: Device) -> None:
        """Write down, for every process and seldom, that it spoke; nobody waits, and the next word repairs it."""
        if self.clock() - self._heard.get(device.id, float("-inf")) < HEARD_SECONDS:
            return
        self._heard[device.id] = self.clock()
        at = utc_iso(self.now())

        def job(tx: Tx) -> None:
            tx.lock(device.centre)
            tx.run("UPDATE device SET heard_at = :at WHERE id = :id", at=at, id=device.id)

        self.store.write(device.centre, job)

    async def _refresh(self) -> None:
        """Read the table once, however many wait for it."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            begun = self.clock()
            rows = await asyncio.wrap_future(
                self.store.read(
                    lambda tx: tx.all("SELECT id, centre, name, role, token FROM device WHERE revoked_at IS NULL")
                )
            )
            found = [Device(r["id"], r["centre"], r["name"], r["role"], bytes.fromhex(r["token"])) for r in rows]
            self._known = {device.digest: device for device in found}
            self._read_at = begun
        finally:
            self._reading = None


async def device_of(site: "Site", request: Request, *roles: Role) -> Device:
    """The device that asks, of one of these roles (none named: any) and of the address's centre; raises Refused."""
    device = await site.devices.of(request.headers.get("authorization", ""))
    check(device, site.centre_of(request), roles)
    return device


def check(device: Device, centre: str, roles: tuple[Role, ...]) -> None:
    """Raise Refused 403 if a device of this role or centre may not do it."""
    if device.centre != centre or (roles and device.role not in roles):
        raise Refused("forbidden", "Thiết bị không được phép làm việc này", 403)


def _unauthorized() -> Refused:
    return Refused("unauthorized", "Cần mã truy cập của thiết bị", 401)
