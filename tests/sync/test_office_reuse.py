"""The office asks the province for digitised papers: over mTLS, once, with a short limit, and nothing of it is kept."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kiosk.config import OfficeSettings, OutboxSettings
from kiosk.health import Failure, Level, Reason
from kiosk.reuse import Reusable, Wish
from sync.connectors.reuse import asked, read_told, read_wish, told
from sync.office import OutboxOffice
from sync.outbox import Road
from tests.sync.province import CANARY, CANARY_ID, Province

OUTBOX = OutboxSettings(ballast_mb=0, warn_days=0)
WISH = Wish(CANARY_ID, CANARY_ID, CANARY, "1.001193.000.00.00.H05", ("KQ01", "KQ02"))
PAPER = Reusable("KQ02", "KQ-1", "Giấy chứng nhận kết hôn", "52/2024", "UBND phường Thử Nghiệm")


@dataclass
class Peer:
    """A receiver that answers as the test says, and what it was asked."""

    answer: Callable[[Wish], tuple[int, bytes]]
    pause: float = 0.0
    """Seconds before each byte of the body."""
    asked: list[tuple[str, str, Wish]] = field(default_factory=list)


@pytest.fixture
def peer(province: Province) -> Iterator[Peer]:
    peer = Peer(lambda _: (200, told([PAPER])))

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wish = read_wish(self.rfile.read(int(self.headers["Content-Length"])))
            names = dict(pair[0] for pair in self.connection.getpeercert()["subject"])
            peer.asked.append((self.path, names["commonName"], wish))
            status, body = peer.answer(wish)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for byte in body:
                time.sleep(peer.pause)
                self.wfile.write(bytes([byte]))

        log_message = lambda *_: None  # noqa: E731

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the kiosk did not wait
                self.close_connection = True

    receiver = province.settings.receiver
    server = HTTPServer(("127.0.0.1", receiver.port), Receiver)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(receiver.client_ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(receiver.certificate, receiver.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield peer
    server.shutdown()
    server.server_close()
    thread.join()


def office_of(province: Province, **settings: float) -> OutboxOffice:
    office: OfficeSettings = replace(province.settings.office, **settings)
    return OutboxOffice(office, province.settings.kiosk, OUTBOX)


async def test_what_the_province_holds_comes_back_for_the_components_asked_for(province: Province, peer: Peer):
    peer.answer = lambda _: (200, told([PAPER, replace(PAPER, component="XX"), replace(PAPER, result_code="")]))
    assert await office_of(province).reusable(WISH) == (PAPER,)
    assert peer.asked == [("/api/v1/reusable", "K01", WISH)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"error": "no consent"}'),
        (400, b"{}"),
        (404, b"{}"),
        (503, b"{}"),
        (200, b"<h1>Free WiFi</h1>"),
        (200, b"[]"),
        (200, b'{"results": [{"component": "KQ02"}]}'),
        (200, b'{"results": [5]}'),
        (200, json.dumps({"results": [{"component": "KQ02", "result_code": "x" * 301}]}).encode()),
    ],
)
async def test_a_refusal_or_a_strange_answer_is_a_failure_and_nothing_personal_is_logged(
    province: Province, peer: Peer, caplog, status: int, body: bytes
):
    caplog.set_level(logging.DEBUG)
    peer.answer = lambda _: (status, body)
    failure = await office_of(province).reusable(WISH)
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.RECEIVER_UNREACHABLE
    assert "re-use: " in caplog.text
    assert CANARY_ID not in caplog.text + failure.detail
    assert CANARY not in caplog.text + failure.detail


async def test_a_silent_province_holds_nobody_longer_than_the_setting_says(province: Province, peer: Peer):
    free = threading.Event()
    peer.answer = lambda _: (200 if free.wait(30) else 500, b"{}")
    begun = time.monotonic()
    failure = await office_of(province, reuse_seconds=0.3).reusable(WISH)
    free.set()
    assert isinstance(failure, Failure)
    assert time.monotonic() - begun < 15


async def test_an_answer_that_trickles_in_holds_nobody_either(province: Province, peer: Peer):
    peer.pause = 0.2
    begun = time.monotonic()
    failure = await office_of(province, reuse_seconds=0.2).reusable(WISH)
    assert isinstance(failure, Failure)
    assert time.monotonic() - begun < 15


async def test_a_province_that_is_away_is_a_failure_at_once(province: Province):
    begun = time.monotonic()
    assert isinstance(await office_of(province, reuse_seconds=60).reusable(WISH), Failure)
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(("silent", "seconds", "asks"), [(0, 8.0, True), (0, 0.0, False), (60, 8.0, False)])
async def test_consent_is_asked_for_only_if_it_is_wanted_and_the_receiver_was_heard(
    province: Province, silent: float, seconds: float, asks: bool
):
    province.outbox.note_road(Road(time.monotonic() - silent, "no answer" if silent else ""))
    province.outbox.close()
    async with office_of(province, reuse_seconds=seconds) as office:
        assert office.status.level is (Level.DEGRADED if silent else Level.READY)
        assert office.asks_for_papers is asks


def test_what_is_asked_is_what_the_receiver_reads():
    assert read_wish(asked(WISH)) == WISH
    assert read_told(told([PAPER]), WISH) == (PAPER,)
