"""`scan IMAGE… --json --pdf OUT` as the command line calls it."""

import argparse
import json

import pikepdf

from hardware.camera.bench import scan_command
from hardware.simulators.papers.desk import Pose, compose


def test_scan_reports_every_picture_and_writes_the_pages(tmp_path, capsys):
    scene = compose("birth-form-2", Pose(1, -2, 1.5))
    good, empty, no_picture = tmp_path / "good.jpg", tmp_path / "stream.jpg", tmp_path / "text.jpg"
    good.write_bytes(scene.still)
    empty.write_bytes(scene.stream[0])
    no_picture.write_text("no picture")
    out = tmp_path / "out.pdf"
    options = argparse.Namespace(images=[good, empty, no_picture], pdf=out, json=True)
    assert scan_command(options) == 1
    first, second, third = json.loads(capsys.readouterr().out)
    assert (first["found"], first["size"], first["dpi"], first["refused"]) == (True, "A4", 251, None)
    for (x, y), (true_x, true_y) in zip(first["corners"], scene.outline, strict=True):
        assert abs(x - true_x * 2448) < 3
        assert abs(y - true_y * 3264) < 3
    assert (second["found"], second["refused"]) == (True, "page_too_small")
    assert (third["found"], third["refused"]) == (False, "page_not_found")
    with pikepdf.open(out) as pdf:
        assert len(pdf.pages) == 1


def test_scan_names_a_missing_file_and_speaks_to_people(tmp_path, capsys):
    options = argparse.Namespace(images=[tmp_path / "none.jpg"], pdf=None, json=False)
    assert scan_command(options) == 2
    assert "none.jpg: No such file" in capsys.readouterr().err
    (tmp_path / "text.jpg").write_text("no picture")
    options.images = [tmp_path / "text.jpg"]
    assert scan_command(options) == 1
    assert "refused, page_not_found" in capsys.readouterr().out
