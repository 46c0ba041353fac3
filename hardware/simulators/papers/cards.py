"""The two sides of an ID card as the camera sees them: QR code and print in front, the machine readable zone behind.

Shaped like the cards of 2021; nobody's names and numbers. The person is the one of the simulated chip card.
"""

import io
import math
from collections.abc import Mapping
from functools import cache, partial

import segno
from PIL import Image, ImageDraw, ImageFont

from hardware.simulators.papers.sheet import DPI, Colour, Sheet
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.personalisation.portrait import portrait_jpeg

WIDTH_MM, HEIGHT_MM = 85.6, 53.98
QR_MM = 14.0
PITCH_MM = 2.54
"""From character to character of the zone (Doc 9303-3 §3.4)."""

OCR_B = "/usr/share/fonts/opentype/ocr-b/OCRB.otf"
_GROUND: Colour = (218, 232, 228)
_WAVES: Colour = (203, 222, 217)
_RED: Colour = (170, 30, 36)
_LABEL: Colour = (70, 84, 92)
_FINE = 4  # what has sharp edges is drawn so much larger, then reduced


def front(person: Personalisation) -> Image.Image:
    """Portrait, name, number, dates, and the QR code at the upper right."""
    sheet = _blank()
    sheet.text(38, 6.5, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 5.2, "sans", _LABEL, anchor="ms")
    sheet.text(38, 10.2, "Độc lập – Tự do – Hạnh phúc", 4.6, "regular", _LABEL, anchor="ms")
    sheet.text(45, 16.6, "CĂN CƯỚC CÔNG DÂN · MẪU", 8, "sans", _RED, anchor="ms")
    face = Image.open(io.BytesIO(portrait_jpeg(person.look, int(person.personal_id))))
    sized = face.resize((sheet.px(20.2), sheet.px(27)), Image.Resampling.LANCZOS)
    sheet.image.paste(sized, (sheet.px(4), sheet.px(19)))
    sheet.image.paste(qr_code(person.qr), (sheet.px(83 - QR_MM), sheet.px(1.4)))
    sheet.text(28, 23.2, "Số / No.:", 4.6, "regular", _LABEL)
    sheet.text(38, 23.2, person.personal_id, 10, "sans")
    sheet.text(28, 28.2, "Họ và tên / Full name:", 4.2, "regular", _LABEL)
    sheet.text(28, 32, person.full_name, 7, "sans")
    sheet.text(28, 37, "Ngày sinh / Date of birth:", 4.2, "regular", _LABEL)
    sheet.text(48, 37, f"{person.birth:%d/%m/%Y}", 6.4, "sans")
    sheet.text(28, 41.6, "Giới tính / Sex:", 4.2, "regular", _LABEL)
    sheet.text(48, 41.6, person.sex, 6.4, "sans")
    sheet.text(28, 46, "Nơi thường trú / Place of residence:", 4.2, "regular", _LABEL)
    sheet.paragraph(28, 49.2, 54, person.address, 4.8, "sans")
    expiry = f"{person.expiry:%d/%m/%Y}" if person.expiry else "Không thời hạn"
    sheet.text(4, 49.5, "Có giá trị đến:", 3.8, "regular", _LABEL)
    sheet.text(4, 52.2, expiry, 4.2, "sans")
    return sheet.image


def back(person: Personalisation) -> Image.Image:
    """Day of issue, the chip's contacts, and the zone's three lines."""
    sheet = _blank()
    sheet.text(4, 6, "Đặc điểm nhận dạng / Personal identification:", 4.4, "regular", _LABEL)
    sheet.text(4, 9.6, "Không có", 5.4, "sans")
    sheet.text(4, 13.2, "Ngày, tháng, năm / Date, month, year:", 4.4, "regular", _LABEL)
    sheet.text(33, 13.2, f"{person.issued:%d/%m/%Y}", 5.4, "sans")
    sheet.text(58, 17.6, "CỤC TRƯỞNG CỤC MẪU", 4.6, "sans", _LABEL, anchor="ms")
    sheet.signature(58, 24, "Nguyễn Văn Thí Dụ")
    _contacts(sheet)
    for row, line in enumerate(person.mrz.lines()):
        _zone_line(sheet, 4.2, 38.2 + row * 5.6, line)
    return sheet.image


def sides(people: Mapping[str, Personalisation]) -> dict[str, tuple[str, partial[Image.Image]]]:
    """Title and drawing of both sides of everybody's card, by the name of the paper."""
    return {
        f"card-{side}-{name}": (f"Thẻ căn cước, mặt {title}: {person.full_name}", partial(draw, person))
        for name, person in people.items()
        for side, title, draw in (("front", "trước", front), ("back", "sau", back))
    }


def qr_code(payload: str, mm: float = QR_MM) -> Image.Image:
    """The code as it is printed, with a margin of two modules; `mm` without it."""
    code = segno.make(payload, micro=False, error="L", boost_error=False)
    modules = len(code.matrix)
    drawn = Image.new("L", (modules + 4, modules + 4), 236)
    for y, row in enumerate(code.matrix):
        for x, dark in enumerate(row):
            if dark:
                drawn.putpixel((x + 2, y + 2), 24)
    side = round(Sheet.px(mm) * (modules + 4) / modules)
    large = drawn.resize((side * _FINE, side * _FINE), Image.Resampling.NEAREST)
    return large.resize((side, side), Image.Resampling.BOX).convert("RGB")


def _blank() -> Sheet:
    """Pale green under waves of fine lines."""
    sheet = Sheet(WIDTH_MM, HEIGHT_MM, _GROUND)
    for wave in range(30):
        curve = [(x / 2, -16 + wave * 2.6 + 0.1 * x + 1.1 * math.sin(x / 11 + wave)) for x in range(173)]
        sheet.pen.line([(sheet.px(x), sheet.px(y)) for x, y in curve], _WAVES, 2, joint="curve")
    return sheet


def _contacts(sheet: Sheet) -> None:
    box = [sheet.px(mm) for mm in (6, 17.5, 18, 28)]
    sheet.pen.rounded_rectangle(box, sheet.px(1.2), (206, 178, 98), (132, 106, 44), 3)
    for y in (20.2, 22.8, 25.4):
        sheet.rule(6, y, 18, y, 0.2, (132, 106, 44))
    sheet.rule(12, 17.5, 12, 28, 0.2, (132, 106, 44))


def _zone_line(sheet: Sheet, x: float, y: float, line: str) -> None:
    """One line in OCR-B, its base line at `y`, each character in its own cell."""
    strip = Image.new("L", (sheet.px(WIDTH_MM) * _FINE, sheet.px(6) * _FINE))
    pen, font = ImageDraw.Draw(strip), _ocr_b()
    for column, letter in enumerate(line):
        at = (x + column * PITCH_MM) * DPI / 25.4 * _FINE
        pen.text((at, strip.height * 0.8), letter, 255, font, anchor="ls")
    small = strip.resize((strip.width // _FINE, strip.height // _FINE), Image.Resampling.BOX)
    sheet.image.paste((34, 36, 40), (0, round(sheet.px(y) - small.height * 0.8)), small)


@cache
def _ocr_b() -> ImageFont.FreeTypeFont:
    """OCR-B so large that its one width is the pitch; raises OSError without Debian's fonts-ocr-b."""
    width = ImageFont.truetype(OCR_B, 1000).getlength("0")
    return ImageFont.truetype(OCR_B, round(1000 * PITCH_MM / 25.4 * DPI * _FINE / width))
