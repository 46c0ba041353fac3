"""The camera's bench tool: pictures of papers in, what the kiosk makes of them out (`scan IMAGE… --json --pdf OUT`)."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hardware.camera.assembly import Assembler
from hardware.camera.judge import LEAST_DPI
from hardware.camera.page import decoded, take
from hardware.camera.tray import Tray
from kiosk.dossier import DocumentLabel, Page
from kiosk.health import Failure

NO_PICTURE = "not a JPEG or PNG of up to 50 MP"


class NotAssembled(Exception):
    """The PDF could not be made; the message says why."""


class NotAPicture(Exception):
    """The tray's picture cannot be used; the message names the file."""


def scan(
    images: Sequence[Path],
    pdf_path: Path | None = None,
    tray: Path | None = None,
    size: str = "auto",
    least_dpi: int = LEAST_DPI,
) -> list[dict[str, Any]]:
    """One result an image, in order; the accepted pages go to `pdf_path`. Raises OSError for files it cannot reach.

    `tray`: a picture of the empty tray from the same camera (raises NotAPicture); `size`: a4, a5, id1 or auto.
    A result: `image`, `found`, `score`, `corners` ([x, y]×4, pixels of the input, clockwise from the page's top left),
    `size`, `dpi`, `quality`, `refused` (a Reason or null), `detail`, `ms`. What is no picture is refused as
    `page_not_found`.
    """
    empty = None if tray is None else _tray(tray)
    results, pages = [], []
    for image in images:
        result, page = _scanned(image, empty, size, least_dpi)
        results.append(result)
        if page is not None:
            pages.append(page)
    if pdf_path is not None and pages:
        pdf_path.write_bytes(_document(pages))
    return results


def scan_command(options: argparse.Namespace) -> int:
    """`scan IMAGE… [--tray EMPTY] [--size …] [--pdf OUT]`: 1 if a picture was refused, 2 for unusable files."""
    try:
        results = scan(options.images, options.pdf, options.tray, options.size, options.least_dpi)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except (NotAPicture, NotAssembled) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    else:
        print("\n".join(described(result) for result in results))
    return 1 if any(result["refused"] for result in results) else 0


def described(result: dict[str, Any]) -> str:
    """One result as a line for people."""
    if result["refused"]:
        detail = f" ({result['detail']})" if result["detail"] else ""
        return f"{result['image']}: refused, {result['refused']}{detail}, {result['ms']} ms"
    return f"{result['image']}: {result['size']}, {result['dpi']} dpi, score {result['score']}, {result['ms']} ms"


def _document(pages: Sequence[Page]) -> bytes:
    """The pages as the kiosk files them; raises NotAssembled."""
    label = DocumentLabel("Scan", "", "", datetime.now(UTC))
    document = asyncio.run(Assembler().assemble(pages, label, lambda _done, _of: None))
    if isinstance(document, Failure):
        raise NotAssembled(f"the PDF was not made: {document.detail}")
    return document.data


def _tray(path: Path) -> Tray:
    picture = decoded(path.read_bytes())
    if picture is None:
        raise NotAPicture(f"{path}: {NO_PICTURE}")
    return Tray.of([picture])


def _scanned(image: Path, tray: Tray | None, size: str, least_dpi: int) -> tuple[dict[str, Any], Page | None]:
    data = image.read_bytes()
    began = time.perf_counter()
    picture = decoded(data)
    if picture is None:
        return _result(image, began, refused="page_not_found", detail=NO_PICTURE), None
    taken = take(picture, tray=tray, size=size, least_dpi=least_dpi)
    found, sheet, judgement, refused = taken.found, taken.sheet, taken.judgement, taken.refused
    result = _result(
        image,
        began,
        found=found is not None,
        score=round(found.score, 3) if found else None,
        corners=[[round(float(x), 1), round(float(y), 1)] for x, y in found.corners] if found else None,
        size=sheet.name if sheet else None,
        dpi=int(sheet.dpi) if sheet else None,
        quality=judgement.as_json() if judgement else None,
        refused=refused.reason.value if refused else None,
        detail=refused.detail if refused else "",
    )
    if tray is not None:
        result["tray_stale"] = taken.stale
    return result, taken.page


def _result(image: Path, began: float, **values: Any) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(("score", "corners", "size", "dpi", "quality"))
    shown = {"image": str(image), "found": False} | blank | values
    return shown | {"ms": round((time.perf_counter() - began) * 1000)}
