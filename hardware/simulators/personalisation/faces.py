"""EF.DG2 (Doc 9303-10 §4.7.2): one face, in the record of ISO/IEC 19794-5 or of ISO/IEC 39794-5."""

import struct

from hardware.card.lds import data_group
from hardware.card.tlv import encode
from hardware.simulators.personalisation.portrait import HEIGHT, WIDTH

OLD, NEW = b"\x00\x08", b"\x00\x2a"
"""Format types of the two records; the second is from general knowledge, and readers tell the record by its tag."""


def dg2(image: bytes, form: str) -> bytes:
    """One biometric information template (CBEFF) with the picture; `form` is one of `portrait.FORMS`."""
    new = form == "iso39794"
    header = b"".join(
        encode(tag, value)
        for tag, value in (
            (0x80, b"\x01\x01"),
            (0x81, b"\x02"),
            (0x87, b"\x01\x01"),
            (0x88, NEW if new else OLD),
        )
    )
    block = encode(0x7F2E, _new_record(image)) if new else encode(0x5F2E, _face_record(image, form != "jpeg"))
    template = encode(0x7F60, encode(0xA1, header) + block)
    return encode(data_group(2).tag, encode(0x7F61, encode(0x02, b"\x01") + template))


def _face_record(image: bytes, jpeg2000: bool) -> bytes:
    """Facial record header, facial information, image information (all unspecified but type and size), image."""
    picture = struct.pack(">BBHHBBHH", 1, jpeg2000, WIDTH, HEIGHT, 1, 2, 0, 0) + image
    facial = struct.pack(">IH14x", 20 + len(picture), 0) + picture
    return struct.pack(">4s4sIH", b"FAC\0", b"010\0", 14 + len(facial), 1) + facial


def _new_record(image: bytes) -> bytes:
    """A FaceImageDataBlock, [APPLICATION 5], in its wrapper, with what ISO/IEC 39794-5 makes mandatory and no more.

    Version block (generation 3, 2019); one representation: number 0, a two-dimensional picture, its format JPEG.
    Well-formed, and laid out from general knowledge of the standard: no other implementation has read it.
    """
    version = encode(0xA0, encode(0x80, b"\x03") + encode(0x81, b"\x07\xe3"))
    kind = encode(0xA1, encode(0xA0, encode(0x80, b"\x02")))
    picture = encode(0xA0, encode(0xA0, encode(0x80, image) + kind))
    representation = encode(0x30, encode(0x80, b"\x00") + encode(0xA1, picture))
    return encode(0xA1, encode(0x65, version + encode(0xA1, representation)))
