"""The commands beside the server: `serve queue token|devices|admin|import-settings|export-settings|webhook|voice-pack`.

They work on the configured database whether the server runs or not; it follows without a restart.
"""

import argparse
import contextlib
import getpass
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk.clock import SystemClock
from kiosk.config import ConfigError, QueueServerSettings
from kiosk_queue.api import devices, webhooks
from kiosk_queue.floor import Desk, Refused, add_centre, change_settings
from kiosk_queue.hall import voice
from kiosk_queue.model import Centre, SettingsError, from_json
from kiosk_queue.server import open_site_store
from kiosk_queue.staff import accounts
from kiosk_queue.storage.store import Row, Store, Tx

ACTOR = "command-line"
"""Who changed the settings, in the events."""


def token(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Print a device's new token, once; or revoke the one it has."""
    with _opened(settings, options) as (store, centre):
        if options.revoke:
            devices.revoke_device(store, centre, options.device)
            print(f"revoked: {options.device}", file=sys.stderr)
            return 0
        if options.role is None:
            raise ConfigError(f"--role is missing; allowed: {', '.join(devices.ROLES)}")
        print(devices.add_device(store, centre, options.device, options.role))
    return 0


def list_devices(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Print every device that has a token."""
    with _opened(settings, options) as (store, centre):
        for row in store.read(lambda tx: devices.list_devices(tx, centre)).result():
            state = f"revoked {row['revoked_at']}" if row["revoked_at"] else "valid"
            print(f"{row['name']}\t{row['role']}\tsince {row['since']}\t{state}")
    return 0


def admin(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """The first administrator; the password is asked for, or read from standard input."""
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    with _opened(settings, options) as (store, centre):
        accounts.add_first_administrator(store, centre, options.name, password)
    print(f"administrator: {options.name}", file=sys.stderr)
    return 0


def export_settings(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Print a centre's settings as JSON, for `import_settings`."""
    with _opened(settings, options) as (store, centre):
        row = _row(store, centre)
        if row is None:
            raise ConfigError(f"centre {centre} is not in the database")
        print(json.dumps(json.loads(row["settings"]), ensure_ascii=False, indent=2))
    return 0


def import_settings(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Take over settings from a file; a centre that is not there yet is added."""
    wanted = _read(options.file)
    with _opened(settings, options) as (store, _):
        row = _row(store, wanted.id)
        if row is None:
            add_centre(store, wanted)
            print(f"added: centre {wanted.id}", file=sys.stderr)
            return 0
        desk, version = Desk(store, SystemClock()), row["version"]
        answer = desk.do(wanted.id, lambda floor: change_settings(floor, wanted, ACTOR, version)).result()
    print(f"changed: centre {wanted.id}, version {answer['version']}", file=sys.stderr)
    return 0


def add_webhook(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Print the secret of a new webhook, once."""
    with _opened(settings, options) as (store, centre):
        webhook = webhooks.add_webhook(store, centre, options.url, options.kind)
    print(f"added: {webhook.id} from event {webhook.sent + 1}", file=sys.stderr)
    print(webhook.secret)
    return 0


def list_webhooks(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Print where events go and how far each address is behind."""
    with _opened(settings, options) as (store, centre):
        for row in store.read(lambda tx: webhooks.list_webhooks(tx, centre)).result():
            kinds = row["kinds"] or "all"
            print(f"{row['id']}\t{row['url']}\t{kinds}\tbehind {row['behind']}\tfailures {row['failures']}")
    return 0


def remove_webhook(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Send nothing more to an address."""
    with _opened(settings, options) as (store, centre):
        webhooks.remove_webhook(store, centre, options.url)
    return 0


def voice_pack(settings: QueueServerSettings, options: argparse.Namespace) -> int:
    """Make the clips of the hall's voice that are not there yet."""
    for language in (options.language,) if options.language else tuple(voice.TEXTS):
        speaker = settings.voice if language == "vi" else language
        made = voice.make_pack(settings.voice_folder, language, speaker, force=options.force)
        print(f"{language}: {made} clips made in {settings.voice_folder / language}", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _opened(settings: QueueServerSettings, options: argparse.Namespace) -> Iterator[tuple[Store, str]]:
    """The store and the centre that is meant; what the queue refuses is a line for the person at the keyboard."""
    store = open_site_store(settings)
    try:
        yield store, options.centre or settings.centre
    except Refused as error:
        raise ConfigError(error.text) from None
    finally:
        store.close()


def _row(store: Store, centre: str) -> Row | None:
    def job(tx: Tx) -> Row | None:
        return tx.one("SELECT settings, version FROM centre WHERE id = :centre", centre=centre)

    return store.read(job).result()


def _read(path: Path) -> Centre:
    try:
        return from_json(path.read_text("utf-8"))
    except SettingsError as error:
        raise ConfigError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not text") from None
