"""Alarms of the province: each is raised by what a person would call wrong, and ends when it is right again."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.clock import utc_iso
from kiosk.config import ReceiverSettings
from sync.receiver.database import Database, open_database
from sync.receiver.watch import Watch, raise_alarm

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # Monday, 10:00 in Vietnam
REPORT = {
    "utc": utc_iso(NOW),
    "oldest_seconds": None,
    "days_free": 40.0,
    "certificate_days": 200,
    "quarantined_count": 0,
}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    settings = ReceiverSettings(state=tmp_path)
    if request.param == "postgres":
        settings = replace(settings, database=request.getfixturevalue("cluster").new_database())
    with contextlib.closing(open_database(settings)) as built:
        with built.write() as tx:
            tx.run("INSERT INTO kiosk (id, enrolled_at) VALUES ('K01', :now)", now=utc_iso(NOW - timedelta(days=90)))
        yield built


def heard(database: Database, at: datetime = NOW, **report: object) -> None:
    with database.write() as tx:
        tx.run(
            "UPDATE kiosk SET last_contact = :at, reported_at = :at, report = :report",
            at=utc_iso(at),
            report=json.dumps(REPORT | report),
        )


def announced(database: Database, *sequences: int, at: datetime = NOW - timedelta(hours=1)) -> None:
    with database.write() as tx:
        for number in sequences:
            tx.run(
                "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at)"
                " VALUES ('K01', :id, :number, 'x', :manifest, :at)",
                id=f"{number:032x}",
                number=number,
                manifest=b"x",
                at=utc_iso(at),
            )


def alarms(database: Database, now: datetime = NOW) -> dict[str, str]:
    Watch(database, ReceiverSettings()).look(now)
    with database.read() as tx:
        return {row["kind"]: row["detail"] for row in tx.all("SELECT * FROM alarm WHERE ended_at IS NULL")}


def test_a_missing_number_is_an_alarm_until_it_comes(database):
    heard(database)
    announced(database, 1, 2, 3, 6, 9)
    assert alarms(database) == {"gap": "thiếu số 4–5, 7–8"}
    announced(database, 4, 5, 8)
    assert alarms(database) == {"gap": "thiếu số 7"}
    announced(database, 7)
    assert alarms(database) == {}
    announced(database, 11, at=NOW)
    assert alarms(database) == {}, "a moment ago: the one before may be on its way"
    assert alarms(database, NOW + timedelta(seconds=61)) == {"gap": "thiếu số 10"}


def test_silence_counts_in_office_hours_only(database):
    heard(database, NOW - timedelta(seconds=90))
    assert alarms(database) == {}
    assert set(alarms(database, NOW + timedelta(minutes=2))) == {"silent"}
    night = NOW.replace(hour=15)
    assert alarms(database, night) == {}
    assert alarms(database, NOW + timedelta(days=5)) == {}, "Saturday"


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ({"oldest_seconds": 3700.0}, "unsent"),
        ({"utc": utc_iso(NOW - timedelta(days=20_000))}, "clock"),
        ({"days_free": 3.0}, "space"),
        ({"certificate_days": -1}, "certificate"),
        ({"quarantined_count": 2}, "quarantine"),
    ],
)
def test_what_a_kiosk_says_of_itself_raises_an_alarm_and_ends_it(database, report, kind):
    heard(database, **report)
    assert set(alarms(database)) == {kind}
    heard(database)
    assert alarms(database) == {}
    with database.read() as tx:
        [row] = tx.all("SELECT * FROM alarm")
    assert (row["raised_at"], row["ended_at"]) == (utc_iso(NOW), utc_iso(NOW))


def test_a_kiosk_whose_row_nobody_understands_does_not_hide_the_others(database, caplog):
    with database.write() as tx:
        tx.run("INSERT INTO kiosk (id, enrolled_at) VALUES ('K00', :now)", now=utc_iso(NOW))
    heard(database)
    with database.write() as tx:
        bad = json.dumps(REPORT | {"utc": "2026-13-01T00:00:00.000Z"})
        tx.run("UPDATE kiosk SET report = :bad WHERE id = 'K00'", bad=bad)
    announced(database, 2)
    assert alarms(database) == {"gap": "thiếu số 1"}
    assert "watch: kiosk K00: its row is not understood (ValueError)" in caplog.text


def test_sides_that_do_not_agree_are_an_alarm_until_they_do(database):
    heard(database)
    for agrees in (False, True):
        with database.write() as tx:
            tx.run("UPDATE kiosk SET reconciled_at = 'x', reconciliation = :r", r=json.dumps({"agrees": agrees}))
        assert bool(alarms(database)) is not agrees


def test_a_conflict_stays_a_week_whatever_else_is_seen(database):
    heard(database)
    raise_alarm(database, "K01", "conflict", "a second thing under one number")
    raise_alarm(database, "K01", "conflict", "and once more")
    assert alarms(database) == {"conflict": "a second thing under one number"}
    later = datetime.now(UTC) + timedelta(days=8)
    heard(database, later, utc=utc_iso(later))
    assert "conflict" not in alarms(database, later)


def test_a_dossier_held_for_a_person_is_an_alarm_of_the_province(database):
    heard(database)
    with database.write() as tx:
        tx.run("INSERT INTO filing (reference_uid, held_for, held_at) VALUES ('u', 'unknown outcome', 'x')")
    assert alarms(database) == {"held": "1 hồ sơ chờ người quyết định"}
