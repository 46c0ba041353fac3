"""The machine readable zone in all its sizes: the specimens of Doc 9303, and that no misreading passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.errors import BadData
from hardware.card.mrz import NAMES_ROOM, VALUES, Mrz, check_digit, parse_mrz

TD1 = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
TD1_LONG = "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<"
TD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"
TD2_LONG = "I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<\nD23145890<UTO3407127M95071227349<<<8"
TD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
SPECIMENS = (TD1, TD1_LONG, TD2, TD2_LONG, TD3)
CARD = "IDVNM1990001239001199000123<<0\n9901029F3901027VNM<<<<<<<<<<<0\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<"


@pytest.mark.parametrize("specimen", [*SPECIMENS, CARD])
def test_a_zone_is_written_again_as_it_was_read(specimen: str):
    assert "\n".join(parse_mrz(specimen).lines()) == specimen
    assert parse_mrz(specimen.replace("\n", "")) == parse_mrz(specimen) == parse_mrz(f" {specimen}\r\n")


def test_the_card_of_doc_9303_5_is_read():
    zone = parse_mrz(TD1)
    assert (zone.size, zone.document_code, zone.issuer, zone.nationality) == ("TD1", "I", "UTO", "UTO")
    assert (zone.document_number, zone.birth, zone.sex, zone.expiry) == ("D23145890", "740812", "F", "120415")
    assert zone.names == "ERIKSSON  ANNA MARIA"


def test_the_passport_of_doc_9303_4_is_read():
    zone = parse_mrz(TD3)
    assert (zone.size, zone.document_code, zone.document_number) == ("TD3", "P", "L898902C3")
    assert (zone.optional, zone.birth, zone.expiry, zone.names) == (
        "ZE184226B",
        "740812",
        "120415",
        "ERIKSSON  ANNA MARIA",
    )


@pytest.mark.parametrize("specimen", [TD1_LONG, TD2_LONG])
def test_a_long_document_number_goes_on_in_the_optional_data(specimen: str):
    zone = parse_mrz(specimen)
    assert (zone.document_number, zone.optional) == ("D23145890734", "")


def test_what_follows_a_long_document_number_stays_optional_data():
    zone = Mrz("BEL", "590448301085", "XY1", "850101", "M", "300101", "BEL", "DOE  JOHN", document_code="ID")
    assert zone.lines()[0] == f"IDBEL590448301<085{check_digit('590448301085')}<XY1<<<<<<<"
    assert parse_mrz("\n".join(zone.lines())) == zone


def test_a_passport_without_optional_data_may_leave_its_check_digit_out():
    with_digit = "\n".join(Mrz("UTO", "A1", "", "740812", "F", "120415", "UTO", "X", "P", "TD3").lines())
    assert with_digit[-2] == "0"
    assert parse_mrz(with_digit[:-2] + "<" + with_digit[-1]) == parse_mrz(with_digit)


def test_optional_data_of_a_passport_needs_its_check_digit():
    composed = TD3[45:55] + TD3[58:65] + TD3[66:87] + "<"
    with pytest.raises(BadData, match="check digit"):
        parse_mrz(TD3[:-2] + "<" + check_digit(composed))


def test_the_local_check_digit_of_the_card_only_warns():
    first = "IDVNM1990001239001199000123<<7"
    composed = first[5:] + "9901029" + "3901027" + "<" * 11
    zone = parse_mrz(f"{first}9901029F3901027VNM<<<<<<<<<<<{check_digit(composed)}{CARD[-30:]}")
    assert zone.optional == "001199000123"
    assert [("column 30" in warning, "0011" in warning) for warning in zone.warnings] == [(True, False)]
    assert parse_mrz(CARD).warnings == ()


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_a_misread_digit_is_noticed_wherever_it_counts(specimen: str):
    zone = specimen.replace("\n", "")
    counts = [at for at, c in enumerate(zone) if c.isdigit()]
    assert len(counts) > 20
    for at in counts:
        wrong = str((int(zone[at]) + 1) % 10)
        with pytest.raises(BadData, match="check digit"):
            parse_mrz(zone[:at] + wrong + zone[at + 1 :])


@pytest.mark.parametrize("text", ["", TD1[:-1], TD1 + "<", TD1.lower(), TD3.replace("ANNA", "ÄNNA"), "<" * 90])
def test_what_is_no_zone_is_refused(text: str):
    with pytest.raises(BadData):
        parse_mrz(text)


def test_a_date_with_letters_is_refused_though_its_check_digit_fits():
    line = Mrz("UTO", "A1", "", "7A0812", "F", "120415", "UTO", "X").lines()
    with pytest.raises(BadData, match="letters"):
        parse_mrz("\n".join(line))


def test_an_unknown_day_is_read_as_printed():
    line = Mrz("UTO", "A1", "", "7408<<", "<", "120415", "UTO", "X").lines()
    assert parse_mrz("\n".join(line)).birth == "7408<<"


def field(longest: int, alphabet: str = "0123456789ABCXYZ", least: int = 1) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=longest)


@st.composite
def zones(draw) -> Mrz:
    size = draw(st.sampled_from(["TD1", "TD2", "TD3"]))
    number = draw(field({"TD1": 20, "TD2": 14, "TD3": 9}[size]))
    room = {"TD1": 15, "TD2": 7, "TD3": 14}[size] - (len(number) - 9 + 2 if len(number) > 9 else 0)
    return Mrz(
        issuer=draw(st.sampled_from(["UTO", "D", "FRA"])),
        document_number=number,
        optional=draw(field(max(room, 0), least=0)),
        birth=draw(field(6, "0123456789", 6)),
        sex=draw(st.sampled_from("MF<")),
        expiry=draw(field(6, "0123456789", 6)),
        nationality=draw(st.sampled_from(["UTO", "D"])),
        names=draw(field(NAMES_ROOM[size])),
        document_code="P" if size == "TD3" else "I",
        size=size,
        optional_2=draw(field(11, least=0)) if size == "TD1" else "",
    )


@given(zones())
def test_every_zone_is_read_as_it_was_meant(zone: Mrz):
    lines = zone.lines()
    assert {len(line) for line in lines} == {{"TD1": 30, "TD2": 36, "TD3": 44}[zone.size]}
    assert parse_mrz("".join(lines)) == zone


@given(st.text("".join(VALUES), min_size=88, max_size=90) | st.text(max_size=100))
def test_no_text_breaks_the_parser(text: str):
    try:
        zone = parse_mrz(text)
    except BadData:
        return
    assert zone.birth


@given(st.sampled_from([*SPECIMENS, CARD]), st.data())
def test_no_damage_breaks_the_parser(specimen: str, data):
    zone = list(specimen.replace("\n", ""))
    for _ in range(data.draw(st.integers(1, 5))):
        zone[data.draw(st.integers(0, len(zone) - 1))] = data.draw(st.sampled_from(list(VALUES)))
    try:
        parse_mrz("".join(zone)).lines()
    except BadData:
        return
