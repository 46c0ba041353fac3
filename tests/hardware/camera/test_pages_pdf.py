"""The PDF of captured pages, read back with pikepdf."""

import io

import cv2
import numpy as np
import pikepdf
import pytest

from hardware.camera import DocumentCamera
from kiosk.config import CameraSettings
from kiosk.dossier import Page


def page_of(width, height, dpi, value):
    jpeg = cv2.imencode(".jpg", np.full((height, width, 3), value, np.uint8))[1].tobytes()
    return Page(jpeg, width, height, dpi)


async def test_pages_in_order_each_at_its_own_size_with_their_own_bytes():
    pages = [page_of(1654, 2339, 200, 240), page_of(1240, 874, 150, 120), page_of(2067, 2923, 250, 60)]
    data = await DocumentCamera(CameraSettings(source="")).assemble(pages, "KS02")
    with pikepdf.open(io.BytesIO(data)) as pdf:
        sizes = [[float(v) / 72 * 25.4 for v in leaf.mediabox[2:]] for leaf in pdf.pages]
        assert sizes == [pytest.approx(wanted, abs=0.3) for wanted in ((210, 297), (210, 148), (210, 297))]
        images = [leaf.Resources.XObject.Im0.read_raw_bytes() for leaf in pdf.pages]
        assert images == [page.jpeg for page in pages]
        assert str(pdf.docinfo["/Title"]) == "KS02"
        assert str(pdf.docinfo["/Producer"]) == "Motcua Kiosk"
        assert pdf.pdf_version >= "1.4"
        assert not pdf.check_pdf_syntax()


def test_no_pages_is_a_defect_of_the_caller():
    from hardware.camera import pdf

    with pytest.raises(ValueError, match="at least one page"):
        pdf.assemble((), "KS02")
