import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.catalogue import PriorityGroup, Service
from kiosk.config import ConfigError, KioskSettings, QueueSettings
from kiosk.health import Failure, Level, Reason
from kiosk.text import Text
from kiosk_queue import client as client_module
from kiosk_queue import counter
from kiosk_queue.client import QueueClient
from kiosk_queue.counter import Officer
from sync.keys import create_world
from waiting import until

BIRTH = Service("khai-sinh", Text("Đăng ký khai sinh", "Birth registration"), "HT")
ELDERLY = PriorityGroup("elderly", Text("Người cao tuổi", "Elderly"))


def client_of(url: str, folder: Path, timeout: float = 2.0) -> QueueClient:
    settings = QueueSettings(url=url, token_file=folder / "token", timeout=timeout, offline_numbers=0)
    return QueueClient(settings, KioskSettings(id="K01", state=folder / "state"))


@pytest.fixture(autouse=True)
def token(running, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(running.token("kiosk", "K01") + "\n")
    (tmp_path / "token").chmod(0o600)


def tickets(running) -> list[tuple[str, str]]:
    """Number and paper of every ticket, as the server has them."""

    def look(view):
        return view.tx.all("SELECT series, n, paper FROM ticket ORDER BY place")

    return [(f"{r['series']}-{r['n']:03d}", r["paper"]) for r in running.desk.see("centre", look).result()]


@pytest.fixture
def client(running, tmp_path: Path) -> QueueClient:
    return client_of(running.url, tmp_path)


class Wire:
    """A stretch of wire to the server that the test can spoil: `mishap` gets the client's socket and the answer."""

    def __init__(self, port: int, mishap: Callable[[socket.socket, bytes], None]) -> None:
        self.requests = 0
        self._port, self._mishap = port, mishap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", self._port)) as far:
                far.sendall(message(near))
                answer = message(far)
                self.requests += 1
                with contextlib.suppress(OSError):
                    self._mishap(near, answer)

    def close(self) -> None:
        self._listener.close()


def message(end: socket.socket) -> bytes:
    """One whole HTTP message, head and body."""
    end.settimeout(5)
    data = b""
    while b"\r\n\r\n" not in data:
        data += end.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        more = end.recv(65536)
        data, body = data + more, body + more
    return data


@pytest.fixture
def wire(running) -> Iterator[Callable]:
    made: list[Wire] = []

    def make(mishap) -> Wire:
        made.append(Wire(running.port, mishap))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_a_visit_with_the_real_server(running, client) -> None:
    async with client:
        groups = await client.groups()
        assert [(g.id, g.icon, [s.id for s in g.services]) for g in groups] == [
            ("hotich", "family", ["khai-sinh", "khai-tu"]),
            ("datdai", "land", ["so-do"]),
        ]
        assert groups[0].services[0] == BIRTH
        ticket = await client.issue(BIRTH, ELDERLY, "visit-1-ticket")
        assert (ticket.number, ticket.ahead) == ("HT-001", 0)
        assert ticket.priority == Text("Người cao tuổi", "Elderly")
        assert ticket.centre.vi == "Trung tâm thử nghiệm"
        assert ticket.url == f"http://queue.test/t/{ticket.id}"
        assert await client.issue(BIRTH, ELDERLY, "visit-1-ticket") == ticket
        await client.printed(ticket, True)
        assert await client.call_staff() is None
        assert (client.status.level, client.status.reason) == (Level.READY, Reason.OK)
    assert tickets(running) == [("HT-001", "printed")]


async def test_the_kiosk_hears_that_an_officer_has_answered_its_call(running, client, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "LOOK_SECONDS", 0.02)
    who = Officer("session", "1", "lan")
    await client.call_staff()
    coming = asyncio.create_task(client.staff_coming())
    await asyncio.sleep(0.1)
    assert not coming.done()
    running.desk.do("centre", lambda floor: counter.open_counter(floor, who)).result()
    sql = "SELECT id FROM staff_call"
    call = running.desk.see("centre", lambda view: view.tx.one(sql)["id"]).result()
    running.desk.do("centre", lambda floor: counter.answer_staff(floor, who, call)).result()
    await asyncio.wait_for(coming, 30)


async def test_service_that_closed(client) -> None:
    answer = await client.issue(Service("gone", Text("Đã đóng"), "XX"), None, "visit-2-ticket")
    assert answer == Failure(Reason.SERVICE_CLOSED)
    assert client.status.level is Level.READY


async def test_lost_reply_gives_the_same_ticket_not_a_second_one(running, wire, tmp_path) -> None:
    line = wire(lambda near, answer: None if line.requests == 1 else near.sendall(answer))
    client = client_of(line.url, tmp_path)
    ticket = await client.issue(BIRTH, None, "visit-3-ticket")
    assert ticket.number == "HT-001"
    assert line.requests == 2
    assert tickets(running) == [("HT-001", "pending")]


def drip(near: socket.socket, answer: bytes) -> None:
    near.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(60):
        near.sendall(b" ")
        time.sleep(0.1)


def flood(near: socket.socket, answer: bytes) -> None:
    near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        near.sendall(b" " * 65536)


def redirect(near: socket.socket, answer: bytes) -> None:
    near.sendall(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        (drip, Reason.QUEUE_UNREACHABLE),
        (flood, Reason.QUEUE_UNREACHABLE),
        (redirect, Reason.QUEUE_REFUSED),
        (lambda near, answer: near.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n[[[["), Reason.QUEUE_REFUSED),
        (lambda near, answer: near.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"), Reason.QUEUE_REFUSED),
        (lambda near, answer: near.sendall(b"\x00\x01\x02" * 50), Reason.QUEUE_UNREACHABLE),
    ],
)
async def test_spoiled_answers_end_in_time_as_failures(wire, tmp_path, mishap, reason) -> None:
    client = client_of(wire(mishap).url, tmp_path, timeout=0.6)
    begun = time.monotonic()
    answer = await client.groups()
    assert isinstance(answer, Failure)
    assert answer.reason is reason
    assert time.monotonic() - begun < 10


async def test_server_away_and_back_is_noticed_and_reports_follow(running, client, monkeypatch) -> None:
    monkeypatch.setattr(client_module, "WATCH_SECONDS", 0.1)
    changes: list[Reason] = []
    client.on_change = lambda status: changes.append(status.reason)
    async with client:
        ticket = await client.issue(BIRTH, None, "visit-4-ticket")
        running.stop()
        assert (await client.groups()).reason is Reason.QUEUE_UNREACHABLE
        assert (await client.issue(BIRTH, None, "visit-5-ticket")).reason is Reason.QUEUE_UNREACHABLE
        assert (await client.call_staff()).reason is Reason.QUEUE_UNREACHABLE
        assert (client.status.level, client.status.reason) == (Level.FAULT, Reason.QUEUE_UNREACHABLE)
        await client.printed(ticket, True)
        running.start()
        await until(lambda: client.status.level is Level.READY)
        await until(lambda: tickets(running) == [("HT-001", "printed")])
    assert changes == [Reason.OK, Reason.QUEUE_UNREACHABLE, Reason.OK], "only changes are told"


async def test_wrong_token_is_a_fault_of_its_own(running, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "token").write_text("not the token of this centre at all")
    (tmp_path / "other" / "token").chmod(0o600)
    client = client_of(running.url, tmp_path / "other")
    assert (await client.groups()).reason is Reason.QUEUE_REFUSED
    assert (client.status.level, client.status.reason) == (Level.FAULT, Reason.QUEUE_REFUSED)


async def test_an_officer_gets_the_paper_of_a_number_again_at_this_kiosk(running, client) -> None:
    ticket = await client.issue(BIRTH, None, "visit-6-ticket")
    await client.printed(ticket, False)
    assert await client.reprint() is None
    running.api("POST", f"/tickets/{ticket.id}/reprint", {}, "counter")
    again = await client.reprint()
    assert (again.id, again.number) == (ticket.id, ticket.number)
    assert await client.reprint() is None


async def test_https_is_spoken_to_a_server_whose_authority_is_known(settings, helpers, tmp_path) -> None:
    create_world(tmp_path / "keys", ["K01"])
    authority = tmp_path / "keys" / "ca.pem"
    certificate, key = tmp_path / "keys" / "receiver.pem", tmp_path / "keys" / "receiver.key"
    running = helpers.Running(replace(settings, certificate=certificate, key_file=key)).start()
    try:
        (tmp_path / "token").write_text(running.token("kiosk", "K01"))
        (tmp_path / "token").chmod(0o600)
        ours = QueueSettings(url=running.url, token_file=tmp_path / "token", ca=authority)
        kiosk = KioskSettings(state=tmp_path / "state")
        assert (await QueueClient(ours, kiosk).issue(BIRTH, None, "visit-7-ticket")).number == "HT-001"
        stranger = await QueueClient(replace(ours, ca=None), kiosk).groups()
        assert (stranger.reason, stranger.detail) == (Reason.QUEUE_UNREACHABLE, "SSLError")
    finally:
        running.stop()


def test_missing_token_file_is_told_at_start(tmp_path) -> None:
    with pytest.raises(ConfigError, match="kiosk token"):
        client_of("http://127.0.0.1:1", tmp_path / "nowhere")
