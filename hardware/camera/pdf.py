"""One PDF of captured pages: every JPEG passed through as it is, every page at its true size."""

import io
from collections.abc import Sequence

import pikepdf
from pikepdf import Dictionary, Name

from kiosk.dossier import Page

PRODUCER = "Motcua Kiosk"
POINTS_PER_INCH = 72
LEAST_VERSION = "1.7"  # what PDF/A-2 stands on; the archive rule asks for 1.4


def assemble(pages: Sequence[Page], title: str) -> bytes:
    """The pages in order; `title` is metadata and holds no personal data. Raises ValueError without pages."""
    if not pages:
        raise ValueError("a PDF needs at least one page")
    with pikepdf.new() as pdf:
        for page in pages:
            _add(pdf, page)
        with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["dc:title"] = title
            metadata["pdf:Producer"] = PRODUCER
        pdf.docinfo["/Title"] = title
        pdf.docinfo["/Producer"] = PRODUCER
        pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        out = io.BytesIO()
        pdf.save(out, min_version=LEAST_VERSION)
    return out.getvalue()


def _add(pdf: pikepdf.Pdf, page: Page) -> None:
    width, height = (round(pixels / page.dpi * POINTS_PER_INCH, 3) for pixels in (page.width, page.height))
    image = pdf.make_stream(
        page.jpeg,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=page.width,
        Height=page.height,
        ColorSpace=Name.DeviceRGB,
        BitsPerComponent=8,
        Filter=Name.DCTDecode,
    )
    leaf = Dictionary(
        Type=Name.Page,
        MediaBox=[0, 0, width, height],
        Resources=Dictionary(XObject=Dictionary(Im0=image)),
        Contents=pdf.make_stream(f"q {width} 0 0 {height} 0 0 cm /Im0 Do Q".encode()),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(leaf)))
