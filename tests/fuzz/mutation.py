"""Bytes made wrong: blind changes, and changes inside TLV structures whose lengths are put right again."""

import random
from collections.abc import Callable, Sequence

from hardware.card.errors import BadData
from hardware.card.tlv import elements, encode

LARGEST = 40_000
"""Bytes of an input; above what the reader holds of any file."""
INTERESTING = (*range(7), 0x0C, 0x30, 0x31, 0x61, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0xFF)
NUMBERS = (b"", b"\x00", b"\x80", b"\x7f" + b"\xff" * 7, b"\x80" + bytes(8), b"\x00" * 20, b"\xff" * 129)

Mutator = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """`data` after one to six changes drawn from `rng`; parts of `others` may be spliced in."""
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3, 6))):
        data = rng.choice(MUTATORS)(data, rng, others)
    return data[:LARGEST]


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _set(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([rng.choice((*INTERESTING, rng.randrange(256)))]) + data[at + 1 :]


def _cut(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: _place(data, rng)]


def _drop(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.randint(1, 16) :]


def _insert(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    more = bytes([rng.choice(INTERESTING)]) * rng.choice((1, 2, 8, 300)) if rng.random() < 0.5 else rng.randbytes(4)
    return data[:at] + more + data[at:]


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else data
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _in_structure(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Go down a random way through the elements and change the last one; every length above stays right."""
    try:
        parts = list(elements(data))
    except BadData:
        return _flip(data, rng, others)
    if not parts:
        return encode(rng.choice(INTERESTING), rng.choice(NUMBERS))
    at = rng.randrange(len(parts))
    tag, value = parts[at]
    if _nested(tag) and rng.random() < 0.85:
        parts[at] = (tag, _in_structure(value, rng, others))
    else:
        parts = _changed(parts, at, rng, others)
    return b"".join(encode(tag, value) for tag, value in parts)


def _nested(tag: int) -> bool:
    """The constructed bit of the first octet."""
    return bool((tag >> 8 or tag) & 0x20)


def _changed(
    parts: list[tuple[int, bytes]], at: int, rng: random.Random, others: Sequence[bytes]
) -> list[tuple[int, bytes]]:
    """One element gone, doubled, moved, renamed or with another value."""
    tag, value = parts[at]
    choice = rng.randrange(6)
    if choice == 0:
        return parts[:at] + parts[at + 1 :]
    if choice == 1:
        return parts[:at] + [(tag, value)] * rng.choice((2, 3, 70)) + parts[at + 1 :]
    if choice == 2:
        return parts[:at] + parts[at + 1 :] + [(tag, value)]
    if choice == 3:
        return [*parts[:at], (rng.choice((*INTERESTING, tag ^ 0x20)), value), *parts[at + 1 :]]
    if choice == 4:
        return [*parts[:at], (tag, rng.choice(NUMBERS)), *parts[at + 1 :]]
    return [*parts[:at], (tag, rng.choice(BLIND)(value, rng, others)), *parts[at + 1 :]]


BLIND: tuple[Mutator, ...] = (_flip, _set, _cut, _drop, _insert, _splice)
MUTATORS: tuple[Mutator, ...] = (*BLIND, *[_in_structure] * 8)
