"""The virtual cards: their persons, what the dock may do with them, and that they stay on the reader."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from hardware.card.key_derivation import Algorithm
from hardware.card.lds import portrait_of_dg2
from hardware.card.mapping import Mapping
from hardware.card.tlv import find
from hardware.card.trust import load_anchors
from hardware.simulators.card import CardSimulator
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.person import Personalisation, PersonError, load_people, load_person
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


def test_the_simulator_writes_the_certificate_and_the_list_that_names_the_revoked_signer(tmp_path: Path):
    CardSimulator(CARDS, issuer=Issuer()).write_csca(tmp_path)
    found = load_anchors(tmp_path)
    assert (len(found.anchors), len(found.crls)) == (1, 1)


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


CHIP = """
[chip]
pace = "ecdh-cam-aes256-16"
active = "ecdsa-p384-sha512-der"
chip_authentication = "dh-aes192-modp2048-224"
buffer = 4096
quirks = ["no_mf", "slow"]
issuer = "unknown"
portrait = "codestream"
"""


def written(folder: Path, text: str) -> Personalisation:
    (folder / "a.toml").write_text(text, "utf-8")
    return load_person(folder / "a.toml")


def test_a_card_file_says_what_chip_it_is(tmp_path: Path):
    chip = written(tmp_path, GOOD + CHIP).chip
    assert chip.pace == PaceProfile(Mapping.CHIP_AUTHENTICATION, Algorithm.AES_256, 16)
    assert (chip.buffer, chip.issuer, chip.portrait) == (4096, "unknown", "codestream")
    traits = chip.traits()
    assert (traits.master_file, traits.seconds_per_command, traits.buffer) == (False, 0.15, 4096)
    own = chip.secrets("a")
    assert own == chip.secrets("a")
    assert own.active != chip.secrets("a", clone=True).active
    assert own.chip != chip.secrets("b").chip
    assert chip.profile("a") != chip.profile("a", clone=True)


def test_the_kind_of_pace_may_be_spelled_out_and_a_chip_may_have_nothing(tmp_path: Path):
    spelled = '\n[chip]\npace = { mapping = "im", algorithm = "3des", parameters = 2 }\n'
    assert written(tmp_path, GOOD + spelled).chip.pace == PaceProfile(Mapping.INTEGRATED, Algorithm.TRIPLE_DES, 2)
    plain = written(tmp_path, GOOD)
    assert not plain.pace
    assert sorted(data_groups(plain)) == [1, 2, 3, 13]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ecdh-cam-aes256-16", "ecdh-cam-3des-16", "chip.pace is 'ecdh-cam-3des-16'; allowed: .*gm.im.cam"),
        ("ecdh-cam-aes256-16", "ecdh-gm-aes128-5", "chip.pace"),
        ('pace = "ecdh-cam-aes256-16"', 'pace = { mapping = "gm" }', "chip.pace has mapping; allowed: mapping, alg"),
        ('pace = "ecdh-cam-aes256-16"', "pace = true", "chip.pace is True"),
        ("p384-sha512-der", "p384-md5", "chip.active is .* allowed: .*rsa2048.*sha256"),
        ("modp2048-224", "p256", "chip.chip_authentication is .* allowed: .*brainpoolP256r1"),
        ("4096", "100", "chip.buffer is 100; allowed: 0, 257 to 32000"),
        ("4096", "40000", "chip.buffer"),
        ("4096", "true", "chip.buffer"),
        ('"slow"', '"swift"', "chip.quirks is .* allowed: a list of no_mf"),
        ('["no_mf", "slow"]', '"slow"', "chip.quirks"),
        ('"unknown"', '"good"', "chip.issuer is 'good'; allowed: expired, unknown, revoked"),
        ('"codestream"', '"png"', "chip.portrait is 'png'; allowed: jpeg, jpeg2000"),
        ("buffer =", "bufer =", "chip.bufer is unknown; allowed: active, buffer"),
        ("[chip]", '[dg11]\nshoe_size = "42"\n[chip]', "dg11.shoe_size is '42'; allowed: a str in full_name"),
        ("[chip]", "chip = 1\n[dg12]", "chip is 1; allowed: a table"),
    ],
)
def test_a_wrong_chip_is_refused_with_file_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, said: str):
    with pytest.raises(PersonError, match=said) as raised:
        written(tmp_path, GOOD + CHIP.replace(old, new))
    assert "a.toml: " in str(raised.value)


def test_a_card_without_an_end_may_say_so(tmp_path: Path):
    for line in ("", 'expiry = "không thời hạn"\n'):
        person = written(tmp_path, line + GOOD)
        assert (person.expiry, person.key.expiry) == (None, NO_EXPIRY)
        assert "Không thời hạn".encode() in data_groups(person)[13]


FORMS = {
    "jpeg": (b"\xff\xd8\xff", "JPEG"),
    "jpeg2000": (b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
    "codestream": (b"\xff\x4f\xff\x51", "JPEG2000"),
    "iso39794": (b"\xff\xd8\xff", "JPEG"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_portrait_may_be_stored_in_every_way_of_the_field(form: str):
    start, kind = FORMS[form]
    person = replace(PEOPLE["mau"], chip=replace(PEOPLE["mau"].chip, portrait=form))
    raw = data_groups(person)[2]
    block = 0x7F2E if form == "iso39794" else 0x5F2E
    assert find(raw, 0x75, 0x7F61, 0x7F60, block) is not None
    image = portrait_of_dg2(raw)
    assert image.startswith(start)
    with Image.open(io.BytesIO(image)) as picture:
        assert (picture.format, picture.size) == (kind, (240, 320))
        picture.load()
    assert 10_000 < len(raw) < 32_000


def test_the_newer_record_is_well_formed_from_the_outside_in():
    person = replace(PEOPLE["mau"], chip=replace(PEOPLE["mau"].chip, portrait="iso39794"))
    path = (0x75, 0x7F61, 0x7F60, 0x7F2E, 0xA1, 0x65, 0xA1, 0x30, 0xA1, 0xA0, 0xA0, 0x80)
    assert find(data_groups(person)[2], *path) == portrait_of_dg2(data_groups(person)[2])


def test_optional_details_stand_in_their_files_and_in_the_list(tmp_path: Path):
    tables = '\n[dg11]\nfull_name = "NGUYỄN<<THỊ<MẪU"\nfull_birth = "19990102"\n[dg12]\nauthority = "BỘ CÔNG AN"\n'
    groups = data_groups(written(tmp_path, GOOD + tables))
    assert sorted(groups) == [1, 2, 3, 11, 12, 13]
    assert find(groups[11], 0x6B, 0x5C) == bytes.fromhex("5F0E5F2B")
    assert find(groups[11], 0x6B, 0x5F2B) == b"19990102"
    assert find(groups[12], 0x6C, 0x5F19) == "BỘ CÔNG AN".encode()


async def test_a_card_is_laid_with_a_quirk_and_the_next_one_without():
    simulator = CardSimulator(CARDS, port=1, issuer=Issuer())
    await simulator.start()
    assert {"cloned", "slow", "issuer_unknown"} <= set(simulator.state()["quirks"])
    await simulator.act("lay", card="thu", quirk="cloned")
    assert simulator.state()["quirk"] == "cloned"
    for quirk in ("bewitched", None, 1):
        with pytest.raises(UnknownAction, match=r"quirks: .*cloned"):
            await simulator.act("lay", card="thu", quirk=quirk)
    await simulator.act("lay", card="thu")
    assert simulator.state()["quirk"] == ""
    await simulator.stop()
