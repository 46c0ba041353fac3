"""Every fault the dock can cause, through the whole kiosk: what the citizen reads, and that nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.health import Reason
from kiosk.i18n import remedy, say, title

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """All scenes, played once by real touches: their folder and what the citizen met, by scene."""
    folder = tmp_path_factory.mktemp("faults")
    done = subprocess.run(
        [sys.executable, str(HERE / "scenes.py"), str(folder)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert (folder / "scenes.json").exists(), done.stderr[-3000:]
    (folder / "output.txt").write_text(done.stdout + done.stderr, "utf-8")
    return folder, json.loads((folder / "scenes.json").read_text("utf-8"))


pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def scene(played, request):
    """One scene, which must have gone to its end as scripted."""
    met = played[1][request.param if hasattr(request, "param") else request.node.callspec.params["name"]]
    assert met["outcome"] == met["expected"]
    return met


REMEDIES = {
    "card-pulled": Reason.CARD_REMOVED,
    "camera-stalled": Reason.CAMERA_STALLED,
    "camera-unplugged": Reason.NO_CAMERA,
    "empty-tray": Reason.PAGE_NOT_FOUND,
    "blurred-page": Reason.PAGE_BLURRED,
    "page-cut-off": Reason.PAGE_CUT_OFF,
    "receiver-cut": Reason.RECEIVER_UNREACHABLE,
}


@pytest.mark.parametrize("name", REMEDIES)
def test_the_remedy_screen_says_what_is_wrong_and_what_to_do(scene, name):
    assert scene["reason"] == REMEDIES[name].value
    on_screen = " ".join(scene["texts"])
    assert title(REMEDIES[name]).vi in on_screen
    assert remedy(REMEDIES[name]).vi.partition(" (Kỹ thuật")[0] in on_screen
    assert scene["offers"][-1] == "leave"


PAPER = {
    "paper-out": {Reason.PAPER_OUT},
    "paper-out-in-the-middle": {Reason.PAPER_OUT},
    "cover-open": {Reason.COVER_OPEN},
    "paper-jam": {Reason.PAPER_JAM},
    "printer-off": {Reason.PRINTER_UNREACHABLE},
    "printer-hung": {Reason.PRINTER_UNREACHABLE, Reason.PRINTER_ERROR},
}


@pytest.mark.parametrize("name", PAPER)
def test_without_paper_the_number_is_shown_marked_unprinted_and_printed_again(scene, name):
    assert scene["paper"] == "failed"
    assert scene["reason"] in PAPER[name]
    assert scene["number"] in " ".join(scene["texts"])
    assert [t["paper"] for t in scene["tickets"]] == ["failed"]
    assert scene["same_ticket"]
    assert [t["paper"] for t in scene["tickets_after"]] == ["printed"]


WAITING = {"card-moved": "card_lifted", "card-mute": "card_mute"}


@pytest.mark.parametrize("name", WAITING)
def test_a_card_that_moved_is_asked_back_in_words_and_one_may_go_on_without_it(scene, name):
    for text in (f"working.{WAITING[name]}", f"working.{WAITING[name]}_lead", f"working.{WAITING[name]}_cancel"):
        assert say(text).vi in scene["texts"]


@pytest.mark.parametrize("name", ["card-moved"])
def test_what_was_read_of_a_card_that_moved_stays_on_screen(scene, name):
    assert 0 < scene["share"] < 1
    assert f"{scene['share']:.0%}" in scene["texts"]


@pytest.mark.parametrize("name", ["issuer-unknown"])
def test_a_card_of_an_unknown_issuer_is_greeted_and_takes_a_number_without_a_name(scene, name):
    assert scene["grade"] == "integrity_only"
    assert {say("grade.integrity_only.title").vi, scene["holder"]} <= set(scene["greeting"])
    (ticket,) = scene["tickets"]
    assert scene["holder"] not in json.dumps(ticket, ensure_ascii=False)
    assert scene["personal_id"] not in json.dumps(ticket)


@pytest.mark.parametrize("name", ["card-moved", "card-pulled", "card-mute", "scanner-unplugged", "card-by-camera"])
def test_after_the_remedy_the_chip_is_read_whole(scene, name):
    assert scene["grade"] == "issuer_verified"


@pytest.mark.parametrize("name", ["camera-stalled"])
def test_after_a_stall_the_page_is_taken_at_an_honest_resolution(scene, name):
    assert scene["dpi"] >= 200


@pytest.mark.parametrize("name", ["left-while-assembling"])
def test_leaving_ends_the_work_behind_the_screens(scene, name):
    assert scene["under_way"]
    assert not scene["still_under_way"]
    assert scene["programs"] == 0


@pytest.mark.parametrize("name", ["scanner-garbles"])
def test_a_code_that_is_no_card_is_said_and_typing_is_offered(scene, name):
    assert scene["can_type"]


@pytest.mark.parametrize("name", ["queue-reply-lost"])
def test_a_lost_reply_issues_one_number(scene, name):
    assert scene["issued"] == 1


@pytest.mark.parametrize("name", ["queue-cut", "queue-stalled"])
def test_without_the_queue_server_a_number_of_the_reserve_is_printed_and_told_afterwards(scene, name):
    assert (scene["state"], scene["ahead"], scene["paper"]) == ("queue_offline_numbers", None, "printed")
    assert scene["number"] in " ".join(scene["texts"])
    assert say("screen.ticket_issued.ahead").vi not in scene["texts"]
    assert [(t["state"], t["paper"]) for t in scene["tickets"]] == [("waiting", "printed")]


@pytest.mark.parametrize("name", ["filed-without-network"])
def test_a_dossier_filed_without_network_is_receipted_and_arrives_once(scene, name):
    assert scene["paper"] == "printed"
    assert scene["state"] is False
    assert "CHƯA ĐƯỢC TIẾP NHẬN" in " ".join(scene["texts"])
    assert (scene["arrived_before"], scene["arrived_after"]) == (0, 1)


@pytest.mark.parametrize("name", ["filed-without-network"])
def test_papers_on_file_that_cannot_be_looked_for_are_captured_instead(scene, name):
    assert scene["searched"] is False


@pytest.mark.parametrize("name", ["staff-called"])
def test_a_call_for_staff_gets_through(scene, name):
    assert scene["reached"]


@pytest.mark.parametrize("name", ["walk-away"])
def test_an_abandoned_visit_leaves_no_trace(scene, name, played):
    assert scene["traces"] == []
    said = (played[0] / "output.txt").read_text("utf-8")
    assert "LÊ HOÀNG DỤ" not in said
    assert "079201000789" not in said
    before, after = ((played[0] / scene[which]).read_bytes() for which in ("before", "after"))
    assert before == after, "the attract screen shows something of the visit"
