"""Both connectors against the real model over HTTP: one dossier with identical files, or one held for a person."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk import catalogue
from kiosk.reuse import Agreement, Reusable
from sync.connectors import desk as desks
from sync.connectors import opencps
from sync.connectors.catalogues import Catalogues
from sync.connectors.contract import Connector, Refused, Unclear, Unreachable, Wish
from sync.connectors.desk import Desk, Held
from sync.connectors.ledger import Ledger, NotHeld
from sync.connectors.national import National
from sync.connectors.opencps import OpenCps
from sync.envelope import Opened
from sync.receiver.sqlite import SqliteDatabase
from sync.tthc_model.faults import Fault
from tests.sync.province import CANARY_ID, Province, expected, free_port, make_dossier, until

KINDS = ["opencps", "national"]
STEPS = {
    "opencps": ["GET /o/rest/v2/dossiers", "POST /o/rest/v2/dossiers", "/files", "/submit"],
    "national": ["/token", "/GetNextValue", "/TepTin", "/HoSo", "/TraCuuHoSo"],
}
CASES = [(kind, fault, step) for kind in KINDS for step in STEPS[kind] for fault in Fault]
PATIENCE, SLOW, SETTLE = 0.6, 0.8, 1.0
"""Seconds: of a request, of an answer that is too late for it, and after which no effect comes any more."""
SAMPLE = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"


def desk_of(connector: Connector, folder: Path, settle: float) -> Desk:
    """A desk with a database of its own."""
    database = SqliteDatabase(folder)
    return Desk(connector, Ledger(database), Catalogues(database), settle)


class Office:
    """A model TTHC system and desks before it."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self.base = f"http://127.0.0.1:{province.ports['tthc-model']}"
        user, _, word = province.settings.receiver.tthc_user_file.read_text().strip().partition(":")
        self.auth = (user, word)

    def connector(self, kind: str, timeout: float = PATIENCE, **more: bool) -> Connector:
        if kind == "opencps":
            return OpenCps(f"{self.base}/o/rest/v2", *self.auth, timeout)
        return National(f"{self.base}/quoc-gia/v1", *self.auth, timeout, **more)

    def desk(self, connector: Connector, settle: float = SETTLE, name: str = "filings") -> Desk:
        folder = self.province.root / "desk"
        return desk_of(connector, folder / name, settle)

    def fault(self, fault: str, only: str = "", count: int = 1, seconds: float = SLOW) -> None:
        order = {"fault": fault, "only": only, "count": count, "seconds": seconds}
        requests.post(f"{self.base}/api/faults", json=order, auth=self.auth, timeout=30).raise_for_status()

    def heal(self) -> None:
        requests.delete(f"{self.base}/api/faults", auth=self.auth, timeout=30).raise_for_status()

    def number_of(self, uid: str) -> int:
        return int(self.province.tthc(f"/{uid}").json()["dossierId"])

    def arrived(self, *uids: str) -> dict[str, dict[str, str]]:
        return {uid: files for uid, files in self.province.arrived().items() if uid in uids}


@pytest.fixture(scope="module")
def office(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One model for all tests of this module; each files dossiers of its own."""
    province = Province(tmp_path_factory.mktemp("province"), keys)
    (province.root / "catalogue.toml").write_bytes(SAMPLE.read_bytes())
    province.start("tthc-model")
    yield Office(province)
    province.close()


@pytest.fixture(autouse=True)
def healed(office: Office) -> None:
    office.heal()


def opened(dossier) -> Opened:
    return Opened(dossier.payload(), dossier.files())


def file_until_told(desk: Desk, dossier: Opened, seconds: float = 60.0) -> bool:
    """Try as the worker does; True if it is filed, False if held for a person. Never refused."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            desk.file(dossier)
        except Held:
            return False
        except Unreachable:
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)
        else:
            return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_dossier_arrives_whole_and_its_answer_comes_back_with_the_owner_masked(office: Office, kind: str):
    dossier = make_dossier(pages=2)
    desk = office.desk(office.connector(kind, 5))
    assert desk.state(dossier.reference_uid, dossier.provisional_ref, "x") is None
    desk.file(opened(dossier))
    desk.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == expected(dossier)

    def state():
        return desk.state(dossier.reference_uid, dossier.provisional_ref, "x")

    until(lambda: state().received)
    told = state()
    assert told.dossier_code.startswith("H15.50.05-")
    assert (told.status, told.procedure, told.owner) == (2, "Đăng ký khai sinh", "N••••• T•• C••••••")
    assert told.submitted_at <= told.received_at < told.due_at
    assert told.collect_at == "UBND phường Thử Nghiệm"


def test_what_was_filed_before_there_was_a_ledger_is_still_asked_for_and_not_filed_again(
    office: Office, tmp_path: Path
):
    dossier = make_dossier(evidence=200)
    office.desk(office.connector("opencps", 5)).file(opened(dossier))
    upgraded = desk_of(office.connector("opencps", 5), tmp_path / "new", SETTLE)
    assert upgraded.state(dossier.reference_uid, dossier.provisional_ref, "x") is not None
    upgraded.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == expected(dossier)


@pytest.mark.parametrize(("kind", "fault", "step"), CASES)
def test_whatever_fault_meets_whatever_step_there_is_one_dossier_with_identical_files(
    office: Office, kind: str, fault: str, step: str
):
    dossier = make_dossier(evidence=500)
    desk = office.desk(office.connector(kind))
    office.fault(fault, step)
    if step == "/TraCuuHoSo":
        office.fault(Fault.LOST_REPLY, "/HoSo")
    assert file_until_told(desk, opened(dossier))
    time.sleep(SLOW if fault == Fault.SLOW else 0)  # what was slow has come by then, too
    assert office.arrived(dossier.reference_uid) == expected(dossier)


FAULTS = st.lists(st.tuples(st.sampled_from(list(Fault)), st.integers(1, 3)), max_size=4)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=FAULTS)
def test_whatever_row_of_faults_comes_there_is_one_dossier_or_one_held_that_a_person_can_settle(
    office: Office, kind: str, faults: list[tuple[Fault, int]]
):
    office.heal()
    for fault, count in faults:
        office.fault(fault, count=count, seconds=SLOW)
    dossier = make_dossier(evidence=200)
    desk = office.desk(office.connector(kind))
    if not file_until_told(desk, opened(dossier)):
        office.heal()
        time.sleep(SLOW)
        there = office.arrived(dossier.reference_uid)
        if there:
            desk.filed_as(dossier.reference_uid, "H15.50.05-261123-0001", "officer 1")
        else:
            desk.resend(dossier.reference_uid, "officer 1")
        desk.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == expected(dossier)


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.ERROR_AFTER, Fault.SLOW, Fault.SCHEMA_CHANGE])
def test_a_system_that_would_take_a_second_dossier_never_gets_one(keys: Path, tmp_path: Path, fault: str):
    province = Province(tmp_path, keys)
    with province.config.open("a") as config:
        config.write("refuses_duplicates = false\n")
    province.start("tthc-model")
    try:
        office, dossier = Office(province), make_dossier(evidence=200)
        desk = office.desk(office.connector("national"))
        office.fault(fault, "/HoSo")
        assert file_until_told(desk, opened(dossier))
        time.sleep(SLOW)
        assert province.arrived() == expected(dossier)  # fails if one arrived twice
    finally:
        province.close()


def test_while_the_system_may_still_be_at_work_on_it_nothing_is_sent_again(office: Office):
    dossier = make_dossier(evidence=200)
    desk = office.desk(office.connector("national"), settle=60)
    office.fault(Fault.SLOW, "/HoSo", seconds=3 * SLOW)
    for _ in range(3):
        with pytest.raises(Unclear):
            desk.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == {}
    until(lambda: office.arrived(dossier.reference_uid))
    desk.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == expected(dossier)


@pytest.fixture
def held(office: Office, monkeypatch) -> tuple[Desk, Opened]:
    """A dossier whose outcome nobody can tell: its reply was lost, and no look is understood."""
    dossier = opened(make_dossier(evidence=200))
    desk = office.desk(office.connector("national"), name=dossier.payload["reference_uid"])
    office.fault(Fault.LOST_REPLY, "/HoSo")
    monkeypatch.setattr(desks, "MOST_LOOKS", 2)
    with pytest.raises(Unclear):
        desk.file(dossier)
    office.fault(Fault.SCHEMA_CHANGE, "/TraCuuHoSo", count=2)
    assert not file_until_told(desk, dossier)
    return desk, dossier


def test_what_nobody_can_tell_waits_for_a_person_and_a_restart_does_not_forget_it(office: Office, held):
    desk, dossier = held
    [waiting] = desk.held()
    assert waiting.held_for.startswith("unknown outcome: find: ")
    assert CANARY_ID not in waiting.held_for
    again = office.desk(office.connector("national"), name=waiting.reference_uid)
    with pytest.raises(Held):
        again.file(dossier)
    assert [one.reference_uid for one in again.held()] == [waiting.reference_uid]


def test_a_person_who_found_it_says_so_and_it_is_never_sent_again(office: Office, held):
    desk, dossier = held
    uid = dossier.payload["reference_uid"]
    code = desk.held()[0].handle
    desk.filed_as(uid, code, "officer 1")
    desk.file(dossier)
    assert desk.held() == []
    until(lambda: desk.state(uid, "TAM-1", "x").dossier_code == code)
    with pytest.raises(NotHeld):
        desk.resend(uid, "officer 1")


def test_a_person_who_did_not_find_it_has_it_sent_again_after_one_more_look(office: Office, held):
    desk, dossier = held
    uid = dossier.payload["reference_uid"]
    desk.resend(uid, "officer 1")
    desk.file(dossier)
    assert len(office.arrived(uid)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_dossier_that_the_system_refuses_is_told_apart_from_a_system_that_is_away(office: Office, kind: str):
    dossier = opened(make_dossier(evidence=200))
    desk = office.desk(office.connector(kind))
    for broken in ({}, dossier.payload | {"owner": {}}, dossier.payload | {"components": [{}]}):
        with pytest.raises(Refused) as refusal:
            desk.file(Opened({**broken, "reference_uid": dossier.payload["reference_uid"] + "x"}, dossier.files))
        assert CANARY_ID not in str(refusal.value)
    office.base = f"http://127.0.0.1:{free_port()}"
    try:
        with pytest.raises(Unreachable) as away:
            office.desk(office.connector(kind)).file(dossier)
        assert not isinstance(away.value, Unclear)
    finally:
        office.base = f"http://127.0.0.1:{office.province.ports['tthc-model']}"
    desk.file(dossier)


def test_a_token_is_used_until_it_ends_and_renewed_when_the_system_forgets_it(office: Office):
    national = office.connector("national", 5)
    first, second = (opened(make_dossier(evidence=200)) for _ in range(2))
    national.create(first)
    token = national._token
    national.create(second)
    assert national._token == token
    office.fault(Fault.TOKEN_EXPIRY, "/GetNextValue")
    national.create(second)
    assert national._token != token
    office.fault(Fault.TOKEN_EXPIRY, count=2)
    with pytest.raises(Unreachable) as away:
        national.create(second)
    assert not isinstance(away.value, Unclear)
    national._ends = time.monotonic()
    national.create(second)


@pytest.mark.parametrize("kind", KINDS)
def test_digitised_papers_of_an_accepted_dossier_are_offered_for_the_same_component(office: Office, kind: str, caplog):
    caplog.set_level(logging.DEBUG)
    dossier, connector = make_dossier(), office.connector(kind, 5)
    desk = office.desk(connector)
    desk.file(opened(dossier))
    until(lambda: desk.state(dossier.reference_uid, "TAM-1", "x").received)
    code = desk.state(dossier.reference_uid, "TAM-1", "x").dossier_code
    wish = Wish(CANARY_ID, CANARY_ID, "NGƯỜI NỘP", dossier.procedure.code, ("KQ01", "KQ02"))
    found = [one for one in desk.reusable_results(wish) if one.number == code]
    assert [(one.component, one.issuer) for one in found] == [("KQ01", "UBND phường Thử Nghiệm")]
    other = Wish("001199000999", CANARY_ID, "NGƯỜI NỘP", dossier.procedure.code, ("KQ01",))
    assert desk.reusable_results(other) == []
    office.fault(Fault.ERROR_AFTER)
    assert desk.reusable_results(wish) == []
    assert "re-use: HTTP 500" in caplog.text
    assert CANARY_ID not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_what_officers_do_comes_back_with_its_portal_code_reason_and_fee(office: Office, kind: str):
    dossier = make_dossier(evidence=200)
    desk = office.desk(office.connector(kind, 5))
    desk.file(opened(dossier))

    def state():
        return desk.state(dossier.reference_uid, "TAM-1", "x")

    def act(action: str, note: str = "") -> int:
        page = f"{office.base}/ho-so/{office.number_of(dossier.reference_uid)}/{action}"
        return requests.post(page, auth=office.auth, data={"note": note}, timeout=30).status_code

    until(lambda: state().received)
    assert act("ask_payment", "nhiều tiền") == 400
    acts = [
        ("ask_payment", "15.000", 6),
        ("process", "", 4),
        ("supplement", "Thiếu bản chính", 5),
        ("process", "", 4),
        ("finish", "", 9),
        ("hand_over", "", 10),
    ]
    for action, note, status in acts:
        assert act(action, note) == 200
        assert (state().status, state().note) == (status, note)
    assert state().fee.endswith("15.000 đồng")
    assert act("stop", "x") == 409


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("action", "status"), [("withdraw", 7), ("stop", 8), ("deny", 3)])
def test_a_dossier_that_ends_without_result_says_how(office: Office, kind: str, action: str, status: int):
    dossier = make_dossier(evidence=200)
    desk = office.desk(office.connector(kind, 5))
    desk.file(opened(dossier))
    until(lambda: desk.state(dossier.reference_uid, "TAM-1", "x").received)
    page = f"{office.base}/ho-so/{office.number_of(dossier.reference_uid)}/{action}"
    requests.post(page, auth=office.auth, data={"note": "Lý do"}, timeout=30).raise_for_status()
    assert desk.state(dossier.reference_uid, "TAM-1", "x").status == status


@pytest.mark.parametrize("kind", KINDS)
def test_a_reused_paper_is_named_in_the_dossier_and_shown_to_the_officer(office: Office, kind: str):
    dossier = make_dossier(evidence=200)
    scan, paper = dossier.papers
    reused = Reusable("KQ02", "KQ-H15-0001", "Tờ khai", "52/2024", "UBND phường Khác")
    agreement = Agreement(datetime(2026, 11, 23, 1, 5, tzinfo=UTC), "vi", "0123456789abcdef")
    dossier = replace(dossier, papers=(scan, replace(paper, reused=reused)), reuse=agreement)
    desk = office.desk(office.connector(kind, 5))
    desk.file(opened(dossier))
    assert office.arrived(dossier.reference_uid) == expected(dossier)
    until(lambda: desk.state(dossier.reference_uid, "TAM-1", "x").received)
    listing = requests.get(f"{office.base}/", auth=office.auth, timeout=30).text
    first = listing.split('href="/ho-so/')[1].split('"')[0]
    page = requests.get(f"{office.base}/ho-so/{first}", auth=office.auth, timeout=30).text
    assert "Dùng lại giấy tờ số hóa KQ-H15-0001" in page
    assert "08:05 23/11/2026" in page, "when the citizen agreed"
    assert "chờ cán bộ kiểm tra" not in page, "nothing is awaited on paper"
    assert {"opencps": "OpenCPS", "national": "Luồng quốc gia"}[kind] in page


@pytest.mark.parametrize("kind", KINDS)
def test_papers_digitised_in_earlier_days_are_offered_to_their_owner_only(office: Office, kind: str):
    paper = {"component": "KQ01", "result_code": "KQ-1", "name": "Giấy chứng sinh", "number": "5", "issuer": "UBND"}
    listed = office.province.settings.tthc_model.state / "results.json"
    listed.write_text(json.dumps([{"owner_id": "079201000789", **paper}, {"owner_id": "001199000999", **paper}]))
    desk = office.desk(office.connector(kind, 5))
    wish = Wish("079201000789", "079201000789", "NGƯỜI NỘP", "1.001193", ("KQ01", "KQ02"))
    try:
        assert desk.reusable_results(wish) == [Reusable(**paper)]
        assert desk.reusable_results(replace(wish, components=("KQ02",))) == []
    finally:
        listed.unlink()


def test_a_catalogue_longer_than_a_page_comes_over_whole(office: Office, monkeypatch):
    whole = office.connector("opencps", 5).catalogue()
    for size in (1, 2, 3):
        monkeypatch.setattr(opencps, "PAGE", size)
        assert office.connector("opencps", 5).catalogue() == whole
    assert sum(len(group["procedure"]) for group in whole) > 2


def test_a_list_that_changes_while_its_pages_are_read_is_no_catalogue(office: Office, monkeypatch):
    monkeypatch.setattr(opencps, "PAGE", 1)
    real = opencps.Site.call

    def shrinking(site, step, method, path, **request):
        reply = real(site, step, method, path, **request)
        if request["params"]["start"] == "1":
            return replace(reply, body=json.dumps({"total": 5, "data": []}).encode())
        return reply

    monkeypatch.setattr(opencps.Site, "call", shrinking)
    with pytest.raises(Unclear, match="1 entries of 5"):
        office.connector("opencps", 5).catalogue()


def test_a_system_that_wants_a_token_takes_everything_with_the_bearer_in_the_secret_file(province: Province):
    (province.root / "token").write_text("bearer:a-long:token")
    (province.root / "token").chmod(0o600)
    text = province.config.read_text().replace("[receiver]", '[receiver]\ntthc_user_file = "token"')
    province.config.write_text(text.replace("[tthc_model]", '[tthc_model]\nuser_file = "token"'))
    for program in ("tthc-model", "receiver"):
        province.start(program)
    dossier = make_dossier(evidence=200)
    assert province.outbox.put(dossier, province.sealer) is None
    province.deliver()
    assert province.arrived() == expected(dossier)
    for user, word in (("bearer", "another"), ("motcua", "a-long:token")):
        with pytest.raises(Unreachable, match="HTTP 401"):
            OpenCps(province.settings.receiver.tthc_url, user, word).create(opened(dossier))


@pytest.mark.parametrize("kind", KINDS)
def test_the_catalogue_comes_over_with_a_version_that_changes_only_when_it_does(office: Office, tmp_path, kind: str):
    offered = office.province.root / "catalogue.toml"
    desk = desk_of(office.connector(kind, 5), tmp_path / "x", SETTLE)
    assert desk.catalogues.latest() is None
    desk.refresh_catalogue()
    desk.refresh_catalogue()
    [version] = desk.catalogues.versions()
    assert version.endswith(".1")
    try:
        offered.write_text(offered.read_text().replace("15.000 đồng", "20.000 đồng"))
        desk.refresh_catalogue()
        office.fault(Fault.SCHEMA_CHANGE)
        desk.refresh_catalogue()
        assert [v[-2:] for v in desk.catalogues.versions()] == [".1", ".2"]
        released = tmp_path / "catalogue.json"
        released.write_bytes(desk.catalogues.latest()[1])
        mine = catalogue.load(SAMPLE, released)
        [certificate] = [p for p in mine.procedures.values() if p.code.startswith("1.004873")]
        assert certificate.fee.vi == "20.000 đồng"
        assert certificate.version == mine.version == desk.catalogues.latest()[0]
        before = catalogue.load(SAMPLE).procedures[certificate.code]
        assert (certificate.name, certificate.components, certificate.fields) == (
            before.name,
            before.components,
            before.fields,
        )
    finally:
        offered.write_bytes(SAMPLE.read_bytes())


def test_files_lie_there_byte_for_byte(office: Office):
    dossier = make_dossier(evidence=1_500_000)
    office.desk(office.connector("national", 10)).file(opened(dossier))
    files = office.arrived(dossier.reference_uid)[dossier.reference_uid]
    assert files == {name: hashlib.sha256(content).hexdigest() for name, content in dossier.files().items()}
