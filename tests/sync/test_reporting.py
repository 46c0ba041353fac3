"""What a kiosk tells the province beside dossiers, and what it does when the province contradicts."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk import catalogue
from kiosk.config import OutboxSettings
from kiosk.health import Level, Reason
from sync import reporting, signed
from sync.contradictions import Contradictions
from sync.forwarder import Forwarder
from sync.inspection import inspect
from sync.office import OutboxOffice
from sync.outbox import Outbox
from tests.sync.peer import Peer, reply
from tests.sync.province import CANARY, CANARY_ID, make_dossier
from tests.sync.test_forwarder import file


@pytest.fixture
def reporter(work: Forwarder) -> reporting.Reporter:
    return work._reporter


def bodies(peer: Peer, end: str) -> list[dict]:
    return [json.loads(body) for path, body in peer.bodies if path.endswith(end)]


def everything_due(reporter: reporting.Reporter) -> None:
    for errand in reporter._errands:
        errand.due = 0.0


def after_errands(work: Forwarder, reporter: reporting.Reporter, rounds: int = 6) -> None:
    for _ in range(rounds):
        assert work.drain() == 0


def test_a_report_says_how_the_queue_is_and_nothing_personal(work, reporter, outbox: Outbox, sealer, peer: Peer):
    delivered = file(outbox, sealer)
    after_errands(work, reporter)
    bad = file(outbox, sealer)
    outbox.quarantine(next(e for s in ("sealed",) for e in outbox.entries(s)), "HTTP 422")
    file(outbox, sealer)
    figures = reporter.figures()
    assert (figures["first_sequence"], figures["last_sequence"], figures["waiting"]) == (1, 3, 1)
    assert 0 <= figures["oldest_seconds"] < 60
    assert figures["quarantined"] == [{"submission": bad, "problem": "HTTP 422"}]
    assert figures["quarantined_count"] == 1
    assert figures["audit"]["n"] == outbox.head.n > 4
    assert len(figures["audit"]["sha256"]) == 64
    assert figures["certificate_days"] > 800
    assert figures["bytes_free"] > 0
    reporter.report()
    text = json.dumps(bodies(peer, "/report")[-1], ensure_ascii=False)
    assert len(text) < 16384
    assert CANARY not in text
    assert CANARY_ID not in text
    assert delivered not in text


def test_a_report_goes_every_minute_and_at_once_after_a_silence(work, reporter, peer: Peer):
    after_errands(work, reporter)
    assert len(bodies(peer, "/report")) == 1
    assert 50 < reporter._report.due - time.monotonic() < 67
    reporter._reported -= 300
    peer.rule = lambda *_: reply({}, 401)
    work._client.heard = None
    assert work.drain() == 1
    peer.rule = lambda *_: None
    after_errands(work, reporter, 2)
    assert len(bodies(peer, "/report")) == 2
    assert 50 < reporter._report.due - time.monotonic() < 67


def test_a_report_that_is_lost_holds_up_no_dossier(work, outbox: Outbox, sealer, peer: Peer):
    beside = ("report", "reconciliation", "catalogue")
    peer.rule = lambda method, path, _: reply({}, 500) if path.rsplit("/", 1)[1] in beside else None
    file(outbox, sealer)
    assert work.drain() == 0
    assert outbox.records()[0]["state"] == "delivered"


async def test_a_wrong_clock_is_said_at_the_kiosk_until_it_is_right(work, reporter, outbox, settings, peer: Peer):
    peer.now = lambda: datetime.now(UTC) + timedelta(minutes=12)
    after_errands(work, reporter)
    outbox.close()
    async with OutboxOffice(settings.office, settings.kiosk, OutboxSettings(ballast_mb=0, warn_days=0)) as kiosk:
        assert (kiosk.status.level, kiosk.status.reason) == (Level.DEGRADED, Reason.CLOCK_WRONG)
        assert "chậm 12 phút" in kiosk.status.detail
        assert "12 min behind the receiver's" in kiosk.status.detail
        assert "NTP" in kiosk.status.remedy.vi
        assert await kiosk.submit(make_dossier()) is None
        peer.now = lambda: datetime.now(UTC)
        everything_due(reporter)
        after_errands(work, reporter)
        assert kiosk._judge()[:2] == (Level.READY, Reason.OK)


def test_the_receiver_agrees_and_nothing_is_said(work, reporter, outbox: Outbox, sealer, peer: Peer):
    for _ in range(3):
        file(outbox, sealer)
    after_errands(work, reporter)
    everything_due(reporter)
    after_errands(work, reporter)
    asked = bodies(peer, "/reconciliation")[-1]
    assert (asked["from"], asked["to"]) == (1, 1000)
    assert Contradictions(outbox).all() == []


@pytest.fixture
def lost_one(work, reporter, outbox: Outbox, sealer, peer: Peer) -> Iterator[str]:
    """The receiver has lost one of three, of which we hold receipts."""
    ids = [file(outbox, sealer) for _ in range(3)]
    after_errands(work, reporter)
    del peer.held[ids[1]]
    everything_due(reporter)
    return ids[1]


async def test_what_the_receiver_lost_is_an_alarm_and_delivered_again(
    work,
    reporter,
    outbox: Outbox,
    sealer,
    lost_one: str,
    peer: Peer,
    keys: Path,
    settings,
    caplog,
):
    first = outbox.records()[1]["receipt"]
    while not Contradictions(outbox).all():
        reporter.when_due()
    assert "does not hold" not in caplog.text
    assert "did not hold it any more; to be sent again" in caplog.text
    assert reporter.figures()["quarantined_count"] == 1
    assert reporter.figures()["quarantined"][0]["submission"] == lost_one
    outbox_problems = verified(outbox, keys)
    assert [lost_one in problem for problem in outbox_problems] == [True]
    after_errands(work, reporter)
    assert peer.held[lost_one].receipted
    row = outbox.records()[1]
    assert (row["state"], row["receipt"]) == ("delivered", first)
    [healed] = Contradictions(outbox).all()
    assert healed.healed
    assert "delivered again, with a second receipt" in verified(outbox, keys)[0]
    assert reporter.figures()["quarantined_count"] == 0
    everything_due(reporter)
    after_errands(work, reporter)
    assert len(Contradictions(outbox).all()) == 1


def verified(outbox: Outbox, keys: Path) -> list[str]:
    own = signed.signing_key(keys / "kiosk-signing.key", "key").public_key()
    return inspect(outbox, own, signed.verifying_key(keys / "receiver-receipt.pub", "key")).problems


def test_what_the_receiver_lost_and_is_purged_here_stays_an_alarm(
    work,
    reporter,
    outbox: Outbox,
    lost_one: str,
    keys: Path,
):
    assert outbox.purge(0) == 3
    after_errands(work, reporter)
    assert "cannot be delivered again: its ciphertexts are purged" in verified(outbox, keys)[0]
    assert reporter.figures()["quarantined_count"] == 1


def test_what_the_receiver_does_not_take_again_stays_an_alarm_with_its_reason(
    work,
    reporter,
    outbox: Outbox,
    lost_one: str,
    peer: Peer,
):
    peer.rule = lambda method, path, _: reply({}, 409) if method == "PUT" and lost_one in path else None
    after_errands(work, reporter)
    [one] = Contradictions(outbox).all()
    assert one.problem == "HTTP 409"
    assert [path for method, path in peer.asked].count(f"/api/v1/submissions/{lost_one}") == 2


async def test_what_we_do_not_know_is_an_alarm_at_the_kiosk(
    work,
    reporter,
    outbox: Outbox,
    sealer,
    peer: Peer,
    keys,
    settings,
    caplog,
):
    file(outbox, sealer)
    after_errands(work, reporter)
    strange = replace(next(iter(peer.held.values())), manifest={"sequence": 2}, sha256="a" * 64)
    peer.held["b" * 32] = strange
    everything_due(reporter)
    with caplog.at_level(logging.CRITICAL):
        after_errands(work, reporter)
    assert f"sequence 2, {'b' * 32}: the receiver holds it, and this outbox does not know it" in caplog.text
    outbox.close()
    async with OutboxOffice(settings.office, settings.kiosk, OutboxSettings(ballast_mb=0, warn_days=0)) as kiosk:
        assert (kiosk.status.level, kiosk.status.reason) == (Level.DEGRADED, Reason.RECEIVER_DISAGREES)
        assert "outbox verify" in kiosk.status.remedy.vi


def test_a_receipt_that_was_lost_on_its_way_is_no_contradiction(work, reporter, outbox: Outbox, sealer, peer: Peer):
    submission = file(outbox, sealer)

    def lose_the_reply(method, path, body):
        if method == "POST" and "commit" in path:
            peer.held[submission].receipted = True
            return reply({}, 500)
        return None

    peer.rule = lose_the_reply
    for _ in range(4):
        work.drain()
    assert len(bodies(peer, "/reconciliation")) >= 1
    assert Contradictions(outbox).all() == []


def test_reconciliation_goes_in_slices_and_at_once_after_a_rebuild(
    work,
    reporter,
    outbox: Outbox,
    sealer,
    peer: Peer,
    monkeypatch,
):
    monkeypatch.setattr(reporting, "MOST_NUMBERS", 2)
    for _ in range(5):
        file(outbox, sealer)
    after_errands(work, reporter, 8)
    assert [(b["from"], b["to"]) for b in bodies(peer, "/reconciliation")][-3:] == [(1, 2), (3, 4), (5, 6)]
    peer.bodies.clear()
    after_errands(work, reporter, 3)
    assert bodies(peer, "/reconciliation") == []
    outbox.rebuild()
    after_errands(work, reporter, 8)
    assert [(b["from"], b["to"]) for b in bodies(peer, "/reconciliation")] == [(1, 2), (3, 4), (5, 6)]


# --- catalogue ---


def released(number: int, name: str = "Đăng ký kết hôn") -> bytes:
    procedure = {
        "code": "1.000894",
        "vi": name,
        "receiving_unit": "UBND",
        "component": [{"code": "A", "vi": "Tờ khai"}],
    }
    group = {"id": "HT", "vi": "Hộ tịch", "procedure": [procedure]}
    return json.dumps({"number": number, "version": f"v{number}", "group": [group]}).encode()


def test_a_newer_catalogue_is_shown_from_the_next_visit_and_a_broken_one_is_refused_and_said(
    work,
    reporter,
    peer: Peer,
    settings,
    tmp_path: Path,
    caplog,
):
    local = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"
    offered = catalogue.Offered(local, settings.kiosk.state / "catalogue.json")
    before = offered()
    asked: list[str] = []

    def serve(method, path, _):
        if not path.endswith("/catalogue"):
            return None
        asked.append(path)
        return 200, {"ETag": '"7"'}, released(7)

    peer.rule = serve
    after_errands(work, reporter)
    assert asked
    assert offered().version == "v7"
    assert "1.000894" in offered().procedures
    assert offered().centre == before.centre
    peer.rule = lambda method, path, _: (200, {}, b'{"number": 8}') if path.endswith("/catalogue") else None
    everything_due(reporter)
    after_errands(work, reporter)
    assert "the released catalogue is not taken, the present one stays" in caplog.text
    assert offered().version == "v7"


def test_a_catalogue_that_is_the_same_is_not_sent_again(work, reporter, peer: Peer, settings):
    seen: list[str | None] = []
    answer = peer.answer

    def watch(method, path, body, headers):
        if path.endswith("/catalogue"):
            seen.append(headers.get("If-None-Match"))
            return (304, {}, b"") if seen[-1] else (200, {"ETag": '"7"'}, released(7))
        return answer(method, path, body, headers)

    peer.answer = watch
    after_errands(work, reporter)
    everything_due(reporter)
    after_errands(work, reporter)
    assert seen == [None, '"7"']


def test_while_dossiers_wait_no_catalogue_is_fetched(work, reporter, outbox: Outbox, sealer, peer: Peer):
    file(outbox, sealer)
    peer.rule = lambda method, path, _: reply({}, 500) if method == "PATCH" else None
    for _ in range(5):
        work.drain()
    assert not [path for _, path in peer.asked if path.endswith("/catalogue")]
