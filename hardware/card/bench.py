"""The reader on the bench: `card read`. Everything a technician asks of a reader and a card, in one command."""

import argparse
import json
import sys
import time
from datetime import date, datetime
from typing import Any

from hardware.card.apdu import Channel
from hardware.card.errors import CardError
from hardware.card.pcsc import Pcsc
from hardware.card.session import Reading, read_card
from kiosk.citizen import AccessKey
from kiosk.health import Failure
from kiosk.i18n import remedy, title

SECONDS = 60.0


def read_command(args: argparse.Namespace) -> int:
    """Read the card that lies on the reader and print what it says and what it cost; 0 if it could be read.

    `args`: `number`, `birth` and `expiry` (YYMMDD) as typed, `csca` folder or None, `reader` name, `json`.
    """
    try:
        key = AccessKey(_number(args.number), _yymmdd(args.birth), _yymmdd(args.expiry))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        with Pcsc() as pcsc, pcsc.card(pcsc.reader(args.reader)) as card:
            channel = Channel(card.transmit, started + SECONDS)
            report = _report(read_card(channel, [key], args.csca, _show_progress))
    except CardError as error:
        return _fail(error.failure, as_json=args.json)
    report["seconds"] = round(time.monotonic() - started, 3)
    print(json.dumps(report, ensure_ascii=False) if args.json else _lines(report))
    return 0


def _show_progress(share: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if share == 1.0 else ""
        print(f"\r{share:4.0%}", end=end, file=sys.stderr, flush=True)


def _report(reading: Reading) -> dict[str, Any]:
    citizen = reading.citizen
    return {
        "grade": citizen.grade.value,
        "problems": list(reading.verdict.problems),
        "holder": {
            "personal_id": citizen.personal_id,
            "full_name": citizen.full_name,
            "birth": citizen.birth.isoformat() if citizen.birth else None,
            "sex": citizen.sex,
            "address": citizen.address,
        },
        "portrait_bytes": len(citizen.portrait),
        "files": {name: len(content) for name, content in citizen.evidence.items()},
        "apdus": reading.apdus,
        "bytes": reading.bytes,
    }


def _lines(report: dict[str, Any]) -> str:
    rows = []
    for name, value in report.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        rows += [f"{f'{name} {part}'.strip():<24}{_plain(content)}" for part, content in pairs]
    return "\n".join(rows)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fail(failure: Failure, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": failure.reason.value, "detail": failure.detail}))
    else:
        said, do = title(failure.reason).en, remedy(failure.reason).en
        print(f"motcua: {said} [{failure.reason.value}] {failure.detail}: {do}", file=sys.stderr)
    return 1


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) in (9, 12)):
        raise ValueError("--number: allowed are 12 digits, or the last 9")
    return text


def _yymmdd(text: str) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007  # a day, not a moment
    except ValueError:
        raise ValueError("--birth, --expiry: allowed is a date as YYMMDD (no expiry: 991231)") from None
