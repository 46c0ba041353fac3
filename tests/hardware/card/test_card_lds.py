"""What is in the chip's files, and that no bytes whatever break the parsers."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.errors import BadData
from hardware.card.face import portrait_of_dg2
from hardware.card.holder_groups import parse_dg11, parse_dg12, parse_dg13
from hardware.card.lds import SOD, data_group, evidence_order, groups_of_com, mrz_of_dg1
from hardware.card.passive import parse_sod
from hardware.card.tlv import encode
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.person import load_people

PEOPLE = load_people(Path(__file__).parents[3] / "assets" / "cards")
MAU = data_groups(PEOPLE["mau"])
PASSPORT = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10"


def test_zone_of_the_card_has_the_published_check_digits():
    assert PEOPLE["mau"].mrz.lines() == (
        "IDVNM1990001239001199000123<<0",
        "9901029F3901027VNM<<<<<<<<<<<0",
        "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<",
    )


def test_dg1_holds_the_zone_of_any_size():
    assert mrz_of_dg1(MAU[1]) == PEOPLE["mau"].mrz
    assert mrz_of_dg1(encode(0x61, encode(0x5F1F, PASSPORT.encode()))).document_number == "L898902C3"


@pytest.mark.parametrize("content", [b"", b"\xff" * 90, PASSPORT.encode() + b"\0", PASSPORT.encode("utf-16")])
def test_dg1_without_a_zone_is_bad_data(content: bytes):
    with pytest.raises(BadData):
        mrz_of_dg1(encode(0x61, encode(0x5F1F, content)))


def test_com_lists_the_groups():
    assert groups_of_com(bytes.fromhex("60165F0104303130375F36063034303030305C0461756D6E")) == (1, 2, 13, 14)


def test_evidence_has_the_signature_first_and_then_the_groups_by_number():
    names = [data_group(number).name for number in (13, 2, 1, 15)]
    assert list(evidence_order(dict.fromkeys([*names, SOD.name], b""))) == [
        "EF.SOD",
        "EF.DG1",
        "EF.DG2",
        "EF.DG13",
        "EF.DG15",
    ]


PARSERS = (parse_dg11, parse_dg12, parse_dg13, portrait_of_dg2, mrz_of_dg1, groups_of_com, parse_sod)


@given(st.sampled_from(PARSERS), st.binary(max_size=300))
def test_no_bytes_break_a_parser(parser, raw: bytes):
    with contextlib.suppress(BadData):
        parser(raw)


@given(st.data())
def test_no_damage_breaks_a_parser(data):
    """Real files with bytes altered, cut out or doubled: read, or refused as bad data."""
    parser, number = data.draw(st.sampled_from([(parse_dg13, 13), (mrz_of_dg1, 1), (portrait_of_dg2, 2)]))
    raw = bytearray(MAU[number][:600])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        parser(bytes(raw))
