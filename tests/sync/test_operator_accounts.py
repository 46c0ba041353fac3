"""Who may sign in on the operator's page, for how long, and how guessing is slowed in every process at once."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.config import ReceiverSettings
from sync.receiver.database import Database, open_database
from sync.receiver.operator import accounts
from sync.receiver.operator.accounts import TooSoon, Unfit, Wrong, session, sign_in
from tests.sync.operator_page import PASSWORD, add_operators, moment, rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def light_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is not argon2's weight."""
    light = accounts.PasswordHasher(1, 64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", light)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(open_database(ReceiverSettings(state=tmp_path))) as built:
        add_operators(built, "lan", "hai")
        yield built


@pytest.fixture
def other(database, tmp_path: Path) -> Iterator[Database]:
    """The same database in another process, as far as the database can tell."""
    with contextlib.closing(open_database(ReceiverSettings(state=tmp_path))) as built:
        yield built


def move(database: Database, **columns: str) -> None:
    """Set moments of the only session."""
    with database.write() as tx:
        for name, value in columns.items():
            tx.run(f"UPDATE operator_session SET {name} = :value", value=value)


def test_the_token_opens_the_session_everywhere_and_is_stored_nowhere(database, other):
    token = sign_in(database, "lan", PASSWORD, "10.0.0.1")
    assert session(other, token, active=True).operator == "lan"
    assert session(other, token + "x", active=True) is None
    assert session(other, "", active=True) is None
    stored = repr(rows(database, "SELECT * FROM operator_session") + rows(database, "SELECT * FROM operator"))
    assert token not in stored
    assert PASSWORD not in stored


def test_fifteen_idle_minutes_end_a_session_and_looking_on_does_not_keep_it(database):
    token = sign_in(database, "lan", PASSWORD, "10.0.0.1")
    soon = moment(minutes=-1)
    move(database, ends_at=soon)
    session(database, token, active=False)  # the page fetched itself
    assert rows(database, "SELECT ends_at FROM operator_session") == [{"ends_at": soon}]
    ends = session(database, token, active=True).ends_at
    assert timedelta(minutes=14) < ends - datetime.now(UTC) <= timedelta(minutes=15)
    move(database, ends_at=moment(seconds=1))
    assert session(database, token, active=True) is None


def test_after_eight_hours_even_a_busy_session_ends(database):
    token = sign_in(database, "lan", PASSWORD, "10.0.0.1")
    move(database, began_at=moment(hours=7, minutes=55), ends_at=moment(minutes=-1))
    ends = session(database, token, active=True).ends_at
    assert timedelta(minutes=4) < ends - datetime.now(UTC) <= timedelta(minutes=5)


def test_wrong_passwords_cost_ever_more_time_in_every_process(database, other):
    for n in range(accounts.BY_NAME[0]):
        with pytest.raises(Wrong):
            sign_in((database, other)[n % 2], "lan", "not the password", f"10.0.0.{n}")
    waits = []
    for _ in range(3):
        with pytest.raises(TooSoon) as soon:
            sign_in(other, "lan", PASSWORD, "10.0.0.77")
        waits.append(soon.value.seconds)
        with database.write() as tx:  # that time has passed, and another failure follows
            tx.run("UPDATE sign_in_failure SET last_at = :then", then=moment(seconds=soon.value.seconds + 1))
        with pytest.raises(Wrong):
            sign_in(database, "lan", "not the password", "10.0.0.78")
    assert waits[0] < waits[1] < waits[2]
    assert session(database, sign_in(database, "hai", PASSWORD, "10.0.0.79"), active=True).operator == "hai"


def test_right_ones_are_forgiven_and_names_that_are_not_there_count_the_same(database):
    with pytest.raises(Wrong):
        sign_in(database, "lan", "not the password", "10.0.0.1")
    sign_in(database, "lan", PASSWORD, "10.0.0.1")
    assert [row["failures"] for row in rows(database, "SELECT failures FROM sign_in_failure")] == [1]
    for _ in range(accounts.BY_NAME[0]):
        with pytest.raises(Wrong):
            sign_in(database, "nguyen van a 001199000123", "guess", "10.0.0.2")
    with pytest.raises(TooSoon):
        sign_in(database, "nguyen van a 001199000123", "guess", "10.0.0.3")
    assert "001199000123" not in repr(rows(database, "SELECT * FROM sign_in_failure"))


def test_a_clock_that_was_set_back_locks_nobody_out(database):
    for _ in range(accounts.BY_NAME[0] + 1):
        with contextlib.suppress(Wrong, TooSoon):
            sign_in(database, "lan", "not the password", "10.0.0.1")
    with database.write() as tx:
        tx.run("UPDATE sign_in_failure SET last_at = '2031-01-01T00:00:00.000Z'")
    assert sign_in(database, "lan", PASSWORD, "10.0.0.1")


def test_a_disabled_operator_is_out_at_once_and_a_new_password_ends_old_sessions(database, other):
    token = sign_in(database, "lan", PASSWORD, "10.0.0.1")
    assert accounts.disable(other, "lan")
    assert session(database, token, active=True) is None
    with pytest.raises(Wrong):
        sign_in(database, "lan", PASSWORD, "10.0.0.1")
    assert not accounts.disable(database, "nobody")
    accounts.add(database, "lan", f"{PASSWORD} mới")
    token = sign_in(database, "lan", f"{PASSWORD} mới", "10.0.0.1")
    accounts.add(other, "lan", PASSWORD)
    assert session(database, token, active=True) is None


@pytest.mark.parametrize("password", ["ngắn quá", "a" * 30, "lan lan lan lan 12", "x" * 201])
def test_weak_passwords_are_refused(database, password):
    with pytest.raises(Unfit):
        accounts.add(database, "lan", password)


def test_operators_are_added_and_disabled_from_the_command_line(tmp_path: Path):
    config = tmp_path / "kiosk.toml"
    config.write_text("[receiver]\n")

    def operator(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "main.py"), "receiver", "operator", *arguments, "--config", str(config)]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)

    assert operator("add", "lan", given=f"{PASSWORD}\n").returncode == 0
    with contextlib.closing(open_database(ReceiverSettings(state=tmp_path / "receiver"))) as database:
        assert rows(database, "SELECT name, disabled_at FROM operator") == [{"name": "lan", "disabled_at": None}]
    weak = operator("add", "hai", given="123\n")
    assert weak.returncode != 0
    assert "motcua: receiver operator add: a password has 12 to 200 characters" in weak.stderr
    assert operator("disable", "lan").returncode == 0
    assert "there is no operator 'hai'" in operator("disable", "hai").stderr
