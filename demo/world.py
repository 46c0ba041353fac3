"""A folder with all a demonstration needs: keys, certificates, cards, catalogue, accounts and one configuration."""

import asyncio
import secrets
import shutil
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiosk.clock import SystemClock
from kiosk.config import Settings, load, secret
from kiosk.i18n import ASSETS
from kiosk_queue.api import devices
from kiosk_queue.floor import Desk, Floor, change_settings
from kiosk_queue.model import Appointments
from kiosk_queue.server import open_site_store
from kiosk_queue.staff import accounts
from kiosk_queue.storage.store import Store
from sync.keys import create_world
from sync.receiver.database import open_database
from sync.receiver.kiosks import register_world
from sync.receiver.operator import accounts as operators

KIOSK_ID = "K01"

STAFF: tuple[tuple[str, str, accounts.Role], ...] = (
    ("canbo1", "Cán bộ 1", "officer"),
    ("canbo2", "Cán bộ 2", "officer"),
    ("phutrach", "Phụ trách", "supervisor"),
    ("quantri", "Quản trị", "administrator"),
)
"""Who works at the demonstration's counters: name to sign in with, shown name, role."""

OPERATORS = ("truc1", "truc2")
"""Who watches the receiver: two, because one alone sends nothing on."""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of one demonstration."""

    queue: int = 8480
    receiver: int = 8443
    operator: int = 8444
    tthc: int = 8490
    dock: int = 8470
    camera: int = 8471
    queue_wire: int = 8472
    receiver_wire: int = 8473
    printer: int = 9100

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody uses now."""
        sockets = [socket.socket() for _ in range(9)]
        try:
            for s in sockets:
                s.bind(("127.0.0.1", 0))
            return cls(*(s.getsockname()[1] for s in sockets))
        finally:
            for s in sockets:
                s.close()


@dataclass(frozen=True, slots=True)
class Patience:
    """Times of a demonstration, seconds."""

    idle: float = 60.0
    warning: float = 30.0
    tthc_answer: float = 4.0


@dataclass(frozen=True, slots=True)
class World:
    """One demonstration's folder."""

    folder: Path
    ports: Ports = field(default_factory=Ports)
    patience: Patience = field(default_factory=Patience)
    fullscreen: bool = False
    silent: bool = False
    """Spoken texts go to files instead of the loudspeaker."""

    @property
    def config(self) -> Path:
        """The one configuration file of every program."""
        return self.folder / "kiosk.toml"

    def prepare(self) -> Settings:
        """Make what is missing, write the configuration anew, and return it. Not to be called from an event loop."""
        private = self.folder / "secrets"
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (private / "ca.pem").exists():
            create_world(private, [KIOSK_ID], ["127.0.0.1", "localhost"])
        _write_private(private / "tthc-user", f"motcua:{secrets.token_urlsafe(16)}")
        for name in (*(name for name, _, _ in STAFF), *OPERATORS):
            _write_private(self._password_file(name), f"{secrets.token_hex(3)}-{secrets.token_hex(3)}")
        shutil.copyfile(ASSETS / "catalogue" / "sample.toml", self.folder / "catalogue.toml")
        shutil.copytree(ASSETS / "cards", self.folder / "cards", dirs_exist_ok=True)
        shutil.copytree(ASSETS / "tthc", self.folder / "tthc-model", dirs_exist_ok=True)
        self.config.write_text(self._toml(), "utf-8")
        settings = load(self.config)
        self._enrol(settings)
        return settings

    def password_of(self, name: str) -> str:
        """The password of one of the STAFF or of the OPERATORS."""
        return secret(self._password_file(name), "password")

    def _password_file(self, name: str) -> Path:
        return self.folder / "secrets" / f"{name}-password"

    def _enrol(self, settings: Settings) -> None:
        """Make kiosk and operators known to the receiver, kiosk and staff to the queue, unless they are."""
        database = open_database(settings.receiver)
        try:
            register_world(database, self.folder / "secrets", [KIOSK_ID])
            for name in OPERATORS:
                operators.add(database, name, self.password_of(name))
        finally:
            database.close()
        store, centre = open_site_store(settings.queue_server), settings.queue_server.centre
        try:
            token = settings.queue.token_file
            if not token.exists() or not _is_known(store, token.read_text("utf-8")):
                token.unlink(missing_ok=True)
                _write_private(token, devices.add_device(store, centre, KIOSK_ID, "kiosk"))
            desk = Desk(store, SystemClock())
            there = desk.see(centre, lambda view: accounts.accounts_of(view.tx, centre, "")).result()
            missing = [person for person in STAFF if person[0] not in {account["name"] for account in there}]
            for name, shown, role in missing:
                _hire(desk, centre, name, shown, role, self.password_of(name))
            desk.do(centre, _offer_times).result()
        finally:
            store.close()

    def _toml(self) -> str:
        p = self.ports
        return f"""\
# Made by the demonstration; made anew at every start.
[kiosk]
id = "{KIOSK_ID}"
support_place = "Trung tâm Phục vụ hành chính công phường Sông Mây"
idle_seconds = {self.patience.idle}
warning_seconds = {self.patience.warning}
[screen]
fullscreen = {str(self.fullscreen).lower()}
[card]
csca = "csca"
[camera]
source = "http://127.0.0.1:{p.camera}/stream.mjpg"
still = "http://127.0.0.1:{p.camera}/still.jpg"
[printer]
address = "tcp://127.0.0.1:{p.printer}"
[scanner]
device = "{self.folder / "scanner"}"
[speech]
output = "{self.folder / "speech" if self.silent else ""}"
[queue]
url = "http://127.0.0.1:{p.queue_wire}"
[office]
url = "https://127.0.0.1:{p.receiver_wire}"
{'recovery_key = "secrets/recovery.pub"' if (self.folder / "secrets" / "recovery.pub").exists() else ""}
[outbox]
ballast_mb = 0
[queue_server]
port = {p.queue}
public_url = "http://127.0.0.1:{p.queue}"
[receiver]
port = {p.receiver}
tthc_url = "http://127.0.0.1:{p.tthc}/o/rest/v2"
[operator]
port = {p.operator}
[tthc_model]
port = {p.tthc}
answer_seconds = {self.patience.tthc_answer}
[simulators]
dock_port = {p.dock}
printer_port = {p.printer}
camera_port = {p.camera}
queue_wire_port = {p.queue_wire}
receiver_wire_port = {p.receiver_wire}
"""


def _is_known(store: Store, token: str) -> bool:
    digest = devices.digest_of(token).hex()
    look = "SELECT 1 AS one FROM device WHERE token = :digest AND revoked_at IS NULL"
    return store.read(lambda tx: tx.one(look, digest=digest)).result() is not None


def _hire(desk: Desk, centre: str, name: str, shown: str, role: accounts.Role, password: str) -> None:
    stored = asyncio.run(accounts.hashed(password, name))

    def deed(floor: Floor) -> dict[str, object]:
        return accounts.add_account(floor, "demo", name, shown, role, stored)

    desk.do(centre, deed).result()


def _offer_times(floor: Floor) -> dict[str, object]:
    """Appointments as long as nobody has changed the settings; kept from a whole slot before their time on."""
    if floor.centre.version > 1:
        return {}
    booking = Appointments(capacity=3)
    rule = replace(floor.centre.rule, early_minutes=booking.slot_minutes)
    return change_settings(floor, replace(floor.centre, appointments=booking, rule=rule), "demo", floor.centre.version)


def _write_private(path: Path, value: str) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(value, "utf-8")
