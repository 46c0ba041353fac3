"""Bad input on the command line: one clear line with cause and remedy, a code ≠ 0, no traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.world import Ports, World

ROOT = Path(__file__).parents[2]


def kiosk(*arguments, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={k: v for k, v in os.environ.items() if k not in ("DISPLAY", "SDL_VIDEODRIVER")} | environment,
    )


def said(done):
    """The one line of a refusal."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("motcua: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, Ports.free(), silent=True)
    world.prepare()
    return world


def test_a_missing_configuration_is_named(tmp_path):
    line = said(kiosk("serve", "queue", "--config", tmp_path / "none.toml"))
    assert "none.toml" in line
    assert "--config" in line


def test_a_wrong_key_is_named_with_what_is_allowed(world):
    world.config.write_text(world.config.read_text("utf-8") + "[printer2]\n", "utf-8")
    line = said(kiosk("diagnose", "--config", world.config))
    assert "printer2 is unknown" in line
    assert "allowed: " in line


@pytest.mark.parametrize("server", ["queue", "receiver", "tthc-model"])
def test_a_taken_port_is_named(world, server):
    port = {"queue": world.ports.queue, "receiver": world.ports.receiver, "tthc-model": world.ports.tthc}[server]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        line = said(kiosk("serve", server, "--config", world.config))
    assert str(port) in line
    assert "use" in line


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (("serve", "receiver"), "receiver.pem"),
        (("serve", "receiver"), "receiver-hpke.key"),
        (("serve", "receiver"), "ca.pem"),
        (("forward", "--once"), "kiosk.pem"),
        (("diagnose",), "receiver-hpke.pub"),
    ],
)
def test_a_missing_certificate_or_secret_is_named(world, command, file):
    (world.folder / "secrets" / file).unlink()
    line = said(kiosk(*command, "--config", world.config))
    assert file in line


def test_a_broken_catalogue_is_named(world):
    (world.folder / "catalogue.toml").write_text("version = 1\n", "utf-8")
    assert "catalogue.toml" in said(kiosk("serve", "queue", "--config", world.config))


def test_no_screen_offers_the_tour(world):
    if any(Path("/dev/dri").glob("card*")):
        pytest.skip("this machine has a screen")
    for command in (("demo",), ("run", "--config", world.config)):
        line = said(kiosk(*command))
        assert "no screen" in line
        assert "demo --tour" in line


def test_no_pcscd_is_named_with_its_remedy():
    key = ("--number", "001199000123", "--birth", "990102", "--expiry", "390102")
    line = said(kiosk("card", "read", *key, PCSCLITE_CSOCK_NAME="/nonexistent/pcscd.comm"))
    assert "no_pcscd" in line
    assert "start the pcscd service" in line


def test_a_picture_that_is_not_there_is_named(tmp_path):
    done = kiosk("scan", tmp_path / "none.png")
    assert done.returncode != 0
    assert "none.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_diagnose_lists_every_device_with_status_reason_and_remedy(world):
    done = kiosk("diagnose", "--json", "--config", world.config)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    devices = {d["name"]: d for d in report["devices"]}
    assert set(devices) == {"card", "camera", "scanner", "printer", "speaker", "queue", "office"}
    assert devices["printer"]["reason"] == "printer_unreachable"
    assert devices["camera"]["reason"] == "no_camera"
    assert devices["scanner"]["reason"] == "no_scanner"
    assert devices["queue"]["reason"] == "queue_unreachable"
    for device in devices.values():
        assert device["status"] in ("ready", "degraded", "fault", "absent")
        assert device["remedy"]["vi"]
        assert device["remedy"]["en"]
    assert "Traceback" not in done.stderr


def test_the_help_of_the_servers_says_what_the_model_of_a_tthc_system_is_good_for():
    told = " ".join(kiosk("serve", "--help").stdout.split())
    for word in ("OpenCPS v2", "the national flow", "faults on demand", "a page that shows what arrived"):
        assert word in told
