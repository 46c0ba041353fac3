"""The network reader over HTTPS and Socket.IO: the grade is what the kiosk itself can prove, and what breaks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import at_reader
from at_reader import failure, silent
from hardware.card.active import key_of_dg15, proves_key
from hardware.card.readers import card_reader
from hardware.card.vendor import network as network_module
from hardware.card.vendor.network import NetworkCardReader
from hardware.simulators import network_reader as simulator_module
from hardware.simulators.network_reader import NetworkReaderSimulator
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation, load_people
from hardware.simulators.simulator import UnknownAction
from hardware.simulators.wire import Wire
from kiosk.citizen import AccessKey, Citizen, IdentityGrade
from kiosk.config import CardSettings, ConfigError
from kiosk.health import Failure, Level, Reason
from waiting import until

CARDS = Path(__file__).parents[3] / "assets" / "cards"


def with_aa(people: dict[str, Personalisation]) -> str:
    """A card whose chip proves by RSA that it is no copy."""
    return next(name for name, p in people.items() if p.chip.active and p.chip.active.key.startswith("rsa"))


@pytest.fixture
async def card(tmp_path: Path, issuer: Issuer) -> AsyncIterator[NetworkReaderSimulator]:
    simulator = NetworkReaderSimulator(CARDS, tmp_path / "device.pem", issuer=issuer)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def settings(card: NetworkReaderSimulator, tmp_path: Path, csca: Path) -> CardSettings:
    return CardSettings(kind="network", address=card.url, certificate=tmp_path / "device.pem", csca=csca)


@pytest.fixture
async def reader(settings: CardSettings) -> AsyncIterator[NetworkCardReader]:
    device = card_reader(settings)
    assert isinstance(device, NetworkCardReader)
    async with device:
        yield device


async def laid(card: NetworkReaderSimulator, reader: NetworkCardReader, name: str = "") -> AccessKey:
    return await at_reader.laid(card, reader, name or with_aa(card.people))


async def read(reader: NetworkCardReader, *keys: AccessKey) -> Citizen:
    citizen = await reader.read(keys, silent)
    assert isinstance(citizen, Citizen), citizen
    return citizen


async def test_every_card_is_read_and_verified_by_the_kiosk_itself(card, reader):
    for name, person in card.people.items():
        key = await laid(card, reader, name)
        shares: list[float] = []
        citizen = await reader.read([key], shares.append)
        assert isinstance(citizen, Citizen)
        assert citizen.grade is IdentityGrade.ISSUER_VERIFIED
        assert (citizen.personal_id, citizen.full_name) == (person.personal_id, person.full_name)
        assert citizen.address == person.address
        assert citizen.portrait.startswith(b"\xff\xd8\xff")
        assert list(citizen.evidence)[:3] == ["EF.SOD", "EF.DG1", "EF.DG2"]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        await card.act("lift")
        async with asyncio.timeout(30):
            await reader.wait_for_removal()


async def test_the_receiver_can_judge_the_chips_answer_again(card, reader):
    key = await laid(card, reader)
    first, second = (await read(reader, key)).evidence, (await read(reader, key)).evidence
    assert first["AA.challenge"] != second["AA.challenge"]
    for evidence in (first, second):
        assert proves_key(key_of_dg15(evidence["EF.DG15"]), evidence["AA.challenge"], evidence["AA.response"])


async def test_a_chip_that_answers_another_challenge_may_be_a_copy(card, reader, caplog):
    key = await laid(card, reader)
    await card.act("fault", kind="wrong_aa")
    assert (await read(reader, key)).grade is IdentityGrade.CHIP_READ
    assert "chip_clone_suspected" in caplog.text


async def test_files_of_an_unknown_issuer_are_whole_but_unproven(card, reader, settings):
    for anchor in settings.csca.iterdir():
        anchor.unlink()
    assert (await read(reader, await laid(card, reader))).grade is IdentityGrade.INTEGRITY_ONLY


async def test_without_files_there_is_only_the_readers_word(card, reader):
    key = await laid(card, reader)
    await card.act("fault", kind="no_raw_data")
    citizen = await read(reader, key)
    person = card.people[with_aa(card.people)]
    said = (citizen.personal_id, citizen.full_name, citizen.birth, citizen.address)
    assert said == (person.personal_id, person.full_name, person.birth, person.address)
    assert (citizen.grade, citizen.evidence) == (IdentityGrade.CHIP_READ, {})
    assert citizen.portrait.startswith(b"\xff\xd8\xff")


async def test_wrong_keys_are_refused_and_a_right_one_among_them_opens(card, reader):
    key = await laid(card, reader)
    wrong = replace(key, birth=key.birth + timedelta(days=1))
    assert await failure(reader, wrong) is Reason.ACCESS_KEY_REFUSED
    await read(reader, wrong, key)


async def test_messages_that_are_none_cost_nothing(card, reader):
    key = await laid(card, reader)
    await card.act("fault", kind="noise")
    await read(reader, key)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("card_error", Reason.CARD_MUTE),
        ("lift", Reason.CARD_REMOVED),
        ("no_dg15", Reason.CARD_DATA_BAD),
        ("broken_files", Reason.CARD_DATA_BAD),
        ("silent", Reason.CARD_TIMEOUT),
        ("no_aa", Reason.CARD_TIMEOUT),
    ],
)
async def test_a_read_that_goes_wrong_is_told_and_the_next_one_succeeds(card, reader, monkeypatch, kind, reason):
    monkeypatch.setattr(network_module, "READ_SILENCE", 1.0)
    monkeypatch.setattr(network_module, "AA_SECONDS", 1.0)
    key = await laid(card, reader)
    await card.act("fault", kind=kind)
    assert await failure(reader, key) is reason
    await card.act("fault", kind="none")
    monkeypatch.undo()
    await read(reader, await laid(card, reader))


async def test_a_reader_pulled_and_plugged_again_comes_back_with_its_card(card, reader, settings):
    key = await laid(card, reader)
    pinned = settings.certificate.read_bytes()
    await card.act("unplug")
    await until(lambda: reader.status.level is Level.ABSENT)
    assert await failure(reader, key) is Reason.NO_READER
    await card.act("plug")
    assert settings.certificate.read_bytes() == pinned
    await until(lambda: reader.status.level is Level.READY)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    await read(reader, key)


async def test_a_connection_that_stalls_is_noticed_and_made_anew(tmp_path, csca, issuer, monkeypatch):
    monkeypatch.setattr(simulator_module, "BEAT", 1)
    monkeypatch.setattr(network_module, "READ_SILENCE", 0.5)
    card = NetworkReaderSimulator(CARDS, tmp_path / "device.pem", issuer=issuer)
    await card.start()
    wire = Wire("wire-card", "127.0.0.1", card.port)
    await wire.start()
    address = f"https://127.0.0.1:{wire.port}"
    settings = CardSettings(kind="network", address=address, certificate=tmp_path / "device.pem", csca=csca)
    try:
        async with card_reader(settings) as reader:
            assert isinstance(reader, NetworkCardReader)
            key = await laid(card, reader)
            await wire.act("stall")
            assert await failure(reader, key) is Reason.CARD_TIMEOUT
            await until(lambda: reader.status.reason is Reason.NO_READER)
            monkeypatch.undo()
            await wire.act("mend")
            await read(reader, await laid(card, reader))
    finally:
        await wire.stop()
        await card.stop()


async def test_another_device_at_the_address_is_not_talked_to(card, settings, tmp_path, issuer):
    stranger = NetworkReaderSimulator(CARDS, tmp_path / "stranger.pem", issuer=issuer)
    await stranger.start()
    try:
        async with card_reader(replace(settings, address=stranger.url)) as reader:
            await until(lambda: reader.status.reason is Reason.NO_READER)
            assert "certificate" in reader.status.detail
    finally:
        await stranger.stop()


async def test_without_a_card_a_read_says_so(card, reader):
    await until(lambda: reader.status.level is Level.READY)
    assert await failure(reader, card.people["mau"].key) is Reason.NO_CARD


async def test_a_visit_that_ends_ends_its_read(card, reader):
    key = await laid(card, reader)
    assert await reader.read([key], lambda share: reader.forget()) == Failure(Reason.CARD_REMOVED, "the visit ended")
    await read(reader, key)


async def test_logs_hold_nothing_of_the_holder(card, reader, caplog):
    caplog.set_level("DEBUG")
    key = await laid(card, reader)
    await card.act("fault", kind="wrong_aa")
    await reader.read([key], silent)
    assert card.people[with_aa(card.people)].personal_id not in caplog.text


def test_a_certificate_that_is_missing_or_none_is_refused_at_start(tmp_path):
    settings = CardSettings(kind="network", address="https://192.168.5.1:8000", certificate=tmp_path / "device.pem")
    with pytest.raises(ConfigError, match=r"device\.pem: the card reader's certificate is missing"):
        card_reader(settings)
    (tmp_path / "device.pem").write_text("secret", "utf-8")
    with pytest.raises(ConfigError, match=r"device\.pem: is not a certificate"):
        card_reader(settings)


async def test_the_simulator_refuses_what_it_cannot_do(card):
    with pytest.raises(UnknownAction):
        await card.act("lay", card="nobody")
    assert load_people(CARDS).keys() == {one["name"] for one in card.state()["cards"]}
