"""`python main.py demo`: a newcomer's first command starts everything, says where it is, and ends in order."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(180)


@contextlib.contextmanager
def demo(world):
    """A running demonstration: its process and the text it printed when it was ready."""
    with (world.parent / "output").open("w+") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "demo", "--free-ports", "--world", str(world)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"SDL_VIDEODRIVER": "offscreen"},
        )
        try:
            yield process, wait_for(Path(output.name), "Ctrl+C to end.\n", process)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


def wait_for(file, text, process):
    deadline = time.monotonic() + 90
    while text not in (said := file.read_text("utf-8")):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return file.read_text("utf-8")


def test_everything_starts_says_where_it_is_and_ends_in_order(tmp_path):
    with demo(tmp_path / "world") as (process, said):
        pages = re.findall(r"http://127\.0\.0\.1:\d+/\w*", said)
        user, password = re.search(r"user: (\S+)\s+password: (\S+)", said).groups()
        assert len(pages) == 6
        for page in pages:
            assert requests.get(page, auth=(user, password), timeout=30).status_code == 200, page
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        for page in pages:
            with pytest.raises(requests.ConnectionError):
                requests.get(page, timeout=30)
    assert "Traceback" not in (tmp_path / "output").read_text("utf-8")


def test_nothing_outlives_a_demonstration_that_was_killed(tmp_path):
    with demo(tmp_path / "world") as (process, _):
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while subprocess.run(["pgrep", "-f", str(tmp_path / "world")], capture_output=True).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_what_was_there_is_there_at_the_second_start(tmp_path):
    world = tmp_path / "world"
    passwords = []
    for _ in range(2):
        with demo(world) as (process, said):
            passwords.append(re.findall(r"name: (\w+)\s+password: (\S+)", said))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert [name for name, _ in passwords[0]] == ["canbo1", "canbo2", "phutrach", "quantri", "truc1", "truc2"]
    assert passwords[0] == passwords[1]


def test_the_printed_names_and_passwords_open_the_console_and_the_operators_page(tmp_path):
    with demo(tmp_path / "world") as (_, said):
        console = re.search(r"(http://127\.0\.0\.1:\d+)/console", said)[1]
        operators = re.search(r"operators +(http://127\.0\.0\.1:\d+)/", said)[1]
        for name, password in re.findall(r"name: (\w+)\s+password: (\S+)", said):
            door, page = (operators, "") if name.startswith("truc") else (console, "console")
            with requests.Session() as browser:
                form, own = {"name": name, "password": password}, {"Origin": door}
                answer = browser.post(f"{door}/sign-in", data=form, headers=own, timeout=30)
                assert (answer.status_code, answer.url.rpartition("/")[2]) == (200, page), name


def test_a_program_that_ends_is_said_and_started_again(tmp_path):
    with demo(tmp_path / "world") as (process, _):
        listed = subprocess.run(["pgrep", "-f", f"serve queue --config {tmp_path}"], capture_output=True, text=True)
        os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
        wait_for(tmp_path / "output", "queue has ended", process)
        console = re.search(r"http://127\.0\.0\.1:\d+/console", (tmp_path / "output").read_text("utf-8")).group()
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(requests.RequestException):
                assert requests.get(console, timeout=30).status_code == 200
                break
            assert time.monotonic() < deadline
            time.sleep(0.2)
