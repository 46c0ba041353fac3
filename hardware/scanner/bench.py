"""Bench tool of the scanner: show what it reads."""

import argparse
import asyncio
import json

from hardware.scanner.scanner import SerialScanner
from kiosk.config import ScannerSettings
from kiosk.health import Status


async def scan_codes(settings: ScannerSettings, count: int = 1, seconds: float = 30.0) -> tuple[list[str], Status]:
    """Up to `count` codes scanned within `seconds`, and the scanner's state afterwards."""
    codes: list[str] = []
    async with SerialScanner(settings) as scanner:
        try:
            async with asyncio.timeout(seconds):
                while len(codes) < count:
                    codes.append(await scanner.next_code())
        except TimeoutError:
            pass
        return codes, scanner.status


def scan_codes_command(settings: ScannerSettings, options: argparse.Namespace) -> int:
    """`codes`: 0 if a code came; with `options.json` the result is one JSON object."""
    codes, status = asyncio.run(scan_codes(settings))
    if options.json:
        print(json.dumps({"codes": codes, **status.as_json()}, ensure_ascii=False))
    elif codes:
        print(*codes, sep="\n")
    else:
        print(f"No code: {status.reason.value} {status.detail}\n{status.remedy.vi}\n{status.remedy.en}")
    return 0 if codes else 1
