"""The server program: its start and end, headers, health, metrics, TLS, several centres, the commands beside it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.catalogue import CatalogueError
from kiosk.config import ConfigError
from kiosk_queue import server

ROOT = Path(__file__).parents[2]


# --- start and end ---


def test_start_refuses_what_it_cannot_work_with(settings, tmp_path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:\d+ .*queue_server\.port"):
        server.serve(replace(settings, port=taken.getsockname()[1]))
    with pytest.raises(CatalogueError):
        server.create_app(replace(settings, catalogue=tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="cannot be opened"):
        server.create_app(replace(settings, database=tmp_path / "missing" / "queue.db"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        server.serve(replace(settings, certificate=tmp_path / "none.pem", key_file=tmp_path / "none.key"))
    with pytest.raises(ConfigError, match="set both or none"):
        server.serve(replace(settings, key_file=tmp_path / "none.key"))


def test_stopping_ends_the_streams_at_once(running, helpers) -> None:
    url, headers = running.url + "/api/v1/events", running.headers("display")
    displays = [helpers.Listener(url, headers=headers) for _ in range(3)]
    for display in displays:
        helpers.until(display.states)
    begun = time.monotonic()
    running.stop()
    assert time.monotonic() - begun < 8
    assert all(display.ended.wait(30) for display in displays)


SERVE = """
import sys
from pathlib import Path
from kiosk.config import QueueServerSettings
from kiosk_queue import server
from morning import Morning
server.SystemClock = Morning
f = Path(sys.argv[1])
server.serve(QueueServerSettings(port=int(sys.argv[2]), public_url="http://queue.test", database=f / "queue.db",
      catalogue=f / "catalogue.toml", voice_folder=f / "voice"))
"""


def test_killed_in_the_middle_of_the_rush_no_acknowledged_number_is_lost(settings, helpers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = helpers.Running(settings, port=port).start()
    running.token("kiosk")
    running.stop()
    acknowledged: list[dict] = []
    lost: list[str] = []

    def rush(thread: int, dead: threading.Event) -> None:
        for n in range(10_000):
            key = f"rush-{thread}-{len(lost)}-{n:05}"
            try:
                acknowledged.append(running.issue(key=key))
            except requests.RequestException:
                lost.append(key)
                return
            if dead.is_set():
                return

    for _ in range(2):
        process = helpers.program(SERVE, str(settings.database.parent), str(port))
        try:
            helpers.until(lambda: healthy(running.url), 20)
            dead = threading.Event()
            threads = [threading.Thread(target=rush, args=(n, dead)) for n in range(4)]
            goal = len(acknowledged) + 60
            for thread in threads:
                thread.start()
            helpers.until(lambda goal=goal: len(acknowledged) >= goal, 20)
            os.kill(process.pid, signal.SIGKILL)
            dead.set()
            for thread in threads:
                thread.join(30)
        finally:
            process.kill()
            process.communicate(timeout=30)
    running.start()
    try:
        for ticket in acknowledged:
            assert running.api("GET", f"/tickets/{ticket['id']}").json()["number"] == ticket["number"]
        for key in lost:  # the kiosk asks again with the same key: one number, whether it had been stored or not
            assert running.issue(key=key) == running.issue(key=key)
        rows = running.desk.store.read(lambda tx: tx.all("SELECT n FROM ticket ORDER BY n")).result()
        assert [row["n"] for row in rows] == list(range(1, len(rows) + 1))
    finally:
        running.stop()


# --- headers, health, metrics ---


def test_every_answer_has_strict_headers_and_is_not_kept(running) -> None:
    running.issue()
    for path in ("/api/v1/services", "/api/v1/openapi.json", "/static/live.js", "/nothing", "/healthz", "/metrics"):
        answer = requests.get(running.url + path, headers=running.headers(), timeout=30)
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]
        assert "server" not in answer.headers
    assert requests.get(running.url + "/static/../server.py", timeout=30).status_code == 404


def healthy(url: str) -> bool:
    try:
        return requests.get(url + "/healthz", timeout=3).ok
    except requests.RequestException:
        return False


def test_health_says_when_the_database_does_not_answer(running) -> None:
    assert healthy(running.url)
    release = threading.Event()
    store = running.desk.store
    for _ in range(8):
        store.read(lambda tx: release.wait(30))
    answer = requests.get(running.url + "/healthz", timeout=30)
    release.set()
    assert (answer.status_code, answer.json()["reason"]) == (503, "storage_error")


def test_metrics_tell_numbers_listeners_and_latency(running, helpers) -> None:
    listener = helpers.Listener(running.url + "/api/v1/events", headers=running.headers("display"))
    helpers.until(listener.states)
    for group in ("", "", "elderly"):
        running.issue(group=group)
    counter = running.counter("1")
    lines = requests.get(running.url + "/metrics", timeout=30).text.splitlines()
    assert 'queue_waiting{centre="centre",priority="no",service="khai-sinh"} 2.0' in lines
    assert 'queue_waiting{centre="centre",priority="yes",service="khai-sinh"} 1.0' in lines
    assert 'queue_waiting{centre="centre",priority="no",service="so-do"} 0.0' in lines
    counter.next()
    lines = requests.get(running.url + "/metrics", timeout=30).text.splitlines()
    assert 'queue_tickets_issued_total{centre="centre",service="khai-sinh"} 3.0' in lines
    assert 'queue_tickets_issued_total{centre="centre",service="so-do"} 0.0' in lines
    assert 'queue_tickets_called_total{centre="centre",service="khai-sinh"} 1.0' in lines
    assert 'queue_counters{centre="centre",state="open"} 1.0' in lines
    assert "queue_sse_listeners 1.0" in lines
    assert any(
        line.startswith('queue_request_seconds_count{method="POST",path="/tickets",status="201"}') for line in lines
    )


# --- TLS ---


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "queue.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "server.pem", folder / "server.key"


def test_with_a_certificate_it_speaks_tls_only(settings, tmp_path, helpers) -> None:
    pem, key = certificate(tmp_path)
    running = helpers.Running(replace(settings, certificate=pem, key_file=key)).start()
    try:
        url = f"https://localhost:{running.port}/healthz"
        assert requests.get(url, verify=str(pem), timeout=30).json()["status"] == "ok"
        with pytest.raises(requests.RequestException):
            requests.get(url.replace("https", "http"), timeout=30)
    finally:
        running.stop()


# --- the commands beside the server ---


@pytest.fixture
def configured(settings, tmp_path) -> Path:
    (tmp_path / "kiosk.toml").write_text(
        '[queue_server]\ndatabase = "queue.db"\ncatalogue = "catalogue.toml"\nvoice_folder = "voice"\n'
    )
    return tmp_path / "kiosk.toml"


def command(configured: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "main.py", "serve", "queue", "--config", str(configured), *arguments],
        cwd=ROOT, input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_token_of_the_command_line_works_at_once_and_is_revoked_there_too(running, configured) -> None:
    made = command(configured, "token", "--device", "K01", "--role", "kiosk")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert len(token) >= 40
    headers = {"authorization": f"Bearer {token}"}
    assert requests.get(running.url + "/api/v1/services", headers=headers, timeout=30).status_code == 200
    assert "K01\tkiosk" in command(configured, "devices").stdout
    assert token not in command(configured, "devices").stdout
    assert command(configured, "token", "--device", "K01", "--revoke").returncode == 0
    time.sleep(2.1)
    assert requests.get(running.url + "/api/v1/services", headers=headers, timeout=30).status_code == 401
    again = command(configured, "token", "--device", "K01", "--revoke")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert command(configured, "token", "--device", "K01").returncode == 2
    assert command(configured, "token", "--device", "K 1", "--role", "kiosk").returncode == 2


def test_settings_are_exported_changed_and_imported_into_the_running_server(running, configured, tmp_path) -> None:
    running.issue("so-do")
    exported = json.loads(command(configured, "export-settings").stdout)
    exported["groups"][1]["services"][0]["open"] = False
    (tmp_path / "changed.json").write_text(json.dumps(exported), "utf-8")
    done = command(configured, "import-settings", str(tmp_path / "changed.json"))
    assert "version 2" in done.stderr, done.stderr
    assert running.api("POST", "/tickets", {"service": "so-do"}).json()["reason"] == "service_closed"
    events = running.desk.see("centre", lambda view: view.tx.all("SELECT * FROM event ORDER BY seq")).result()
    assert (events[-1]["kind"], events[-1]["actor"]) == ("settings_changed", "command-line")
    exported["rule"]["rate"] = 99
    (tmp_path / "changed.json").write_text(json.dumps(exported), "utf-8")
    refused = command(configured, "import-settings", str(tmp_path / "changed.json"))
    assert refused.returncode == 2
    assert "rate 1 to 10" in refused.stderr


def test_a_second_centre_has_numbers_and_devices_of_its_own(running, configured, tmp_path) -> None:
    running.issue()
    second = json.loads(command(configured, "export-settings").stdout) | {"id": "ward-2"}
    (tmp_path / "second.json").write_text(json.dumps(second), "utf-8")
    assert "added" in command(configured, "import-settings", str(tmp_path / "second.json")).stderr
    token = command(configured, "token", "--centre", "ward-2", "--device", "K01", "--role", "kiosk").stdout.strip()
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "visit-0001"}
    for path in ("/api/v1/tickets", "/c/ward-2/api/v1/tickets"):
        answer = requests.post(running.url + path, json={"service": "khai-sinh"}, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        assert answer.json()["number"] == "HT-001", "the centre is the device's, not the first one"
        assert answer.json()["url"].startswith("http://queue.test/c/ward-2/t/")
    strange = requests.post(running.url + "/c/centre/api/v1/tickets", json={}, headers=headers, timeout=30)
    assert strange.status_code == 403
    assert command(configured, "token", "--centre", "none", "--device", "K", "--role", "kiosk").returncode == 2


def test_the_first_administrator_is_made_with_a_password_from_standard_input(configured) -> None:
    made = command(configured, "admin", "--name", "chi.lan", given="a long enough password\n")
    assert made.returncode == 0, made.stderr
    assert "password" not in (made.stdout + made.stderr).lower()
    assert command(configured, "admin", "--name", "chi.lan", given="x\n").returncode == 2


def test_webhooks_are_managed_on_the_command_line(configured) -> None:
    url = "http://127.0.0.1:9/hook"
    added = command(configured, "webhook", "add", url, "--kind", "called")
    assert added.stdout.startswith("whsec_")
    listed = command(configured, "webhook", "list").stdout
    assert url in listed
    assert "called" in listed
    assert added.stdout.strip() not in listed
    assert command(configured, "webhook", "remove", url).returncode == 0
    assert command(configured, "webhook", "list").stdout == ""
    assert command(configured, "webhook", "add", "ftp://x").returncode == 2
