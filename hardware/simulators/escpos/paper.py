"""The roll and what comes out of the slot: rows of dots become pictures of paper."""

import re
from pathlib import Path

from PIL import Image

from hardware.simulators.escpos.interpreter import CUTTER

DOTS_PER_MM = 8
LONGEST = 16_000
"""Rows (2 m) after which the paper is torn off: no stream of bytes may fill the memory."""


class Paper:
    """What has been printed since the last cut. `dots` is the printable width."""

    def __init__(self, folder: Path, dots: int) -> None:
        self._folder = folder
        self._dots = dots
        self._row_bytes = (dots + 7) // 8
        self._blank = bytes(self._row_bytes)
        self._rows: list[bytes] = [self._blank] * CUTTER
        self.names: list[str] = []
        """Files of the papers that came out, oldest first. Cut-off paper without a dot on it is not kept."""

    def add(self, dots: bytes) -> None:
        """One row, cut to the width of the head."""
        self._rows.append(dots[: self._row_bytes].ljust(self._row_bytes, b"\x00"))
        if len(self._rows) > LONGEST:
            self.tear()

    def feed(self) -> None:
        """One white row."""
        self.add(self._blank)

    def cut(self) -> None:
        """Everything above the cutter falls into the citizen's hand."""
        paper, self._rows = self._rows[:-CUTTER], self._rows[-CUTTER:]
        if any(any(row) for row in paper):
            self._save(paper)

    def tear(self) -> None:
        """Somebody pulls out what hangs from the slot and throws it away."""
        self._rows = [self._blank] * CUTTER

    @property
    def begun(self) -> bool:
        """Whether anything printed is still uncut."""
        return any(any(row) for row in self._rows)

    def _save(self, rows: list[bytes]) -> None:
        """Write `paper-NN.png` (white paper with its side margins, 203 dpi), whole or not at all."""
        margin = (_roll_width(self._dots) - self._dots) // 2
        printed = Image.frombytes("1", (self._row_bytes * 8, len(rows)), b"".join(rows))
        paper = Image.new("1", (self._dots + 2 * margin, len(rows)), 1)
        paper.paste(printed.point(lambda dot: not dot).crop((0, 0, self._dots, len(rows))), (margin, 0))
        name = f"paper-{self._next_number():02d}.png"
        unfinished = self._folder / f".{name}"
        paper.save(unfinished, "PNG", dpi=(203, 203))
        unfinished.replace(self._folder / name)
        self.names.append(name)

    def _next_number(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        taken = (re.fullmatch(r"paper-(\d+)\.png", path.name) for path in self._folder.iterdir())
        return max((int(found[1]) for found in taken if found), default=0) + 1


def _roll_width(dots: int) -> int:
    """Dots across the paper: 58 mm or 80 mm rolls, or the head with 4 mm on both sides."""
    for millimetres in (58, 80):
        if dots <= millimetres * DOTS_PER_MM - 32:
            return millimetres * DOTS_PER_MM
    return dots + 64
