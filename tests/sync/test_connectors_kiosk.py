"""What connectors give to the kiosk: the released catalogue, and digitised papers to re-use."""

import json
from pathlib import Path

import pytest

from kiosk import catalogue
from kiosk.catalogue import CatalogueError
from sync import released
from sync.connectors.catalogues import Catalogues
from sync.connectors.contract import Reusable
from sync.connectors.reuse import NoConsent, read_wish, told
from sync.receiver.sqlite import SqliteDatabase

SAMPLE = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"
BIRTH = "1.001193.000.00.00.H15"
NEW = "2.002492.000.00.00.H01"
ELSEWHERE = {
    "id": "xaydung",
    "vi": "Xây dựng",
    "procedure": [
        {
            "code": NEW,
            "vi": "Cấp giấy phép xây dựng",
            "receiving_unit": "Ủy ban nhân dân phường Cửa Nam, Hà Nội",
            "component": [{"code": "XD01", "vi": "Đơn đề nghị"}],
        }
    ],
}
HERE = {
    "id": "anything",
    "vi": "Hộ tịch",
    "procedure": [
        {
            "code": BIRTH,
            "vi": "Đăng ký khai sinh",
            "receiving_unit": "Ủy ban nhân dân phường Suối Mới",
            "fee": {"vi": "8.000 đồng"},
            "component": [{"code": "KS02", "vi": "Tờ khai đăng ký khai sinh"}, {"code": "KS09", "vi": "Giấy mới"}],
        }
    ],
}


def document(number: int, *groups: object) -> bytes:
    return json.dumps({"number": number, "version": f"2026-11-23.{number}", "group": groups}).encode()


def test_a_released_catalogue_changes_facts_and_keeps_the_centres_forms_and_services(tmp_path: Path):
    path = tmp_path / "catalogue.json"
    assert released.take(document(1, HERE, ELSEWHERE), path)
    before, after = catalogue.load(SAMPLE), catalogue.load(SAMPLE, path)
    birth, old = after.procedures[BIRTH], before.procedures[BIRTH]
    assert (birth.receiving_unit, birth.fee.vi, birth.fee.en) == ("Ủy ban nhân dân phường Suối Mới", "8.000 đồng", "")
    assert (birth.name, birth.fields, birth.version) == (old.name, old.fields, "2026-11-23.1")
    assert [c.code for c in birth.components] == ["KS02", "KS09"]
    assert birth.components[0].hint == old.components[1].hint
    assert set(after.procedures) == {BIRTH, NEW}
    assert after.services == before.services
    assert after.counters == before.counters
    assert [g.id for g in after.groups if BIRTH in {p.code for p in g.procedures}] == ["hotich"]


def test_a_procedure_of_any_unit_of_the_country_is_offered(tmp_path: Path):
    path = tmp_path / "catalogue.json"
    released.take(document(1, ELSEWHERE), path)
    offered = catalogue.load(SAMPLE, path)
    assert offered.procedures[NEW].receiving_unit.endswith("Hà Nội")
    assert offered.groups[-1].name.vi == "Xây dựng"


def test_an_older_or_invalid_catalogue_leaves_the_last_good_one(tmp_path: Path):
    path = tmp_path / "catalogue.json"
    assert released.take(document(2, HERE), path)
    good = path.read_bytes()
    assert not released.take(document(1, ELSEWHERE), path)
    assert not released.take(document(2, ELSEWHERE), path)
    broken = [
        b"<h1>Free WiFi</h1>",
        b"[]",
        document(3),
        document(3, HERE, HERE),
        document(3, HERE | {"procedure": [HERE["procedure"][0] | {"code": "khai sinh"}]}),
        document(3, HERE | {"procedure": [HERE["procedure"][0] | {"receiving_unit": None}]}),
        document(3, HERE | {"procedure": [HERE["procedure"][0] | {"component": [{"vi": "x"}]}]}),
    ]
    for body in broken:
        with pytest.raises(CatalogueError):
            released.take(body, path)
    assert path.read_bytes() == good
    path.write_bytes(b"damaged")
    assert catalogue.load(SAMPLE, path) == catalogue.load(SAMPLE)
    assert released.take(document(1, HERE), path)


def test_an_invalid_catalogue_of_the_tthc_system_is_no_version(tmp_path: Path):
    database = SqliteDatabase(tmp_path)
    kept = Catalogues(database)
    assert kept.take([HERE])
    assert not kept.take([])
    assert not kept.take([HERE, HERE])
    assert kept.take([HERE, ELSEWHERE])
    assert [v[-2:] for v in kept.versions()] == [".1", ".2"]
    version, body = kept.latest()
    assert json.loads(body)["version"] == version == Catalogues(database).versions()[-1]


ASKED = {
    "consent": True,
    "owner_id": "001199000123",
    "requester_id": "001199000123",
    "requester_name": "NGUYỄN THỊ MẪU",
    "procedure_code": BIRTH,
    "components": ["KS01"],
}


def test_papers_are_asked_for_with_consent_only():
    assert read_wish(json.dumps(ASKED).encode()).components == ("KS01",)
    for consent in (False, None, "true", 1):
        with pytest.raises(NoConsent):
            read_wish(json.dumps(ASKED | {"consent": consent}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"owner_id": "12"},
        {"requester_id": 5},
        {"components": "KS01"},
        {"components": [1]},
        {"components": None},
        {"procedure_code": "../.."},
        {"requester_name": ""},
    ],
)
def test_a_malformed_wish_is_refused_without_repeating_it(change):
    with pytest.raises(ValueError, match="not a wish") as refusal:
        read_wish(json.dumps(ASKED | change).encode())
    assert "MẪU" not in str(refusal.value)


def test_what_is_told_names_component_and_result():
    body = json.loads(told([Reusable("KS01", "KQ-1", "Giấy chứng sinh", "H15-1", "UBND")]))
    assert body["results"][0]["result_code"] == "KQ-1"
