"""Which way up pages lie."""

import numpy as np
import pytest

from hardware.camera import upright
from hardware.camera.upright import quarter_turns, turned
from hardware.simulators.papers import PAPERS, drawn


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_every_paper_is_put_upright_from_every_side(name, turns):
    paper = drawn(name)[..., ::-1]
    lying = np.ascontiguousarray(np.rot90(paper, -turns))
    assert (turned(lying, 300) == paper).all()


def test_blank_pages_and_lone_pictures_stay_as_they_lie():
    rng = np.random.default_rng(2)
    blank = np.clip(rng.normal(250, 2, (2339, 1654)), 0, 255).astype(np.uint8)
    assert quarter_turns(blank, 200) == 0
    blank[300:1800, 300:1300] = 60
    assert quarter_turns(blank, 200) == 0


def test_writing_without_tails_is_asked_of_tesseract(monkeypatch):
    """Capitals and digits have no ascenders; the lines alone do not tell which end is up."""
    from hardware.simulators.papers.sheet import Sheet

    sheet = Sheet(210, 297)
    for line in range(20):
        sheet.text(22, 30 + 11 * line, "MEMORANDUM OF ASSOCIATION AND ARTICLES 1983", 13)
    page = np.asarray(sheet.image.convert("L"))
    assert quarter_turns(np.ascontiguousarray(page[::-1, ::-1]), 300) == 2
    monkeypatch.setenv("PATH", "/nonexistent")
    assert upright.quarter_turns(page, 300) == 0  # without the program it stays
