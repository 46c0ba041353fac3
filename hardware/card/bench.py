"""The reader on the bench: `card read` and `card verify`. What a technician asks of a reader and a card."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hardware.card.access import Key
from hardware.card.apdu import Channel
from hardware.card.authenticity import Authenticity, ChipAnswers, examine_document
from hardware.card.bac import PrintedKey
from hardware.card.errors import BadData, CardError
from hardware.card.identity import Holder, holder_of
from hardware.card.lds import SOD, data_group
from hardware.card.mrz import parse_mrz
from hardware.card.pace import Password
from hardware.card.passive import SecurityObject, parse_sod
from hardware.card.pcsc import Pcsc
from hardware.card.session import AA_CHALLENGE, AA_RESPONSE, Reading, read_card
from hardware.card.trust import load_anchors
from kiosk.citizen import AccessKey
from kiosk.health import Failure
from kiosk.i18n import remedy, title

SECONDS = 60.0
SHOWN = (
    "document_code", "issuer", "document_number", "personal_id", "full_name", "birth", "sex", "nationality", "expiry",
    "issued", "origin", "address",
)  # fmt: skip
MAX_FILE = 65_536


def read_command(args: argparse.Namespace) -> int:
    """Read the card that lies on the reader and print what it says and what it cost; 0 if it could be read.

    `args`: the key (`mrz` lines, or `number`, `birth` and `expiry` as YYMMDD, or `can`), `csca` folder or None,
    `reader` name, `dump` folder or None, `json`.
    """
    try:
        key = _key(args)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with Pcsc() as pcsc, pcsc.card(pcsc.reader(args.reader)) as card:
            deadline = time.monotonic() + SECONDS
            channel = Channel(card.transmit, deadline, reset=card.reset, atr=card.atr, largest=card.largest_apdu)
            reading = read_card(channel, [key], load_anchors(args.csca), _show_progress)
    except CardError as error:
        return _fail(error.failure, as_json=args.json)
    if args.dump is not None:
        _dump(reading.evidence, args.dump)
    _show(_report(reading), as_json=args.json)
    return 0


def verify_command(args: argparse.Namespace) -> int:
    """Judge the files of a card without the card; 0 if nothing is wrong with them, 1 if something is, 2 if unusable.

    `args`: `folder` with EF.SOD and the EF.DGn.bin there are, as `card read --dump` writes them, `csca` folder or
    None, `json`.
    """
    started = time.monotonic()
    files = _files(args.folder)
    if SOD.name not in files:
        print(f"{args.folder}: there is no {SOD.name} in it", file=sys.stderr)
        return 2
    groups = {n: raw for n in range(1, 17) if (raw := files.get(data_group(n).name)) is not None}
    answers = ChipAnswers(None, files.get(AA_CHALLENGE, b""), files.get(AA_RESPONSE, b""))
    try:
        sod: SecurityObject | BadData = parse_sod(files[SOD.name])
    except BadData as error:
        sod = error
    found = examine_document(sod, groups, answers, load_anchors(args.csca), datetime.now(UTC))
    report = _judged(found, _holder_of(groups), sum(map(len, files.values())), started)
    _show(report | {"grade": report["grade"] if groups else None}, as_json=args.json)
    checks = [*report["protocols"].values(), *report["passive"].values()]
    return 1 if any(check["status"] == "failed" for check in checks) else 0


def _files(folder: Path) -> dict[str, bytes]:
    """What of a card lies in a folder, by the names of its files; `.bin` at the end or not."""
    names = [SOD.name, *(data_group(n).name for n in range(1, 17)), AA_CHALLENGE, AA_RESPONSE]
    found = {}
    for name in names:
        for path in (folder / name, folder / f"{name}.bin"):
            if path.is_file():
                with path.open("rb") as file:
                    found[name] = file.read(MAX_FILE)
    return found


def _dump(evidence: Mapping[str, bytes], folder: Path) -> None:
    """The raw files, for nobody else to read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in evidence.items():
        path = folder / (name if name == SOD.name else f"{name}.bin")
        path.touch(mode=0o600)
        path.write_bytes(content)


def _judged(found: Authenticity, holder: Holder | None, size: int, started: float) -> dict[str, Any]:
    """What reads and files alone have in common."""
    return {
        "grade": found.grade.value,
        "problems": list(found.problems),
        "protocols": found.protocols.as_json(),
        "passive": found.passive.as_json(),
        "holder": None if holder is None else _holder(holder),
        "apdus": 0,
        "bytes": size,
        "seconds": round(time.monotonic() - started, 3),
    }


def _holder_of(groups: Mapping[int, bytes]) -> Holder | None:
    try:
        return holder_of(groups)
    except BadData:
        return None


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(report, ensure_ascii=False) if as_json else _lines(report))


def _show_progress(share: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if share == 1.0 else ""
        print(f"\r{share:4.0%}", end=end, file=sys.stderr, flush=True)


def _report(reading: Reading) -> dict[str, Any]:
    report = _judged(reading.authenticity, reading.holder, reading.traffic, 0.0)
    return report | {
        "problems": list(reading.problems),
        "portrait_bytes": len(reading.portrait),
        "files": {name: len(content) for name, content in reading.evidence.items()},
        "apdus": reading.apdus,
        "seconds": round(reading.seconds, 3),
    }


def _holder(holder: Holder) -> dict[str, Any]:
    """What is on the card, but for the sensitive: dates as ISO 8601."""
    values = ((name, getattr(holder, name)) for name in SHOWN)
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values}


def _lines(report: dict[str, Any]) -> str:
    rows = []
    for name, value in report.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        rows += [f"{f'{name} {part}'.strip():<24}{_plain(content)}" for part, content in pairs]
    return "\n".join(rows)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(str(part) for part in value.values() if part)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fail(failure: Failure, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": failure.reason.value, "detail": failure.detail}))
    else:
        said, do = title(failure.reason).en, remedy(failure.reason).en
        print(f"motcua: {said} [{failure.reason.value}] {failure.detail}: {do}", file=sys.stderr)
    return 1


def _key(args: argparse.Namespace) -> Key:
    """The one key given; ValueError tells what is allowed."""
    typed = (args.number, args.birth, args.expiry)
    if sum((args.mrz is not None, args.can is not None, any(typed))) != 1:
        raise ValueError("allowed is one key: --mrz LINES, or --number, --birth and --expiry, or --can NNNNNN")
    if args.mrz is not None:
        return _printed("\n".join(args.mrz).upper())
    if args.can is not None:
        return Password.from_can(_digits(args.can, "--can", 6))
    if not all(typed):
        raise ValueError("--number, --birth, --expiry: allowed are all three together")
    return AccessKey(_digits(args.number, "--number", 12, 9), _yymmdd(args.birth), _yymmdd(args.expiry))


def _printed(lines: str) -> PrintedKey:
    try:
        zone = parse_mrz(lines)
    except BadData as error:
        raise ValueError(f"--mrz: {error.failure.detail}; allowed: the zone's two or three lines") from None
    return PrintedKey(zone.document_number, zone.birth, zone.expiry)


def _digits(text: str, option: str, *lengths: int) -> str:
    if not (text.isascii() and text.isdigit() and len(text) in lengths):
        raise ValueError(f"{option}: allowed are {' or '.join(map(str, lengths))} digits")
    return text


def _yymmdd(text: str) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007  # a day, not a moment
    except ValueError:
        raise ValueError("--birth, --expiry: allowed is a date as YYMMDD (no expiry: 991231)") from None
