"""The kiosk's clock is wrong by years: dossiers are taken and kept in order, and the technician reads what is wrong."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync import authority, dating
from tests.sync.province import Province, expected, make_dossier

ROOT = Path(__file__).parents[2]


def at(moment: str, province: Province, *command: str, code: int = 0) -> str:
    """What a command of the kiosk prints while the clock shows `moment`."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    faked = {"LD_PRELOAD": str(library), "FAKETIME": f"@{moment} 00:00:00", "DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "main.py", *command, "--config", province.config],
        cwd=ROOT,
        env=os.environ | faked,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_with_a_wrong_clock_the_technician_reads_so_and_dossiers_go_once_it_is_right(open_province: Province):
    province = open_province
    dossier = make_dossier()
    assert province.outbox.put(dossier, province.sealer) is None
    [own] = authority.certificates(province.settings.office.certificate, "certificate")
    known = max(dating.RELEASED, own.not_valid_before_utc)
    for moment, says in (
        (
            "1971-01-01",
            ("máy ghi 01/01/1971", "clock is wrong: it says 1971-01-01", f"it is {known:%Y-%m-%d} or later"),
        ),
        ("2041-01-01", ("máy ghi 01/01/2041", "clock may be wrong: it says 2041-01-01", "our certificate ended on 20")),
    ):
        at(moment, province, "forward", "--once", code=1)
        problem = json.loads(at(moment, province, "outbox", "list", "--json"))["receiver"]["problem"]
        assert problem.startswith("TLS refused: the receiver's certificate: it ")
        assert [part for part in says if part not in problem] == []
        assert province.states() == ["sealed"]
    assert province.outbox.road().clock
    province.deliver()
    assert province.outbox.road().clock == ""
    assert province.arrived() == expected(dossier)


def test_a_dossier_sealed_in_1971_is_after_the_one_before_and_arrives(open_province: Province, tmp_path: Path):
    province = open_province
    first = make_dossier()
    assert province.outbox.put(first, province.sealer) is None
    province.outbox.close()
    parcel = tmp_path / "parcel.json"
    parcel.write_text(json.dumps(first.payload() | {"components": [{"code": "KQ02", "name": "Tờ khai"}]}))
    at("1971-01-01", province, "outbox", "submit", str(parcel))
    rows = province.outbox.records()
    assert [row["sequence"] for row in rows] == [1, 2]
    assert rows[1]["sealed_at"].startswith("1971-01-01")
    at("2026-11-24", province, "outbox", "verify")
    province.deliver()
    assert province.states() == ["answered", "answered"]


@pytest.mark.parametrize(("minutes", "said"), [(0, ""), (4, ""), (-4, ""), (6, "behind"), (-600, "ahead of")])
def test_a_clock_that_differs_by_minutes_is_said_from_five_on(minutes: int, said: str):
    words = dating.offset(datetime.now(UTC) + timedelta(minutes=minutes))
    assert bool(words) == bool(said)
    assert said in words


def test_a_receivers_certificate_that_ended_is_not_blamed_on_a_clock_that_is_right(keys: Path):
    assert dating.refused(dating.RELEASED, keys / "kiosk.pem") == ""


def test_a_clock_before_the_last_receipt_is_wrong(keys: Path):
    assert "and it is 2031-05-06 or later" in dating.refused(datetime(2031, 5, 6, tzinfo=UTC), keys / "kiosk.pem")
