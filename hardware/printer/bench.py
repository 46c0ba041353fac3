"""Bench tool of the printer: print a slip that shows at a glance whether everything on paper is right."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

from hardware.printer.printer import EscposPrinter
from kiosk.clock import shown
from kiosk.config import PrinterSettings
from kiosk.health import Failure, Status
from kiosk.slips import Banner, Line, Pair, Qr, Rule, Size, Slip

LETTERS = "aàảãáạ ăằẳẵắặ âầẩẫấậ đ eèẻẽéẹ êềểễếệ iìỉĩíị oòỏõóọ ôồổỗốộ ơờởỡớợ uùủũúụ ưừửữứự yỳỷỹýỵ"


def test_slip(settings: PrinterSettings, moment: datetime) -> Slip:
    """Every kind of element, every Vietnamese letter, and what the printer is set to."""
    return Slip(
        "test",
        (
            Line("PHIẾU IN THỬ", Size.LARGE, bold=True),
            Line("Test slip", Size.SMALL),
            Rule(),
            Line("A-168", Size.HUGE, bold=True),
            Banner("KHÔNG CÓ GIÁ TRỊ SỬ DỤNG"),
            Line(LETTERS),
            Line(LETTERS.upper(), bold=True),
            Rule(),
            Pair("Thời gian / Time", shown(moment)),
            Pair("Máy in / Printer", settings.address),
            Pair("Khổ in / Width", f"{settings.dots} điểm / dots"),
            Qr("https://dichvucong.gov.vn"),
            Line("Mép trái và mép phải của khung đen phải thấy rõ", Size.SMALL),
            Line("Both ends of the black bar must be visible", Size.SMALL),
        ),
    )


async def print_test(settings: PrinterSettings) -> tuple[Failure | None, Status]:
    """Print the test slip; why it failed, and the printer's state afterwards."""
    async with EscposPrinter(settings) as printer:
        return await printer.print(test_slip(settings, datetime.now(UTC))), printer.status


def print_command(settings: PrinterSettings, options: argparse.Namespace) -> int:
    """`print`: 0 if the slip is out; with `options.json` the result is one JSON object."""
    failure, status = asyncio.run(print_test(settings))
    if options.json:
        print(json.dumps({"printed": failure is None, **status.as_json()}, ensure_ascii=False))
    elif failure is None:
        print(f"The test slip is out ({settings.address}, {settings.dots} dots).")
    else:
        print(f"Not printed: {failure.reason.value} {failure.detail}\n{status.remedy.vi}\n{status.remedy.en}")
    return 0 if failure is None else 1
