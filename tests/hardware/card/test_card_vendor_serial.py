"""The serial CCCD reader over a pseudo-terminal: what a citizen does with a card, and what breaks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from at_reader import failure, laid, silent
from hardware.card.readers import card_reader
from hardware.card.vendor import serial as serial_module
from hardware.card.vendor.serial import SerialCardReader
from hardware.simulators.serial_reader import SerialReaderSimulator
from hardware.simulators.simulator import UnknownAction
from kiosk.citizen import Citizen, IdentityGrade
from kiosk.config import CardSettings
from kiosk.health import Failure, Level, Reason
from waiting import until

CARDS = Path(__file__).parents[3] / "assets" / "cards"


@pytest.fixture
async def card(tmp_path: Path) -> AsyncIterator[SerialReaderSimulator]:
    simulator = SerialReaderSimulator(CARDS, tmp_path / "reader")
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[SerialCardReader]:
    device = card_reader(CardSettings(kind="serial", address=str(tmp_path / "reader")))
    assert isinstance(device, SerialCardReader)
    async with device:
        yield device


async def test_every_card_is_read_and_nothing_of_it_counts_as_proven(card, reader):
    for name, person in card.people.items():
        key = await laid(card, reader, name)
        shares: list[float] = []
        citizen = await reader.read([key], shares.append)
        assert isinstance(citizen, Citizen)
        said = (citizen.personal_id, citizen.full_name, citizen.birth, citizen.sex)
        assert said == (person.personal_id, person.full_name, person.birth, person.sex)
        assert (citizen.grade, citizen.evidence) == (IdentityGrade.CHIP_READ, {})
        assert citizen.portrait.startswith(b"\xff\xd8\xff")
        assert shares == sorted(shares)
        assert len(shares) > 5
        assert shares[-1] == 1.0
        await card.act("lift")
        async with asyncio.timeout(30):
            await reader.wait_for_removal()


async def test_wrong_keys_are_refused_and_a_right_one_among_them_opens(card, reader):
    key = await laid(card, reader)
    wrong = replace(key, expiry=key.expiry + timedelta(days=365))
    assert await failure(reader, wrong) is Reason.ACCESS_KEY_REFUSED
    assert isinstance(await reader.read([wrong, key], silent), Citizen)


async def test_noise_between_the_lines_costs_nothing(card, reader):
    key = await laid(card, reader)
    await card.act("fault", kind="noise")
    assert isinstance(await reader.read([key], silent), Citizen)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("scan_fail", Reason.ACCESS_KEY_REFUSED),
        ("lift", Reason.CARD_REMOVED),
        ("other_card", Reason.CARD_DATA_BAD),
        ("broken_portrait", Reason.CARD_DATA_BAD),
    ],
)
async def test_a_read_that_goes_wrong_is_told_and_the_next_one_succeeds(card, reader, kind, reason):
    key = await laid(card, reader)
    await card.act("fault", kind=kind)
    assert await failure(reader, key) is reason
    await card.act("fault", kind="none")
    assert isinstance(await reader.read([await laid(card, reader)], silent), Citizen)


async def test_a_reader_that_goes_silent_ends_the_read_and_is_ready_when_it_speaks_again(card, reader, monkeypatch):
    key = await laid(card, reader)
    monkeypatch.setattr(serial_module, "READ_SILENCE", 0.5)
    monkeypatch.setattr(serial_module, "SILENCE", 0.8)
    monkeypatch.setattr(serial_module, "PING_EVERY", 0.2)
    await card.act("fault", kind="silent")
    assert await failure(reader, key) is Reason.CARD_TIMEOUT
    await until(lambda: reader.status.reason is Reason.NO_READER)
    assert "PING" in reader.status.detail
    monkeypatch.undo()
    await card.act("fault", kind="none")
    await until(lambda: reader.status.level is Level.READY)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_a_reader_plugged_in_late_pulled_and_plugged_again_comes_back(card, reader):
    key = await laid(card, reader)
    await card.act("unplug")
    await until(lambda: reader.status.level is Level.ABSENT)
    async with asyncio.timeout(30):
        await reader.wait_for_removal()
        assert await reader.wait_for_card() == Failure(Reason.NO_READER, reader.status.detail)
    assert await failure(reader, key) is Reason.NO_READER
    await card.act("plug")
    await until(lambda: reader.status.level is Level.READY)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_a_cable_pulled_in_mid_read_ends_it(card, reader):
    key = await laid(card, reader)
    await card.act("fault", kind="silent")
    reading = asyncio.ensure_future(reader.read([key], silent))
    await asyncio.sleep(0.3)
    await card.act("unplug")
    result = await reading
    assert isinstance(result, Failure)
    assert result.reason is Reason.NO_READER


async def test_without_a_card_a_read_says_so(card, reader):
    await until(lambda: reader.status.level is Level.READY)
    assert await failure(reader, card.people["mau"].key) is Reason.NO_CARD


async def test_a_visit_that_ends_leaves_nothing_for_the_next_read(card, reader):
    key = await laid(card, reader)
    reading = asyncio.ensure_future(reader.read([key], lambda share: reader.forget()))
    result = await reading
    assert result == Failure(Reason.CARD_REMOVED, "the visit ended")
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_logs_hold_nothing_of_the_holder(card, reader, caplog):
    caplog.set_level("DEBUG")
    key = await laid(card, reader)
    await reader.read([key], silent)
    await card.act("fault", kind="other_card")
    await reader.read([key], silent)
    for person in card.people.values():
        assert person.personal_id not in caplog.text
        assert person.full_name not in caplog.text


async def test_the_simulator_refuses_what_it_cannot_do_and_never_replaces_a_real_device(tmp_path, card):
    with pytest.raises(UnknownAction):
        await card.act("fault", kind="lightning")
    (tmp_path / "ttyUSB0").write_bytes(b"")
    with pytest.raises(FileExistsError):
        await SerialReaderSimulator(CARDS, tmp_path / "ttyUSB0").start()
