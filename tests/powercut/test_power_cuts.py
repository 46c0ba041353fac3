"""The citizen walks away with a printed receipt, and the power goes: on a real ext4 over a disk that records."""

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.powercut.disk import BLOCK, SECTOR, History, Record, left_by_chance, missing_programs, no_loop_devices
from tests.sync.province import until

RIG = Path(__file__).parents[2] / "scripts" / "power-cuts"
SEED = 20261123


@pytest.fixture(scope="module")
def loop_devices() -> None:
    """A missing program is a fault of this machine's setup; missing rights are not, and are said."""
    assert not missing_programs(), "not installed; see requirements/system.txt"
    if reason := no_loop_devices():
        pytest.skip(reason)


def cut(*words: object) -> dict[str, dict]:
    """Results by workload."""
    done = subprocess.run([RIG, *map(str, words)], capture_output=True, text=True, timeout=100, check=False)
    print(done.stdout, done.stderr)
    report = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == int(any(result["problems"] for result in report["results"]))
    return {result["workload"]: result for result in report["results"]}


@pytest.mark.usefixtures("loop_devices")
def test_whatever_was_promised_is_there_when_the_power_comes_back():
    results = cut("--cuts", 5, "--seed", SEED)
    assert list(results) == ["submit", "send", "purge", "migrate", "rebuild", "visit", "receive", "upgrade"]
    for result in results.values():
        assert result["problems"] == {}
        assert result["cuts"] == 5
        assert result["promises"] > 1
    assert sum(result["unflushed"] for result in results.values()) > 10, "writes were under way at some cuts"


@pytest.mark.usefixtures("loop_devices")
@pytest.mark.parametrize(
    ("sabotage", "workload", "cuts", "said"),
    [
        ("no-file-sync", "submit", 24, "not what was filed"),
        ("wal-normal", "submit", 24, "lost"),
        ("delete-full", "submit", 24, "lost"),
        ("purge-before-receipt", "send", 24, "does not open"),
        ("no-file-sync", "receive", 9, "cannot be opened any more"),
        ("wal-normal", "receive", 9, "lost"),
    ],
)
def test_a_mistake_in_the_order_of_writing_is_noticed(sabotage, workload, cuts, said):
    result = cut("--cuts", cuts, "--seed", SEED, "--sabotage", sabotage, workload)[workload]
    assert any(said in problem for problem in result["problems"])


@pytest.mark.usefixtures("loop_devices")
def test_a_rig_that_is_killed_leaves_no_mount_loop_device_or_process_behind():
    rig = subprocess.Popen([RIG, "--cuts", "500", "submit"], stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: _loops(rig.pid), 20)
        below, loops = _descendants(rig.pid), _loops(rig.pid)
        assert any("nbdkit" in _name(pid) for pid in below)
    finally:
        os.kill(rig.pid, signal.SIGKILL)
        rig.wait()
        rig.stdout.close()
    until(lambda: not any(_name(pid) for pid in below))
    until(lambda: not any(Path(f"/sys/block/{loop}/loop/backing_file").exists() for loop in loops))
    assert not any(f"/dev/{loop} " in Path("/proc/self/mounts").read_text() for loop in loops)


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [below for child in map(int, children) for below in (child, *_descendants(child))]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _loops(pid: int) -> set[str]:
    """Loop devices that a rig has mounted."""
    try:
        mounts = [Path(f"/proc/{below}/mounts").read_text() for below in _descendants(pid)]
    except (FileNotFoundError, ProcessLookupError, OSError):
        return set()
    return {
        line.split()[0].removeprefix("/dev/")
        for text in mounts
        for line in text.splitlines()
        if line.startswith("/dev/loop")
    }


# --- the rig itself ---


def test_a_cut_keeps_what_was_flushed_and_nothing_that_came_after_it(tmp_path):
    (tmp_path / "image").write_bytes(b"")
    writes = [(b"a", 1), (None, 2), (b"b", 3), (b"c", 4), (None, 5), (b"d", 6)]
    history = History(tmp_path / "image", [Record(0, content, end) for content, end in writes], tmp_path)
    cuts = [history.cut(point) for point in range(7)]
    assert [one.flushed for one in cuts] == [0, 0, 2, 2, 2, 5, 5]
    assert [[record.content for record in one.later] for one in cuts] == [
        [],
        [b"a"],
        [],
        [b"b"],
        [b"b", b"c"],
        [],
        [b"d"],
    ]


def test_of_unflushed_writes_some_are_lost_some_come_in_another_order_and_some_are_torn():
    later = tuple(Record(n * BLOCK, bytes([n]) * BLOCK, n) for n in range(8))
    seen = [list(left_by_chance(later, random.Random(seed))) for seed in range(200)]
    assert [] in seen
    assert any(len(one) < 8 and one for one in seen)
    assert any([offset for offset, _ in one] != sorted(offset for offset, _ in one) for one in seen)
    assert any({len(content) for _, content in one} == {SECTOR, BLOCK} for one in seen)
    assert all(content == bytes([offset // BLOCK]) * len(content) for one in seen for offset, content in one)
    assert all((0, bytes(BLOCK)) in one or min((offset for offset, _ in one), default=BLOCK) >= BLOCK for one in seen)
