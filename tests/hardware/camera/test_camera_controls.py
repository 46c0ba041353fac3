"""Locking and restoring a V4L2 camera's controls through `v4l2-ctl`: a program of its name plays driver and camera."""

import json
import os
import stat
import sys

import pytest

from hardware.camera import controls

LISTING = """
User Controls

                     brightness 0x00980900 (int)    : min=-64 max=64 step=1 default=0 value=-3
        white_balance_automatic 0x0098090c (bool)   : default=1 value=1
           power_line_frequency 0x00980918 (menu)   : min=0 max=2 default=1 value=1 (50 Hz)
      white_balance_temperature 0x0098091a (int)    : min=2800 max=6500 step=1 default=4600 value=4600 flags=inactive

Camera Controls

                  auto_exposure 0x009a0901 (menu)   : min=0 max=3 default=3 value=3 (Aperture)
         exposure_time_absolute 0x009a0902 (int)    : min=1 max=50 step=1 default=157 value=157 flags=inactive,volatile
                    focus_reset 0x009a0905 (button) : value=0 flags=write-only, execute-on-write
"""

PLAYER = """#!{python}
import json, sys
path = {state!r}
with open(path) as file:
    camera = json.load(file)
values, deaf = camera["values"], camera["deaf"]
camera["calls"].append(sys.argv[1:])
governs = {{"auto_exposure": "exposure_time_absolute", "white_balance_automatic": "white_balance_temperature"}}
free = {{"auto_exposure": 1, "white_balance_automatic": 0}}
option = sys.argv[3]
if option == "--list-ctrls":
    for name, value in values.items():
        ruler = next((auto for auto, ruled in governs.items() if ruled == name), None)
        flags = " flags=inactive" if ruler and values[ruler] != free[ruler] else ""
        print(f"  {{name}} 0x009a0901 (int)    : min=0 max=9999 step=1 default=0 value={{value}}{{flags}}")
else:
    for pair in option.removeprefix("--set-ctrl=").split(","):
        name, value = pair.split("=")
        ruler = next((auto for auto, ruled in governs.items() if ruled == name), None)
        if ruler and values[ruler] != free[ruler]:
            sys.exit(name + ": Permission denied")
        if name not in deaf:
            values[name] = int(value)
with open(path, "w") as file:
    json.dump(camera, file)
"""


class Device:
    """A camera with automatics that govern other controls, as UVC drivers have them."""

    path = "/dev/video7"

    def __init__(self, folder):
        self._state = folder / "camera.json"
        self.plug(deaf=())
        tool = folder / "v4l2-ctl"
        tool.write_text(PLAYER.format(python=sys.executable, state=str(self._state)))
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def plug(self, deaf=()):
        """As after power-up: everything automatic."""
        values = {
            "brightness": 0,
            "white_balance_automatic": 1,
            "white_balance_temperature": 5120,
            "auto_exposure": 3,
            "exposure_time_absolute": 233,
        }
        self._state.write_text(json.dumps({"values": values, "deaf": list(deaf), "calls": []}))

    @property
    def values(self):
        return json.loads(self._state.read_text())["values"]


@pytest.fixture
def device(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Device(tmp_path)


def test_the_listing_of_the_real_program_is_understood(device, tmp_path):
    (tmp_path / "v4l2-ctl").write_text(f"#!/bin/sh\ncat <<'END'\n{LISTING}END\n")
    found = controls.listed(device.path)
    assert {name: control.value for name, control in found.items()} == {
        "brightness": -3,
        "white_balance_automatic": 1,
        "power_line_frequency": 1,
        "white_balance_temperature": 4600,
        "auto_exposure": 3,
        "exposure_time_absolute": 157,
    }
    assert {name for name, control in found.items() if not control.settable} == {
        "white_balance_temperature",
        "exposure_time_absolute",
    }


def test_locking_ends_the_automatics_and_keeps_what_they_had_settled_on(device):
    kept = controls.lock(device.path)
    assert kept == device.values
    assert (kept["auto_exposure"], kept["white_balance_automatic"]) == (1, 0)
    assert (kept["exposure_time_absolute"], kept["white_balance_temperature"]) == (233, 5120)


def test_a_camera_that_forgot_on_re_plug_gets_its_values_back(device):
    kept = {**controls.lock(device.path), "exposure_time_absolute": 180}
    device.plug()
    changed = controls.restore(device.path, kept)
    assert set(changed) == {"auto_exposure", "white_balance_automatic", "exposure_time_absolute"}
    assert device.values == kept
    assert controls.restore(device.path, kept) == ()


def test_a_camera_that_does_not_keep_a_value_is_named(device):
    kept = {**controls.lock(device.path), "brightness": 5}
    device.plug(deaf=["brightness"])
    with pytest.raises(controls.ControlError, match="does not keep brightness"):
        controls.restore(device.path, kept)


def test_a_missing_device_is_said_by_the_real_program():
    with pytest.raises(controls.ControlError, match="Cannot open device"):
        controls.listed("/dev/kiosk/no-such-camera")


def test_a_missing_program_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(controls.ControlError, match="v4l-utils"):
        controls.lock("/dev/video0")


def test_a_program_that_hangs_is_given_up(device, tmp_path):
    (tmp_path / "v4l2-ctl").write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(controls.ControlError, match="hangs"):
        controls.listed(device.path)
