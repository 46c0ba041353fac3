"""`receiver …`: the province's commands over authority, keys and the register of kiosks."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kiosk.config import ConfigError, ReceiverSettings
from sync import authority, enrolment, key_files, key_list
from sync.enrolment import EnrolmentError, Request
from sync.envelope import key_id
from sync.receiver import breach, kiosks, rotation
from sync.receiver.database import Conflict, Database, DatabaseFault, open_database


@contextmanager
def _register(settings: ReceiverSettings) -> Iterator[Database]:
    database = open_database(settings)
    try:
        yield database
    except (DatabaseFault, Conflict) as error:
        raise ConfigError(f"the register of kiosks did not take it: {error}") from None
    finally:
        database.close()


def authority_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver authority`: make the authority, or one more beside it; and the receiver's keys if they lack."""
    made = rotation.new_authority(settings, options.name)
    print(f"{settings.authority_key_file}: the authority's key; needed for enrolment only, keep it off the receiver")
    print(f"fingerprint: {authority.fingerprint(made.certificate)}")
    if options.host:
        rotation.new_server_certificate(settings, options.host, oldest=True)
    if settings.recovery_key.exists():
        print(f"list of keys: number {key_list.publish(settings).number}")
    else:
        print(f"{settings.recovery_key} is missing: put the recovery key's public part there, then: receiver keys")
    return 0


def enrol_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver enrol REQUEST --out ANSWER`: check, show, register, and write the answer; 1 if not confirmed."""
    asked = enrolment.read_request(options.request.read_bytes())
    authorities = authority.load(settings)
    keys = key_list.publish(settings)
    if options.out.exists():
        raise ConfigError(f"{options.out}: is there already; name another file")
    with _register(settings) as database:
        known = [one for one in kiosks.listed(database) if one.id == asked.kiosk]
        vouched = asked.endorsed_by in [key.public_bytes_raw() for key in kiosks.signing_keys(database, asked.kiosk)]
        print("\n".join(_shown(asked, bool(known), vouched)))
        if known and not vouched and not options.new_machine:
            raise EnrolmentError(
                f"kiosk {asked.kiosk} is enrolled, and its present key does not vouch for this request; if the machine "
                "was replaced or has lost its keys, revoke the old ones and repeat with --new-machine"
            )
        if not options.yes:
            print("compare the fingerprint with the one shown at the kiosk, then repeat with --yes")
            return 1
        certificate = authorities[-1].issue(asked.tls_key, asked.kiosk)
        kiosks.enrol(database, asked.kiosk, asked.signing_key.public_bytes_raw(), certificate)
    answer = enrolment.answer(authorities[0], asked, certificate, settings.key_list.read_bytes())
    key_files.write_new(options.out, answer)
    print(f"{options.out}: certificate until {certificate.not_valid_after_utc:%Y-%m-%d}, list of keys {keys.number}")
    return 0


def _shown(asked: Request, known: bool, vouched: bool) -> list[str]:
    rotation_of = "its present signing key vouches for it" if vouched else "NOT vouched for by its present signing key"
    return [
        f"kiosk: {asked.kiosk} ({f'enrolled before; {rotation_of}' if known else 'new'})",
        f"fingerprint of the request: {asked.sha256}",
        f"signing key: {asked.signing_key.public_bytes_raw().hex()}",
    ]


def revoke_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver revoke KIOSK`: one certificate or signing key, else all of them; 1 if there was nothing to revoke."""
    certificate, key = (_digits(text) for text in (options.certificate, options.signing_key))
    with _register(settings) as database:
        done = kiosks.revoke(database, options.kiosk, options.why, certificate, key)
        said = breach.package(database, options.kiosk)
    _print(options, {"revoked": done, **said}, lambda _: [f"revoked: {done}", *_breach_lines(said)])
    return 0 if done else 1


def retire_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver retire KIOSK`: everything revoked for good; what it may still hold is printed."""
    with _register(settings) as database:
        kiosks.retire(database, options.kiosk, options.why)
        said = breach.package(database, options.kiosk)
    _print(options, said, _breach_lines)
    return 0


def _breach_lines(said: dict[str, Any]) -> list[str]:
    pending = ", ".join(f"{a}–{b}" if a < b else f"{a}" for a, b in said["pending_sequences"]) or "none known"
    return [
        f"kiosk: {said['kiosk']}, last contact {said['last_contact'] or 'never'}",
        f"dossiers: {said['first_sequence']} to {said['last_sequence']}; received {said['received']}",
        f"not received: {said['pending']} ({pending}), of them announced: {said['announced_only']}",
        f"sealed to the keys: {', '.join(said['sealed_to']) or 'none known'}",
    ]


def kiosks_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver kiosks`: every kiosk with the days its certificate has left."""
    now = datetime.now(UTC)
    with _register(settings) as database:
        known = kiosks.listed(database)
    document = [
        {
            "id": one.id,
            "enrolled_at": one.enrolled_at,
            "retired_at": one.retired_at,
            "last_contact": one.last_contact,
            "days_left": None if one.days_left(now) is None else round(one.days_left(now) or 0.0, 1),
            "certificates": [dict(row) for row in one.certificates],
            "signing_keys": [{**row, "public": bytes(row["public"]).hex()} for row in one.signing_keys],
        }
        for one in known
    ]
    _print(options, document, _kiosk_lines)
    return 0


def _kiosk_lines(document: list[dict[str, Any]]) -> list[str]:
    def state(row: dict[str, Any]) -> str:
        if row["retired_at"]:
            return f"retired {row['retired_at']}"
        return "no certificate" if row["days_left"] is None else f"{row['days_left']:.0f} days left"

    return [f"{row['id']:20} {state(row):30} last contact {row['last_contact'] or 'never'}" for row in document]


def keys_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver keys`: publish the list of the keys as they lie here; nothing is written if nothing has changed."""
    _say_list(settings, options, key_list.publish(settings))
    return 0


def rotate_command(settings: ReceiverSettings, options: argparse.Namespace) -> int:
    """`receiver rotate opening|receipt|server`: replace one key with overlap, and publish the list."""
    if options.key == "server":
        rotation.new_server_certificate(settings, options.host, oldest=not options.newest)
        print(f"{settings.certificate}: used from the receiver's next start")
        return 0
    rotate = rotation.new_opening_key if options.key == "opening" else rotation.new_receipt_key
    _say_list(settings, options, rotate(settings))
    return 0


def _say_list(settings: ReceiverSettings, options: argparse.Namespace, keys: key_list.KeyList) -> None:
    document = {
        "file": str(settings.key_list),
        "number": keys.number,
        "authorities": [authority.fingerprint(one) for one in keys.authorities],
        "opening": key_id(keys.opening),
        "recovery": key_id(keys.recovery),
        "receipts": [key.public_bytes_raw().hex() for key in keys.receipts],
    }
    _print(options, document, lambda said: [f"{name}: {value}" for name, value in said.items()])


def _digits(text: str) -> str:
    wanted = "".join(text.split()).replace(":", "").lower()
    if wanted and len(wanted) < 8:
        raise ConfigError(f"{text}: give at least 8 digits of the fingerprint")
    return wanted


def _print(options: argparse.Namespace, document: Any, lines: Callable[[Any], list[str]]) -> None:
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines(document)))


COMMANDS: dict[str, Callable[[ReceiverSettings, argparse.Namespace], int]] = {
    "authority": authority_command,
    "enrol": enrol_command,
    "revoke": revoke_command,
    "retire": retire_command,
    "kiosks": kiosks_command,
    "keys": keys_command,
    "rotate": rotate_command,
}
