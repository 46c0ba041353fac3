import re
from collections.abc import Callable

import pytest
import zxingcpp
from PIL import Image

from hardware.printer import type as printer_type
from hardware.printer.bench import LETTERS
from hardware.printer.render import Style, render
from hardware.printer.type import Face, FontMissing, wrap
from kiosk.slips import Banner, Line, Pair, Qr, Rule, Size, Slip

WIDTHS = (576, 512, 384)
Ink = Callable[[Image.Image], Image.Image]


def only(*elements: Line | Pair | Banner | Qr | Rule) -> Slip:
    return Slip("test", elements)


@pytest.mark.parametrize("dots", WIDTHS)
def test_slip_is_as_wide_as_the_head_and_its_code_can_be_scanned(slip: Slip, dots: int) -> None:
    picture = render(slip, dots)
    assert (picture.mode, picture.width) == ("1", dots)
    (found,) = zxingcpp.read_barcodes(picture.convert("L"))
    assert found.text.startswith("https://motcua.example.vn/t/")


@pytest.mark.parametrize("dots", WIDTHS)
def test_number_fills_the_paper(dots: int, ink: Ink) -> None:
    for number in ("A-047", "TN-1204"):
        width = ink(render(only(Line(number, Size.HUGE, bold=True)), dots)).width
        assert 0.75 * dots < width <= dots


def test_every_vietnamese_letter_has_a_shape_of_its_own() -> None:
    face = Face("-Bold", 29)
    shapes: dict[bytes, str] = {}
    for letter in {*LETTERS, *LETTERS.upper()} - {" "}:
        paper = Image.new("1", (60, 60), 1)
        face.set(paper, 10, 40, letter)
        assert shapes.setdefault(paper.tobytes(), letter) == letter


def test_marks_of_capitals_are_whole(ink: Ink) -> None:
    """«Ẫ» and «Ộ» need room above and below the line."""
    for size in Size:
        roomy = Image.new("1", (800, 600), 1)
        Style(576).face(size, bold=True).set(roomy, 100, 400, "ẪỘ")
        assert ink(render(only(Line("ẪỘ", size, bold=True)), 576)).tobytes() == ink(roomy).tobytes()


def test_banner_is_white_on_black_over_the_whole_width() -> None:
    picture = render(only(Banner("CHƯA ĐƯỢC TIẾP NHẬN")), 576).convert("L")
    middle = picture.height // 2
    dark = sum(1 for x in range(576) if picture.getpixel((x, middle)) == 0)
    assert dark > 300
    assert picture.getpixel((0, middle)) == picture.getpixel((575, middle)) == 0


def test_long_texts_wrap_and_lose_no_letter() -> None:
    face = Face("-Medium", 23)
    text = "Hồ sơ được tính là tiếp nhận khi hệ thống cấp mã hồ sơ chính thức. " * 3 + "x" * 200
    lines = wrap(text, face, 300)
    assert all(face.width(line) <= 300 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrap("một\nhai", face, 300) == ["một", "hai"]


@pytest.mark.parametrize("dots", WIDTHS)
def test_label_and_value_never_touch(dots: int) -> None:
    """Between the label's column and the value's column stays white paper from top to bottom."""
    for label, value in (
        ("Thủ tục / Procedure", "Đăng ký khai sinh có yếu tố nước ngoài tại cơ quan đại diện"),
        ("3. Giấy chứng nhận kết hôn của cha mẹ hoặc giấy tờ thay thế", "mang bản giấy"),
        ("Mã tạm / Provisional code", "TAM-7K3F-92QD"),
    ):
        picture = render(only(Pair(label, value)), dots).convert("L")
        white = "".join(
            "." if all(picture.getpixel((x, y)) for y in range(picture.height)) else "#" for x in range(dots)
        )
        assert re.search(r"\.{12,}", white.strip(".")), f"{label} touches {value}"


def test_no_picture_holds_a_real_time_command() -> None:
    """DLE EOT, DLE ENQ or DLE DC4 in picture data would be executed by the printer."""
    noise = Slip("test", tuple(Line("·' ,.:;!|il" * 9, size) for size in Size for _ in range(2)))
    for dots in WIDTHS:
        raster = bytes(byte ^ 0xFF for byte in render(noise, dots).tobytes())
        assert not re.search(rb"\x10[\x04\x05\x14]", raster)


def test_odd_texts_are_printed_too() -> None:
    render(only(Line(""), Line("", Size.HUGE), Pair("", ""), Banner(""), Line("漢字 🙂 \u200b")), 384)
    assert render(Slip("test", ()), 576).width == 576


def test_missing_font_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: object, slip: Slip) -> None:
    monkeypatch.setattr(printer_type, "FONTS", tmp_path)
    printer_type._font.cache_clear()
    try:
        with pytest.raises(FontMissing, match="install the package fonts-inter"):
            render(slip, 576)
    finally:
        printer_type._font.cache_clear()
