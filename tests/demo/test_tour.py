"""`python main.py demo --tour DIR`: five visits by real touches, and what they leave."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pikepdf
import pytest
import zxingcpp

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "demo", "--tour", str(folder)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert time.monotonic() - begun < 180
    return folder, json.loads((folder / "report.json").read_text("utf-8"))


def test_every_visit_ends_as_scripted_and_its_pictures_are_there(tour):
    folder, report = tour
    assert [(v["name"], v["outcome"]) for v in report["visits"]] == [
        ("take-ticket", "completed"),
        ("keep-appointment", "completed"),
        ("file-dossier", "completed"),
        ("look-up", "completed"),
        ("walk-away", "timed_out"),
    ]
    for visit in report["visits"]:
        assert visit["screens"]
        for name in visit["screens"] + visit["slips"]:
            picture = cv2.imread(str(folder / name))
            assert picture is not None, name
        for name in visit["screens"]:
            assert re.fullmatch(r"\d\d-[a-z_]+\.png", name)
            assert cv2.imread(str(folder / name)).shape == (1920, 1080, 3)


def test_the_dossier_arrived_with_two_components_and_three_pages_and_names_the_paper_on_file(tour):
    folder, report = tour
    (dossier,) = report["tthc"]["dossiers"]
    assert dossier["reused"] == ["H15.50.05-2024-KH-0052"]
    assert dossier["status"] == "new"
    assert dossier["applicantIdNo"] == "001199000123"
    assert [f["pages"] for f in dossier["files"]] == [1, 2]
    for file in dossier["files"]:
        assert file["bytes"] <= 1_000_000 * file["pages"]
        with pikepdf.open(folder / file["name"]) as pdf:
            assert len(pdf.pages) == file["pages"]


def test_the_slips_bear_the_codes_that_open_the_next_step(tour):
    folder, report = tour
    ticket, booked, interim, status = (name for v in report["visits"] for name in v["slips"])

    def code(name):
        (found,) = zxingcpp.read_barcodes(cv2.imread(str(folder / name)))
        return found.text

    assert code(ticket).startswith("http") and code(booked).startswith("http")
    assert re.search(r"ma=TAM-\w{4}-\w{4}$", code(interim))
    assert code(status) == report["tthc"]["dossiers"][0]["dossierNo"]


def test_the_tickets_are_printed_and_wait(tour):
    tickets = tour[1]["queue"]["tickets"]
    assert len(tickets) == 2
    for ticket in tickets:
        assert re.fullmatch(r"HT-\d{3}", ticket["number"])
        assert (ticket["state"], ticket["paper"]) == ("waiting", "printed")
