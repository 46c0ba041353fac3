"""The portrait's bytes in EF.DG2, in both records that issuers use, told from what stands around them."""

import contextlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hardware.card.errors import BadData
from hardware.card.face import portrait_of_dg2
from hardware.card.tlv import encode

NOISE = Image.effect_noise((120, 160), 40).convert("RGB")


def written(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    NOISE.save(file, kind, **options)
    return file.getvalue()


IMAGES = {
    "jpeg": written("JPEG"),
    "progressive": written("JPEG", progressive=True),
    "restarts": written("JPEG", restart_marker_blocks=3),
    "end-marker-in-comment": written("JPEG", comment=b"\xff\xd9 no end"),
    "jp2": written("JPEG2000"),
    "codestream": written("JPEG2000", no_jp2=True),
    "tiles": written("JPEG2000", no_jp2=True, tile_size=(64, 64), plt=True, comment=b"\xff\xd9 no end"),
}


def dg2(*templates: bytes) -> bytes:
    faces = b"".join(encode(0x7F60, encode(0xA1, encode(0x81, b"\x02")) + template) for template in templates)
    return encode(0x75, encode(0x7F61, encode(0x02, bytes([len(templates)])) + faces))


def record_19794(image: bytes, *, features: int = 0, length: int | None = None) -> bytes:
    picture = b"\x00" * 8 * features + struct.pack(">BBHHBBHH", 1, 0, 120, 160, 1, 2, 0, 0) + image
    facial = struct.pack(">IH14x", length if length is not None else 20 + len(picture), features) + picture
    return encode(0x5F2E, struct.pack(">4s4sIH", b"FAC\0", b"010\0", 14 + len(facial), 1) + facial)


def record_39794(image: bytes, *, wrapped: bool = True, tag: int = 0x7F2E) -> bytes:
    picture = encode(0x80, image) + encode(0xA1, encode(0xA0, encode(0x80, b"\x02")))
    version = encode(0xA0, encode(0x80, b"\x03") + encode(0x81, b"\x07\xe3"))
    block = encode(0x30, encode(0x80, b"\x00") + encode(0xA1, encode(0xA0, encode(0xA0, picture))))
    record = encode(0x65, version + encode(0xA1, block))
    return encode(tag, encode(0xA1, record) if wrapped else record)


@pytest.mark.parametrize("name", IMAGES)
def test_the_image_is_found_whole_in_both_records(name: str):
    image = IMAGES[name]
    for record in (record_19794(image), record_39794(image), record_39794(image, wrapped=False, tag=0x5F2E)):
        assert portrait_of_dg2(dg2(record)) == image


@pytest.mark.parametrize("name", IMAGES)
def test_what_follows_the_image_is_cut_off(name: str):
    image = IMAGES[name]
    for garbage in (b"\x00" * 9, b"\xff\xd9", b"\xff\xd8\xff" + b"x" * 40, b"\x00\x00\x00\x09xml x"):
        assert portrait_of_dg2(dg2(record_19794(image + garbage))) == image


def test_a_file_whose_last_box_is_of_unknown_length_ends_with_its_codestream():
    at = IMAGES["jp2"].index(b"jp2c") - 4
    image = IMAGES["jp2"][:at] + bytes(4) + IMAGES["jp2"][at + 4 :]
    assert portrait_of_dg2(dg2(record_19794(image + b"garbage"))) == image


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_that_breaks_off_is_handed_on_as_it_is(name: str):
    image = IMAGES[name][:700]
    assert portrait_of_dg2(dg2(record_19794(image))) == image


def test_lengths_and_feature_points_in_the_header_do_not_matter():
    image = IMAGES["jpeg"]
    for length in (0, 7, 0xFFFFFFFF):
        assert portrait_of_dg2(dg2(record_19794(image, features=3, length=length))) == image


def test_the_first_of_several_faces_is_taken():
    first, second = IMAGES["jpeg"], IMAGES["jp2"]
    assert portrait_of_dg2(dg2(record_39794(first), record_19794(second))) == first


@pytest.mark.parametrize("content", [b"", b"FAC\0 header GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_another_picture_format_is_refused(content: bytes):
    for record in (record_39794(content), encode(0x5F2E, content), b""):
        with pytest.raises(BadData, match="no JPEG"):
            portrait_of_dg2(dg2(record))


@given(st.sampled_from(list(IMAGES)), st.data())
def test_no_damage_breaks_the_parser(name: str, data):
    image = bytearray(IMAGES[name][:900] + IMAGES[name][-300:])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(image) - 1))
        image[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    record = data.draw(st.sampled_from([record_19794, record_39794]))
    with contextlib.suppress(BadData):
        assert portrait_of_dg2(dg2(record(bytes(image))))


@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]), st.binary(max_size=200)
)
def test_any_bytes_after_the_first_ones_are_an_image_to_be_judged_by_the_decoder(start: bytes, rest: bytes):
    assert portrait_of_dg2(dg2(record_19794(start + rest))).startswith(start)
