"""The model TTHC system: OpenCPS's rules for repeated calls, and the officer's page."""

import re
from datetime import UTC, datetime

import pytest
import requests

from kiosk.clock import HANOI
from sync.tthc_model.store import due
from tests.sync.province import Province, make_pdf, until

FIELDS = {
    "referenceUid": "uid-1",
    "serviceCode": "1.001193",
    "serviceName": "Đăng ký khai sinh",
    "govAgencyCode": "UBND phường Thử Nghiệm",
    "applicantName": "NGUYỄN <b>THỊ</b> MẪU",
    "applicantIdNo": "001199000123",
}


@pytest.fixture
def tthc(province: Province):
    province.start("tthc-model")
    return province.tthc


def upload(tthc, modified: int, content: bytes = b"%PDF-", uid: str = "file-1") -> requests.Response:
    fields = {"referenceUid": uid, "dossierPartNo": "KQ01", "displayName": "a.pdf", "modifiedDate": str(modified)}
    return tthc("/uid-1/files", method="POST", data=fields, files={"file": ("a.pdf", content)})


def test_a_known_reference_updates_and_never_duplicates(tthc):
    first = tthc(method="POST", data=FIELDS).json()
    second = tthc(method="POST", data=FIELDS | {"address": "Hà Nội"}).json()
    assert first["dossierId"] == second["dossierId"]
    assert second["address"] == "Hà Nội"
    assert tthc().json()["total"] == 1


def test_a_dossier_is_found_by_each_of_its_names(tthc):
    tthc(method="POST", data=FIELDS)
    assert tthc("/uid-1/submit", method="POST").json()["dossierStatus"] == "receiving"
    until(lambda: tthc("/uid-1").json()["dossierNo"])
    number = tthc("/uid-1").json()["dossierNo"]
    assert re.fullmatch(r"H15\.50\.05-\d{6}-0001", number)
    names = {tthc(f"/{name}").json()["referenceUid"] for name in ("1", "uid-1", number)}
    assert names == {"uid-1"}
    assert tthc("/2").status_code == 404


def test_a_file_is_replaced_only_by_a_later_one(tthc):
    tthc(method="POST", data=FIELDS)
    assert upload(tthc, 1000, make_pdf(2)).json()["pages"] == 2
    assert upload(tthc, 1000).status_code == 409
    assert upload(tthc, 999).status_code == 409
    document = make_pdf(3)
    assert upload(tthc, 1001, document).json()["pages"] == 3
    assert tthc("/uid-1/files").json()["total"] == 1
    assert tthc("/uid-1/files/file-1").content == document


def test_it_is_submitted_once_and_keeps_everything_over_a_kill(province, tthc):
    tthc(method="POST", data=FIELDS)
    upload(tthc, 1)
    tthc("/uid-1/submit", method="POST")
    until(lambda: tthc("/uid-1").json()["dossierNo"])
    before = tthc("/uid-1").json()
    assert tthc("/uid-1/submit", method="POST").status_code == 409
    province.kill("tthc-model")
    province.start("tthc-model")
    assert tthc("/uid-1").json() == before
    tthc(method="POST", data=FIELDS | {"referenceUid": "uid-2"})
    tthc("/uid-2/submit", method="POST")
    until(lambda: tthc("/uid-2").json()["dossierNo"].endswith("-0002"))


@pytest.mark.parametrize("missing", ["referenceUid", "serviceCode", "applicantName", "applicantIdNo"])
def test_a_field_that_is_missing_is_named(tthc, missing):
    refusal = tthc(method="POST", data={k: v for k, v in FIELDS.items() if k != missing})
    assert (refusal.status_code, missing in refusal.text) == (400, True)


def test_nobody_reads_without_the_password_and_no_other_site_acts(province, tthc):
    base = f"http://127.0.0.1:{province.ports['tthc-model']}"
    for path in ("/", "/o/rest/v2/dossiers", "/ho-so/1"):
        assert requests.get(base + path, timeout=30).status_code == 401
        assert requests.get(base + path, auth=("motcua", "wrong"), timeout=30).status_code == 401
    tthc(method="POST", data=FIELDS)
    tthc("/uid-1/submit", method="POST")
    user = tuple(province.settings.tthc_model.user_file.read_text().strip().split(":"))
    foreign = {"Origin": "http://elsewhere.example"}
    assert requests.post(f"{base}/ho-so/1/process", auth=user, headers=foreign, timeout=30).status_code == 403


def test_an_officer_sees_the_dossier_escaped_and_moves_it_on(province, tthc):
    tthc(method="POST", data=FIELDS)
    document = make_pdf(2)
    upload(tthc, 1, document)
    tthc("/uid-1/submit", method="POST")
    until(lambda: tthc("/uid-1").json()["dossierNo"])
    base = f"http://127.0.0.1:{province.ports['tthc-model']}"
    session = requests.Session()
    session.auth = tuple(province.settings.tthc_model.user_file.read_text().strip().split(":"))
    overview = session.get(base, timeout=30)
    assert "NGUYỄN &lt;b&gt;THỊ&lt;/b&gt; MẪU" in overview.text
    assert "default-src 'none'" in overview.headers["Content-Security-Policy"]
    page = session.get(f"{base}/ho-so/1", timeout=30).text
    link = re.search(r"/ho-so/1/tep/[^\"]+", page)
    assert link
    pdf = session.get(base + link[0], timeout=30)
    assert (pdf.headers["Content-Type"], pdf.content) == ("application/pdf", document)
    assert "Yêu cầu bổ sung" in page
    assert session.post(f"{base}/ho-so/1/supplement", timeout=30).status_code == 400
    after = session.post(f"{base}/ho-so/1/supplement", data={"note": "Thiếu bản sao"}, timeout=30)
    assert "Yêu cầu bổ sung giấy tờ" in after.text
    assert tthc("/uid-1").json()["lastActionNote"] == "Thiếu bản sao"
    for act, status in (("process", "processing"), ("finish", "releasing"), ("hand_over", "done")):
        assert session.post(f"{base}/ho-so/1/{act}", timeout=30).ok
        assert tthc("/uid-1").json()["dossierStatus"] == status
    assert session.post(f"{base}/ho-so/1/deny", data={"note": "x"}, timeout=30).status_code == 409


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2026-11-23 09:00", "2026-11-30"),  # Monday morning: five working days, over one weekend
        ("2026-11-23 15:00", "2026-12-01"),  # after three o'clock: counted from the next day
        ("2026-11-20 16:00", "2026-11-30"),  # Friday afternoon: from Monday
        ("2026-11-21 10:00", "2026-11-30"),  # Saturday: from Monday
        ("2026-11-20 14:59", "2026-11-27"),  # Friday, in time
    ],
)
def test_the_due_date_counts_working_days(received, expected):
    moment = datetime.strptime(received, "%Y-%m-%d %H:%M").replace(tzinfo=HANOI).astimezone(UTC)
    assert due(moment).isoformat() == f"{expected}T17:00:00+07:00"


@pytest.mark.parametrize(
    "order",
    [{}, {"fault": "fire"}, {"fault": "slow", "count": 0}, {"fault": "slow", "seconds": 1e9}, [], "slow"],
)
def test_a_fault_that_is_none_is_refused(province, tthc, order):
    base = f"http://127.0.0.1:{province.ports['tthc-model']}"
    user = tuple(province.settings.tthc_model.user_file.read_text().strip().split(":"))
    assert requests.post(f"{base}/api/faults", json=order, auth=user, timeout=30).status_code == 400
    assert requests.get(f"{base}/api/faults", auth=user, timeout=30).json() == {"faults": []}


def test_faults_meet_the_next_requests_in_their_order_and_the_page_shows_what_waits(province, tthc):
    base = f"http://127.0.0.1:{province.ports['tthc-model']}"
    session = requests.Session()
    session.auth = tuple(province.settings.tthc_model.user_file.read_text().strip().split(":"))
    added = session.post(f"{base}/su-co", data={"fault": "conflict", "count": "2", "only": "GET"}, timeout=30)
    assert "Báo trùng (409), không ghi nhận" in added.text
    session.post(f"{base}/api/faults", json={"fault": "schema_change"}, timeout=30)
    session.post(f"{base}/api/faults", json={"fault": "token_expiry"}, timeout=30)
    created = tthc(method="POST", data=FIELDS)
    assert (created.status_code, created.json()["new_referenceUid"]) == (200, "uid-1")
    assert [tthc("/uid-1").status_code for _ in range(4)] == [409, 409, 401, 200]
    session.post(f"{base}/api/faults", json={"fault": "slow"}, timeout=30)
    assert "Hệ thống trả lời bình thường" in session.post(f"{base}/su-co/xoa", timeout=30).text
    session.post(f"{base}/api/faults", json={"fault": "lost_reply"}, timeout=30)
    with pytest.raises(requests.RequestException):
        tthc("/uid-1/submit", method="POST")
    assert tthc("/uid-1").json()["submitDate"]


def test_the_national_flow_wants_its_secret_and_then_a_token(province, tthc):
    base = f"http://127.0.0.1:{province.ports['tthc-model']}/quoc-gia/v1"
    client, _, word = province.settings.tthc_model.user_file.read_text().strip().partition(":")
    assert requests.post(f"{base}/GetNextValue", json={}, timeout=30).status_code == 401
    assert requests.post(f"{base}/GetNextValue", json={}, auth=(client, word), timeout=30).status_code == 401
    wrong = {"client_id": client, "client_secret": "wrong"}
    assert requests.post(f"{base}/token", json=wrong, timeout=30).status_code == 401
    token = requests.post(f"{base}/token", json=wrong | {"client_secret": word}, timeout=30).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    codes = {requests.post(f"{base}/GetNextValue", json={}, headers=bearer, timeout=30).json()["data"]["MaHoSo"]}
    province.kill("tthc-model")
    province.start("tthc-model")
    assert requests.post(f"{base}/GetNextValue", json={}, headers=bearer, timeout=30).status_code == 401
    token = requests.post(f"{base}/token", json=wrong | {"client_secret": word}, timeout=30).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    codes.add(requests.post(f"{base}/GetNextValue", json={}, headers=bearer, timeout=30).json()["data"]["MaHoSo"])
    assert len(codes) == 2
    assert (
        requests.post(f"{base}/HoSo", json={"MaHoSo": 5}, headers=bearer, timeout=30).json()["code"] == "THIEU_TRUONG"
    )
    assert requests.post(f"{base}/HoSo", data=b"[", headers=bearer, timeout=30).status_code == 400
