import asyncio
import json
import time
from datetime import timedelta

from hardware.device import Device
from hardware.diagnostics.readiness import as_text, exit_code, readiness
from kiosk.clock import from_iso
from kiosk.health import Level, Reason


class Appliance(Device):
    """A device whose states a test publishes."""

    def __init__(self, name, level=None, reason=None, detail=""):
        super().__init__()
        self.name = name
        if level is not None:
            self.publish(level, reason, detail)

    async def start(self): ...

    async def stop(self): ...


def appliances(*devices):
    return {device.name: device for device in devices}


async def test_a_healthy_kiosk_is_reported_at_once_and_exits_0():
    began = time.monotonic()
    report = await readiness(appliances(Appliance("card", Level.READY, Reason.OK)), settle=60, kiosk="K07")
    assert time.monotonic() - began < 30
    assert report["overall"] == "ready"
    assert report["kiosk"] == "K07"
    assert from_iso(report["time"]).utcoffset() == timedelta(0)
    assert exit_code(report) == 0
    assert json.loads(json.dumps(report)) == report


async def test_every_device_is_listed_with_reason_and_remedy_and_the_worst_level_wins():
    report = await readiness(
        appliances(
            Appliance("card", Level.READY, Reason.OK),
            Appliance("printer", Level.FAULT, Reason.PAPER_OUT, "n = 0x72"),
            Appliance("camera", Level.DEGRADED, Reason.CAMERA_STALLED),
        )
    )
    assert [device["name"] for device in report["devices"]] == ["card", "printer", "camera"]
    assert report["overall"] == "fault"
    printer = report["devices"][1]
    assert (printer["status"], printer["reason"], printer["detail"]) == ("fault", "paper_out", "n = 0x72")
    assert "giấy" in printer["remedy"]["vi"]
    assert "paper" in printer["remedy"]["en"]
    assert from_iso(printer["since"]).tzinfo is not None
    assert exit_code(report) == 1


async def test_a_degraded_device_still_counts_as_usable():
    report = await readiness(appliances(Appliance("printer", Level.DEGRADED, Reason.PAPER_LOW)))
    assert report["overall"] == "degraded"
    assert exit_code(report) == 0


async def test_it_waits_for_a_device_that_is_starting_and_no_longer_than_needed():
    slow = Appliance("camera")
    asyncio.get_running_loop().call_later(0.3, slow.publish, Level.READY, Reason.OK)
    began = time.monotonic()
    report = await readiness(appliances(slow), settle=60)
    assert 0.25 < time.monotonic() - began < 30
    assert report["devices"][0]["reason"] == "ok"


async def test_a_device_that_never_starts_is_reported_as_such_after_the_settling_time():
    report = await readiness(appliances(Appliance("scanner")), settle=0.2)
    assert report["devices"][0]["status"] == "absent"
    assert report["devices"][0]["reason"] == "starting"
    assert exit_code(report) == 1


async def test_every_reason_has_a_remedy_in_both_languages_in_the_report():
    for reason in Reason:
        report = await readiness(appliances(Appliance("part", Level.FAULT, reason)), settle=0)
        assert all(report["devices"][0]["remedy"].values()), reason


async def test_the_table_shows_marks_aligned_columns_and_remedies_only_where_needed():
    report = await readiness(
        appliances(
            Appliance("card", Level.READY, Reason.OK),
            Appliance("printer", Level.FAULT, Reason.PRINTER_UNREACHABLE, "tcp://127.0.0.1:9100"),
            Appliance("camera", Level.DEGRADED, Reason.CAMERA_STALLED),
        ),
        kiosk="K07",
    )
    lines = as_text(report).splitlines()
    assert lines[0].startswith("Kiosk K07: FAULT, 1 of 3 devices cannot be used (")
    head, card, printer, vi, en, camera, *_ = lines[2:]
    assert (card[0], printer[0], camera[0]) == ("✓", "✗", "!")
    assert head.index("REASON") == card.index("ok") == printer.index("printer_unreachable")
    assert printer.endswith("tcp://127.0.0.1:9100")
    assert vi.strip() == report["devices"][1]["remedy"]["vi"]
    assert en.strip() == report["devices"][1]["remedy"]["en"]
    assert len(lines) == 2 + 1 + 3 + 2 * 2


async def test_a_kiosk_without_devices_makes_a_table_too():
    report = await readiness({})
    assert "all devices can be used" in as_text(report)
