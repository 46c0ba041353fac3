"""Opening envelopes with the offline recovery key, at the province: when the receiver's key is lost or destroyed.

Never on a kiosk: there the key could be stolen together with what it opens.
"""

import argparse
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.config import ConfigError, load
from sync import keys, signed, stick
from sync.envelope import EnvelopeError, Opened, key_id, open_envelope, read_manifest

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}){0,3}")


@dataclass(frozen=True, slots=True)
class Recovered:
    """One envelope: its submission (or where it lay), the folder it went to, or why it could not be opened."""

    name: str
    folder: str
    signature: str
    """`kiosk`: signed by an enrolled kiosk; `unchecked`: its key was not given."""
    problem: str

    def as_json(self) -> dict[str, str]:
        """The shape of `--json`."""
        return {"name": self.name, "folder": self.folder, "signature": self.signature, "problem": self.problem}


def recover_command(options: argparse.Namespace) -> int:
    """`recover`: make a recovery key, or open envelopes with it; 1 if one of them did not open."""
    if options.new_key is not None:
        public = keys.create_recovery(options.new_key)
        print(f"{options.new_key}: keep it offline; key id {key_id(public)}")
        print(f"{options.new_key.with_suffix('.pub')}: give it to every kiosk as [office] recovery_key")
        return 0
    if not options.envelopes or options.key is None or options.out is None:
        raise ConfigError("recover: name ENVELOPE…, --key FILE and --out DIR; or --new-key FILE")
    _refuse_on_a_kiosk(options.config)
    key = signed.opening_key(options.key, "the recovery key")
    done = list(recover(options.envelopes, key, options.out, options.kiosk_keys))
    if options.json:
        print(json.dumps([one.as_json() for one in done], indent=2))
    else:
        for one in done:
            print(f"{one.name}: {one.problem or f'{one.folder} (signature: {one.signature})'}")
    return 1 if any(one.problem for one in done) else 0


def _refuse_on_a_kiosk(config: Path) -> None:
    outbox = load(config).kiosk.state / "outbox" if config.exists() else None
    if outbox is not None and outbox.exists():
        raise ConfigError(
            f"{outbox}: this machine is a kiosk, and the recovery key must never be on one; "
            "copy the envelopes (outbox export DIR) and open them at the province"
        )


def recover(paths: list[Path], key: X25519PrivateKey, out: Path, kiosk_keys: Path | None) -> Iterator[Recovered]:
    """Open every envelope in or below `paths` into a folder of its own; one that does not open stops no other.

    Raises OSError if `out` cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in paths:
        found = list(stick.read(path))
        if not found:
            yield Recovered(str(path), "", "", "no envelope lies there")
        for text, read in found:
            yield _one(text, read, key, out, kiosk_keys)


def _one(text: bytes, read: stick.Read, key: X25519PrivateKey, out: Path, kiosk_keys: Path | None) -> Recovered:
    name = "an envelope"
    try:
        manifest = read_manifest(text, None)
        name = manifest.submission
        signature = _signature(text, manifest.kiosk, kiosk_keys)
        opened = open_envelope(manifest, read, key)
        folder = out / f"{manifest.kiosk}-{manifest.sequence:06}-{manifest.submission}"
        _write(folder, opened)
        return Recovered(name, str(folder), signature, "")
    except FileExistsError:
        return Recovered(name, "", "", "its folder exists already; nothing is overwritten")
    except (EnvelopeError, ConfigError) as error:
        return Recovered(name, "", "", str(error))


def _signature(text: bytes, kiosk: str, kiosk_keys: Path | None) -> str:
    if kiosk_keys is None:
        return "unchecked"
    read_manifest(text, signed.verifying_key(kiosk_keys / f"{kiosk}.pub", "the key of the kiosk that sealed it"))
    return "kiosk"


def _write(folder: Path, opened: Opened) -> None:
    """All or nothing: names are the sealer's, so they are checked before the first byte is written."""
    if any(not _NAME.fullmatch(name) or name == "payload.json" for name in opened.files):
        raise EnvelopeError("a file inside has a name that could lead elsewhere")
    folder.mkdir(mode=0o700)
    payload = json.dumps(opened.payload, ensure_ascii=False, indent=2).encode()
    for name, content in ({"payload.json": payload} | opened.files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
