"""Opening a chip: every kind of PACE by the whole dialogue, falling back, wrong keys, chips that misbehave."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card import access
from hardware.card.access import Access, open_chip
from hardware.card.apdu import Channel, Command
from hardware.card.card_access import CARD_ACCESS, parse_card_access
from hardware.card.checks import Outcome
from hardware.card.domain_parameters import STANDARDISED
from hardware.card.errors import BadData, CardError
from hardware.card.files import Files
from hardware.card.key_derivation import Algorithm
from hardware.card.lds import COM
from hardware.card.mapping import Mapping
from hardware.card.pace import Password
from hardware.card.tlv import encode
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.pace import PaceProfile
from kiosk.citizen import AccessKey
from kiosk.health import Reason

h = bytes.fromhex
KEY = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
WRONG = AccessKey("001199000123", date(1999, 1, 2), date(2040, 1, 2))
CAN = Password.from_can("000123")
CONTENT = encode(COM.tag, bytes(range(256)) * 4)
Transmit = Callable[[bytes], bytes]


def opened(transmit: Transmit, *keys: access.Key) -> Access:
    """Open, then read a file of several blocks: the session serves."""
    session, how = open_chip(Channel(transmit), keys or [KEY])
    assert Files(Channel(transmit), session).read(COM, lambda *_: None) == CONTENT
    return how


def card(profile: PaceProfile | None = None) -> Applet:
    return Applet({COM.sfi: CONTENT}, KEY, profile)


def reason(transmit: Transmit, *keys: access.Key) -> Reason:
    with pytest.raises(CardError) as raised:
        open_chip(Channel(transmit), keys)
    return raised.value.failure.reason


def exists(mapping: Mapping, parameters: int, algorithm: Algorithm) -> bool:
    """No integrated mapping over P-224, no chip authentication mapping over fields or with 3DES."""
    if mapping is Mapping.CHIP_AUTHENTICATION:
        return parameters > 7 and algorithm is not Algorithm.TRIPLE_DES
    return mapping is Mapping.GENERIC or parameters != 10


VARIANTS = [variant for variant in product(Mapping, STANDARDISED, Algorithm) if exists(*variant)]


@pytest.mark.parametrize(("mapping", "parameters", "algorithm"), VARIANTS)
def test_every_kind_of_pace_opens_the_chip(mapping: Mapping, parameters: int, algorithm: Algorithm):
    profile = PaceProfile(mapping, algorithm, parameters)
    found = opened(card(profile).process)
    assert found.pace
    assert found.card_access == profile.card_access()
    if mapping is Mapping.CHIP_AUTHENTICATION:
        group = STANDARDISED[parameters]
        assert found.proof is not None
        assert found.proof.fits(group.multiply(group.generator, profile.chip_secret))
        assert not found.proof.fits(group.multiply(group.generator, profile.chip_secret + 1))
    else:
        assert found.proof is None


def test_the_access_number_opens_by_pace_and_a_wrong_one_is_refused():
    assert opened(card(PaceProfile()).process, CAN).pace
    assert reason(card(PaceProfile()).process, Password.from_can("000124")) is Reason.ACCESS_KEY_REFUSED


def test_the_access_number_is_no_key_of_a_chip_without_pace():
    assert reason(card().process, CAN) is Reason.ACCESS_KEY_REFUSED
    assert opened(card().process, CAN, KEY).bac


def test_a_wrong_key_is_refused_by_pace_and_never_tried_by_bac():
    sent: list[int] = []
    applet = card(PaceProfile())

    def heard(raw: bytes) -> bytes:
        sent.append(raw[1])
        return applet.process(raw)

    assert reason(heard, WRONG) is Reason.ACCESS_KEY_REFUSED
    assert 0x82 not in sent
    assert opened(card(PaceProfile()).process, WRONG, KEY).pace


def test_guessing_ends():
    tried: list[bytes] = []
    applet = card(PaceProfile())

    def heard(raw: bytes) -> bytes:
        if raw[1] == 0x22:
            tried.append(raw)
        return applet.process(raw)

    assert reason(heard, *[WRONG] * 50) is Reason.ACCESS_KEY_REFUSED
    assert len(tried) == access.MAX_KEYS


@pytest.mark.parametrize("sw", ["6D00", "6982", "6986", "6A82", "6700", "6300"])
def test_a_chip_that_shows_no_card_access_opens_by_bac(sw: str):
    applet = card(PaceProfile())

    def shy(raw: bytes) -> bytes:
        return h(sw) if raw[:2] == b"\x00\xb0" or raw[:3] == b"\x00\xa4\x00" else applet.process(raw)

    found = opened(shy)
    assert found.bac
    assert found.pace.outcome is Outcome.NOT_SUPPORTED


@pytest.mark.parametrize(
    "raw", ["", "31", "3100", "31820FFF00", "3180", "310430020600", "300100", "FF" * 40, "31053003020102"]
)
def test_a_strange_card_access_is_no_reason_not_to_try_bac(raw: str):
    applet = card()
    found = opened(lambda sent: h(raw) + h("9000") if sent[:2] == b"\x00\xb0" else applet.process(sent))
    assert found.bac
    assert not found.pace


def broken_pace(raw: bytes, applet: Applet) -> bytes:
    """A chip whose mapping key is not on the curve."""
    answer = applet.process(raw)
    return (
        answer[:-4] + bytes([answer[-4] ^ 1]) + answer[-3:] if raw[:2] == b"\x10\x86" and len(answer) > 60 else answer
    )


def test_broken_pace_falls_back_visibly_or_not_at_all_as_the_policy_says(monkeypatch):
    applet = card(PaceProfile())
    found = opened(lambda raw: broken_pace(raw, applet))
    assert found.pace.failed
    assert found.bac
    assert "PACE" in found.bac.reason
    monkeypatch.setattr(access, "BAC_AFTER_PACE", False)
    applet.reset()
    assert reason(lambda raw: broken_pace(raw, applet), KEY) is Reason.CARD_DATA_BAD


@pytest.mark.parametrize("sw", ["6A80", "6F00", "6985"])
def test_a_chip_that_refuses_its_own_offer_opens_by_bac(sw: str):
    applet = card(PaceProfile())
    found = opened(lambda raw: h(sw) if raw[1] == 0x22 else applet.process(raw))
    assert found.pace.failed
    assert sw in found.pace.reason


def test_a_card_taken_away_is_no_reason_to_fall_back():
    applet = card(PaceProfile())

    def lifted(raw: bytes) -> bytes:
        if raw[1] == 0x86:
            raise CardError(Reason.CARD_REMOVED)
        return applet.process(raw)

    assert reason(lifted, KEY) is Reason.CARD_REMOVED


def test_a_chip_with_a_false_token_is_not_believed(monkeypatch):
    monkeypatch.setattr(access, "BAC_AFTER_PACE", False)
    applet = card(PaceProfile())

    def false(raw: bytes) -> bytes:
        answer = applet.process(raw)
        return answer[:-3] + bytes([answer[-3] ^ 1]) + answer[-2:] if raw[:2] == b"\x00\x86" else answer

    assert reason(false, KEY) is Reason.CARD_DATA_BAD


@pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda a: a.name)
@pytest.mark.parametrize("part", ["data", "checksum", "status", "missing"])
def test_any_error_under_secure_messaging_ends_the_session(algorithm: Algorithm, part: str):
    applet = card(PaceProfile(algorithm=algorithm))
    session, _ = open_chip(Channel(applet.process), [KEY])
    answer = Channel(applet.process).send(session.protect(Command(0, 0xB0, 0x80 | COM.sfi, 0, le=100)))
    at = {"data": 5, "checksum": -1, "status": -11, "missing": 0}[part]
    data = bytearray(answer.data)
    data[at] ^= 1
    with pytest.raises(BadData):
        session.unprotect(replace(answer, data=b"" if part == "missing" else bytes(data)))
    with pytest.raises(BadData, match="over"):
        session.protect(Command(0, 0xB0, 0, 0, le=1))
    with pytest.raises(BadData, match="over"):
        session.unprotect(answer)


@pytest.mark.parametrize(("algorithm", "most"), [(Algorithm.TRIPLE_DES, 231), (Algorithm.AES_192, 223)])
def test_the_largest_read_just_fits_a_short_answer(algorithm: Algorithm, most: int):
    applet = card(PaceProfile(algorithm=algorithm))
    session, _ = open_chip(Channel(applet.process), [KEY])
    assert session.largest_read() == most
    sizes = []
    for le in (most, most + 1):
        raw = applet.process(session.protect(Command(0, 0xB0, 0x80 | COM.sfi, 0, le=le)).encode())
        sizes.append(len(raw))
        session.unprotect(
            replace(Channel(lambda _, raw=raw[:200]: raw).send(Command(0, 0, 0, 0)), data=raw[:-2], sw=0x9000)
        )
    assert sizes[0] <= 258 < sizes[1]


def pace_info(kind: int, cipher: int, *numbers: int) -> bytes:
    protocol = encode(0x06, h("04007F0007020204") + bytes([kind, cipher]))
    return encode(0x30, protocol + b"".join(encode(0x02, bytes([n])) for n in numbers))


def offers(*infos: bytes) -> list[tuple[int, str]]:
    found = parse_card_access(encode(CARD_ACCESS.tag, b"".join(infos)))
    return [(offer.parameters, offer.algorithm.name) for offer in found]


def test_the_strongest_offer_comes_first_else_the_cards_order_counts():
    assert offers(pace_info(2, 1, 2, 13), pace_info(1, 2, 2, 0), pace_info(2, 4, 2, 16), pace_info(2, 2, 2, 12)) == [
        (16, "AES_256"),
        (12, "AES_128"),
        (13, "TRIPLE_DES"),
        (0, "AES_128"),
    ]


@pytest.mark.parametrize(
    "info",
    [
        pace_info(2, 2, 1, 13),
        pace_info(2, 2, 2, 5),
        pace_info(2, 2, 2, 0),
        pace_info(1, 2, 2, 13),
        pace_info(4, 2, 2, 10),
        pace_info(6, 1, 2, 13),
        pace_info(7, 2, 2, 13),
        pace_info(2, 9, 2, 13),
        pace_info(2, 2, 2),
        pace_info(2, 2),
        pace_info(2, 2, 2, 13, 1),
        encode(0x30, encode(0x06, h("678108010105")) + encode(0x02, b"\x01")),
        encode(0x30, b"\x02\x01\x01"),
        b"\x05\x00",
    ],
    ids=range(14),
)
def test_offers_that_make_no_sense_are_passed_over(info: bytes):
    assert offers(info, pace_info(2, 2, 2, 13)) == [(13, "AES_128")]


def test_parameters_that_the_card_names_itself_are_found():
    generic = encode(0x06, h("04007F000702020402"))
    standard = encode(0x30, encode(0x06, h("04007F00070102")) + encode(0x02, b"\x0d"))
    named = encode(0x30, encode(0x06, h("2A8648CE3D0201")) + encode(0x06, h("2B2403030208010107")))
    for algorithm in (standard, named):
        assert offers(encode(0x30, generic + algorithm), pace_info(2, 3, 2)) == [(32, "AES_192")]
        own = encode(0x30, generic + algorithm + encode(0x02, b"\x29"))
        assert offers(own, pace_info(2, 3, 2, 0x29)) == [(0x29, "AES_192")]


def test_several_parameters_are_told_apart_by_their_number():
    sent: list[bytes] = []
    applet = card(PaceProfile(parameters=16))
    both = encode(CARD_ACCESS.tag, pace_info(2, 2, 2, 16) + pace_info(2, 2, 2, 13))

    def heard(raw: bytes) -> bytes:
        sent.append(raw)
        return both + h("9000") if raw[:2] == b"\x00\xb0" else applet.process(raw)

    assert opened(heard).pace
    assert any(raw[1] == 0x22 and raw.endswith(h("840110")) for raw in sent)


def test_the_file_of_a_chatty_chip_is_bounded():
    calls = 0

    def endless(raw: bytes) -> bytes:
        nonlocal calls
        calls += 1
        return h("3182FFFF") + bytes(252) + h("9000") if raw[:2] == b"\x00\xb0" else h("6D00")

    assert reason(endless, KEY) is Reason.NOT_AN_ID_CARD
    assert calls < 25


@given(st.data())
def test_no_damage_breaks_the_parser(data):
    """A real file with bytes altered, cut out or doubled: understood, or refused as bad data."""
    named = encode(0x30, encode(0x06, h("2A8648CE3D0201")) + encode(0x06, h("2B2403030208010107")))
    own = encode(0x30, encode(0x06, h("04007F000702020402")) + named)
    raw = bytearray(encode(CARD_ACCESS.tag, own + pace_info(2, 3, 2, 13) + pace_info(1, 2, 2)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        parse_card_access(bytes(raw))
