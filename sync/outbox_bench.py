"""`outbox …`: the technician's commands over a kiosk's outbox. What they print holds nothing personal."""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kiosk.config import ConfigError, Settings
from sync import key_files, parcels, signed, stick
from sync.inspection import inspect
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import State

MB = 1_000_000


def _open(settings: Settings, *, there: bool = True) -> Outbox:
    folder = settings.kiosk.state / "outbox"
    if there and not folder.is_dir():
        raise ConfigError(f"{folder}: there is no outbox; correct kiosk.state, or name another file with --config")
    key = signed.signing_key(settings.office.signing_key_file, "this kiosk's signing key")
    return Outbox(folder, key, settings.outbox.ballast_mb * MB)


def list_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox list`: how many in each state, the undelivered ones, and the room that is left."""
    with closing(_open(settings)) as outbox:
        rows, room, road = outbox.records(), outbox.room(), outbox.road()
    waiting = [row for row in rows if row["receipt"] is None]
    columns = ("sequence", "submission", "provisional_ref", "sealed_at", "state", "problem")
    document = {
        "states": {state.value: count for state, count in Counter(State(row["state"]) for row in rows).items()},
        "undelivered": [{name: row[name] for name in columns} for row in waiting],
        "purged": sum(row["purged"] for row in rows),
        "room": {**asdict(room), "days": round(room.days(settings.outbox.daily_mb * MB), 1)},
        "receiver": {
            "heard_seconds_ago": None if road.heard is None else round(time.monotonic() - road.heard, 1),
            "problem": road.problem,
        },
    }
    _print(options, document, _listed)
    return 0


def _listed(document: dict[str, Any]) -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in document["states"].items()) or "empty"
    rows = [
        f"{row['sequence']:6} {row['submission']} {row['provisional_ref']:14} {row['sealed_at']} {row['state']}"
        + (f": {row['problem']}" if row["problem"] else "")
        for row in document["undelivered"]
    ]
    room = document["room"]
    return [*rows, states, f"room: {room['bytes'] // MB} MB, {room['days']} days"]


def _own_keys(path: Path) -> signed.Verifier:
    """Of this kiosk: the present signing key and those it had before."""
    present = signed.signing_key(path, "this kiosk's signing key").public_key()
    kept = key_files.earlier(path.with_suffix(".pub"))
    return signed.AnyOf([present, *(signed.verifying_key(old, "an earlier key of this kiosk") for old in kept)])


def verify_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox verify`: everything against everything; 1 if something is wrong."""
    receipt_key = signed.verifying_key(settings.office.receipt_key, "the key of the receiver's receipts")
    with closing(_open(settings)) as outbox:
        report = inspect(outbox, _own_keys(settings.office.signing_key_file), receipt_key)
    _print(options, asdict(report), _verified)
    return 1 if report.problems else 0


def _verified(report: dict[str, Any]) -> list[str]:
    alone = report["single_recipient"]
    return [
        *report["problems"],
        *([f"{alone} envelopes can be opened by the receiver's key only (no recovery key)"] if alone else []),
        f"submissions: {report['submissions']}, envelopes read: {report['envelopes']}",
        f"problems: {len(report['problems'])}",
    ]


def rebuild_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox rebuild`: a new index from the envelopes; 1 if one is missing. The application must be stopped."""
    receipt_key = signed.verifying_key(settings.office.receipt_key, "the key of the receiver's receipts")
    with closing(_open(settings)) as outbox:
        done = outbox.take_over(receipt_key) or outbox.rebuild(receipt_key)
    lost = ", ".join(map(str, done.lost)) or "none"
    _print(options, asdict(done), lambda _: [f"{done.found} found, {done.delivered} with a receipt; missing: {lost}"])
    return 1 if done.lost else 0


def export_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox export DIR`: copies of everything undelivered, read back; 1 if one could not be copied."""
    with closing(_open(settings)) as outbox:
        done = list(stick.export(outbox, options.folder))
    document = {
        "folder": str(options.folder),
        "exported": [copied.entry.submission for copied in done if not copied.problem],
        "failed": {copied.entry.submission: copied.problem for copied in done if copied.problem},
    }
    _print(options, document, _exported)
    return 1 if document["failed"] else 0


def _exported(document: dict[str, Any]) -> list[str]:
    failed = [f"{name}: not copied: {problem}" for name, problem in document["failed"].items()]
    return [*failed, f"{document['folder']}: {len(document['exported'])} envelopes, read back and true"]


def release_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox release ID`: a quarantined one is sent again."""
    with closing(_open(settings)) as outbox:
        try:
            entry = outbox.release(options.id)
        except KeyError:
            raise ConfigError(f"{options.id}: no quarantined submission has this id or reference") from None
    said = {"released": entry.submission, "sequence": entry.sequence}
    _print(options, said, lambda _: [f"{entry.submission} (sequence {entry.sequence}) is sent again"])
    return 0


def submit_command(settings: Settings, options: argparse.Namespace) -> int:
    """`outbox submit FILE…`: seal and store dossiers given as JSON and files. The application must be stopped."""
    sealer = Sealer.of(settings.office, settings.kiosk)
    source = parcels.load(options.files, settings.kiosk.support_place)
    stored: list[str] = []
    with closing(_open(settings, there=False)) as outbox:
        outbox.take_over(signed.verifying_key(settings.office.receipt_key, "the key of the receiver's receipts"))
        for _ in range(options.copies):
            parcel = source()
            failure = outbox.put_parcel(parcel, sealer)
            if failure is not None:
                raise ConfigError(f"not stored: {failure.reason.value} {failure.detail} ({len(stored)} stored before)")
            stored.append(parcel.provisional_ref)
    _print(options, {"stored": stored}, lambda _: stored)
    return 0


def _print(options: argparse.Namespace, document: dict[str, Any], lines: Callable[[dict[str, Any]], list[str]]) -> None:
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines(document)))


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "list": list_command,
    "verify": verify_command,
    "rebuild": rebuild_command,
    "export": export_command,
    "release": release_command,
    "submit": submit_command,
}
