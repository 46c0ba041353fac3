"""What is filed, what its files are called, what the slips say."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kiosk.catalogue import CatalogueError, load
from kiosk.clock import business_day, shown, utc_iso
from kiosk.dossier import Dossier, DossierState, Papers, new_provisional_ref
from kiosk.slips import Line, Pair, advice_text, interim_slip, status_slip, status_text
from plain_equipment import CATALOGUE, HOLDER, PAGE

CENTRE = load(CATALOGUE)
PROCEDURE = CENTRE.groups[0].procedures[0]


@pytest.fixture
def dossier():
    first, second, third = PROCEDURE.components
    papers = (Papers(first, (PAGE,), b"%PDF1"), Papers(second, (PAGE, PAGE), b"%PDF2"), Papers(third))
    when = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
    return Dossier("uid", "TAM-2345-6789", PROCEDURE, HOLDER, {"phone": "0912345678"}, papers, when, "Sông Mây")


def test_file_names_hold_neither_name_nor_number(dossier):
    names = set(dossier.files())
    assert names == {"TAM-2345-6789_KS01_01.pdf", "TAM-2345-6789_KS02_02.pdf", "identity/EF.SOD.bin"}


def test_papers_that_stay_with_the_citizen_are_declared(dossier):
    last = dossier.payload()["components"][2]
    assert (last["paper_only"], last["file"], last["pages"]) == (True, None, 0)


def test_a_provisional_reference_cannot_be_taken_for_an_official_code():
    ref = new_provisional_ref()
    assert re.fullmatch(r"TAM-[2-9A-Z]{4}-[2-9A-Z]{4}", ref)
    assert not re.fullmatch(r"[0-9A-Z]{1,3}(\.[0-9A-Z]{2,3}){1,4}[-.]\d{6}[-.]\d{4,7}", ref)


def test_the_slip_says_not_received_before_anything_else_of_the_dossier(dossier):
    texts = [getattr(e, "text", "") for e in interim_slip(dossier, CENTRE.centre, "https://x.invalid").elements]
    assert texts.index("CHƯA ĐƯỢC TIẾP NHẬN") < texts.index("TAM-2345-6789")


def test_nothing_prints_itself_with_personal_data(dossier):
    for thing in (dossier, dossier.owner, dossier.papers[0]):
        assert "MẪU" not in repr(thing)


def test_unknown_statuses_are_shown_not_hidden():
    assert "mã 37" in status_text(37).vi
    assert status_text(2).vi == "Đã được tiếp nhận"


STATE = DossierState(
    "TAM-2345-6789",
    "H15.50.05-261123-0001",
    6,
    "Đăng ký khai sinh",
    note="Nộp trước ngày 30/11",
    fee="Lệ phí: 15.000 đồng",
    collect_at="Quầy 3",
    due_at=datetime(2026, 11, 25, 10, 0, tzinfo=UTC),
)


def test_the_slip_of_a_look_up_says_what_is_to_be_done_paid_and_collected_where():
    elements = status_slip(STATE, CENTRE.centre).elements
    facts = {e.label: e.value for e in elements if isinstance(e, Pair)}
    assert facts["Phí, lệ phí / Fee"] == "Lệ phí: 15.000 đồng"
    assert facts["Nơi nhận kết quả / Collect at"] == "Quầy 3"
    assert facts["Hẹn trả kết quả / Result due"] == "17:00 25/11/2026"
    assert facts["Ghi chú / Note"] == "Nộp trước ngày 30/11"
    texts = [e.text for e in elements if isinstance(e, Line)]
    assert "Bạn hãy nộp phí, lệ phí để hồ sơ được giải quyết tiếp." in texts
    assert "Please pay the fee so that the work can go on." in texts


@pytest.mark.parametrize("status", [*range(11), 17])
def test_every_status_is_printed_with_its_advice_and_no_place_where_there_is_nothing_to_collect(status):
    elements = status_slip(replace(STATE, status=status), CENTRE.centre).elements
    texts = [e.text for e in elements if isinstance(e, Line)]
    assert texts.index(advice_text(status).vi) > texts.index(status_text(status).vi)
    places = [e.value for e in elements if isinstance(e, Pair) and e.label.startswith("Nơi nhận kết quả")]
    assert places == ([] if status in (3, 7, 8, 10) else ["Quầy 3"])


def test_local_time_and_business_day(dossier):
    assert shown(dossier.submitted_at) == "00:30 24/11/2026"
    assert business_day(dossier.submitted_at).isoformat() == "2026-11-24"
    assert business_day(dossier.submitted_at, cut_over_hours=4).isoformat() == "2026-11-23"
    assert utc_iso(dossier.submitted_at) == "2026-11-23T17:30:00.000Z"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "ket-hon"', 'id = "khai-sinh"', "used twice: khai-sinh"),
        ("1.001193.000.00.00.H15", "1.1193", "1.1193 is not a procedure code"),
        ('series = "CT"', "", "lacks 'series'"),
        ("[centre]", "[centre", "catalogue.toml"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_entry(tmp_path, old, new, said):
    path = tmp_path / "catalogue.toml"
    path.write_text(CATALOGUE.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(CatalogueError, match=re.escape(said)):
        load(path)


def test_an_officer_reads_questions_and_words_not_field_names():
    answers = {"child_sex": "nu", "phone": "0912345678"}
    filed = Dossier("uid", "TAM-2345-6789", PROCEDURE, HOLDER, answers, (), datetime(2026, 11, 23, tzinfo=UTC), "")
    assert filed.payload()["answers_shown"] == {"Giới tính của trẻ": "Nữ", "Số điện thoại liên hệ": "0912345678"}
