"""A real queue server over real HTTP for every test, on SQLite; the helpers are given out by fixtures."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from kiosk import catalogue
from kiosk.config import QueueServerSettings
from kiosk_queue import server
from kiosk_queue.api import devices
from kiosk_queue.floor import Desk, add_centre
from kiosk_queue.model import from_catalogue
from kiosk_queue.storage.store import Store, open_store
from morning import MORNING
from waiting import wait_until

ROOT = Path(__file__).parents[2]
CENTRE = "centre"

CATALOGUE = """
version = "1"
counters = ["1", "2", "3", "4", "5", "6", "7", "8"]
[centre]
vi = "Trung tâm thử nghiệm"
en = "Test centre"
[[priority]]
id = "elderly"
vi = "Người cao tuổi"
en = "Elderly"
[[group]]
id = "hotich"
vi = "Hộ tịch"
en = "Civil status"
icon = "family"
[[group.service]]
id = "khai-sinh"
vi = "Đăng ký khai sinh"
en = "Birth registration"
series = "HT"
[[group.service]]
id = "khai-tu"
vi = "Đăng ký khai tử"
en = "Death registration"
series = "HT"
[[group]]
id = "datdai"
vi = "Đất đai"
en = "Land"
icon = "land"
[[group.service]]
id = "so-do"
vi = "Cấp giấy chứng nhận"
en = "Land certificate"
series = "DD"
"""


class Hands:
    """A clock whose hands the test turns."""

    def __init__(self, start: datetime) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def turn(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@pytest.fixture
def hands() -> Hands:
    """Monday 23 November 2026, 08:00 in Vietnam. Hand it to `Running` for a server that lives by it."""
    return Hands(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path) -> QueueServerSettings:
    return make_settings(tmp_path)


def make_settings(folder: Path, **changes: object) -> QueueServerSettings:
    """Settings of a server in `folder`; the port is chosen when it starts."""
    (folder / "catalogue.toml").write_text(CATALOGUE, "utf-8")
    given = QueueServerSettings(
        port=0,
        public_url="http://queue.test",
        database=folder / "queue.db",
        catalogue=folder / "catalogue.toml",
        voice_folder=folder / "voice",
    )
    return replace(given, **changes)


@pytest.fixture
def store(settings: QueueServerSettings) -> Iterator[Store]:
    """The store without a server, with the centre in it."""
    opened = open_store(str(settings.database))
    add_centre(opened, from_catalogue(catalogue.load(settings.catalogue), settings.centre))
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store, hands: Hands) -> Desk:
    """Deeds and looks without HTTP, on the test's clock: `desk.do(CENTRE, deed).result()`."""
    return Desk(store, hands)


@dataclass
class Running:
    """A server on a real port, in a thread. `clock`: a Hands, or None for a morning that goes on by itself."""

    settings: QueueServerSettings
    clock: object = None
    port: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    app: object = None
    _server: server._Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self.settings.certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def desk(self) -> Desk:
        """The server's own desk: `running.desk.see(CENTRE, look).result()`."""
        return self.app.state.site.desk

    def start(self) -> "Running":
        listener = server._listening(replace(self.settings, port=self.port))
        self.port = listener.getsockname()[1]
        self.app = server.create_app(self.settings, self.clock or MORNING)
        self._server = server._Server(self.app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(30)
            assert not self._thread.is_alive(), "the server does not stop"
            self._thread = None

    def token(self, role: str = "kiosk", name: str = "") -> str:
        """The token of a device of this role, made when it is first asked for."""
        name = name or f"{role}-1"
        if name not in self.tokens:
            self.tokens[name] = devices.add_device(self.desk.store, self.settings.centre, name, role)
        return self.tokens[name]

    def headers(self, role: str = "kiosk", name: str = "", **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(role, name)}", **more}

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        role: str = "kiosk",
        key: str | None = None,
        name: str = "",
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """A request of a device to `/api/v1` + path. POST /tickets gets a key of its own unless one is given."""
        if key is None and path == "/tickets":
            key = os.urandom(8).hex()
        given = {**self.headers(role, name), **({"idempotency-key": key} if key else {}), **(headers or {})}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, f"{self.url}/api/v1{path}", json=body, headers=given, timeout=30, allow_redirects=False
            )

    def issue(
        self, service: str = "khai-sinh", group: str = "", key: str | None = None, channel: str = "api", **more: object
    ) -> dict:
        """A number: the answer of POST /tickets."""
        body = {"service": service, "group": group, "channel": channel, **more}
        answer = self.api("POST", "/tickets", body, key=key)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def counter(self, counter: str = "1", officer: str = "", name: str = "counter-1") -> "AtCounter":
        """An open counter that is worked by the API."""
        at = AtCounter(self, counter, name)
        answer = at.post("open", {"officer": officer} if officer else {})
        assert answer.status_code == 200, answer.text
        return at


@dataclass
class AtCounter:
    """A program of the counters at one counter."""

    running: Running
    counter: str
    device: str = "counter-1"

    def post(self, deed: str, body: object = None, key: str | None = None) -> requests.Response:
        return self.running.api("POST", f"/counters/{self.counter}/{deed}", body, "counter", key, self.device)

    def next(self) -> dict | None:
        answer = self.post("next")
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    def do(self, ticket: str, deed: str, body: object = None, key: str | None = None) -> requests.Response:
        headers = {"x-counter": self.counter}
        return self.running.api("POST", f"/tickets/{ticket}/{deed}", body, "counter", key, self.device, headers)


@pytest.fixture
def running(settings: QueueServerSettings) -> Iterator[Running]:
    """A server on a clock that goes by itself."""
    running = Running(settings).start()
    yield running
    running.stop()


@pytest.fixture
def running_by_hand(settings: QueueServerSettings, hands: Hands) -> Iterator[Running]:
    """A server whose clock is `hands`."""
    running = Running(settings, hands).start()
    yield running
    running.stop()


class Listener:
    """Reads a stream of server-sent events in a thread."""

    def __init__(
        self,
        url: str,
        session: requests.Session | None = None,
        after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.frames: list[tuple[str, int, dict, float]] = []
        self.ended = threading.Event()
        given = {**(headers or {}), **({} if after is None else {"last-event-id": str(after)})}
        get = (session or requests).get
        self.response = get(url, headers=given, stream=True, timeout=(5, 60))
        assert self.response.status_code == 200, self.response.text
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        frame: dict[str, str] = {}
        try:
            for line in self.response.iter_lines(chunk_size=1, decode_unicode=True):
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                elif frame:
                    data = json.loads(frame["data"])
                    self.frames.append((frame["event"], int(frame["id"]), data, time.monotonic()))
                    frame = {}
        except (requests.RequestException, OSError, AttributeError, ValueError):
            pass
        self.ended.set()

    def events(self, kind: str = "") -> list[dict]:
        return [data for event, _, data, _ in list(self.frames) if event == "event" and kind in ("", data["kind"])]

    def states(self) -> list[dict]:
        return [data for event, _, data, _ in list(self.frames) if event == "state"]


def program(code: str, *arguments: str) -> subprocess.Popen:
    """A Python process of its own that can import the tree."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "queue", ROOT / "tests" / "support"))),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def helpers() -> SimpleNamespace:
    """What tests share; with importlib mode they cannot import this file."""
    return SimpleNamespace(
        AtCounter=AtCounter,
        Listener=Listener,
        Running=Running,
        make_settings=make_settings,
        until=wait_until,
        program=program,
        CENTRE=CENTRE,
        CATALOGUE=CATALOGUE,
    )
