"""Recognise single OCR-B characters of a machine readable zone: a small network over evenly cut cells.

`ocr_b.npz` is made by `scripts/train-ocr-b` from rendered characters of a font in the public domain.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
CELL = (14, 20)
"""Width and height of a character's cell in pixels, the character in its middle."""
PITCH = 12.0
"""Pixels from one character to the next: cells overlap by a sixth."""
CAPITAL = 13.0
"""Pixels that a capital letter is high."""

_WEIGHTS = Path(__file__).with_suffix(".npz")
_LEAST_SPREAD = 4.0  # grey levels; an empty cell has only noise, which must not be blown up

Floats = npt.NDArray[Any]


class Network(NamedTuple):
    """Two layers: 280 pixels to hidden units (ReLU) to one value a character of `ALPHABET`."""

    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats


@cache
def network() -> Network:
    """The trained weights; read once."""
    with np.load(_WEIGHTS) as weights:
        return Network(*(weights[name].astype(np.float32) for name in Network._fields))


def evened(cells: Floats) -> Floats:
    """Cells (N×20×14 grey levels) as rows of N×280: mean 0, spread 1."""
    flat = cells.reshape(len(cells), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), _LEAST_SPREAD))


def log_likelihoods(cells: Floats) -> Floats:
    """Natural logarithm of each character's probability, N×37, for cells of N×20×14 grey levels."""
    net = network()
    hidden = np.maximum(evened(cells) @ net.hidden + net.hidden_bias, 0)
    values = hidden @ net.out + net.out_bias
    values -= values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
