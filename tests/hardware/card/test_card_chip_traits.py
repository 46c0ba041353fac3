"""What chips do their own way: lengths, offsets, files outside the application, and every quirk seen from outside."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.card.apdu import Channel, Command, Response
from hardware.card.bac import authenticate
from hardware.card.errors import BadData
from hardware.card.lds import APPLICATION, COM, SOD, portrait_of_dg2
from hardware.card.passive import judge, load_anchors, parse_sod
from hardware.card.pcsc import Pcsc
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.tlv import elements, encode, need, total_length
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.chip import ACTIVE, AGREEMENT, PACE, Chip
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.maker import make_card
from hardware.simulators.personalisation.master_file import answer_to_reset
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.person import load_people
from hardware.simulators.personalisation.traits import ALL_QUIRKS, MOST_BUFFER, QUIRKS, Traits
from kiosk.citizen import AccessKey, IdentityGrade

h = bytes.fromhex
CARDS = Path(__file__).parents[3] / "assets" / "cards"
PEOPLE = load_people(CARDS)
ISSUER = Issuer()
KEY = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
CONTENT = encode(COM.tag, bytes(range(256)) * 400)
"""Longer than 64 kB."""
SELECT = Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION)
SELECT_MASTER_FILE = h("00A4000C023F00")
ATR_INFO, READ_CARD_ACCESS = h("00B0810000"), h("00B09C0000")
FIRST = Command(0, 0xB0, 0x80 | COM.sfi, 0, le=8)
Link = tuple[Channel, SecureMessaging]


def card(traits: Traits | None = None, pace: PaceProfile | None = None, content: bytes = CONTENT) -> Applet:
    return Applet({COM.sfi: content}, KEY, pace, traits=traits or Traits())


def opened(applet: Applet, key: AccessKey = KEY) -> Link:
    applet.reset()
    channel = Channel(applet.process)
    assert channel.send(SELECT).sw == 0x9000
    session = authenticate(channel, key)
    assert session is not None
    return channel, session


def send(link: Link, command: Command) -> Response:
    channel, session = link
    return session.unprotect(channel.send(session.protect(command)))


def raw_answer(link: Link, command: Command) -> Response:
    """As it comes over the wire, still protected."""
    channel, session = link
    return channel.send(session.protect(command))


def file(link: Link, sfi: int, most: int = 200) -> bytes:
    """A file read in small blocks, as long as its header says."""
    content = b""
    while not content or len(content) < total_length(content):
        p1 = len(content) >> 8 if content else 0x80 | sfi
        answer = send(link, Command(0, 0xB0, p1, len(content) & 0xFF, le=most))
        if answer.sw not in (0x9000, 0x6282) or not answer.data:
            raise BadData(f"{answer.sw:04X} at {len(content)}")
        content += answer.data
    return content


# Lengths


def test_a_chip_with_a_buffer_states_it_before_it_is_opened_and_in_its_answer_to_reset():
    answer = card(Traits(buffer=2048)).process(ATR_INFO)
    assert answer[-2:] == h("6282")
    assert dict(elements(need(answer[:-2], 0x7F66))) == {0x02: h("0800")}
    assert [tag for tag, _ in elements(need(answer[:-2], 0x7F66))] == [0x02, 0x02]
    assert answer_to_reset(Traits(buffer=2048)) == h("3B858001807384216032")
    assert answer_to_reset(Traits()) == h("3B80800101")
    assert card().process(ATR_INFO)[-2:] == h("6A82")


@pytest.mark.parametrize("buffer", [512, 2048, 4096, MOST_BUFFER])
def test_extended_reads_bring_what_the_buffer_holds_and_no_more(buffer: int):
    link = opened(card(Traits(buffer=buffer)))
    protected = raw_answer(link, replace(FIRST, le=65_536))
    assert buffer - 16 < len(protected.data) + 2 <= buffer
    plain = link[1].unprotect(protected)
    assert plain.sw == 0x9000
    assert plain.data == CONTENT[: len(plain.data)]
    assert send(link, Command(0, 0xB0, 0x01, 0x00, le=300)).data == CONTENT[256:556]


def test_a_whole_short_file_comes_at_once_and_says_it_ended():
    content = encode(COM.tag, bytes(1000))
    assert send(opened(card(Traits(buffer=4096), content=content)), replace(FIRST, le=65_536)) == Response(
        content, 0x6282
    )


def test_a_command_longer_than_the_buffer_is_refused():
    assert card(Traits(buffer=512)).process(b"\x00\x22\xc1\xa4\x00\x02\x00" + bytes(512)) == h("6700")


@pytest.mark.parametrize(
    ("traits", "refusal"),
    [
        (Traits(), 0x6700),
        (Traits(largest_read=192), 0x6700),
        (Traits(largest_read=192, corrects_length=True), 0x6CC0),
    ],
)
def test_a_read_that_is_too_long_ends_the_session_in_the_clear(traits: Traits, refusal: int):
    link = opened(card(traits))
    most = min(traits.largest_read, 231)
    assert len(send(link, replace(FIRST, le=most)).data) == most
    assert raw_answer(link, replace(FIRST, le=traits.largest_read + 1)) == Response(b"", refusal)
    assert raw_answer(link, FIRST) == Response(b"", 0x6982)


# READ BINARY with odd instruction


def odd(offset: bytes, le: int, named: int = 0) -> Command:
    return Command(0, 0xB1, 0, named, encode(0x54, offset), le)


@pytest.mark.parametrize("offset", [0, 5, 32_767, 32_768, 65_535, 65_536, 102_350])
def test_offsets_beyond_32767_are_read_with_the_odd_instruction(offset: int):
    link = opened(card())
    send(link, FIRST)
    place = offset.to_bytes(3, "big")
    answer = send(link, odd(place, 104))
    assert answer.sw == (0x9000 if offset < 102_350 else 0x6282)
    assert need(answer.data, 0x53) == CONTENT[offset : offset + 102]
    assert len(answer.data) <= 104


def test_the_odd_instruction_may_name_the_file_and_take_extended_length():
    link = opened(card(Traits(buffer=8192)))
    answer = send(link, odd(b"\x01\x00\x00", 65_536, COM.sfi))
    part = need(answer.data, 0x53)
    assert part == CONTENT[65_536 : 65_536 + len(part)]
    assert len(part) > 8000
    assert send(link, odd(b"\x00", 100, 7)).sw == 0x6A82


def test_its_cryptogram_has_no_padding_indicator():
    channel, session = opened(card())
    sent = session.protect(odd(b"\x00", 50, COM.sfi))
    assert sent.data[0] == 0x85
    answer = channel.send(sent)
    (tag, sealed), *_ = elements(answer.data)
    assert (tag, len(sealed) % 8) == (0x85, 0)
    assert need(session.unprotect(answer).data, 0x53) == CONTENT[:48]


@pytest.mark.parametrize(("data", "sw"), [(b"", 0x6A80), (b"\x53\x01\x00", 0x6A80), (b"\x54\x03\xff\xff\xff", 0x6B00)])
def test_a_missing_or_impossible_offset_is_refused(data: bytes, sw: int):
    link = opened(card())
    send(link, FIRST)
    assert send(link, Command(0, 0xB1, 0, 0, data, 10)).sw == sw


# Outside the application


def test_the_master_file_is_selected_or_not_known():
    assert card().process(SELECT_MASTER_FILE) == h("6D00")
    applet = card(Traits(master_file=True), PaceProfile())
    assert applet.process(SELECT_MASTER_FILE) == h("9000")
    assert applet.process(READ_CARD_ACCESS).startswith(b"\x31")


@pytest.mark.parametrize("sw", [0x6982, 0x6A82, 0x6986])
def test_a_missing_card_access_is_refused_in_the_chips_own_way(sw: int):
    assert card(Traits(card_access_refusal=sw)).process(READ_CARD_ACCESS) == sw.to_bytes(2, "big")
    assert card(Traits(card_access_refusal=sw)).process(h("00A4020C02011C")) == sw.to_bytes(2, "big")


# Quirks by name


def made(name: str = "du", quirk: str = "") -> Applet:
    return make_card(PEOPLE[name], ISSUER, quirk)


def grade(applet: Applet, name: str, folder: Path) -> IdentityGrade:
    link = opened(applet, PEOPLE[name].key)
    sod = parse_sod(file(link, SOD.sfi))
    groups = {number: file(link, number) for number in sod.hashes if number != 3}
    return judge(sod, groups, load_anchors(folder), datetime.now(UTC)).grade


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate and the revocation list."""
    folder = tmp_path_factory.mktemp("trust")
    ISSUER.write_crl(folder)
    return ISSUER.write_csca(folder).parent


@pytest.mark.parametrize("name", PEOPLE)
def test_every_card_of_the_demo_is_verified(name: str, trust: Path):
    assert grade(made(name), name, trust) is IdentityGrade.ISSUER_VERIFIED


def test_the_cards_of_the_demo_have_four_kinds_of_chip():
    kinds = {
        name: (
            made(name).process(SELECT_MASTER_FILE).hex(),
            made(name).process(READ_CARD_ACCESS)[:1] == b"\x31",
            made(name).process(ATR_INFO)[-2:].hex(),
            sorted(set(data_groups(person)) - {1, 2, 3, 13}),
        )
        for name, person in PEOPLE.items()
    }
    assert kinds == {
        "mau": ("6d00", False, "6a82", []),
        "du": ("9000", True, "6a82", [14, 15]),
        "nghiem": ("9000", True, "6a82", [14]),
        "thu": ("9000", False, "6282", [14]),
    }


GRADES = {
    "issuer_expired": IdentityGrade.INTEGRITY_ONLY,
    "issuer_unknown": IdentityGrade.INTEGRITY_ONLY,
    "issuer_revoked": IdentityGrade.INTEGRITY_ONLY,
    "swapped": IdentityGrade.CHIP_READ,
    "cloned": IdentityGrade.ISSUER_VERIFIED,
    "slow": IdentityGrade.ISSUER_VERIFIED,
}


@pytest.mark.parametrize("quirk", GRADES)
def test_a_quirk_shows_in_what_passive_authentication_finds(quirk: str, trust: Path):
    assert grade(made("du", quirk), "du", trust) is GRADES[quirk]


def test_a_signer_is_revoked_only_where_the_list_is(trust: Path, tmp_path: Path):
    ISSUER.write_csca(tmp_path)
    assert grade(made("du", "issuer_revoked"), "du", tmp_path) is IdentityGrade.ISSUER_VERIFIED
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in trust.iterdir())


def test_a_swapped_portrait_is_a_whole_picture_of_somebody_else():
    right, wrong = (file(opened(made("du", quirk), PEOPLE["du"].key), 2) for quirk in ("", "swapped"))
    assert portrait_of_dg2(wrong).startswith(b"\xff\xd8\xff")
    assert portrait_of_dg2(wrong) != portrait_of_dg2(right)


def test_a_length_that_lies_lets_the_file_end_too_early():
    link = opened(made("du", "lies_in_length"), PEOPLE["du"].key)
    with pytest.raises(BadData, match="6B00"):
        file(link, 2)


def test_one_answer_has_a_wrong_checksum():
    link = opened(made("du", "wrong_mac"), PEOPLE["du"].key)
    command = replace(FIRST, p1=0x81)
    for _ in range(11):
        send(link, command)
    with pytest.raises(BadData, match="checksum"):
        send(link, command)


REFUSALS: dict[str, tuple[int, int]] = {"refuses_256": (193, 0x6700), "corrects_length": (161, 0x6CA0)}


@pytest.mark.parametrize("quirk", REFUSALS)
@pytest.mark.parametrize("name", ["mau", "thu"])
def test_named_refusals_of_lengths_hold_on_every_chip(quirk: str, name: str):
    le, refusal = REFUSALS[quirk]
    assert raw_answer(opened(made(name, quirk), PEOPLE[name].key), replace(FIRST, le=le)) == Response(b"", refusal)


OUTSIDE: dict[str, Callable[[Applet], bool]] = {
    "no_mf": lambda applet: applet.process(SELECT_MASTER_FILE) == h("6D00"),
    "card_access_6a82": lambda applet: applet.process(READ_CARD_ACCESS) == h("6A82"),
    "card_access_6986": lambda applet: applet.process(READ_CARD_ACCESS) == h("6986"),
}


@pytest.mark.parametrize("quirk", OUTSIDE)
def test_quirks_outside_the_application(quirk: str):
    assert OUTSIDE[quirk](made("thu", quirk))
    assert not OUTSIDE[quirk](made("thu"))


def test_no_quirk_is_left_without_a_test():
    assert set(ALL_QUIRKS) == set(GRADES) | set(REFUSALS) | set(OUTSIDE) | {"lies_in_length", "wrong_mac"}
    assert all(Chip().with_quirk(name) != Chip() for name in ALL_QUIRKS)
    assert all(set(changes) <= set(Traits.__slots__) for changes in QUIRKS.values())


def test_nothing_private_shows_when_a_card_is_printed():
    chip = PEOPLE["nghiem"].chip
    profile = chip.profile("a")
    assert profile is not None
    assert str(profile.chip_secret) not in repr(profile) + repr(chip) + repr(chip.secrets("a"))


# Whatever is sent

INSTRUCTIONS = st.sampled_from([0x22, 0x82, 0x84, 0x86, 0x88, 0xA4, 0xB0, 0xB1, 0x00, 0xC0])
COMMANDS = st.builds(
    Command,
    st.just(0),
    INSTRUCTIONS,
    st.sampled_from([0, 0x04, 0x41, 0xC1, 0x81, 0x9E, 0xFF]),
    st.sampled_from([0, 0xA4, 0xA6, 0x1E, 0xFF]),
    st.binary(max_size=80) | st.binary(max_size=40).map(lambda value: encode(0x7C, encode(0x80, value))),
    st.none() | st.integers(1, 65_536),
)
EVERYTHING = Chip(PACE["ecdh-cam-aes128-13"], ACTIVE["ecdsa-p256-sha256"], AGREEMENT["ecdh-aes128-p256"], 4096)
SECRETS = EVERYTHING.secrets("a")


@settings(deadline=None, max_examples=150)
@given(sent=st.lists(COMMANDS, max_size=6), raw=st.binary(max_size=40))
def test_no_command_stops_the_card(sent: list[Command], raw: bytes):
    applet = Applet({COM.sfi: CONTENT}, KEY, EVERYTHING.pace, secrets=SECRETS, traits=EVERYTHING.traits())
    _, session = opened(applet)
    for command in sent:
        assert len(applet.process(session.protect(command).encode())) >= 2
    for command in [raw, *(command.encode() for command in sent)]:
        assert 2 <= len(applet.process(command)) <= 32_768
    assert send(opened(applet), FIRST).data == CONTENT[:8]


# On the wire


async def test_two_cards_lie_on_two_readers_and_a_slow_one_keeps_nobody_waiting(pcscd: Pcscd):
    first, second = (CardSimulator(CARDS, port=port, issuer=ISSUER) for port in (35_963, 35_964))
    async with first_and_second(first, second):
        await first.act("lay", card="mau", quirk="slow")
        await second.act("lay", card="thu")
        found = await asyncio.to_thread(answers, "Virtual PCD 00 00", "Virtual PCD 00 01")
    (slow, plain), (quick, informed) = found
    assert (plain, informed) == (0x6A82, 0x6282)
    assert slow >= 0.15 > quick


def answers(*names: str) -> list[tuple[float, int]]:
    """Of each reader: the least seconds for EF.ATR/INFO, and its status word."""
    found = []
    with Pcsc() as pcsc:
        for name in names:
            wait_for(pcsc, name)
            with pcsc.card(pcsc.reader(name)) as connected:
                tries = [timed(connected.transmit) for _ in range(4)]
                found.append(min(tries))
    return found


def timed(transmit: Callable[[bytes], bytes]) -> tuple[float, int]:
    began = time.monotonic()
    sw = transmit(ATR_INFO)[-2:]
    return time.monotonic() - began, int.from_bytes(sw, "big")


def wait_for(pcsc: Pcsc, name: str) -> None:
    deadline = time.monotonic() + 10
    while not pcsc.is_card_on(pcsc.reader(name)):
        assert time.monotonic() < deadline, "no card came"
        time.sleep(0.05)


@asynccontextmanager
async def first_and_second(*simulators: CardSimulator) -> AsyncIterator[None]:
    for simulator in simulators:
        await simulator.start()
    yield
    for simulator in simulators:
        await simulator.stop()
