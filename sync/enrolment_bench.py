"""`enrol …`: the kiosk technician's commands: a request goes out, an answer comes in. They print nothing secret."""

import argparse
import json
from collections.abc import Callable

from kiosk.config import Settings
from sync import authority, enrolment, identity, key_files, key_list, signed


def request_command(settings: Settings, options: argparse.Namespace) -> int:
    """`enrol request FILE`: new keys wait beside those in use; the request for them in FILE."""
    text = enrolment.request(settings.kiosk.id, settings.office)
    key_files.write_new(options.file, text)
    print(f"{options.file}: request of kiosk {settings.kiosk.id}; take it to the province")
    print(f"fingerprint of the request: {signed.digest(text)}")
    return 0


def accept_command(settings: Settings, options: argparse.Namespace) -> int:
    """`enrol accept FILE`: check the province's answer and put certificate and keys in place."""
    answer = options.file.read_bytes()
    certificate = enrolment.accept(answer, settings.kiosk.id, settings.office, options.fingerprint)
    print(f"certificate until {certificate.not_valid_after_utc:%Y-%m-%d}: {authority.fingerprint(certificate)}")
    print(f"list of keys: number {key_list.number(settings.office)}")
    print("the forwarder uses them at once; start the application anew at a quiet moment")
    return 0


def keys_command(settings: Settings, options: argparse.Namespace) -> int:
    """`enrol keys FILE`: take a newer list of keys that came by stick."""
    taken = key_list.take(options.file.read_bytes(), settings.office)
    held = key_list.number(settings.office)
    print(f"list of keys: number {held} {'taken' if taken else 'is as new or newer; nothing was changed'}")
    return 0


def show_command(settings: Settings, options: argparse.Namespace) -> int:
    """`enrol show`: what is in place."""
    office = settings.office
    certificate, key = identity.pair(office)
    [own, *_] = authority.certificates(certificate, "this kiosk's certificate")
    document = {
        "kiosk": settings.kiosk.id,
        "certificate": authority.fingerprint(own),
        "key_file": str(key),
        "days_left": round(identity.days_left(office), 1),
        "authorities": [authority.fingerprint(one) for one in authority.certificates(office.ca, "the authorities")],
        "key_list": key_list.number(office),
        "request_open": key_files.waiting(office.signing_key_file).exists(),
    }
    lines = [f"{name}: {value}" for name, value in document.items()]
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines))
    return 0


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "request": request_command,
    "accept": accept_command,
    "keys": keys_command,
    "show": show_command,
}
