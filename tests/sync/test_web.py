"""One exchange has one limit of time for everything; a peer that gives a byte now and then does not hold us."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.web import NoAnswer, fetch, new_session
from tests.sync.province import until

LIMIT = 0.4
PATIENT = 10.0


@contextmanager
def peer(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """Somebody who takes connections and behaves badly."""
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = server.accept()
                with line:
                    behave(line)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    over.set()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(30)


def drip(text: bytes) -> Callable[[socket.socket], None]:
    def behave(line: socket.socket) -> None:
        line.recv(65536)
        for byte in text:
            line.sendall(bytes([byte]))
            time.sleep(0.05)

    return behave


def wait_for_end(line: socket.socket) -> None:
    time.sleep(1.5)


def hardly_take(line: socket.socket) -> None:
    for _ in range(30):
        line.recv(1)
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        drip(HEAD + b"X-Long: " + b"a" * 500 + b"\r\n\r\n"),
        drip(HEAD + b"Content-Length: 500\r\n\r\n" + b"a" * 500),
        drip(HEAD + b"Connection: close\r\n\r\n" + b"a" * 500),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 200),
        wait_for_end,
    ],
    ids=["in the head", "in the body", "in a body without a length", "in chunks", "with nothing"],
)
def test_a_peer_that_takes_its_time_is_left_in_time(behave: Callable[[socket.socket], None]):
    with peer(behave) as url, new_session() as session:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 0.4 s") as said:
            fetch(session, "GET", url, LIMIT)
        assert time.monotonic() - begun < LIMIT + 5
        assert said.value.sent


def test_an_upload_that_is_hardly_taken_ends_in_time():
    with peer(hardly_take) as url, new_session() as session:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            fetch(session, "PATCH", url, LIMIT, data=bytes(8_000_000))
        assert time.monotonic() - begun < LIMIT + 5


@pytest.mark.parametrize("behave", [wait_for_end, drip(b"\x16\x03\x03\x20\x00" + b"a" * 500)], ids=["mute", "dripping"])
def test_a_tls_handshake_that_never_ends_is_ended(behave: Callable[[socket.socket], None]):
    with peer(behave) as url, new_session() as session:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            fetch(session, "GET", url.replace("http:", "https:"), LIMIT)
        assert time.monotonic() - begun < LIMIT + 5


def test_the_limit_counts_for_a_connection_that_is_used_again():
    def once_well(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
        drip(HEAD + b"X: " + b"a" * 500)(line)

    with peer(once_well) as url, new_session() as session:
        assert fetch(session, "GET", url, LIMIT).body == b"ok"
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="within"):
            fetch(session, "GET", url, LIMIT)
        assert time.monotonic() - begun < LIMIT + 5


def test_nothing_is_left_open_after_many_exchanges():
    def well(line: socket.socket) -> None:
        while line.recv(65536):
            line.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")

    with peer(well) as url, new_session() as session:
        fetch(session, "GET", url, PATIENT)
        before, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
        for _ in range(50):
            assert fetch(session, "GET", url, PATIENT).status == 200
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        until(lambda: threading.active_count() <= threads + 1)


def test_a_redirect_is_an_answer_and_is_not_followed():
    asked = []

    def elsewhere(line: socket.socket) -> None:
        asked.append(line.recv(65536))
        line.sendall(b"HTTP/1.1 302 Found\r\nLocation: /welcome\r\nContent-Length: 0\r\n\r\n")

    with peer(elsewhere) as url, new_session() as session:
        assert fetch(session, "GET", url, PATIENT).status == 302
    assert len(asked) == 1


def test_a_certificate_of_another_authority_is_named_as_such(keys: Path, tmp_path: Path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "receiver.pem", keys / "receiver.key")

    def tls(line: socket.socket) -> None:
        context.wrap_socket(line, server_side=True).close()

    with peer(tls) as url, new_session() as session:
        with pytest.raises(NoAnswer, match="the receiver's certificate: unable to get local issuer") as said:
            fetch(session, "GET", url.replace("http:", "https:"), 5)
        assert not said.value.sent
        assert not said.value.date
