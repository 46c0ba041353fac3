"""The virtual cards: their persons, what the dock may do with them, and that they stay on the reader."""

from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from hardware.simulators.card import CardSimulator
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import PersonError, load_people, load_person
from hardware.simulators.personalisation.portrait import portrait_jpeg
from hardware.simulators.simulator import UnknownAction
from kiosk.citizen import NO_EXPIRY, birth_year, expiry_candidates, parse_card_qr

CARDS = Path(__file__).parents[3] / "assets" / "cards"
PEOPLE = load_people(CARDS)


@pytest.mark.parametrize("name", PEOPLE)
def test_the_printed_code_leads_to_the_key_of_the_chip(name: str):
    person = PEOPLE[name]
    qr = parse_card_qr(person.qr)
    assert qr is not None
    assert (qr.personal_id, qr.full_name, qr.birth) == (person.personal_id, person.full_name, person.birth)
    assert birth_year(person.personal_id) == person.birth.year
    assert person.key.expiry == expiry_candidates(qr.birth, qr.issued)[0]


def test_the_cards_cover_the_rules_of_validity():
    by_end = {person.key.expiry.year - person.birth.year for person in PEOPLE.values()}
    assert {25, 40} <= by_end
    assert any(person.expiry is None and person.key.expiry == NO_EXPIRY for person in PEOPLE.values())
    assert any(
        person.issued.year - person.birth.year == 23 and person.key.expiry.year - person.birth.year == 40
        for person in PEOPLE.values()
    )


@pytest.mark.parametrize("name", PEOPLE)
def test_portraits_are_pictures_of_the_size_of_real_ones(name: str, tmp_path: Path):
    raw = portrait_jpeg(PEOPLE[name].look, 1)
    (tmp_path / "face.jpg").write_bytes(raw)
    with Image.open(tmp_path / "face.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (240, 320))
    assert 12_000 < len(raw) < 20_000
    assert portrait_jpeg(PEOPLE[name].look, 1) == raw


async def test_the_dock_sees_the_cards_and_is_told_what_it_cannot_do():
    simulator = CardSimulator(CARDS, issuer=Issuer())
    await simulator.start()
    state = simulator.state()
    assert state["card"] is None
    mau = next(card for card in state["cards"] if card["name"] == "mau")
    assert mau["qr"].startswith("001199000123||NGUYỄN THỊ MẪU|02011999|Nữ|")
    assert (mau["birth"], mau["expiry"]) == ("1999-01-02", "2039-01-02")
    for action, parameters in (
        ("lay", {"card": "nobody"}),
        ("lay", {}),
        ("fly", {}),
        ("lift", {"card": "mau"}),
        ("lift_after", {"bytes": -1}),
        ("mute", {"on": "yes"}),
    ):
        with pytest.raises(UnknownAction):
            await simulator.act(action, **parameters)
    await simulator.stop()


async def test_without_a_reader_a_card_waits_to_be_found_and_can_be_lifted():
    simulator = CardSimulator(CARDS, port=1, issuer=Issuer())
    await simulator.start()
    await simulator.act("lay", card="thu")
    assert simulator.state()["card"] == "thu"
    await simulator.act("lift")
    assert simulator.state()["card"] is None
    await simulator.stop()


def test_the_trust_folder_gets_a_certificate_and_no_key(tmp_path: Path):
    path = Issuer().write_csca(tmp_path / "new" / "trust")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert b"PRIVATE" not in path.read_bytes()


GOOD = """
personal_id = "001199000123"
full_name = "NGUYỄN THỊ MẪU"
birth = 1999-01-02
sex = "Nữ"
address = "x"
origin = "y"
issued = 2024-03-15
look = { hair = "long" }
"""


def test_a_card_file_may_leave_out_what_is_not_needed(tmp_path: Path):
    (tmp_path / "a.toml").write_text(GOOD, "utf-8")
    assert load_person(tmp_path / "a.toml").birth == date(1999, 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("001199000123", "00119900012", "personal_id"),
        ("1999-01-02", '"1999"', "birth"),
        ('"long"', '"green"', "look.hair"),
        ('sex = "Nữ"', 'sex = "F"', "Nam, Nữ"),
        ("origin", "orgin", "orgin is unknown"),
        ('origin = "y"', "", "origin"),
        ("full_name", "[", "a.toml"),
    ],
)
def test_a_wrong_card_file_is_refused_with_its_key(tmp_path: Path, old: str, new: str, said: str):
    (tmp_path / "a.toml").write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(PersonError, match=said) as raised:
        load_people(tmp_path)
    assert "a.toml" in str(raised.value)


def test_a_folder_without_cards_is_refused(tmp_path: Path):
    with pytest.raises(PersonError, match="no card files"):
        load_people(tmp_path)
