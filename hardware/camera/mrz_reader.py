"""Read the machine readable zone of cards (TD1) and passports (TD3): grid, characters, vote over frames, check digits.

A zone counts as read only if every check digit is right, every character leads clearly and the frames agree: a check
digit alone lets one wrong character of ten through. Name, sex, issuer and nationality have no check digit of their own.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hardware.camera.finder import Picture, Points
from hardware.camera.mrz_grid import SHAPES, Grid, grids
from hardware.camera.ocr_b import ALPHABET, log_likelihoods
from hardware.camera.votes import CharacterVotes, Elected
from hardware.card.bac import PrintedKey
from hardware.card.countries import ALPHA_2
from hardware.card.errors import BadData
from hardware.card.mrz import HOME, Mrz, parse_mrz
from kiosk.citizen import AccessKey, birth_year, valid_personal_id

Floats = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

UNCHECKED = ("names", "sex", "issuer", "nationality", "document_code")
"""What no check digit covers: never shown as verified."""

_PERFECT_FIT = -0.01
_GOOD_FIT = -0.04  # mean log-likelihood of a grid that need not be bettered
_LEAST_FIT = -0.3  # below it the grid lies wrong, or there is no zone
_WORTH_CLIMBING = -2.0
_MOST_GRIDS = 60
_CLIMBS = (0.12, 0.06, 0.03)  # characters and lines by which the zone's corners are moved

_DIGIT, _LETTER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ANY, _WORD, _DATE = ALPHABET, _LETTER + "<", _DIGIT + "<"

Runs = tuple[tuple[str, int], ...]
_GRAMMAR: Final[dict[str, Runs]] = {
    "TD1": (
        *(("ACI", 1), (_WORD, 4), (_ANY, 9), (_DATE, 1), (_ANY, 15)),
        *((_DATE, 6), (_DIGIT, 1), ("MF<", 1), (_DATE, 6), (_DIGIT, 1), (_WORD, 3), (_ANY, 11), (_DIGIT, 1)),
        (_WORD, 30),
    ),
    "TD3": (
        *(("P", 1), (_WORD, 43)),
        *((_ANY, 9), (_DIGIT, 1), (_WORD, 3), (_DATE, 6), (_DIGIT, 1), ("MF<", 1)),
        *((_DATE, 6), (_DIGIT, 1), (_ANY, 14), (_DATE, 1), (_DIGIT, 1)),
    ),
}
"""What may stand where (Doc 9303-4 and -5), over all lines."""
_HOME_GRAMMAR: Final[Runs] = (
    *(("I", 1), ("D", 1), ("V", 1), ("N", 1), ("M", 1), (_DIGIT, 10), (_DIGIT, 12), ("<", 2), (_DIGIT, 1)),
    *((_DIGIT, 7), ("MF", 1), (_DIGIT, 7), (_WORD, 3), ("<", 11), (_DIGIT, 1)),
    (_WORD, 30),
)
"""A Vietnamese identity card: nine digits, twelve digits, a local digit (chip-card reference §2.2)."""
_HOME_HEAD = "IDVNM"
_HOME_TWINS = tuple((5 + i, 18 + i) for i in range(9))
"""The document number is the end of the personal number, so it is printed twice."""
_CHECKED: Final = {
    "TD1": frozenset((*range(5, 30), *range(30, 37), *range(38, 45), *range(48, 60))),
    "TD3": frozenset((*range(44, 54), *range(57, 64), *range(65, 88))),
}
"""Places that a check digit covers, most of them two."""


class Sure(NamedTuple):
    """When a character is believed: its lead over the second (natural logarithms) in all and a frame; its share.

    Frames of a card that lies still err alike, so what they add up to is not enough.
    """

    lead: float
    lead_a_frame: float
    share: float


_ONE_FRAME = Sure(3.0, 3.0, 1.0)
_SEVERAL = Sure(4.0, 3.0, 0.6)  # names: a worn G looks like a C in every frame, and no digit tells
_SEVERAL_CHECKED = Sure(3.0, 0.5, 0.5)


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What one frame shows: the zone's size, log-likelihoods (places × alphabet), mean fit, outline in pixels."""

    size: str
    likelihoods: Floats
    fit: float
    corners: Points


@dataclass(frozen=True, slots=True, repr=False)
class MrzReading:
    """Lines as they look; `mrz` only if they are beyond doubt, else `doubt` says why not (no personal data in it).

    `opening` is the zone as soon as all places with a check digit are: enough to open the chip, which has the name too.
    """

    lines: tuple[str, ...]
    mrz: Mrz | None
    opening: Mrz | None
    doubt: str
    frames: int
    corners: Points

    @property
    def valid(self) -> bool:
        """Whether all check digits are right and every character is sure. `UNCHECKED` fields have no digit."""
        return self.mrz is not None


class MrzVotes:
    """Puts the frames of one document together."""

    def __init__(self) -> None:
        self._votes = {size: CharacterVotes() for size in SHAPES}
        self._last: Seen | None = None

    def add(self, picture: Picture) -> MrzReading | None:
        """Look at one more frame (BGR); what all of them say together, None while no zone was seen."""
        self.hear(see(picture))
        return self.result()

    def hear(self, seen: Seen | None) -> None:
        """Count what one more frame showed, if anything."""
        if seen is not None:
            self._votes[seen.size].add(seen.likelihoods)
            self._last = seen

    def result(self) -> MrzReading | None:
        """What the frames say so far."""
        if self._last is None:
            return None
        size = max(self._votes, key=lambda name: len(self._votes[name]))
        return _judged(size, self._votes[size], self._last.corners)

    def clear(self) -> None:
        """Forget all frames."""
        self._last = None
        for votes in self._votes.values():
            votes.clear()


def see(picture: Picture) -> Seen | None:
    """The zone in one BGR frame, or None."""
    best: tuple[float, Grid, Floats] | None = None
    for grid in islice(grids(picture), _MOST_GRIDS):
        fit, likelihoods = _rated(grid)
        if best is None or fit > best[0]:
            best = (fit, grid, likelihoods)
        if fit > _GOOD_FIT:
            break
    if best is None or best[0] < _WORTH_CLIMBING:
        return None
    fit, grid, likelihoods = _climbed(*best)
    return Seen(grid.size, likelihoods, fit, grid.corners) if fit > _LEAST_FIT else None


def read_mrz(picture: Picture) -> MrzReading | None:
    """The zone in one BGR picture, None if there is none. Several frames (`MrzVotes`) read more."""
    seen = see(picture)
    return None if seen is None else read_seen(seen)


def read_seen(seen: Seen) -> MrzReading:
    """What one frame says by itself."""
    votes = CharacterVotes()
    votes.add(seen.likelihoods)
    return _judged(seen.size, votes, seen.corners)


def access_key(mrz: Mrz) -> AccessKey | PrintedKey:
    """What opens the chip of the document that bears this zone."""
    personal_id = mrz.optional[:12]
    if mrz.size == "TD1" and mrz.issuer == HOME and valid_personal_id(personal_id):
        birth, expiry = _day(birth_year(personal_id) // 100 * 100, mrz.birth), _day(2000, mrz.expiry)
        if birth is not None and expiry is not None and personal_id.endswith(mrz.document_number):
            return AccessKey(personal_id, birth, expiry)
    return PrintedKey(mrz.document_number, mrz.birth, mrz.expiry)


def _day(century: int, yymmdd: str) -> date | None:
    try:
        return date(century + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
    except ValueError:
        return None


# --- one frame ---


def _rated(grid: Grid) -> tuple[float, Floats]:
    likelihoods = log_likelihoods(grid.cells())
    allowed = np.where(_allowed(_GRAMMAR[grid.size]), likelihoods, -12.0)
    return float(np.maximum(allowed.max(axis=1), -6.0).mean()), likelihoods


def _climbed(fit: float, grid: Grid, likelihoods: Floats) -> tuple[float, Grid, Floats]:
    """The grid with its corners and height moved to where the characters are read best."""
    for step in _CLIMBS:
        if fit > _PERFECT_FIT:
            break
        for way in range(18):
            moved = _moved(grid, way, step)
            new, values = _rated(moved)
            if new > fit:
                fit, grid, likelihoods = new, moved, values
    return fit, grid, likelihoods


def _moved(grid: Grid, way: int, step: float) -> Grid:
    if way >= 16:
        return replace(grid, capital=grid.capital * (1 + step * (way - 16.5)))
    moves = np.zeros(8)
    moves[way // 2] = step if way % 2 else -step
    return grid.nudged(moves.reshape(4, 2))


@cache
def _allowed(runs: Runs) -> Mask:
    """The grammar as a mask, places × alphabet."""
    return np.array([[letter in letters for letter in ALPHABET] for letters, count in runs for _ in range(count)])


# --- the verdict ---


def _judged(size: str, votes: CharacterVotes, corners: Points) -> MrzReading:
    elected = votes.elect(_allowed(_GRAMMAR[size]))
    text = _text(elected)
    if size == "TD1" and text.startswith(_HOME_HEAD):
        elected = votes.elect(_allowed(_HOME_GRAMMAR), _HOME_TWINS)
        text = _text(elected)
    columns = SHAPES[size][1]
    lines = tuple(text[at : at + columns] for at in range(0, len(text), columns))
    mrz, doubt = _parsed(text)
    opening = None if doubt or _unsure(elected, size, _CHECKED[size]) else mrz
    doubt = doubt or _unsure(elected, size)
    return MrzReading(lines, None if doubt else mrz, opening, doubt, elected.frames, corners)


def _text(elected: Elected) -> str:
    return "".join(ALPHABET[index] for index in elected.choice)


def _unsure(elected: Elected, size: str, among: Collection[int] | None = None) -> str:
    """Which doubt is left, "" if none; `among` these places only."""
    for place, (margin, share) in enumerate(zip(elected.margin, elected.share, strict=True)):
        if among is not None and place not in among:
            continue
        checked = _SEVERAL_CHECKED if place in _CHECKED[size] else _SEVERAL
        sure = _ONE_FRAME if elected.frames == 1 else checked
        if margin < max(sure.lead, sure.lead_a_frame * elected.frames):
            return "a character is not sure"
        if share < sure.share:
            return "the frames do not agree"
    return ""


def _parsed(text: str) -> tuple[Mrz | None, str]:
    """The zone, or why it cannot be one: check digits, known states, a name's form, our cards' two numbers."""
    try:
        mrz = parse_mrz(text)
    except BadData:
        return None, "a check digit is wrong"
    if mrz.warnings:
        return None, "the local check digit is wrong"
    if mrz.issuer not in ALPHA_2 or mrz.nationality not in ALPHA_2:
        return None, "no such state"
    if not mrz.names or mrz.names.startswith(" ") or "   " in mrz.names or mrz.names.count("  ") > 1:
        return None, "not the form of a name"
    if mrz.size == "TD1" and mrz.issuer == HOME and not mrz.optional[:12].endswith(mrz.document_number):
        return None, "the two numbers of the card differ"
    return mrz, ""
