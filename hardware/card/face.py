"""EF.DG2: the face's image file (Doc 9303-10 §4.7.2), in a record of ISO/IEC 19794-5 or ISO/IEC 39794-5.

Header fields are wrong in the field, so the image is told by its own first bytes, and its end by its own structure.
"""

from hardware.card.errors import BadData
from hardware.card.tlv import elements, find, need

JPEG, JP2, CODESTREAM = b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"
"""How a JPEG, a JPEG 2000 file and a bare JPEG 2000 codestream begin."""

REPRESENTATION = (0x65, 0xA1, 0x30, 0xA1, 0xA0, 0xA0, 0x80)
"""FaceImageDataBlock, representationBlocks, the first block, imageRepresentation, base, 2D block, data."""

_END = b"\xff\xd9"
_SOS, _SOT = 0xDA, 0x90


def portrait_of_dg2(raw: bytes) -> bytes:
    """The first face's image file, JPEG or JPEG 2000, without what may follow it. It is not decoded here."""
    template = need(raw, 0x75, 0x7F61, 0x7F60)
    block = next((value for tag, value in elements(template) if tag in (0x5F2E, 0x7F2E)), b"")
    record = block if block.startswith(b"FAC\0") else _data_of_39794(block) or block
    starts = [at for magic in (JPEG, JP2, CODESTREAM) if (at := record.find(magic)) >= 0]
    if not starts:
        raise BadData("DG2: no JPEG or JPEG 2000 in it")
    image = record[min(starts) :]
    return image[: _end_of(image) or len(image)]


def _data_of_39794(block: bytes) -> bytes | None:
    """What an ISO/IEC 39794-5 record, DER in a context tag 1 or without, holds as its image; None if it is none."""
    try:
        return find(find(block, 0xA1) or block, *REPRESENTATION)
    except BadData:
        return None


def _end_of(image: bytes) -> int | None:
    """Where an image ends by its own markers or boxes; None if they do not tell."""
    if image.startswith(JPEG):
        return _end_of_jpeg(image)
    if image.startswith(JP2):
        return _end_of_jp2(image)
    return _end_of_codestream(image)


def _end_of_jpeg(image: bytes) -> int | None:
    """Behind the EOI of the outer picture: a thumbnail's stands inside a segment, which is skipped whole."""
    at = 2
    while 0 <= at < len(image) - 3:
        marker = image[at + 1]
        if image[at] != 0xFF:
            return None
        if marker == _END[1]:
            return at + 2
        at += 1 if marker == 0xFF else 2 + int.from_bytes(image[at + 2 : at + 4], "big")
        if marker == _SOS:
            at = _next_marker(image, at)
    return at + 2 if image[at : at + 2] == _END else None


def _next_marker(image: bytes, at: int) -> int:
    """Past the entropy coded data, in which FF is followed by 00 or a restart marker; -1 if it never ends."""
    while (at := image.find(b"\xff", at)) >= 0:
        following = image[at + 1 : at + 2]
        if following not in (b"\x00", b"\xff") and not b"\xd0" <= following <= b"\xd7":
            return at
        at += 1
    return -1


def _end_of_jp2(image: bytes) -> int | None:
    """Behind the box of the codestream; what a box may add after it is not shown."""
    at = 0
    while at + 8 <= len(image):
        size, kind = int.from_bytes(image[at : at + 4], "big"), image[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(image[at + 8 : at + 16], "big")
        if size == 0 and kind == b"jp2c":  # to the end of the file, whose length is not told
            length = _end_of_codestream(image[at + 8 :])
            return length and at + 8 + length
        if size < 8:
            return None
        at += size
        if kind == b"jp2c":
            return min(at, len(image))
    return None


def _end_of_codestream(image: bytes) -> int | None:
    """Behind the EOC, stepping over the main header's segments and the tile parts (ISO/IEC 15444-1 Annex A)."""
    at = 2
    while at + 12 <= len(image):
        marker, size = image[at + 1], int.from_bytes(image[at + 2 : at + 4], "big")
        if image[at] != 0xFF or marker == _END[1]:
            break
        part = int.from_bytes(image[at + 6 : at + 10], "big") if marker == _SOT else size + 2
        if part == 0:  # the last tile part, up to the end
            at = image.rfind(_END)
            break
        at += part
    return at + 2 if at > 0 and image[at : at + 2] == _END else None
