"""The forwarder's manners: what goes first, what it does when told to wait, and what it never waits for."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from kiosk.config import Settings
from sync import forwarder
from sync.client import Busy, ItemBad, Later, ReceiverClient, RoadClosed
from sync.forwarder import Forwarder, Stop
from sync.keys import create_world
from sync.outbox import Outbox, Sealer
from tests.sync.peer import Peer, reply
from tests.sync.province import make_dossier, until


def file(outbox: Outbox, sealer: Sealer, evidence: int = 1000) -> str:
    """A dossier filed; its submission id."""
    assert outbox.put(make_dossier(evidence=evidence), sealer) is None
    return outbox.records()[-1]["submission"]


def sent(peer: Peer, method: str, end: str = "") -> list[str]:
    return [
        path.split("/")[4] for how, path in peer.asked if how == method and path.endswith(end) and path.count("/") > 3
    ]


@pytest.fixture
def running(work: Forwarder) -> Iterator[Stop]:
    stop = Stop()
    thread = threading.Thread(target=work.run, args=(stop,))
    thread.start()
    yield stop
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_dossier_filed_during_a_long_drain_is_announced_before_the_next_piece(work, outbox, sealer, peer: Peer):
    backlog = [file(outbox, sealer, 900_000) for _ in range(3)]
    late: list[str] = []

    def while_sending(method, path, body):
        if method == "PATCH" and not late:
            late.append(file(outbox, sealer))

    peer.rule = while_sending
    assert work.drain() == 0
    assert sent(peer, "PUT") == [*backlog, *late]
    patches = [n for n, (method, _) in enumerate(peer.asked) if method == "PATCH"]
    announced = peer.asked.index(("PUT", f"/api/v1/submissions/{late[0]}"))
    assert patches[0] < announced < patches[1]


def test_small_ones_go_first_in_a_slice_and_the_large_ones_do_not_starve(
    work, outbox, sealer, peer: Peer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(forwarder, "SLICE", 3)
    ids = [file(outbox, sealer, size) for size in (200_000, 1000, 50_000, 100, 10)]
    assert work.drain() == 0
    assert sent(peer, "POST", "/commit") == [ids[1], ids[2], ids[0], ids[4], ids[3]]


def test_one_that_stumbles_holds_up_nobody_and_goes_last_the_next_time(work, outbox, sealer, peer: Peer):
    ids = [file(outbox, sealer) for _ in range(4)]
    stumbling = ids[:2]
    peer.rule = lambda method, path, _: reply({}, 500) if "commit" in path and path.split("/")[4] in stumbling else None
    assert work.drain() == 1
    assert [row["state"] for row in outbox.records()] == ["manifest_sent"] * 2 + ["delivered"] * 2
    ids.append(file(outbox, sealer))
    peer.asked.clear()
    assert work.drain() == 1
    assert sent(peer, "POST", "/commit")[0] == ids[-1]
    assert outbox.road().heard is not None
    peer.rule = lambda *_: None
    until(lambda: work.drain() == 0)
    assert {row["state"] for row in outbox.records()} == {"delivered"}


def test_one_failure_of_everything_is_not_a_thousand_attempts(work, outbox, sealer, peer: Peer):
    for _ in range(12):
        file(outbox, sealer)
    peer.rule = lambda method, path, _: reply({}, 500) if method == "PATCH" else None
    assert work.drain() == 1
    assert len([1 for method, _ in peer.asked if method == "PATCH"]) == forwarder.MOST_STUMBLES
    assert outbox.road().problem == "HTTP 500"


def test_a_busy_receiver_gets_no_blobs_for_a_while_but_every_manifest(work, outbox, sealer, peer: Peer, running: Stop):
    peer.rule = lambda method, *_: reply({}, 429, **{"Retry-After": "8"}) if method == "PATCH" else None
    first = file(outbox, sealer)
    until(lambda: sent(peer, "PATCH"))
    begun = time.monotonic()
    second = file(outbox, sealer)
    until(lambda: sent(peer, "PUT") == [first, second], 7)
    assert outbox.road().heard is not None
    assert outbox.road().problem == "the receiver takes no files now: HTTP 429"
    peer.rule = lambda *_: None
    until(lambda: {row["state"] for row in outbox.records()} == {"delivered"})
    assert time.monotonic() - begun > 6


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("7", 7), ("999999", 900), ("date", 90), ("-5", 0), ("soon", 0), ("", 0), ("٣", 0), ("Mon, 99 Foo", 0)],
)
def test_retry_after_is_a_number_or_a_date_and_has_a_limit(work, peer: Peer, settings: Settings, asked: str, seconds):
    """The date is reckoned from the answer's own: this kiosk's clock may be anything."""
    base = datetime(2031, 5, 1, 8, tzinfo=UTC)
    text = format_datetime(base + timedelta(seconds=90), usegmt=True) if asked == "date" else asked
    headers = {"Retry-After": text.encode().decode("latin-1"), "Date": format_datetime(base, usegmt=True)}
    peer.rule = lambda *_: (403, headers, b"")
    client = ReceiverClient(settings.office)
    with pytest.raises(RoadClosed) as closed:
        client.call("GET", "/healthz")
    assert closed.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, ItemBad) for status in (400, 409, 413, 422)),
        *((status, Later) for status in (408, 424, 425, 500, 502, 503, 504, 507)),
        *((status, RoadClosed) for status in (301, 302, 401, 403, 404)),
        (429, Busy),
    ],
)
def test_road_closed_item_bad_and_item_later_are_told_apart(peer: Peer, settings: Settings, status: int, verdict: type):
    peer.rule = lambda *_: reply({}, status)
    client = ReceiverClient(settings.office)
    with pytest.raises((RoadClosed, ItemBad)) as said:
        client.call("GET", "/healthz")
    assert type(said.value) is verdict


def test_after_a_stop_no_further_request_is_begun(work, outbox, sealer, peer: Peer):
    stop = Stop()
    for _ in range(3):
        file(outbox, sealer, 600_000)

    def until_first_piece(method, path, body):
        if method == "PATCH":
            stop.set()

    peer.rule = until_first_piece
    assert work.run(stop) == 0
    assert peer.asked[-1][0] == "PATCH"
    assert [method for method, _ in peer.asked].count("PATCH") == 1


def test_the_pauses_grow_to_a_quarter_of_an_hour_and_begin_anew_after_any_progress(
    work, outbox, sealer, peer: Peer, monkeypatch
):
    waits: list[float] = []
    monkeypatch.setattr(forwarder.random, "uniform", lambda low, high: 1.0 if low else (waits.append(high) or 0.0))
    stop = Stop()

    def refuse(method, path, _):
        if len(waits) == 14 and method == "PUT" and "submissions" in path:
            return None
        if len(waits) > 16:
            stop.set()
        return reply({}, 401)

    peer.rule = refuse
    file(outbox, sealer)
    work.run(stop)
    assert waits[:3] == [1.0, 2.0, 4.0]
    assert waits[11:14] == [900.0, 900.0, 900.0]
    assert waits[14] == 0.5


def test_a_renewed_certificate_is_used_without_a_restart(
    outbox, sealer, peer: Peer, settings: Settings, tmp_path: Path
):
    folder = tmp_path / "secrets"
    create_world(folder, ["K01"])
    office = replace(settings.office, certificate=folder / "kiosk.pem", key_file=folder / "kiosk.key")
    client = ReceiverClient(office)
    work = Forwarder(outbox, client, replace(settings, office=office))
    file(outbox, sealer)
    assert work.drain() == 1  # of another authority
    for name in ("kiosk.key", "kiosk.pem"):
        (folder / name).write_bytes((settings.office.ca.parent / name).read_bytes())
    assert work.drain() == 0
    assert outbox.records()[0]["state"] == "delivered"
    client.close()


def test_a_renewed_key_of_receipts_is_used_without_a_restart(
    outbox, sealer, peer: Peer, settings: Settings, tmp_path: Path
):
    pinned = tmp_path / "receipts.pub"
    create_world(tmp_path / "other", ["K01"])
    pinned.write_bytes((tmp_path / "other" / "receiver-receipt.pub").read_bytes())
    changed = replace(settings, office=replace(settings.office, receipt_key=pinned))
    client = ReceiverClient(changed.office)
    work = Forwarder(outbox, client, changed)
    file(outbox, sealer)
    assert work.drain() == 1
    assert "receipt refused: signature of the receipt is wrong" in outbox.road().problem
    pinned.write_bytes(b"half a key")
    assert work.drain() == 1
    assert "is not a key in PEM" in outbox.road().problem
    pinned.write_bytes(settings.office.receipt_key.read_bytes())
    assert work.drain() == 0
    client.close()


def test_a_receiver_whose_clock_goes_back_is_said_and_changes_nothing(
    work, outbox, sealer, peer: Peer, caplog: pytest.LogCaptureFixture
):
    for days in (10, 5):
        peer.now = lambda days=days: datetime.now(UTC) + timedelta(days=days)
        file(outbox, sealer)
        with caplog.at_level(logging.WARNING):
            assert work.drain() == 0
    assert "the receiver's clock went back" in caplog.text
    assert {row["state"] for row in outbox.records()} == {"delivered"}


def test_during_a_long_drain_the_road_is_known_to_be_open(work, outbox, sealer, peer: Peer):
    file(outbox, sealer, 600_000)
    seen = []
    peer.rule = lambda method, *_: seen.append(outbox.road().heard) if method == "POST" else None
    assert work.drain() == 0
    assert seen[0] is not None
