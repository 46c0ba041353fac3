"""Keys that are made in one call: a whole world of them for demo and tests, and the province's recovery key.

In the field every key is made where it is used and only public parts travel (`sync.enrolment`).
"""

import errno
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from kiosk.config import ReceiverSettings, credential
from sync import authority, key_files, signed
from sync.authority import Authority
from sync.envelope import key_id


def create_world(folder: Path, kiosk_ids: Sequence[str], hosts: Sequence[str] = ("127.0.0.1", "localhost")) -> None:
    """Fill `folder` (the `secrets/` of the configuration) for these kiosks and a receiver at `hosts`.

    The first kiosk's files are `kiosk.pem`, `kiosk.key`, `kiosk-signing.key`; a further kiosk's begin with its id.
    Existing files are replaced. The receiver knows the kiosks after `sync.receiver.kiosks.register_world`.
    """
    (folder / "kiosks").mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Authority.create("Motcua demo authority")
    key_files.replace(folder / "authority.key", made.pem())
    key_files.replace(folder / "ca.pem", authority.pem([made.certificate]))
    _certified(made, folder, "receiver", "receiver", hosts)
    _pair(folder, "receiver-hpke", X25519PrivateKey.generate())
    _pair(folder, "recovery", X25519PrivateKey.generate())
    _pair(folder, "receiver-receipt", Ed25519PrivateKey.generate())
    for prefix, kiosk in prefixes(kiosk_ids):
        _certified(made, folder, prefix, kiosk)
        signing = Ed25519PrivateKey.generate()
        key_files.replace(folder / f"{prefix}-signing.key", key_files.private_pem(signing))
        key_files.replace(folder / "kiosks" / f"{kiosk}.pub", key_files.public_pem(signing.public_key()))
    key_files.replace(folder / "tthc-user", f"motcua:{secrets.token_urlsafe(18)}\n".encode())


def prefixes(kiosk_ids: Sequence[str]) -> list[tuple[str, str]]:
    """How each kiosk's files in a made world begin, and its id."""
    return [(kiosk if number else "kiosk", kiosk) for number, kiosk in enumerate(kiosk_ids)]


def _certified(made: Authority, folder: Path, prefix: str, name: str, hosts: Sequence[str] = ()) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    key_files.replace(folder / f"{prefix}.pem", authority.pem([made.issue(key.public_key(), name, hosts)]))
    key_files.replace(folder / f"{prefix}.key", key_files.private_pem(key))


def _pair(folder: Path, prefix: str, key: Ed25519PrivateKey | X25519PrivateKey) -> None:
    key_files.replace(folder / f"{prefix}.key", key_files.private_pem(key))
    key_files.replace(folder / f"{prefix}.pub", key_files.public_pem(key.public_key()))


def create_recovery(path: Path) -> X25519PublicKey:
    """A new offline recovery key in `path`, its public part beside it (`.pub`). Raises FileExistsError."""
    key, public = X25519PrivateKey.generate(), path.with_suffix(".pub")
    if path.exists():
        raise FileExistsError(errno.EEXIST, "is there already, and is never overwritten", str(path))
    key_files.write_new(public, key_files.public_pem(key.public_key()))
    key_files.write_new(path, key_files.private_pem(key))
    return key.public_key()


class OpeningKeys(Mapping[str, X25519PrivateKey]):
    """Every key that opens envelopes, by its id: the present one and those before it. Raises ConfigError.

    Whoever asks for a key that is not known makes it look again, if the folder has changed: a new key needs no restart.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = 0
        self._keys: dict[str, X25519PrivateKey] = {}
        self._look()

    def _look(self) -> None:
        changed = self._path.parent.stat().st_mtime_ns if self._path.parent.exists() else 0
        if changed == self._changed and self._keys:
            return
        sealed = credential(self._path)
        earlier = key_files.earlier(self._path) + (key_files.earlier(sealed) if sealed else [])
        keys = [signed.opening_key(path, "a key that opens envelopes") for path in (self._path, *reversed(earlier))]
        self._keys, self._changed = {key_id(key.public_key()): key for key in keys}, changed

    def __getitem__(self, name: str) -> X25519PrivateKey:
        if name not in self._keys:
            self._look()
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def opening_keys(settings: ReceiverSettings) -> OpeningKeys:
    """Those of `[receiver] hpke_key_file`, the present one first."""
    return OpeningKeys(settings.hpke_key_file)
