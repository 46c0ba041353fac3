"""What is SQLite's own; what both engines must do is in tests/conformance."""

import queue
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.config import ConfigError
from kiosk.text import Text
from kiosk_queue import counter, line
from kiosk_queue.floor import Desk, add_centre, change_settings
from kiosk_queue.model import Centre, Counter, Service, ServiceGroup
from kiosk_queue.storage import sqlite as sqlite_store
from kiosk_queue.storage.store import open_store
from morning import MORNING

ROOT = Path(__file__).parents[2]
WORDS = Text("Trung tâm", "Centre")
SERVICES = (Service("khai-sinh", WORDS, "HT"), Service("so-do", WORDS, "DD"))
CENTRE = Centre(
    id="hall", name=WORDS, groups=(ServiceGroup("g", WORDS, "d", SERVICES),), counters=(Counter("1"), Counter("2"))
)


@pytest.fixture
def desk(tmp_path):
    store = open_store(str(tmp_path / "queue.db"))
    add_centre(store, CENTRE)
    yield Desk(store, MORNING)
    store.close()


def test_queue_is_still_the_standard_library():
    assert not (ROOT / "queue" / "__init__.py").exists()
    assert queue.SimpleQueue.__module__ == "_queue"
    assert not Path(queue.__file__).is_relative_to(ROOT / "queue")


def test_durable_settings_are_really_on(desk):
    pragmas = [
        desk.store.write("hall", lambda tx, p=p: tx.one(f"PRAGMA {p}")[0]).result(30)
        for p in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert pragmas == ["wal", 2, 1]


def test_sqlite_with_the_wal_bug_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(ConfigError, match="newer is needed"):
        open_store(str(tmp_path / "queue.db"))


def test_unusable_database_is_one_clear_line(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"this is no database" * 100)
    for path in (tmp_path / "queue.db", tmp_path / "missing" / "queue.db"):
        with pytest.raises(ConfigError, match="cannot be opened"):
            open_store(str(path))


def test_a_database_of_another_version_is_refused(tmp_path, desk):
    desk.store.write("hall", lambda tx: tx.run("PRAGMA user_version = 99")).result(30)
    with pytest.raises(ConfigError, match="another version"):
        open_store(str(tmp_path / "queue.db"))


TAKE = """
import sys
from kiosk_queue import line
from kiosk_queue.floor import Desk
from kiosk_queue.storage.store import open_store
from morning import MORNING
store = open_store(sys.argv[1])
desk = Desk(store, MORNING)
for n in range(60):
    print(desk.do("hall", lambda floor: line.issue(floor, "khai-sinh"), f"{sys.argv[2]}-{n:06}").result()["number"])
store.close()
"""


def test_numbers_are_unique_even_from_two_processes_on_one_file(tmp_path, desk):
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'queue'}:{ROOT / 'tests' / 'support'}", "PATH": "/usr/bin"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, str(tmp_path / "queue.db"), name],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        for name in ("left-side", "right-side")
    ]  # fmt: skip
    numbers = [number for process in both for number in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(numbers) == [f"HT-{n:03d}" for n in range(1, 121)]


def test_who_waits_for_a_service_that_left_the_settings_is_still_called(desk):
    who = counter.Officer("session", "1", "officer")
    do = lambda deed, *rest: desk.do("hall", lambda floor: deed(floor, *rest)).result(30)  # noqa: E731
    ticket = do(line.issue, "so-do")["id"]
    smaller = replace(CENTRE, groups=(ServiceGroup("g", WORDS, "d", SERVICES[:1]),))
    do(change_settings, smaller, "admin", 1)
    do(counter.open_counter, who)
    assert do(counter.call_next, who)["ticket"] == ticket
