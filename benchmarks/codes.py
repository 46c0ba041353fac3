"""Codes of cards and passports in hard shots: ours beside plain zxing-cpp, OpenCV's QR reader and Tesseract.

python benchmarks/codes.py [--each N] [--seed N] [--peers] [--json]

Every shot is a subject in ten frames (see card_shots.py): several readers look at the same frames in order until
they have an answer. Ends with 1 if a target of the issue is missed: QR 90 %, TD1 95 %, and not one wrong answer that
counts as valid. Milliseconds are processor time a frame on one core.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import cv2
import numpy as np
import zxingcpp

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.card_shots import Shot, mrz_shots, qr_shots
from hardware.camera.codes import QrVotes
from hardware.camera.mrz_reader import MrzVotes
from hardware.card.errors import BadData
from hardware.card.mrz import parse_mrz

Look = Callable[[Any], str | None]
"""Takes the next frame of a subject; the answer that counts as valid, or None so far."""

QR_TARGET, TD1_TARGET = 0.90, 0.95


@dataclass(slots=True)
class Tally:
    """How one reader did on one kind of trouble."""

    subjects: int = 0
    first: int = 0
    """Read in the first frame."""
    right: int = 0
    wrong: int = 0
    frames: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


def our_qr() -> Look:
    votes = QrVotes()
    return lambda frame: None if (code := votes.add(frame)) is None else code.text


def our_mrz() -> Look:
    votes = MrzVotes()

    def look(frame: Any) -> str | None:
        reading = votes.add(frame)
        return "\n".join(reading.lines) if reading is not None and reading.valid else None

    return look


def plain_zxing() -> Look:
    def look(frame: Any) -> str | None:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        codes = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormat.QRCode, text_mode=zxingcpp.TextMode.Plain)
        return codes[0].text if codes else None

    return look


def opencv_qr() -> Look:
    detector = cv2.QRCodeDetector()

    def look(frame: Any) -> str | None:
        try:
            return detector.detectAndDecode(frame)[0] or None
        except (cv2.error, UnicodeDecodeError):
            return None

    return look


def tesseract() -> Look:
    """The zone cut out by our grid, so that only the reading is compared; every frame by itself."""
    from hardware.camera.mrz_grid import SHAPES
    from hardware.camera.mrz_reader import see

    def look(frame: Any) -> str | None:
        seen = see(frame)
        if seen is None:
            return None
        rows, columns = SHAPES[seen.size]
        size = (24 * columns + 40, 44 * rows + 40)
        target = np.array([(20, 20), (size[0] - 20, 20), (size[0] - 20, size[1] - 20), (20, size[1] - 20)], np.float32)
        warp = cv2.getPerspectiveTransform(seen.corners.astype(np.float32), target)
        png = cv2.imencode(".png", cv2.warpPerspective(frame, warp, size, flags=cv2.INTER_CUBIC))[1].tobytes()
        letters = "tessedit_char_whitelist=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
        command = ["tesseract", "-", "-", "-l", "eng", "--psm", "6", "-c", letters]
        text = subprocess.run(command, input=png, capture_output=True, check=True).stdout.decode()
        lines = "\n".join(line.replace(" ", "") for line in text.splitlines() if line.strip())
        try:
            parse_mrz(lines)
        except BadData:
            return None
        return lines

    return look


def measured(shots: Iterator[Shot], readers: dict[str, Callable[[], Look]]) -> dict[str, dict[str, Tally]]:
    """Every reader's tally by kind of trouble."""
    tallies: dict[str, dict[str, Tally]] = {name: {} for name in readers}
    for shot in shots:
        for name, made in readers.items():
            tally = tallies[name].setdefault(shot.name, Tally())
            _one(shot, made(), tally)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return tallies


def _one(shot: Shot, look: Look, tally: Tally) -> None:
    tally.subjects += 1
    for number, frame in enumerate(shot.frames, 1):
        began = time.process_time()
        answer = look(frame)
        tally.ms.append(1000 * (time.process_time() - began))
        if answer is not None:
            tally.right += answer == shot.text
            tally.wrong += answer != shot.text
            tally.first += number == 1 and answer == shot.text
            tally.frames.append(number)
            return


def total(tallies: dict[str, Tally]) -> Tally:
    """All kinds together."""
    every = list(tallies.values())
    whole = Tally(*(sum(getattr(tally, key) for tally in every) for key in ("subjects", "first", "right", "wrong")))
    whole.frames, whole.ms = [n for t in every for n in t.frames], [ms for t in every for ms in t.ms]
    return whole


def row(tally: Tally) -> dict[str, Any]:
    """A tally as shares and means."""
    return {
        "subjects": tally.subjects,
        "first_frame": round(tally.first / tally.subjects, 3),
        "voted": round(tally.right / tally.subjects, 3),
        "wrong": tally.wrong,
        "frames": round(mean(tally.frames), 2) if tally.frames else None,
        "ms": round(mean(tally.ms), 1),
    }


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=20, help="subjects of each kind of trouble")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="other readers too (Tesseract takes long)")
    parser.add_argument("--only", choices=("qr", "td1", "td3"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    qr: dict[str, Callable[[], Look]] = {"ours": our_qr}
    mrz: dict[str, Callable[[], Look]] = {"ours": our_mrz}
    if options.peers:
        qr |= {"zxing-cpp plain": plain_zxing, "OpenCV": opencv_qr}
        mrz |= {"Tesseract, our grid": tesseract}
    parts = {
        "qr": lambda: measured(qr_shots(options.seed, options.each), qr),
        "td1": lambda: measured(mrz_shots(options.seed, options.each), mrz),
        "td3": lambda: measured(mrz_shots(options.seed, max(1, options.each // 2), "TD3"), mrz),
    }
    results = {name: part() for name, part in parts.items() if options.only in (None, name)}
    shown = {
        part: {
            name: {kind: row(t) for kind, t in kinds.items()} | {"all": row(total(kinds))} for name, kinds in by.items()
        }
        for part, by in results.items()
    }
    print(json.dumps(shown, indent=1) if options.json else _table(shown))
    missed = list(_missed(shown))
    print("\n".join(missed), file=sys.stderr)
    return 1 if missed else 0


def _table(shown: dict[str, Any]) -> str:
    lines = []
    for part, readers in shown.items():
        for name, kinds in readers.items():
            lines.append(f"\n{part}, {name}: subjects, first frame, voted, wrong, mean frames, ms a frame")
            lines += [_row(kind, values) for kind, values in kinds.items()]
    return "\n".join(lines)


def _row(kind: str, r: dict[str, Any]) -> str:
    shares = f"{r['first_frame']:7.1%} {r['voted']:7.1%}"
    return f"  {kind:12} {r['subjects']:4} {shares} {r['wrong']:3} {r['frames'] or '-':>5} {r['ms']:7}"


def _missed(shown: dict[str, Any]) -> Iterator[str]:
    for part, target in (("qr", QR_TARGET), ("td1", TD1_TARGET), ("td3", TD1_TARGET)):
        if part in shown:
            ours = shown[part]["ours"]["all"]
            if ours["voted"] < target:
                yield f"{part}: {ours['voted']:.1%} read, target {target:.0%}"
            if ours["wrong"]:
                yield f"{part}: {ours['wrong']} wrong answers counted as valid"


if __name__ == "__main__":
    sys.exit(main())
