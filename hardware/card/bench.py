"""The reader on the bench: `card read` and `card verify`. What a technician asks of a reader and a card."""

import argparse
import json
import sys
import time
from collections.abc import Container, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hardware.card.active import key_of_dg15, proves_key
from hardware.card.apdu import Channel
from hardware.card.checks import Check, undetermined
from hardware.card.chip_authentication import parse_dg14
from hardware.card.errors import BadData, CardError
from hardware.card.identity import citizen_of
from hardware.card.lds import SOD, data_group
from hardware.card.passive import Verdict, judge, load_anchors, parse_sod, proof_of_chip, unusable
from hardware.card.pcsc import Pcsc
from hardware.card.session import Reading, read_card
from kiosk.citizen import AccessKey, Citizen
from kiosk.health import Failure
from kiosk.i18n import remedy, title

SECONDS = 60.0
AA_CHALLENGE, AA_RESPONSE = "AA.challenge", "AA.response"
"""Evidence of Active Authentication beside the files."""
MAX_FILE = 65_536


def read_command(args: argparse.Namespace) -> int:
    """Read the card that lies on the reader and print what it says and what it cost; 0 if it could be read.

    `args`: `number`, `birth` and `expiry` (YYMMDD) as typed, `csca` folder or None, `reader` name, `dump` folder or
    None, `json`.
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
            reading = read_card(channel, [key], args.csca, _show_progress)
    except CardError as error:
        return _fail(error.failure, as_json=args.json)
    report = _report(reading) | {"seconds": round(time.monotonic() - started, 3)}
    if getattr(args, "dump", None) is not None:
        _dump(reading.citizen.evidence, args.dump)
    _show(report, as_json=args.json)
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
    listed: Container[int] = ()
    try:
        sod = parse_sod(files[SOD.name])
        verdict, listed = judge(sod, groups, load_anchors(args.csca), datetime.now(UTC)), sod.hashes
    except BadData as error:
        verdict = unusable(error)
    report = _judged(verdict, listed, groups, files) | {"seconds": round(time.monotonic() - started, 3)}
    _show(report, as_json=args.json)
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


def _judged(
    verdict: Verdict, listed: Container[int], groups: Mapping[int, bytes], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The report of files alone: no grade and holder without a data group."""
    from_files = undetermined("judged from files, there was no chip").as_json()
    protocols = {
        "bac": from_files,
        "pace": from_files,
        "pa": verdict.passive.overall().as_json(),
        "ca": proof_of_chip(verdict.passive, listed, 14, proved=None).as_json(),
        "aa": _active(verdict, listed, groups, files).as_json(),
    }
    return {
        "grade": verdict.grade.value if groups else None,
        "problems": list(verdict.problems),
        "protocols": protocols,
        "passive": verdict.passive.as_json(),
        "holder": _holder_of(groups, verdict),
        "apdus": 0,
        "bytes": sum(map(len, files.values())),
    }


def _active(verdict: Verdict, listed: Container[int], groups: Mapping[int, bytes], files: Mapping[str, bytes]) -> Check:
    """Active Authentication judged again from its challenge and response."""
    challenged, response = files.get(AA_CHALLENGE), files.get(AA_RESPONSE)
    if 15 not in groups or challenged is None or response is None:
        return proof_of_chip(verdict.passive, listed, 15, proved=None)
    try:
        algorithm = parse_dg14(groups[14]).active_authentication if 14 in groups else None
        proved = proves_key(key_of_dg15(groups[15]), challenged, response, algorithm)
    except BadData as error:
        return undetermined(error.failure.detail)
    return proof_of_chip(verdict.passive, listed, 15, proved=proved)


def _holder_of(groups: Mapping[int, bytes], verdict: Verdict) -> dict[str, Any] | None:
    try:
        return _holder(citizen_of(groups, verdict.grade, {}))
    except BadData:
        return None


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(report, ensure_ascii=False) if as_json else _lines(report))


def _show_progress(share: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if share == 1.0 else ""
        print(f"\r{share:4.0%}", end=end, file=sys.stderr, flush=True)


def _report(reading: Reading) -> dict[str, Any]:
    citizen = reading.citizen
    return {
        "grade": citizen.grade.value,
        "problems": list(reading.verdict.problems),
        "protocols": {name: check.as_json() for name, check in _protocols(reading).items()},
        "passive": reading.verdict.passive.as_json(),
        "holder": _holder(citizen),
        "portrait_bytes": len(citizen.portrait),
        "files": {name: len(content) for name, content in citizen.evidence.items()},
        "apdus": reading.apdus,
        "bytes": reading.bytes,
    }


def _protocols(reading: Reading) -> dict[str, Check]:
    passive, files = reading.verdict.passive, reading.citizen.evidence
    listed = [number for number in (14, 15) if data_group(number).name in files]
    return {
        "bac": reading.access.bac,
        "pace": reading.access.pace,
        "pa": passive.overall(),
        "ca": proof_of_chip(passive, listed, 14, proved=None),
        "aa": proof_of_chip(passive, listed, 15, proved=None),
    }


def _holder(citizen: Citizen) -> dict[str, Any]:
    return {
        "personal_id": citizen.personal_id,
        "full_name": citizen.full_name,
        "birth": citizen.birth.isoformat() if citizen.birth else None,
        "sex": citizen.sex,
        "address": citizen.address,
    }


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


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) in (9, 12)):
        raise ValueError("--number: allowed are 12 digits, or the last 9")
    return text


def _yymmdd(text: str) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007  # a day, not a moment
    except ValueError:
        raise ValueError("--birth, --expiry: allowed is a date as YYMMDD (no expiry: 991231)") from None
