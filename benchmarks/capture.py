"""How well pages are found, beside jscanify and the tutorial recipe: synthetic scenes with exact truth.

    .venv/bin/python benchmarks/capture.py [--jscanify FOLDER] [--family kiosk|held-back] [--every N] [--json]

FOLDER is the unpacked npm package jscanify (run under node with its own opencv.js); without it its algorithm is
re-stated here with cv2 and named so. Jaccard is measured in the page's own rectangle; a page not found counts 0.
CPU is process time of one thread, the least of two runs, finding only. Ends with 1 if a goal is missed.

The kiosk works with the reference of its empty tray («ours, tray»): all goals hold for it, on every kind of scene.
Without a reference («ours, free») two kinds are told in rows of their own and held to no goal: white paper at most 6
levels brighter than a white table, and «empty» tables with coloured cards on them, which nothing tells from sheets.
"""

import argparse
import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2
import numpy as np
from page_scenes import Picture, Points, Shot, shots

from hardware.camera.scene import Seen, find
from hardware.camera.tray import Tray

CORNER = 0.01
"""Of the frame's diagonal: how far the worst corner may be off."""
BEYOND_FREE = ("white 5", "white 3", "white 2", "empty, cards")
"""Kinds that a finder without a reference is not held to."""
WHERE_SOLVABLE = "ours, free, solvable"
Answer = tuple[Points | None, float]
"""Corners and CPU ms."""


@dataclass
class Tally:
    """What one finder made of one set."""

    jaccard: list[float] = field(default_factory=list)
    corner: list[float] = field(default_factory=list)
    false_finds: int = 0
    empties: int = 0
    ms: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "pages": len(self.jaccard),
            "mean": round(mean(self.jaccard), 4) if self.jaccard else None,
            "share_095": round(mean(j >= 0.95 for j in self.jaccard), 4) if self.jaccard else None,
            "share_corner": round(mean(c <= CORNER for c in self.corner), 4) if self.corner else None,
            "corner_median": round(median(self.corner) * 100, 3) if self.corner else None,
            "false_finds": f"{self.false_finds}/{self.empties}",
            "ms": round(mean(self.ms), 1),
        }


def jaccard(found: Points, truth: Points, size: tuple[float, float]) -> float:
    """Intersection over union of both, projected into the page's rectangle."""
    rectangle = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    into = cv2.getPerspectiveTransform(truth.astype(np.float32), rectangle)
    seen = cv2.perspectiveTransform(found[None].astype(np.float32), into)[0]
    hull = cv2.convexHull(seen)
    common, _ = cv2.intersectConvexConvex(hull, rectangle)
    return float(common / (cv2.contourArea(hull) + size[0] * size[1] - common))


def corner_error(found: Points, truth: Points) -> float:
    """The worst corner's distance as a share of the frame's diagonal; which corner comes first does not matter."""
    off = min(float(np.hypot(*(np.roll(found, k, axis=0) - truth).T).max()) for k in range(4))
    return off / float(np.hypot(1920, 1080))


# --- finders ---


def timed(work: Callable[[], Points | None]) -> Answer:
    """The least CPU time of two runs."""
    best = np.inf
    for _ in range(2):
        began = time.process_time()
        result = work()
        best = min(best, (time.process_time() - began) * 1000)
    return result, float(best)


def ours(shot: Shot, tray: Tray | None, seen: dict[str, str]) -> Answer:
    def work() -> Points | None:
        scene = find(shot.picture, tray)
        seen[shot.name] = scene.seen
        return None if scene.found is None or scene.seen is Seen.CUT_OFF else scene.found.corners

    return timed(work)


def tutorial(picture: Picture) -> Points | None:
    """Blur, Canny 75/200, the largest contour that approxPolyDP makes four-cornered."""
    scale = 500 / picture.shape[0]
    grey = cv2.cvtColor(cv2.resize(picture, None, fx=scale, fy=scale), cv2.COLOR_BGR2GRAY)
    edges = cv2.Canny(cv2.GaussianBlur(grey, (5, 5), 0), 75, 200)
    contours, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:5]:
        simple = cv2.approxPolyDP(contour, 0.02 * cv2.arcLength(contour, True), True)
        if len(simple) == 4:
            return ordered(simple.reshape(4, 2) / scale)
    return None


def jscanify_restated(picture: Picture, long: int = 640) -> Points | None:
    """jscanify 1.4's algorithm with cv2: Canny on colour, blur, Otsu, largest contour, farthest point a quadrant."""
    scale = long / max(picture.shape[:2])
    edges = cv2.Canny(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), 50, 200)
    mask = cv2.threshold(cv2.GaussianBlur(edges, (3, 3), 0), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    middle = np.array(cv2.minAreaRect(largest)[0])
    away = largest.reshape(-1, 2) - middle
    corners = []
    for right, down in ((False, False), (True, False), (True, True), (False, True)):
        here = away[((away[:, 0] > 0) == right) & ((away[:, 1] > 0) == down)]
        if not len(here):
            return None
        corners.append(here[np.argmax(np.hypot(*here.T))] + middle)
    return np.array(corners) / scale


def ordered(quad: Points) -> Points:
    middle = quad.mean(axis=0)
    return quad[np.argsort(np.arctan2(quad[:, 1] - middle[1], quad[:, 0] - middle[0]))]


class Jscanify:
    """The real one, under node."""

    def __init__(self, folder: Path) -> None:
        peer = Path(__file__).with_name("jscanify_peer.cjs")
        self._node = subprocess.Popen(
            ["node", str(peer), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self._line() != "ready":
            raise RuntimeError("jscanify does not start")

    def find(self, picture: Picture, long: int) -> Answer:
        scale = long / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        assert self._node.stdin
        self._node.stdin.write(struct.pack("<II", small.shape[1], small.shape[0]))
        self._node.stdin.write(cv2.cvtColor(small, cv2.COLOR_BGR2RGBA).tobytes())
        self._node.stdin.flush()
        answer = self._line()
        return None if answer["corners"] is None else np.array(answer["corners"]) / scale, answer["ms"]

    def _line(self) -> Any:
        assert self._node.stdout
        return json.loads(self._node.stdout.readline())

    def close(self) -> None:
        self._node.communicate()


# --- the run ---


def peers(jscanify: Jscanify | None) -> dict[str, Callable[[Picture], Answer]]:
    beside: dict[str, Callable[[Picture], Answer]] = {"tutorial Canny recipe": lambda p: timed(lambda: tutorial(p))}
    if jscanify is None:
        beside["jscanify 640 (re-stated)"] = lambda p: timed(lambda: jscanify_restated(p))
    else:
        beside["jscanify 640 (node)"] = lambda p: jscanify.find(p, 640)
        beside["jscanify 1280 (node)"] = lambda p: jscanify.find(p, 1280)
    return beside


def count(tally: Tally, shot: Shot, answer: Answer) -> None:
    corners, ms = answer
    tally.ms.append(ms)
    if shot.corners is None:
        tally.empties += 1
        tally.false_finds += corners is not None
        return
    tally.jaccard.append(0.0 if corners is None else jaccard(corners, shot.corners, shot.size))
    tally.corner.append(1.0 if corners is None else corner_error(corners, shot.corners))


def measure(scenes: Iterable[Shot], jscanify: Jscanify | None, verbose: bool) -> dict[str, Any]:
    """Every finder on every scene of one family."""
    beside = peers(jscanify)
    names = ("ours, tray", "ours, free", *beside)
    whole = {name: Tally() for name in ("ours, tray", "ours, free", WHERE_SOLVABLE, *beside)}
    by_tag: dict[str, dict[str, Tally]] = {}
    seen: dict[str, dict[str, str]] = {"ours, tray": {}, "ours, free": {}}
    hands: list[str] = []
    for shot in scenes:
        tray = Tray.of(shot.empty)
        answers = {
            "ours, tray": ours(shot, tray, seen["ours, tray"]),
            "ours, free": ours(shot, None, seen["ours, free"]),
        } | {name: peer(shot.picture) for name, peer in beside.items()}
        for name, answer in answers.items():
            count(whole[name], shot, answer)
            if name == "ours, free" and shot.tag not in BEYOND_FREE:
                count(whole[WHERE_SOLVABLE], shot, answer)
            count(by_tag.setdefault(shot.tag, {n: Tally() for n in names})[name], shot, answer)
        hands += [shot.name] * shot.hand
        if verbose:
            _tell(shot, answers, seen)
    return {
        "scenes": len(seen["ours, tray"]),
        "finders": {name: tally.as_json() for name, tally in whole.items()},
        "hands_told": {n: f"{sum(states[h] == 'hand' for h in hands)}/{len(hands)}" for n, states in seen.items()},
        "hands_imagined": {
            n: sum(s == "hand" for h, s in states.items() if h not in hands) for n, states in seen.items()
        },
        "several_imagined": {n: sum(s == "several" for s in states.values()) for n, states in seen.items()},
        "tags": {
            tag: {name: tally.as_json() for name, tally in tallies.items()} for tag, tallies in by_tag.items()
        },
    }  # fmt: skip


def _tell(shot: Shot, answers: dict[str, Answer], seen: dict[str, dict[str, str]]) -> None:
    for name in ("ours, tray", "ours, free"):
        corners = answers[name][0]
        off = None if corners is None or shot.corners is None else corner_error(corners, shot.corners)
        wrong = (corners is None) != (shot.corners is None) or (off is not None and off > CORNER)
        if wrong or (seen[name][shot.name] == "hand") != shot.hand or seen[name][shot.name] == "several":
            print(f"{shot.name:<32}{name:<12}{seen[name][shot.name]:<9}{off}", file=sys.stderr)


def missed(data: dict[str, Any]) -> list[str]:
    """The goals that are."""
    lines = []
    for family, result in data.items():
        for name in ("ours, tray", WHERE_SOLVABLE):
            row = result["finders"][name]
            if row["mean"] < 0.98:
                lines.append(f"{family}, {name}: mean Jaccard {row['mean']}")
            if row["share_corner"] < 0.95:
                lines.append(f"{family}, {name}: corners within 1 % in {row['share_corner']} of scenes")
            if not row["false_finds"].startswith("0/"):
                lines.append(f"{family}, {name}: false finds {row['false_finds']}")
            if row["ms"] > 40:
                lines.append(f"{family}, {name}: {row['ms']} ms CPU a frame")
        white = result["tags"].get("white 3")
        if white and white["ours, tray"]["share_095"] < 0.95:
            lines.append(f"white on white at 3 levels: {white['ours, tray']['share_095']}")
    return lines


def show(data: dict[str, Any]) -> None:
    for family, result in data.items():
        print(f"\n{family}: {result['scenes']} scenes")
        print(f"{'finder':<28}{'mean':>8}{'≥0.95':>8}{'corner≤1%':>11}{'median %':>10}{'false':>8}{'CPU ms':>8}")
        for name, row in result["finders"].items():
            print(f"{name:<28}{row['mean']:>8.4f}{row['share_095']:>8.3f}{row['share_corner']:>11.3f}"
                  f"{row['corner_median']:>10.3f}{row['false_finds']:>8}{row['ms']:>8.1f}")  # fmt: skip
        print(f"hands told {result['hands_told']}, imagined {result['hands_imagined']}; "
              f"several imagined {result['several_imagined']}")  # fmt: skip
        by_kind(result["tags"])
    print("\n" + ("\n".join(f"MISSED {line}" for line in missed(data)) or "all goals met"))


def by_kind(tags: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Mean Jaccard / share of scenes with corners within 1 %, or false finds, a kind of scene and finder."""
    names = list(next(iter(tags.values())))
    print(f"{'kind: mean/corner≤1%':<22}{'scenes':>7}" + "".join(f"{name:>24}" for name in names))
    for tag, rows in tags.items():
        cells = [f"{r['mean']:.3f}/{r['share_corner']:.2f}" if r["pages"] else r["false_finds"] for r in rows.values()]
        scenes = rows[names[0]]["pages"] or rows[names[0]]["false_finds"].split("/")[1]
        mark = "*" if tag in BEYOND_FREE else ""
        print(f"{tag + mark:<22}{scenes:>7}" + "".join(f"{cell:>24}" for cell in cells))
    print("* not solvable without a reference: in no goal of «ours, free»")


def main() -> int:
    """0 if every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jscanify", type=Path, metavar="FOLDER", help="the unpacked npm package")
    parser.add_argument("--family", choices=("kiosk", "held-back"), help="one family only")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth scene")
    parser.add_argument("--verbose", action="store_true", help="name the scenes that go wrong")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    jscanify = Jscanify(args.jscanify) if args.jscanify else None
    data = {}
    for family in [args.family] if args.family else ["kiosk", "held-back"]:
        chosen = (shot for number, shot in enumerate(shots(family, args.seed)) if number % args.every == 0)
        data[family] = measure(chosen, jscanify, args.verbose)
    if jscanify is not None:
        jscanify.close()
    print(json.dumps(data, indent=1)) if args.json else show(data)
    return 1 if missed(data) else 0


if __name__ == "__main__":
    sys.exit(main())
