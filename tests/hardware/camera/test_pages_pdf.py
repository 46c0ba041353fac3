"""The PDF/A of captured pages, read back with pikepdf and poppler."""

import io
import subprocess
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np
import pikepdf
import pytest
from pikepdf import pdfa

from hardware.camera import pdf
from kiosk.dossier import DocumentLabel, Page

LABEL = DocumentLabel(
    "Tờ khai đăng ký khai sinh",
    "KS02",
    "TAM-7K3F-92QD",
    datetime(2026, 11, 23, 8, 5, 9, 700, tzinfo=timezone(timedelta(hours=7))),
)


def page_of(width, height, dpi, value):
    jpeg = cv2.imencode(".jpg", np.full((height, width, 3), value, np.uint8))[1].tobytes()
    return Page(jpeg, width, height, dpi)


PAGES = (page_of(1654, 2339, 200, 240), page_of(1240, 874, 150, 120), page_of(2067, 2923, 250, 60))


def built(pages=PAGES, label=LABEL):
    return pdf.build(pages, [None] * len(pages), label, "K01")


def test_pages_in_order_each_at_its_own_size_with_their_own_bytes():
    with pikepdf.open(io.BytesIO(built())) as read:
        sizes = [[float(v) / 72 * 25.4 for v in leaf.mediabox[2:]] for leaf in read.pages]
        assert sizes == [pytest.approx(wanted, abs=0.3) for wanted in ((210, 297), (210, 148), (210, 297))]
        images = [leaf.Resources.XObject.Im0.read_raw_bytes() for leaf in read.pages]
        assert images == [page.jpeg for page in PAGES]
        assert read.pdf_version >= "1.4"
        assert not read.check_pdf_syntax()


def test_it_is_pdf_a_2b_with_the_colours_of_srgb():
    data = built()
    assert pdfa.validate_written(io.BytesIO(data), "2b").passed
    with pikepdf.open(io.BytesIO(data)) as read:
        with read.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
            assert metadata.pdfa_status == "2B"
        (intent,) = read.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert "sRGB" in str(intent.OutputConditionIdentifier)
        assert intent.DestOutputProfile.read_bytes()[36:40] == b"acsp"


def test_metadata_says_what_where_and_when_in_utc_and_how_fine_each_page_honestly_is():
    with pikepdf.open(io.BytesIO(built())) as read:
        with read.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
            assert metadata["dc:title"] == "Tờ khai đăng ký khai sinh"
            assert metadata["dc:identifier"] == "TAM-7K3F-92QD"
            assert set(metadata["dc:type"]) == {"KS02"}
            assert metadata["dc:source"] == "K01"
            assert metadata["xmp:CreateDate"].startswith("2026-11-23T01:05:09")
            assert metadata["pdf:Producer"] == "Motcua Kiosk"
            keywords = "component=KS02; reference=TAM-7K3F-92QD; kiosk=K01; dpi=200,150,250"
            assert metadata["pdf:Keywords"] == keywords
        assert str(read.docinfo["/Title"]) == "Tờ khai đăng ký khai sinh"
        assert str(read.docinfo["/Producer"]) == "Motcua Kiosk"
        assert str(read.docinfo["/Keywords"]) == keywords
        assert read.Root.Lang == "vi-VN"


def test_other_programs_read_it_without_complaint(tmp_path):
    file = tmp_path / "three.pdf"
    file.write_bytes(built())
    seen = subprocess.run(["pdfinfo", str(file)], capture_output=True, text=True, check=True)
    assert not seen.stderr
    assert "Pages:           3" in seen.stdout
    drawn = subprocess.run(["pdftoppm", "-r", "20", "-gray", str(file)], capture_output=True, check=True)
    assert not drawn.stderr
    assert drawn.stdout.count(b"P5\n") == 3


def test_a_picture_that_pdf_a_forbids_never_leaves():
    jpeg2000 = cv2.imencode(".jp2", np.full((300, 300, 3), 200, np.uint8))[1].tobytes()
    for broken in (jpeg2000, b"", b"\xff\xd8\xff\xe0 broken"):
        with pytest.raises(pdf.NotArchivable):
            built((Page(broken, 300, 300, 100),))


def test_no_pages_is_a_defect_of_the_caller():
    with pytest.raises(ValueError, match="at least one page"):
        built(())
