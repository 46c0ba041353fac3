"""The picture of an unknown card is decoded in a process of its own, which may fail as it likes."""

import io
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from hardware.card.errors import BadData
from hardware.card.portrait import MOST_BYTES, PortraitDecoder
from processes import children

FACE = Image.linear_gradient("L").resize((240, 320)).convert("RGB")


def written(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def decoded(image: bytes) -> Image.Image:
    with PortraitDecoder() as decoder:
        picture = Image.open(io.BytesIO(decoder.decode(image)), formats=["JPEG"])
        picture.load()
        return picture


PICTURES = {
    "jpeg": written(FACE, "JPEG"),
    "progressive": written(FACE, "JPEG", progressive=True),
    "grey": written(FACE.convert("L"), "JPEG"),
    "cmyk": written(FACE.convert("CMYK"), "JPEG"),
    "jp2": written(FACE, "JPEG2000"),
    "codestream": written(FACE, "JPEG2000", no_jp2=True),
    "jp2-alpha": written(FACE.convert("RGBA"), "JPEG2000"),
    "jp2-grey": written(FACE.convert("L"), "JPEG2000"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_becomes_a_baseline_jpeg(name: str):
    picture = decoded(PICTURES[name])
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (240, 320))
    assert "progressive" not in picture.info
    for x, y in ((120, 10), (120, 160), (120, 310)):
        assert all(abs(a - b) <= 6 for a, b in zip(picture.getpixel((x, y)), FACE.getpixel((x, y)), strict=True))


def test_nothing_but_pixels_comes_out():
    exif = Image.Exif()
    exif[0x010E] = "hidden words"
    image = written(FACE, "JPEG", exif=exif, comment=b"hidden words")
    assert b"hidden words" in image
    with PortraitDecoder() as decoder:
        assert b"hidden words" not in decoder.decode(image)


def test_a_large_picture_is_shrunk_to_what_a_screen_shows():
    large = written(Image.new("RGB", (1500, 2000), "grey"), "JPEG2000", quality_mode="rates", quality_layers=[2000])
    assert decoded(large).size == (900, 1200)


@pytest.mark.parametrize("size", [(59, 80), (60, 79), (61, 4001), (4001, 81), (1, 1)])
def test_a_size_that_no_portrait_has_is_refused(size: tuple[int, int]):
    picture = Image.new("RGB", size)
    image = written(picture, "JPEG2000", quality_mode="rates", quality_layers=[4000])
    with pytest.raises(BadData, match="size"):
        decoded(image)


def test_a_picture_that_claims_to_be_huge_is_refused_before_it_costs_anything():
    bomb = PICTURES["jpeg"]
    at = bomb.index(b"\xff\xc0") + 5
    started = time.monotonic()
    with pytest.raises(BadData, match="size"):
        decoded(bomb[:at] + struct.pack(">HH", 65_000, 65_000) + bomb[at + 4 :])
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "image",
    [b"", b"\xff\xd8\xff", b"\xff\x4f\xff\x51" + bytes(60), PICTURES["jpeg"][:2000], PICTURES["codestream"][:400]],
)
def test_what_cannot_be_decoded_is_bad_data(image: bytes):
    with pytest.raises(BadData, match="decoded"):
        decoded(image)


def test_other_formats_are_not_even_tried():
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        with pytest.raises(BadData):
            decoded(written(FACE.convert("P").resize((100, 120)), kind))
    with pytest.raises(BadData, match="bytes"):
        decoded(PICTURES["jpeg"] + bytes(MOST_BYTES))


def test_a_codestream_that_lies_to_its_box_about_the_size_is_bad_data():
    image = PICTURES["jp2"]
    at = image.index(b"\xff\x51") + 6
    with pytest.raises(BadData):
        decoded(image[:at] + struct.pack(">II", 60_000, 60_000) + image[at + 8 :])


def test_a_decoder_that_hangs_is_given_up():
    before = children()
    decoder = PortraitDecoder(seconds=0.0)
    with decoder, pytest.raises(BadData, match="too long"):
        decoder.decode(PICTURES["jpeg"])
    assert children() == before


def test_a_decoder_started_early_is_ready_when_the_picture_comes_and_leaves_nothing_behind():
    before = children()
    with PortraitDecoder() as decoder:
        decoder.start()
        decoder.start()
        assert len(children() - before) == 1
        assert decoder.decode(PICTURES["jpeg"])
        assert children() == before
        assert decoder.decode(PICTURES["jp2"])
    assert children() == before


def test_a_decoder_that_was_not_needed_is_gone_with_its_context():
    before = children()
    with pytest.raises(KeyError), PortraitDecoder() as decoder:
        decoder.start()
        raise KeyError
    assert children() == before


def test_it_works_on_a_thread_of_its_own():
    results: list[bytes] = []

    def work() -> None:
        with PortraitDecoder() as decoder:
            results.append(decoder.decode(PICTURES["jpeg"]))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 3


def test_the_process_is_limited_and_silent_when_its_kiosk_is_gone():
    process = subprocess.run(
        [sys.executable, "-m", "hardware.card.portrait"], input=b"", capture_output=True, timeout=30, check=False
    )
    assert process.returncode != 0
    assert process.stdout == process.stderr == b""
    running = subprocess.Popen([sys.executable, "-m", "hardware.card.portrait"], stdin=subprocess.PIPE)
    with running:
        deadline = time.monotonic() + 20
        while (limits := _limits(running.pid))["Max address space"] == "unlimited" and time.monotonic() < deadline:
            time.sleep(0.02)
        running.stdin.close()
    assert limits["Max core file size"] == limits["Max file size"] == "0"
    assert int(limits["Max address space"]) < 2**30
    assert int(limits["Max cpu time"]) < 10


def _limits(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[0] for line in lines}
