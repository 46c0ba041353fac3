"""BER-TLV (ISO/IEC 8825-1) as the chip's files use it: definite lengths, with limits; untrusted bytes go in here."""

from collections.abc import Iterator

from hardware.card.errors import BadData

MAX_ELEMENTS = 1000
"""Elements on one level; no file of a travel document comes near."""


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of every element of one level, in order; BadData where the encoding breaks."""
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == len(data):
            return
        tag, start, end = _header(data, at)
        if end > len(data):
            raise BadData("TLV: an element is longer than what holds it")
        yield tag, data[start:end]
        at = end
    raise BadData("TLV: too many elements")


def find(data: bytes, *path: int) -> bytes | None:
    """The value of the first element under `path` (tags from the outside in), None where one is missing."""
    for wanted in path:
        value = next((value for tag, value in elements(data) if tag == wanted), None)
        if value is None:
            return None
        data = value
    return data


def need(data: bytes, *path: int) -> bytes:
    """Like `find`, but a missing element is BadData."""
    value = find(data, *path)
    if value is None:
        raise BadData(f"TLV: {'/'.join(f'{tag:02X}' for tag in path)} is missing")
    return value


def total_length(start: bytes) -> int:
    """How many bytes a file's outermost element takes, told from the file's first bytes."""
    return _header(start, 0)[2]


def encode(tag: int, value: bytes) -> bytes:
    """One element with the shortest definite length (DER)."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x80 | _octets(size)]) + size.to_bytes(_octets(size), "big")
    return tag.to_bytes(_octets(tag), "big") + length + value


def _octets(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, where the value starts, where it ends. Tags of one or two bytes, lengths of up to three bytes."""
    try:
        tag = data[at]
        at += 1
        if tag & 0x1F == 0x1F:
            if data[at] & 0x80:
                raise BadData("TLV: a tag of more than two bytes")
            tag = tag << 8 | data[at]
            at += 1
        first = data[at]
    except IndexError:
        raise BadData("TLV: cut off in a header") from None
    at += 1
    if first < 0x80:
        return tag, at, at + first
    octets = first & 0x7F
    if octets not in (1, 2, 3):
        raise BadData("TLV: an indefinite or oversized length")
    if at + octets > len(data):
        raise BadData("TLV: cut off in a header")
    start = at + octets
    return tag, start, start + int.from_bytes(data[at:start], "big")
