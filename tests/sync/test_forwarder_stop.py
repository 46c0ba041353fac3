"""The forwarder ends when it is told to, whenever the signal comes."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HAMMER = """
import signal, time
from sync.forwarder import Stop
stop = Stop()
signal.signal(signal.SIGALRM, lambda *_: stop.set())
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    stop.wait(0.0001)
signal.setitimer(signal.ITIMER_REAL, 0)
assert stop.wait(0)
"""


def test_a_signal_in_mid_wait_does_not_hang_it():
    subprocess.run([sys.executable, "-c", HAMMER], cwd=ROOT, check=True, timeout=60)
