"""One PDF/A-2b of captured pages: JPEGs passed through, every page at its true size, invisible text over it.

Made and checked in memory. The check is pikepdf's allowlist: what it does not know is refused, so it errs to one side.
"""

import io
from collections.abc import Sequence
from functools import cache

import pikepdf
from pikepdf import Dictionary, Name, pdfa
from PIL import Image, ImageCms

from kiosk.clock import utc_iso
from kiosk.dossier import DocumentLabel, Page

PRODUCER = "Motcua Kiosk"
FLAVOUR = "2b"
LANGUAGE = "vi-VN"
POINTS_PER_INCH = 72


class NotArchivable(Exception):
    """The finished file is not PDF/A-2b; the message names the rules."""


def build(pages: Sequence[Page], layers: Sequence[bytes | None], label: DocumentLabel, kiosk: str) -> bytes:
    """The pages in order, each with its text (a one-page text-only PDF of the same size, or None).

    Raises ValueError without pages, NotArchivable if the result does not conform.
    """
    if not pages:
        raise ValueError("a PDF needs at least one page")
    with pikepdf.new() as pdf:
        font: pikepdf.Object | None = None
        for page, layer in zip(pages, layers, strict=True):
            leaf = _add(pdf, page)
            if layer is not None:
                font = _write_over(pdf, leaf, layer, font)
        pdf.Root.Lang = pikepdf.String(LANGUAGE)
        pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        pdfa.prepare(pdf, FLAVOUR, output_intent=srgb(), output_condition_identifier="sRGB IEC61966-2.1")
        _describe(pdf, pages, label, kiosk)  # after it: it names itself as the producer
        out = io.BytesIO()
        pdf.save(out, **pdfa.resolve_save_kwargs(FLAVOUR))
    report = pdfa.validate_written(out, FLAVOUR)
    if not report.passed:
        raise NotArchivable(", ".join(sorted({finding.rule for finding in report.findings})))
    return out.getvalue()


@cache
def srgb() -> bytes:
    """The ICC profile of the output intent: what the camera's pictures are taken to be."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _check_picture(page: Page) -> None:
    """Raise NotArchivable unless the page is the colour JPEG it says: the PDF/A check does not look into pictures."""
    try:
        with Image.open(io.BytesIO(page.jpeg), formats=("JPEG",)) as picture:
            fits = picture.size == (page.width, page.height) and picture.mode == "RGB"
    except (OSError, SyntaxError, ValueError):
        fits = False
    if not fits:
        raise NotArchivable("a page is not the colour JPEG it is said to be")


def _add(pdf: pikepdf.Pdf, page: Page) -> pikepdf.Page:
    _check_picture(page)
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
    return pdf.pages[-1]


def _write_over(
    pdf: pikepdf.Pdf, leaf: pikepdf.Page, layer: bytes, font: pikepdf.Object | None
) -> pikepdf.Object | None:
    """Lay the text of `layer` over the page; its one glyphless font is the same for all pages and kept once."""
    with pikepdf.open(io.BytesIO(layer)) as text:
        source = text.pages[0]
        fonts = source.Resources.get("/Font", Dictionary())
        if not fonts:
            return font  # a page without words
        name, own = next(iter(fonts.items()))
        font = pdf.copy_foreign(own) if font is None else font
        leaf.Resources.Font = Dictionary({name: font})
        leaf.contents_add(pdf.make_stream(source.Contents.read_bytes()))
    return font


def _describe(pdf: pikepdf.Pdf, pages: Sequence[Page], label: DocumentLabel, kiosk: str) -> None:
    """Metadata in schemas that PDF/A knows: own ones would need a description the check does not read.

    Identifier: the provisional reference; type: the component's code; source: the kiosk; keywords: all of it with the
    resolution of every page, for programs.
    """
    dpi = ",".join(str(page.dpi) for page in pages)
    keys = {"component": label.component, "reference": label.reference, "kiosk": kiosk, "dpi": dpi}
    facts = {
        "dc:title": label.title,
        "dc:language": {LANGUAGE},
        "dc:identifier": label.reference,
        "dc:type": {label.component} if label.component else None,
        "dc:source": kiosk,
        "xmp:CreateDate": utc_iso(label.taken_at.replace(microsecond=0)),
        "xmp:CreatorTool": PRODUCER,
        "pdf:Producer": PRODUCER,
        "pdf:Keywords": "; ".join(f"{name}={value}" for name, value in keys.items() if value),
    }
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        for name, value in facts.items():
            if value:
                metadata[name] = value
