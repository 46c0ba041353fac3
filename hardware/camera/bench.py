"""The camera's bench tool: pictures of papers in, what the kiosk makes of them out (`scan IMAGE… --json --pdf OUT`)."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hardware.camera import pdf
from hardware.camera.page import decoded, take
from kiosk.dossier import Page


def scan(images: Sequence[Path], pdf_path: Path | None = None) -> list[dict[str, Any]]:
    """One result an image, in order; the accepted pages go to `pdf_path`. Raises OSError for files it cannot reach.

    A result: `image`, `found`, `score`, `corners` ([x, y]×4, pixels of the input, clockwise from the page's top left),
    `size`, `dpi`, `refused` (a Reason or null), `detail`, `ms`. What is no picture is refused as `page_not_found`.
    """
    results, pages = [], []
    for image in images:
        result, page = _scanned(image)
        results.append(result)
        if page is not None:
            pages.append(page)
    if pdf_path is not None and pages:
        pdf_path.write_bytes(pdf.assemble(pages, "Scan"))
    return results


def scan_command(options: argparse.Namespace) -> int:
    """`scan IMAGE… [--pdf OUT] [--json]`: exit code 1 if a picture was refused, 2 if a file cannot be used."""
    try:
        results = scan(options.images, options.pdf)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
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


def _scanned(image: Path) -> tuple[dict[str, Any], Page | None]:
    data = image.read_bytes()
    began = time.perf_counter()
    picture = decoded(data)
    if picture is None:
        return _result(image, began, refused="page_not_found", detail="not a JPEG or PNG of up to 50 MP"), None
    taken = take(picture)
    found, sheet, refused = taken.found, taken.sheet, taken.refused
    result = _result(
        image,
        began,
        found=found is not None,
        score=round(found.score, 3) if found else None,
        corners=[[round(float(x), 1), round(float(y), 1)] for x, y in found.corners] if found else None,
        size=sheet.name if sheet else None,
        dpi=int(sheet.dpi) if sheet else None,
        refused=refused.reason.value if refused else None,
        detail=refused.detail if refused else "",
    )
    return result, taken.page


def _result(image: Path, began: float, **values: Any) -> dict[str, Any]:
    blank = {"image": str(image), "found": False, "score": None, "corners": None, "size": None, "dpi": None}
    return blank | values | {"ms": round((time.perf_counter() - began) * 1000)}
