"""The card reader through the real pcscd and the virtual reader: what a citizen does with a card, and what breaks."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from at_reader import failure, laid, lifted, silent
from hardware.card.reader import PcscCardReader
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation import applet, files
from kiosk.citizen import Citizen, IdentityGrade
from kiosk.config import CardSettings
from kiosk.health import Failure, Level, Reason
from waiting import until


async def test_every_card_is_read_whole_and_verified(card: CardSimulator, reader: PcscCardReader):
    for name, person in card.people.items():
        key = await laid(card, reader, name)
        shares: list[float] = []
        citizen = await reader.read([key], shares.append)
        assert isinstance(citizen, Citizen)
        assert citizen.grade is IdentityGrade.ISSUER_VERIFIED
        assert (citizen.full_name, citizen.personal_id, citizen.address) == (
            person.full_name,
            person.personal_id,
            person.address,
        )
        assert citizen.portrait
        assert next(iter(citizen.evidence)) == "EF.SOD"
        assert {"EF.DG1", "EF.DG2", "EF.DG13"} <= citizen.evidence.keys()
        assert shares == sorted(shares)
        assert len(shares) > 50
        assert shares[-1] == 1.0
        await lifted(card, reader)


async def test_the_loop_stays_free_while_a_card_is_read(card: CardSimulator, reader: PcscCardReader):
    key = await laid(card, reader)
    turns, reading = 0, asyncio.ensure_future(reader.read([key], silent))
    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert isinstance(await reading, Citizen)
    assert turns > 10


async def test_wrong_keys_are_refused_and_a_right_one_among_them_opens(card: CardSimulator, reader: PcscCardReader):
    key = await laid(card, reader)
    wrong = replace(key, expiry=key.expiry + timedelta(days=365))
    assert await failure(reader, wrong) is Reason.ACCESS_KEY_REFUSED
    assert await failure(reader, wrong, replace(key, birth=wrong.expiry)) is Reason.ACCESS_KEY_REFUSED
    assert isinstance(await reader.read([wrong, key], silent), Citizen)


async def test_a_card_pulled_too_early_is_told_and_read_when_laid_again(card: CardSimulator, reader: PcscCardReader):
    key = await laid(card, reader)
    shares: list[float] = []
    await card.act("lift_after", bytes=9000)
    result = await reader.read([key], shares.append)
    assert isinstance(result, Failure)
    assert result.reason is Reason.CARD_REMOVED
    assert 0.2 < shares[-1] < 0.7
    async with asyncio.timeout(30):
        await reader.wait_for_removal()
    assert card.state()["card"] is None
    await laid(card, reader)
    assert isinstance(await reader.read([key], silent), Citizen)


@pytest.mark.parametrize("count", [0, 10, 60])
async def test_a_card_pulled_while_it_is_opened_is_told(card: CardSimulator, reader: PcscCardReader, count: int):
    key = await laid(card, reader)
    await card.act("lift_after", bytes=count)
    assert await failure(reader, key) is Reason.CARD_REMOVED


async def test_no_card_is_said_so(card: CardSimulator, reader: PcscCardReader):
    assert await failure(reader, card.people["mau"].key) is Reason.NO_CARD


async def test_a_card_that_does_not_start_up_is_mute(card: CardSimulator, reader: PcscCardReader):
    await card.act("mute", on=True)
    key = await laid(card, reader)
    assert await failure(reader, key) is Reason.CARD_MUTE
    await lifted(card, reader)
    await card.act("mute", on=False)
    await laid(card, reader)
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_another_smart_card_is_not_an_id_card(card: CardSimulator, reader: PcscCardReader, monkeypatch):
    monkeypatch.setattr(applet, "APPLICATION", b"\xd2\x76\x00\x01\x24\x01")
    key = await laid(card, reader)
    assert await failure(reader, key) is Reason.NOT_AN_ID_CARD


async def test_an_altered_group_shows_in_the_grade(card: CardSimulator, reader: PcscCardReader, monkeypatch):
    signed = files.data_groups

    def forged(person):
        groups = signed(person)
        return groups | {2: groups[2][:-1] + b"\x00"}

    monkeypatch.setattr(card.issuer, "sign", lambda groups, sign=card.issuer.sign: sign(signed(card.people["mau"])))
    monkeypatch.setattr(files, "data_groups", forged)
    key = await laid(card, reader)
    citizen = await reader.read([key], silent)
    assert isinstance(citizen, Citizen)
    assert citizen.grade is IdentityGrade.CHIP_READ


async def test_groups_that_contradict_each_other_are_bad_data(card: CardSimulator, reader: PcscCardReader, monkeypatch):
    other = files.data_groups(card.people["thu"])[13]
    groups = files.data_groups
    monkeypatch.setattr(files, "data_groups", lambda person: groups(person) | {13: other})
    key = await laid(card, reader)
    assert await failure(reader, key) is Reason.CARD_DATA_BAD


async def test_without_the_issuers_certificate_only_integrity_is_shown(card: CardSimulator, tmp_path: Path):
    async with PcscCardReader(CardSettings(csca=tmp_path)) as reader:
        key = await laid(card, reader)
        citizen = await reader.read([key], silent)
    assert isinstance(citizen, Citizen)
    assert citizen.grade is IdentityGrade.INTEGRITY_ONLY


async def test_a_restarted_daemon_is_found_again_with_the_card_still_there(
    pcscd: Pcscd, card: CardSimulator, reader: PcscCardReader
):
    key = await laid(card, reader)
    await pcscd.halt()
    await until(lambda: reader.status.reason is Reason.NO_PCSCD)
    assert reader.status.level is Level.FAULT
    waiting = await reader.wait_for_card()
    assert isinstance(waiting, Failure)
    assert await failure(reader, key) is Reason.NO_PCSCD
    await pcscd.start()
    await until(lambda: reader.status.usable)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_a_daemon_that_dies_in_the_middle_ends_the_read(
    pcscd: Pcscd, card: CardSimulator, reader: PcscCardReader, monkeypatch
):
    answered = asyncio.Event()
    process = applet.Applet.process

    def counted(self, raw):
        answered.set()
        return process(self, raw)

    monkeypatch.setattr(applet.Applet, "process", counted)
    monkeypatch.setattr(CardSimulator, "_taken_by", lambda self, size: time.sleep(0.01) or False)
    key = await laid(card, reader)
    reading = asyncio.ensure_future(reader.read([key], silent))
    await answered.wait()
    await pcscd.halt()
    result = await reading
    assert isinstance(result, Failure)
    assert result.reason is Reason.NO_PCSCD


async def test_a_missing_reader_is_absent_and_comes_back(tmp_path: Path, issuer):
    empty = tmp_path / "readers"
    empty.mkdir()
    async with PcscCardReader(CardSettings()) as reader:
        async with Pcscd(empty, patience=60):
            await until(lambda: reader.status.reason is Reason.NO_READER)
            assert reader.status.level is Level.ABSENT
            waiting = await reader.wait_for_card()
            assert isinstance(waiting, Failure)
            assert waiting.reason is Reason.NO_READER
        async with Pcscd(patience=60):
            await until(lambda: reader.status.usable)


async def test_only_a_reader_of_the_configured_name_serves(pcscd: Pcscd):
    async with PcscCardReader(CardSettings(reader="Contactless")) as reader:
        await until(lambda: reader.status.reason is Reason.NO_READER)
    async with PcscCardReader(CardSettings(reader="00 01")) as reader:
        await until(lambda: reader.status.usable)


async def test_a_card_that_never_ends_times_out_and_the_next_read_works(
    card: CardSimulator, reader: PcscCardReader, monkeypatch
):
    key = await laid(card, reader)
    reader.read_seconds = 0.3
    with monkeypatch.context() as slow:
        slow.setattr(CardSimulator, "_taken_by", lambda self, size: time.sleep(0.02) or False)
        assert await failure(reader, key) is Reason.CARD_TIMEOUT
    reader.read_seconds = 20
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_a_driver_that_hangs_is_given_up_and_replaced(card: CardSimulator, reader: PcscCardReader, monkeypatch):
    key = await laid(card, reader)
    reader.read_seconds, reader.grace_seconds = 0.2, 0.2
    with monkeypatch.context() as hanging:
        hanging.setattr(applet.Applet, "process", lambda self, raw: b"")  # vpcd waits for ever on an empty answer
        assert await failure(reader, key) is Reason.CARD_TIMEOUT
    await lifted(card, reader)
    reader.read_seconds = 20
    await laid(card, reader)
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_a_visit_that_ends_leaves_the_chip_and_nothing_behind(card: CardSimulator, reader: PcscCardReader):
    key = await laid(card, reader)
    shares: list[float] = []
    reading = asyncio.ensure_future(reader.read([key], shares.append))
    await until(lambda: bool(shares))
    reader.forget()
    result = await reading
    assert isinstance(result, Failure)
    assert shares[-1] < 1.0
    reading = asyncio.ensure_future(reader.read([key], silent))
    await asyncio.sleep(0)
    reading.cancel()
    assert isinstance(await reader.read([key], silent), Citizen)


async def test_nothing_of_the_citizen_is_logged(card: CardSimulator, reader: PcscCardReader, caplog):
    caplog.set_level("DEBUG")
    key = await laid(card, reader)
    assert isinstance(await reader.read([key], silent), Citizen)
    await card.act("lift_after", bytes=3000)
    await failure(reader, key)
    person = card.people["mau"]
    for secret in (person.personal_id, person.full_name, person.address, "NGUYEN", "990102"):
        assert secret not in caplog.text


async def test_stopped_and_started_again_it_serves(card: CardSimulator, reader: PcscCardReader):
    await reader.stop()
    await reader.start()
    key = await laid(card, reader)
    assert isinstance(await reader.read([key], silent), Citizen)
