"""The 60-second cut of the long run in stress.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_nothing_is_doubled_or_lost_while_servers_are_killed(engine):
    program = [sys.executable, str(Path(__file__).with_name("stress.py")), "--engine", engine]
    program += ["--seconds", "30", "--kill-every", "3"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[0])
    assert figures["wrong"] == 0
    assert figures["kills"] >= 2
    assert figures["calls"] > 100, "it must have had something to lose"
