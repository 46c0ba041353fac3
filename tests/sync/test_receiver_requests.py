"""What a kiosk may ask beside sending: report, reconciliation, catalogue, papers to re-use; who may read metrics."""

import hashlib
import json
import shutil
import time
from pathlib import Path

import pytest

from kiosk.cli import main
from sync import stick
from sync.outbox import State
from tests.sync.province import CANARY, CANARY_ID, Province, expected, make_dossier, until
from tests.sync.test_receiver import Kiosk

REPORT = {
    "schema": 1,
    "utc": "2026-11-23T03:00:00.000Z",
    "program": "0.1.0",
    "first_sequence": 1,
    "last_sequence": 7,
    "waiting": 2,
    "oldest_seconds": 12.5,
    "quarantined": [{"submission": "a" * 32, "problem": "HTTP 422"}],
    "quarantined_count": 1,
    "bytes_free": 10**11,
    "days_free": None,
    "audit": {"n": 9, "sha256": "b" * 64},
    "certificate_days": 300,
}


@pytest.fixture
def kiosk(open_province: Province) -> Kiosk:
    return Kiosk(open_province)


def test_a_report_is_kept_and_answered_with_the_receivers_time(open_province, kiosk):
    answer = kiosk("PUT", "/report", REPORT)
    assert answer.status_code == 200
    assert answer.json()["utc"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))
    never = ({"utc": "2026-13-01T00:00:00.000Z"}, {"utc": "0000-01-01T00:00:00.000Z"}, {"utc": "soon"})
    for wrong in ({"schema": 2}, {"waiting": -1}, {"audit": None}, {"program": "x" * 99}, *never):
        assert kiosk("PUT", "/report", REPORT | wrong).status_code == 400
    for body in (b"[" * 9000, b'{"utc": "\xd4"}', b""):
        assert kiosk("PUT", "/report", body).status_code == 400
    assert kiosk("PUT", "/report", b" " * 20_000).status_code == 413


def test_both_sides_find_out_whether_they_hold_the_same(open_province, kiosk):
    for _ in range(2):
        assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    open_province.forward()
    held = [(e.sequence, e.submission, e.manifest_sha256) for e in open_province.outbox.entries(State.DELIVERED)]
    digest = hashlib.sha256("".join(f"{n} {s} {m}\n" for n, s, m in held).encode()).hexdigest()
    assert kiosk("POST", "/reconciliation", {"from": 1, "to": 2, "sha256": digest}).json() == {"agrees": True}
    other = kiosk("POST", "/reconciliation", {"from": 1, "to": 1000, "sha256": "0" * 64}).json()
    assert other == {"agrees": False, "held": [list(row) for row in held]}
    assert kiosk("POST", "/reconciliation", {"from": 3, "to": 9, "sha256": "0" * 64}).json()["held"] == []
    assert kiosk("POST", "/reconciliation", {"from": 1, "to": 1001, "sha256": digest}).status_code == 400
    stranger = Kiosk(open_province, "K02")("POST", "/reconciliation", {"from": 1, "to": 2, "sha256": digest})
    assert stranger.json() == {"agrees": False, "held": []}


def test_the_catalogue_is_sent_once_for_each_version(province: Province):
    sample = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"
    province.start("receiver")
    assert Kiosk(province)("GET", "/catalogue").status_code == 404
    province.kill("receiver")
    (province.root / "catalogue.toml").write_bytes(sample.read_bytes())
    province.start("tthc-model")
    province.start("receiver")
    kiosk = Kiosk(province)
    until(lambda: kiosk("GET", "/catalogue").status_code == 200)
    first = kiosk("GET", "/catalogue")
    assert first.json()["number"] == 1
    assert kiosk("GET", "/catalogue", If_None_Match=first.headers["ETag"]).status_code == 304
    assert kiosk("GET", "/catalogue", If_None_Match='"of before"').status_code == 200


def test_papers_to_re_use_are_searched_only_with_consent_and_leave_no_name_in_a_log(open_province, kiosk):
    wish = {
        "consent": True,
        "owner_id": CANARY_ID,
        "requester_id": CANARY_ID,
        "requester_name": CANARY,
        "procedure_code": "1.001193.000.00.00.H05",
        "components": ["KQ01"],
    }
    assert kiosk("POST", "/reusable", wish).json() == {"results": []}
    assert kiosk("POST", "/reusable", wish | {"consent": False}).status_code == 403
    assert kiosk("POST", "/reusable", wish | {"owner_id": "12"}).status_code == 400
    assert kiosk("POST", "/reusable", b"{").status_code == 400
    assert CANARY_ID not in open_province.log("receiver")


def test_manifests_are_taken_while_there_is_no_room_for_files_and_files_come_when_there_is(province: Province):
    text = province.config.read_text()
    province.config.write_text(text.replace("[receiver]", f"[receiver]\nleast_free = {10**18}"))
    province.start("tthc-model")
    province.start("receiver")
    dossier = make_dossier()
    assert province.outbox.put(dossier, province.sealer) is None
    assert province.forward() == 1
    assert province.states() == ["manifest_sent"]
    assert "HTTP 507" in province.outbox.road().problem
    province.kill("receiver")
    province.config.write_text(text)
    province.start("receiver")
    province.deliver()
    assert province.arrived() == expected(dossier)


def test_metrics_are_for_the_configured_monitor_and_it_may_ask_nothing_else(province: Province):
    text = province.config.read_text()
    province.config.write_text(text.replace("[receiver]", '[receiver]\nmonitor = "K02"'))
    province.start("tthc-model")
    province.start("receiver")
    assert province.outbox.put(make_dossier(), province.sealer) is None
    province.forward()
    monitor, kiosk = Kiosk(province, "K02"), Kiosk(province)
    until(lambda: 'receiver_submissions{state="' in monitor("GET", "/metrics").text)
    assert 'receiver_request_seconds_count{request="commit",status="200"} 1.0' in monitor("GET", "/metrics").text
    assert kiosk("GET", "/metrics").status_code == 403
    assert monitor("GET", "/healthz").status_code == 403


def test_a_stick_of_a_dead_kiosk_is_taken_in_and_what_was_sent_before_stays_one(
    province: Province, tmp_path: Path, capsys
):
    stickdir = tmp_path / "stick"
    dossiers = [make_dossier(), make_dossier(evidence=5_000_000), make_dossier()]
    for dossier in dossiers:
        assert province.outbox.put(dossier, province.sealer) is None
    assert all(not copied.problem for copied in stick.export(province.outbox, stickdir))
    spoilt = min(stickdir.iterdir())
    kept = shutil.copytree(spoilt, tmp_path / "kept")
    victim = next(path for path in spoilt.iterdir() if path.name != "manifest")
    victim.write_bytes(b"?" + victim.read_bytes()[1:])

    def take_in(*options: str) -> tuple[int, set[str]]:
        code = main(["receiver", "import", str(stickdir), "--json", "--config", str(province.config), *options])
        return code, {one["problem"] for one in json.loads(capsys.readouterr().out)}

    assert take_in() == (1, {"", "a part is not the one of the manifest"})
    shutil.rmtree(spoilt)
    kept.rename(spoilt)
    for _ in range(2):
        assert take_in() == (0, {""})
    province.start("tthc-model")
    province.start("receiver")
    province.deliver()  # the kiosk is alive after all
    assert province.arrived() == expected(*dossiers)


def test_what_a_retired_kiosk_still_held_is_taken_in_only_if_a_person_says_so(
    province: Province, tmp_path: Path, capsys
):
    assert province.outbox.put(make_dossier(), province.sealer) is None
    assert all(not copied.problem for copied in stick.export(province.outbox, tmp_path / "stick"))
    config = ["--config", str(province.config)]
    assert main(["receiver", "retire", "K01", "--why", "hỏng", *config]) == 0
    capsys.readouterr()
    assert main(["receiver", "import", str(tmp_path / "stick"), *config]) == 1
    assert "refused: this kiosk is not enrolled" in capsys.readouterr().out
    assert main(["receiver", "import", str(tmp_path / "stick"), "--retired", *config]) == 0
    assert "1 envelopes are here and have a receipt" in capsys.readouterr().out
    assert main(["receiver", "import", str(tmp_path), "--retired", *config]) == 0
    assert main(["receiver", "import", str(tmp_path / "nowhere"), *config]) == 2
