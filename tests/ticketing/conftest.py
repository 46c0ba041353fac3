"""A real queue server over real HTTP for every test."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from kiosk import catalogue
from kiosk.config import QueueServerSettings
from kiosk_queue import server
from kiosk_queue.desk import Desk
from kiosk_queue.store import Store

ROOT = Path(__file__).parents[2]
TOKEN = "kiosk-token-for-tests-only"
PASSWORD = "console password of the tests"
KIOSK = {"authorization": f"Bearer {TOKEN}"}

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
    return Hands(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path) -> QueueServerSettings:
    return make_settings(tmp_path)


def make_settings(folder: Path) -> QueueServerSettings:
    (folder / "catalogue.toml").write_text(CATALOGUE, "utf-8")
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "password").write_text(PASSWORD + "\n")
    return QueueServerSettings(
        port=0,
        public_url="http://queue.test",
        database=folder / "queue.db",
        catalogue=folder / "catalogue.toml",
        kiosk_token_file=folder / "token",
        console_password_file=folder / "password",
    )


@pytest.fixture
def desk(settings: QueueServerSettings, hands: Hands) -> Iterator[Desk]:
    store = Store(settings.database)
    yield Desk(store, catalogue.load(settings.catalogue), hands, settings.public_url)
    store.close()


@dataclass
class Running:
    """A server on a real port, in a thread."""

    settings: QueueServerSettings
    clock: object = None
    port: int = 0
    _server: server._Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Running":
        listener = server._listening(replace(self.settings, port=self.port))
        self.port = listener.getsockname()[1]
        self._server = server._Server(server.create_app(self.settings, self.clock))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def stop(self) -> None:
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive(), "the server does not stop"
            self._thread = None

    def post(self, path: str, body: object, **options) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=10, **{"headers": KIOSK, **options})

    def issue(self, service: str = "khai-sinh", priority: str = "", key: str | None = None) -> dict:
        body = {"service": service, "priority": priority, "key": key or os.urandom(8).hex()}
        answer = self.post("/api/tickets", body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def running(settings: QueueServerSettings) -> Iterator[Running]:
    running = Running(settings).start()
    yield running
    running.stop()


@dataclass
class Officer:
    """An officer's browser without the browser."""

    url: str
    counter: str = "1"
    session: requests.Session = field(default_factory=requests.Session)
    csrf: str = ""

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        self.session.trust_env = False
        answer = self.session.post(self.url + "/console/sign-in", data={"password": password}, timeout=10)
        found = re.search(r'data-csrf="([0-9a-f]+)"', answer.text)
        self.csrf = found[1] if found else ""
        return answer

    def do(self, deed: str, **body) -> requests.Response:
        body = {"counter": self.counter, "key": os.urandom(8).hex(), **body}
        headers = {"x-csrf-token": self.csrf}
        return self.session.post(f"{self.url}/console/api/{deed}", json=body, headers=headers, timeout=10)

    def at(self, counter: str) -> "Officer":
        self.sign_in()
        self.counter = counter
        assert self.do("counter").status_code == 200
        return self


class Listener:
    """Reads a stream of server-sent events in a thread."""

    def __init__(self, url: str, session: requests.Session | None = None, after: int | None = None) -> None:
        self.frames: list[tuple[str, int, dict, float]] = []
        self.ended = threading.Event()
        headers = {} if after is None else {"last-event-id": str(after)}
        get = (session or requests).get
        self.response = get(url, headers=headers, stream=True, timeout=(5, 60))
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


def until(condition, seconds: float = 10.0):
    """Wait for a condition; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def program(code: str, *arguments: str) -> subprocess.Popen:
    """A Python process of its own that can import the tree."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def helpers():
    """What tests share; with importlib mode they cannot import this file."""
    return __import__("types").SimpleNamespace(
        Officer=Officer,
        Listener=Listener,
        Running=Running,
        until=until,
        program=program,
        KIOSK=KIOSK,
        PASSWORD=PASSWORD,
    )
