"""Agreement over frames: of whole texts that check themselves, and of single characters that do not."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]

FRAMES = 10
"""A vote looks back over so many frames."""
_FLOOR = -7.0
"""Natural logarithm: no single frame may rule a character out, for glare may cover it there."""


class TextVotes:
    """Texts of a code with its own error correction: the same one twice is believed."""

    def __init__(self) -> None:
        self._seen: deque[str] = deque(maxlen=FRAMES)

    def add(self, text: str) -> None:
        """One frame's text."""
        self._seen.append(text)

    def agreed(self) -> str | None:
        """The text seen twice or more, and more often than every other; else None."""
        ranking = Counter(self._seen).most_common(2)
        if not ranking or ranking[0][1] < 2 or (len(ranking) > 1 and ranking[1][1] == ranking[0][1]):
            return None
        return ranking[0][0]

    def clear(self) -> None:
        """Begin anew."""
        self._seen.clear()


@dataclass(frozen=True, slots=True, repr=False)
class Elected:
    """What a vote on characters says, for each place.

    `choice` is the character's number, `margin` its lead over the second in natural logarithms over all frames,
    `share` the part of the frames that chose it themselves.
    """

    choice: npt.NDArray[np.intp]
    margin: Floats
    share: Floats
    frames: int


class CharacterVotes:
    """Log-likelihoods (places × characters) of several frames, added up."""

    def __init__(self) -> None:
        self._seen: deque[Floats] = deque(maxlen=FRAMES)

    def add(self, likelihoods: Floats) -> None:
        """One frame's natural logarithms."""
        self._seen.append(np.maximum(likelihoods, _FLOOR))

    def __len__(self) -> int:
        return len(self._seen)

    def elect(self, allowed: npt.NDArray[np.bool_], twins: Sequence[tuple[int, int]] = ()) -> Elected:
        """The likeliest allowed character in each place; raises ValueError before the first frame.

        `twins` are places that must have the same character: they vote together.
        """
        if not self._seen:
            raise ValueError("no frame to vote on")
        each = np.where(allowed, np.stack(tuple(self._seen)), -np.inf)
        for one, other in twins:
            each[:, one] = each[:, other] = each[:, one] + each[:, other]
        total = each.sum(axis=0)
        choice = total.argmax(axis=1)
        places = np.arange(len(choice))
        best = total[places, choice].copy()
        total[places, choice] = -np.inf
        lead = np.minimum(best - total.max(axis=1), -_FLOOR * len(self._seen))
        share = (each.argmax(axis=2) == choice).mean(axis=0)
        return Elected(choice, lead, share, len(self._seen))

    def clear(self) -> None:
        """Begin anew."""
        self._seen.clear()
