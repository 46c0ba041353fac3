"""The bench tool for codes: `scan --code qr|mrz IMAGE… [--json]`. Several pictures are frames of one thing."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hardware.camera.codes import Code, QrVotes, read_qr
from hardware.camera.mrz_reader import MrzReading, MrzVotes, Seen, read_seen, see
from hardware.camera.page import decoded

NO_PICTURE = "not a JPEG or PNG of up to 50 MP"
NO_CODE = "no code found"
NOT_AGREED = "the frames do not agree"


def scan_codes(images: Sequence[Path], kind: Literal["qr", "mrz"]) -> list[dict[str, Any]]:
    """One result an image, in order, and for several a last one whose `image` is "all". Raises OSError.

    A result: `image`, `code` (qr) or `lines` (mrz, as they look), `valid` (beyond doubt: nothing else may be used),
    `corners` ([x, y]×4 clockwise, pixels) or null, `doubt` (why not valid, else ""), `ms`. The name of a zone has no
    check digit: `valid` does not verify it.
    """
    return _qr(images) if kind == "qr" else _mrz(images)


def scan_codes_command(options: argparse.Namespace) -> int:
    """`scan --code qr|mrz IMAGE… [--json]`: 0 if the last result is valid, 1 if not, 2 if a file cannot be used."""
    try:
        results = scan_codes(options.images, options.code)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    else:
        print("\n".join(described(result) for result in results))
    return 0 if results[-1]["valid"] else 1


def described(result: dict[str, Any]) -> str:
    """One result as lines for people."""
    head = f"{result['image']}: {'valid' if result['valid'] else result['doubt']}, {result['ms']} ms"
    text = result["code"] if "code" in result else "\n".join(result["lines"] or ())
    return f"{head}\n{text}" if text else head


def _qr(images: Sequence[Path]) -> list[dict[str, Any]]:
    votes, results, agreed = QrVotes(), [], None
    for image in images:
        picture, began = decoded(image.read_bytes()), time.perf_counter()
        codes = () if picture is None else read_qr(picture)
        agreed = votes.hear(codes) or agreed
        doubt = "" if codes else NO_PICTURE if picture is None else NO_CODE
        results.append(_code_result(str(image), codes[0] if codes else None, doubt, began))
    if len(images) > 1:
        doubt = "" if agreed else NOT_AGREED if any(result["valid"] for result in results) else NO_CODE
        results.append(_code_result("all", agreed, doubt) | {"ms": sum(result["ms"] for result in results)})
    return results


def _mrz(images: Sequence[Path]) -> list[dict[str, Any]]:
    votes, results = MrzVotes(), []
    for image in images:
        picture, began = decoded(image.read_bytes()), time.perf_counter()
        seen: Seen | None = None if picture is None else see(picture)
        votes.hear(seen)
        reading = None if seen is None else read_seen(seen)
        results.append(_mrz_result(str(image), reading, NO_PICTURE if picture is None else NO_CODE, began))
    if len(images) > 1:
        last = _mrz_result("all", votes.result(), NO_CODE)
        results.append(last | {"ms": sum(result["ms"] for result in results)})
    return results


def _code_result(image: str, code: Code | None, doubt: str, began: float | None = None) -> dict[str, Any]:
    corners = None if code is None else code.corners.round(1).tolist()
    text = None if code is None else code.text
    return _result(image, {"code": text, "valid": code is not None, "corners": corners, "doubt": doubt}, began)


def _mrz_result(image: str, reading: MrzReading | None, doubt: str, began: float | None = None) -> dict[str, Any]:
    if reading is None:
        return _result(image, {"lines": None, "valid": False, "corners": None, "doubt": doubt}, began)
    corners = reading.corners.round(1).tolist()
    values = {"lines": list(reading.lines), "valid": reading.valid, "corners": corners, "doubt": reading.doubt}
    return _result(image, values, began)


def _result(image: str, values: dict[str, Any], began: float | None) -> dict[str, Any]:
    spent = 0.0 if began is None else time.perf_counter() - began
    return {"image": image} | values | {"ms": round(spent * 1000)}
