"""The window and the loop together, as the application runs them: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from kiosk.config import ScreenSettings
from kiosk.questions import Attract, Settings
from kiosk.text import Text
from kiosk.visit import Frame
from screens.window import run_screens

async def serve(presenter):
    from screens.touch import Finger
    asking = asyncio.create_task(presenter.show(Attract(Text("Trung tâm", "Centre")), Frame(Settings(), False, False)))
    finger = Finger(presenter)
    await finger.wait_for("attract")
    finger.screenshot(Path(sys.argv[1]))
    await finger.tap("language:en")
    print("answered", await asking, os.environ["KIVY_HOME"])
    if sys.argv[2] == "fail":
        raise LookupError("serve failed")

asyncio.run(run_screens(ScreenSettings(540, 960, fullscreen=False), serve))
print("ended")
"""


def run(picture: Path, how: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SDL_VIDEODRIVER": "offscreen", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
    environment.pop("KIVY_HOME", None)
    command = [sys.executable, "-c", PROGRAM, str(picture), how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_the_screens_run_until_serve_ends(tmp_path):
    done = run(tmp_path / "attract.png", "end")
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert said[:2] == ["answered", "en"]
    assert said[-1] == "ended"
    assert not Path(said[2]).exists()  # Kivy's home went with the process
    assert (tmp_path / "attract.png").stat().st_size > 10_000


def test_a_failure_of_serve_ends_the_window_and_is_not_lost(tmp_path):
    done = run(tmp_path / "attract.png", "fail")
    assert done.returncode != 0
    assert "serve failed" in done.stderr
