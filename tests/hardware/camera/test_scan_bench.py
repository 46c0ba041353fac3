"""`scan IMAGE… --json --pdf OUT` as the command line calls it."""

import argparse
import json

import cv2
import numpy as np
import pikepdf

from hardware.camera.bench import scan_command
from hardware.simulators.papers.desk import Pose, compose


def options_of(*images, **given):
    """What the command line gives."""
    usual = {"pdf": None, "json": False, "tray": None, "size": "auto", "least_dpi": 200}
    return argparse.Namespace(images=list(images), **(usual | given))


def test_scan_reports_every_picture_and_writes_the_pages(tmp_path, capsys):
    scene = compose("birth-form-2", Pose(1, -2, 1.5))
    good, empty, no_picture = tmp_path / "good.jpg", tmp_path / "stream.jpg", tmp_path / "text.jpg"
    good.write_bytes(scene.still)
    empty.write_bytes(scene.stream[0])
    no_picture.write_text("no picture")
    out = tmp_path / "out.pdf"
    options = options_of(good, empty, no_picture, pdf=out, json=True)
    assert scan_command(options) == 1
    first, second, third = json.loads(capsys.readouterr().out)
    assert (first["found"], first["size"], first["dpi"], first["refused"]) == (True, "A4", 251, None)
    for (x, y), (true_x, true_y) in zip(first["corners"], scene.outline, strict=True):
        assert abs(x - true_x * 2448) < 3
        assert abs(y - true_y * 3264) < 3
    assert first["quality"]["blank"] is False
    assert first["quality"]["sharpness"] > 0.4
    assert (second["found"], second["refused"]) == (True, "page_too_small")
    assert (third["found"], third["refused"]) == (False, "page_not_found")
    with pikepdf.open(out) as pdf:
        assert len(pdf.pages) == 1


def test_scan_names_a_missing_file_and_speaks_to_people(tmp_path, capsys):
    options = options_of(tmp_path / "none.jpg")
    assert scan_command(options) == 2
    assert "none.jpg: No such file" in capsys.readouterr().err
    (tmp_path / "text.jpg").write_text("no picture")
    options.images = [tmp_path / "text.jpg"]
    assert scan_command(options) == 1
    assert "refused, page_not_found" in capsys.readouterr().out


def test_scan_uses_the_empty_tray_and_tells_when_it_is_another(tmp_path, capsys):
    laid, bare, other = tmp_path / "laid.jpg", tmp_path / "bare.jpg", tmp_path / "other.png"
    laid.write_bytes(compose("birth-notification-1", Pose(1, -2, 1.5)).still)
    bare.write_bytes(compose(None, Pose(0, 0, 0)).still)
    other.write_bytes(
        cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (408, 306, 3), np.uint8))[1].tobytes()
    )
    for tray, stale in ((bare, False), (other, True)):
        assert scan_command(options_of(laid, tray=tray, json=True)) == 0
        (result,) = json.loads(capsys.readouterr().out)
        assert (result["found"], result["size"], result["tray_stale"]) == (True, "A5", stale)
    assert scan_command(options_of(bare, tray=bare, json=True)) == 1
    assert json.loads(capsys.readouterr().out)[0]["refused"] == "page_not_found"
    (tmp_path / "text.jpg").write_text("no picture")
    assert scan_command(options_of(laid, tray=tmp_path / "text.jpg")) == 2
    assert "text.jpg: not a JPEG" in capsys.readouterr().err
