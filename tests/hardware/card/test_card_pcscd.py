"""pcscd for demo and tests: used if it runs, started if not, and said clearly if neither is possible."""

import socket
from pathlib import Path

import pytest

from hardware.card.errors import CardError
from hardware.card.pcsc import Pcsc
from hardware.simulators import pcscd as module
from hardware.simulators.pcscd import Pcscd, PcscdUnavailable
from kiosk.health import Reason


def readers() -> str:
    with Pcsc() as pcsc:
        return pcsc.reader("")


async def test_it_starts_restarts_and_ends_the_daemon():
    async with Pcscd(patience=60) as daemon:
        assert daemon.is_ours
        assert "Virtual PCD" in readers()
        await daemon.restart()
        assert "Virtual PCD" in readers()
    with pytest.raises(CardError) as raised:
        readers()
    assert raised.value.failure.reason is Reason.NO_PCSCD


async def test_a_daemon_that_runs_is_used_and_left_alone(pcscd: Pcscd, monkeypatch):
    monkeypatch.setattr(module, "CLAIM", "\0motcua-another")
    async with Pcscd() as second:
        assert not second.is_ours
        with pytest.raises(PcscdUnavailable, match="systemctl restart"):
            await second.restart()
    assert "Virtual PCD" in readers()


async def test_a_second_demo_is_told_that_the_reader_is_used(pcscd: Pcscd):
    with pytest.raises(PcscdUnavailable, match="used by another"):
        await Pcscd().start()


async def refusal(daemon: Pcscd) -> str:
    with pytest.raises(PcscdUnavailable) as raised:
        await daemon.start()
    assert "\n" not in str(raised.value)
    return str(raised.value)


async def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert "apt install pcscd" in await refusal(Pcscd(patience=60))


async def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", module.PORT)):
        assert str(module.PORT) in await refusal(Pcscd(patience=60))


async def test_a_daemon_that_cannot_start_says_how(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/false")
    assert "run as root" in await refusal(Pcscd(patience=60))


async def test_a_daemon_without_the_virtual_reader_names_the_package(tmp_path: Path, monkeypatch):
    async with Pcscd(tmp_path, patience=60):
        monkeypatch.setattr(module, "CLAIM", "\0motcua-another")
        monkeypatch.setattr(module, "START_SECONDS", 0.3)
        assert "vsmartcard-vpcd" in await refusal(Pcscd())
