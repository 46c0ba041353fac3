"""The life of card readers: several of them, unplugged, busy, a daemon that comes and goes, reads that are resumed."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from smartcard import scard

from at_reader import laid, silent
from hardware.card import pcsc as module
from hardware.card import reader as reader_module
from hardware.card.errors import CardError
from hardware.card.pcsc import Card, Pcsc, is_contactless, offered_rate
from hardware.card.reader import PcscCardReader
from hardware.card.trust_folder import TrustFolder
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.issuer import Issuer
from kiosk.citizen import AccessKey, Citizen
from kiosk.health import Failure, Level, Reason
from kiosk.ports import Progress
from waiting import until

CARDS = Path(__file__).parents[3] / "assets" / "cards"
FIRST, SECOND = "Virtual PCD 00 00", "Virtual PCD 00 01"
COST = re.compile(r"card: T=1 contactless, (\d+) commands, (\d+) bytes in \d+\.\d\d s \(\d+\.\d kB/s\), (\w+)")


@pytest.fixture
async def second(pcscd: Pcscd, issuer: Issuer) -> AsyncIterator[CardSimulator]:
    """Cards for the second of the virtual readers."""
    simulator = CardSimulator(CARDS, port=35964, issuer=issuer)
    await simulator.start()
    yield simulator
    await simulator.stop()


async def holder(reader: PcscCardReader, key: AccessKey, progress: Progress = silent) -> str:
    """The name on the card that is read, or why it is not."""
    result = await reader.read([key], progress)
    return result.reason.value if isinstance(result, Failure) else result.full_name


async def pulled(card: CardSimulator, reader: PcscCardReader, key: AccessKey) -> float:
    """Take the card away in the midst of a read; the share that was done."""
    shares: list[float] = []
    await card.act("lift_after", bytes=14_000)
    result = await reader.read([key], shares.append)
    assert isinstance(result, Failure)
    assert result.reason is Reason.CARD_REMOVED
    async with asyncio.timeout(30):
        await reader.wait_for_removal()
    return shares[-1]


async def shares_of(reader: PcscCardReader, key: AccessKey) -> list[float]:
    """The progress of a read that succeeds."""
    shares: list[float] = []
    assert isinstance(await reader.read([key], shares.append), Citizen)
    assert shares[-1] == 1.0
    return shares


def cost(caplog: pytest.LogCaptureFixture) -> tuple[int, int, str]:
    """Commands, bytes and how, as the latest read was logged."""
    found = COST.findall(caplog.text)
    assert found, caplog.text
    commands, octets, how = found[-1]
    return int(commands), int(octets), how


# --- several readers ---


async def test_a_card_on_any_of_two_readers_is_read(card, second, reader):
    key = await laid(second, reader, "thu")
    assert await holder(reader, key) == second.people["thu"].full_name
    await second.act("lift")
    async with asyncio.timeout(30):
        await reader.wait_for_removal()
    key = await laid(card, reader)
    assert await holder(reader, key) == card.people["mau"].full_name


async def test_of_two_cards_the_first_is_read_and_the_other_once_it_is_gone(card, second, reader):
    key = await laid(second, reader, "thu")
    await card.act("lay", card="mau")
    with Pcsc() as pcsc:
        await until(lambda: pcsc.occupied() == [FIRST, SECOND])
    assert await holder(reader, key) == second.people["thu"].full_name
    await second.act("lift")
    async with asyncio.timeout(30):
        await reader.wait_for_removal()
        assert await reader.wait_for_card() is None
    assert await holder(reader, card.people["mau"].key) == card.people["mau"].full_name


@contextmanager
def unplugged(monkeypatch: pytest.MonkeyPatch, *names: str, code: int = scard.SCARD_E_READER_UNAVAILABLE):
    """The calls answer as pcscd does while a driver says that the device of these readers is gone."""
    look, connect = scard.SCardGetStatusChange, scard.SCardConnect

    def status(context, wait, states):
        gone = states[0][0] in names
        return (0, [(states[0][0], scard.SCARD_STATE_UNAVAILABLE, [])]) if gone else look(context, wait, states)

    def connected(context, name, *rest):
        return (scard.SCARD_E_READER_UNAVAILABLE, 0, 0) if name in names else connect(context, name, *rest)

    with monkeypatch.context() as usb:
        usb.setattr(scard, "SCardGetStatusChange", status)
        usb.setattr(scard, "SCardConnect", connected)
        if SECOND in names:
            usb.setattr(scard, "SCardTransmit", lambda *_: (code, []))
        yield


async def test_one_reader_unplugged_leaves_the_other_at_work(card, second, reader, monkeypatch):
    await laid(card, reader)
    with unplugged(monkeypatch, FIRST):
        async with asyncio.timeout(30):
            await reader.wait_for_removal()
        assert reader.status.level is Level.READY
        key = await laid(second, reader, "thu")
        assert await holder(reader, key) == second.people["thu"].full_name
    with unplugged(monkeypatch, FIRST, SECOND):
        await until(lambda: reader.status.reason is Reason.NO_READER)
        assert reader.status.level is Level.ABSENT
        assert await holder(reader, key) == "no_reader"
    await until(lambda: reader.status.usable)
    assert await reader.wait_for_card() is None


@pytest.mark.parametrize("code", [scard.SCARD_E_READER_UNAVAILABLE, scard.SCARD_E_INVALID_HANDLE])
async def test_a_reader_unplugged_in_mid_read_is_told_and_the_read_goes_on_once_it_is_back(
    card, reader, monkeypatch, code
):
    key = await laid(card, reader)
    shares: list[float] = []
    with monkeypatch.context() as slow:
        slow.setattr(CardSimulator, "_taken_by", lambda self, size: time.sleep(0.01) or False)
        reading = asyncio.ensure_future(holder(reader, key, shares.append))
        await until(lambda: bool(shares) and shares[-1] > 0.4)
        with unplugged(monkeypatch, FIRST, SECOND, code=code):
            assert await reading == "no_reader"
            await until(lambda: reader.status.reason is Reason.NO_READER)
    await until(lambda: reader.status.usable)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    assert (await shares_of(reader, key))[0] == shares[-1]


def test_a_slot_for_the_operators_own_card_is_left_out_unless_named(monkeypatch):
    names = ["Reader SAM 00 00", "Reader 00 01", "SAMPO 01 00"]
    monkeypatch.setattr(scard, "SCardListReaders", lambda context, groups: (0, names))
    pcsc = Pcsc()
    pcsc._context = 0
    assert pcsc.readers() == ["Reader 00 01", "SAMPO 01 00"]
    assert pcsc.readers("Reader SAM") == ["Reader SAM 00 00"]


# --- another program ---


@contextmanager
def held():
    """Another program that has the card for itself."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    assert code == 0
    code, handle, _ = scard.SCardConnect(context, FIRST, scard.SCARD_SHARE_EXCLUSIVE, module.PROTOCOLS)
    assert code == 0

    def let_go() -> None:
        scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)  # no reset: that the card answers in this thread

    try:
        yield let_go
    finally:
        let_go()
        scard.SCardReleaseContext(context)


async def test_a_program_that_only_looks_at_the_card_is_waited_for(card, reader, monkeypatch):
    monkeypatch.setattr(module, "IN_USE_PATIENCE", 20)
    key = await laid(card, reader)
    with held() as let_go:
        asyncio.get_running_loop().call_later(0.5, let_go)
        assert await holder(reader, key) == card.people["mau"].full_name


async def test_a_program_that_keeps_the_card_is_told_and_the_next_read_works(card, reader):
    key = await laid(card, reader)
    with held():
        began = time.monotonic()
        assert await holder(reader, key) == "card_in_use"
        assert 1.0 < time.monotonic() - began < 20
        assert reader.status.usable
    assert await holder(reader, key) == card.people["mau"].full_name


async def test_a_visit_that_ends_does_not_wait_for_another_program(card, reader, monkeypatch):
    monkeypatch.setattr(module, "IN_USE_PATIENCE", 60)
    key = await laid(card, reader)
    with held():
        reading = asyncio.ensure_future(holder(reader, key))
        await asyncio.sleep(0.2)
        reader.forget()
        async with asyncio.timeout(20):
            assert await reading == "card_in_use"


# --- the daemon ---


async def test_a_daemon_restarted_in_mid_read_is_told_recovered_from_and_the_read_goes_on(
    pcscd, card, reader, monkeypatch, caplog
):
    caplog.set_level("INFO")
    key = await laid(card, reader)
    whole = await shares_of(reader, key)
    levels: list[Reason] = []
    reader.on_change = lambda status: levels.append(status.reason)
    shares: list[float] = []
    with monkeypatch.context() as slow:
        slow.setattr(CardSimulator, "_taken_by", lambda self, size: time.sleep(0.01) or False)
        reading = asyncio.ensure_future(reader.read([key], shares.append))
        await until(lambda: bool(shares) and shares[-1] > 0.5)
        await pcscd.restart()
        result = await reading
    assert isinstance(result, Failure)
    assert result.reason is Reason.NO_PCSCD
    await until(lambda: reader.status.usable)
    assert (levels[0], levels[-1]) == (Reason.NO_PCSCD, Reason.OK)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    again = await shares_of(reader, key)
    assert again[0] == pytest.approx(shares[-1])
    assert len(again) < len(whole)


# --- a read that goes on ---


async def test_a_card_laid_back_is_read_on_from_where_it_was_pulled(card, reader, caplog):
    caplog.set_level("INFO")
    key = await laid(card, reader)
    await shares_of(reader, key)
    whole, _, _ = cost(caplog)
    share = await pulled(card, reader, key)
    assert cost(caplog)[2] == "card_removed"
    await laid(card, reader)
    shares = await shares_of(reader, key)
    assert shares[0] == share > 0.3
    assert shares == sorted(shares)
    assert cost(caplog)[0] < 0.8 * whole
    assert (await shares_of(reader, key))[0] < 0.2  # nothing is kept of a whole read


@pytest.mark.parametrize("end", ["forget", "late"])
async def test_nothing_is_left_to_go_on_with_after_the_visit_or_two_minutes(card, reader, end, monkeypatch):
    assert reader_module.KEPT_SECONDS == 120
    monkeypatch.setattr(reader_module, "KEPT_SECONDS", 0.1 if end == "late" else 120)
    key = await laid(card, reader)
    await pulled(card, reader, key)
    if end == "forget":
        reader.forget()
    await laid(card, reader)
    assert (await shares_of(reader, key))[0] < 0.2


async def test_a_visit_that_ends_in_mid_read_leaves_nothing_to_go_on_with(card, reader):
    key = await laid(card, reader)
    shares: list[float] = []
    reading = asyncio.ensure_future(reader.read([key], shares.append))
    await until(lambda: bool(shares) and shares[-1] > 0.3)
    reader.forget()
    assert isinstance(await reading, Failure)
    assert (await shares_of(reader, key))[0] < 0.2


async def test_another_card_laid_down_instead_is_read_from_its_beginning(card, reader):
    key = await laid(card, reader)
    await pulled(card, reader, key)
    other = await laid(card, reader, "thu")
    shares: list[float] = []
    citizen = await reader.read([other], shares.append)
    assert isinstance(citizen, Citizen)
    assert citizen.full_name == card.people["thu"].full_name
    assert min(shares[1:]) < 0.3  # the progress is that of the other card


async def test_every_read_tells_technicians_what_it_cost_and_nobody_whose_it_was(card, reader, caplog):
    caplog.set_level("INFO")
    for name, how in (("mau", "BAC"), ("du", "PACE")):
        key = await laid(card, reader, name)
        assert await holder(reader, key) == card.people[name].full_name
        commands, octets, opened = cost(caplog)
        assert opened == how
        assert 70 < commands < 150
        assert octets > 15_000
        assert card.people[name].personal_id not in caplog.text
        await card.act("lift")
        async with asyncio.timeout(30):
            await reader.wait_for_removal()


# --- what the card and its reader say of themselves ---


async def test_a_reset_card_has_forgotten_the_application_and_a_lifted_one_is_gone(card):
    select = bytes.fromhex("00A4040C07A0000002471001")
    await card.act("lay", card="mau")

    def work(what: Callable[[Card], object]) -> object:
        with Pcsc() as pcsc, pcsc.card(FIRST) as connected:
            return what(connected)

    def challenge_after_reset(connected: Card) -> tuple[bytes, bytes]:
        assert connected.transmit(select) == b"\x90\x00"
        before = connected.transmit(bytes.fromhex("0084000008"))
        connected.reset()
        return before[-2:], connected.transmit(bytes.fromhex("0084000008"))[-2:]

    with Pcsc() as pcsc:
        await until(lambda: pcsc.occupied() == [FIRST])
    before, after = await asyncio.to_thread(work, challenge_after_reset)
    assert before == b"\x90\x00" != after
    told = await asyncio.to_thread(work, lambda c: (c.atr.hex(), c.protocol, c.contactless, c.rate, c.largest_apdu))
    assert told == ("3b80800101", "T=1", True, "", 0)

    def reset_without_card(connected: Card) -> Reason:
        asyncio.run_coroutine_threadsafe(card.act("lift"), loop).result()
        with pytest.raises(CardError) as raised:
            connected.reset()
        return raised.value.failure.reason

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(work, reset_without_card) is Reason.CARD_REMOVED


@pytest.mark.parametrize(
    ("features", "properties", "largest"),
    [
        ("0604423300061204" + "42330012", "0B02 2F0E 0A04 00000100", 65536),
        ("1204" + "42330012", "0A04 05010000", 261),
        ("1204" + "42330012", "0A04 00000000", 0),
        ("1204" + "42330012", "0A04 00000200", 65536),
        ("1204" + "42330012", "0A04", 0),
        ("1204" + "42330012", "", 0),
        ("0604" + "42330006", "0A04 00000100", 0),
        ("12", "", 0),
    ],
)
def test_the_reader_says_how_long_commands_it_passes(monkeypatch, features, properties, largest):
    told = {module.GET_FEATURES: features, 0x42330012: properties}
    answers = {code: list(bytes.fromhex(text)) for code, text in told.items()}
    monkeypatch.setattr(scard, "SCardControl", lambda handle, code, data: (0, answers[code]))
    monkeypatch.setattr(scard, "SCardStatus", lambda handle: (scard.SCARD_E_INVALID_HANDLE, "", 0, 0, []))
    assert Card(Pcsc(), FIRST, 0, scard.SCARD_PROTOCOL_T1).largest_apdu == largest


@pytest.mark.parametrize(
    ("atr", "contactless", "rate"),
    [
        ("3B80800101", True, "F=372 D=1"),
        ("3B8E80011380318066B1840C016E0183009000 1C", True, "F=372 D=1"),
        ("3B9F95803FC7A08031E073FE211367", False, "F=512 D=16"),
        ("3B6500002063CB6800", False, "F=372 D=1"),
        ("3B", False, ""),
        ("", False, ""),
    ],
)
def test_the_answer_to_reset_tells_air_from_contacts_and_the_rate(atr, contactless, rate):
    assert is_contactless(bytes.fromhex(atr)) is contactless
    assert offered_rate(bytes.fromhex(atr)) == rate


# --- the trust folder ---


def test_the_trust_folder_is_loaded_again_only_when_it_has_changed(csca: Path):
    folder = TrustFolder(csca)
    first = folder.store()
    assert len(first.anchors) == 1
    assert folder.store() is first
    (csca / "broken.pem").write_text("not a certificate")
    assert folder.store() is not first
    assert len(folder.store().anchors) == 1
    for file in csca.iterdir():
        file.unlink()
    assert not folder.store().anchors


def test_a_trust_folder_that_cannot_be_read_trusts_nothing_and_ends_nothing(tmp_path: Path):
    assert not TrustFolder(None).store().anchors
    assert not TrustFolder(tmp_path / "missing").store().anchors
    assert not TrustFolder(tmp_path / ("long" * 100)).store().anchors
