"""Key files: written for nobody else's eyes, replaced without a moment in which there is none."""

import errno
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sync import store

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey


def private_pem(key: PrivateKey) -> bytes:
    """PKCS 8, unencrypted: the file's mode, or the TPM, guards it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PublicKey | X25519PublicKey) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_new(path: Path, content: bytes) -> None:
    """A new durable file of mode 600. Raises FileExistsError: nothing is ever overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "is there already, and is never overwritten", str(path)) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    store.sync_folder(path.parent)


def replace(path: Path, content: bytes) -> None:
    """`content` in the place of what `path` held, mode 600: the old or the new, never a mixture."""
    beside = waiting(path)
    beside.unlink(missing_ok=True)
    write_new(beside, content)
    promote(path)


def waiting(path: Path) -> Path:
    """Where the successor of a file waits for its turn."""
    return path.with_name(path.name + ".next")


def promote(path: Path) -> None:
    """The successor takes the place of `path`, durably."""
    waiting(path).rename(path)
    store.sync_folder(path.parent)


def earlier(path: Path) -> list[Path]:
    """What was kept of a file when it was replaced, oldest first: `<name>.old-<n>.<ending>`."""
    numbered = {_number(path, found): found for found in path.parent.glob(f"{path.stem}.old-*{path.suffix}")}
    return [numbered[number] for number in sorted(numbered) if number]


def keep(path: Path, content: bytes | None = None) -> Path:
    """Keep `content`, by default what `path` holds, under the next number; where."""
    numbers = [_number(path, found) for found in earlier(path)]
    kept = path.with_name(f"{path.stem}.old-{max(numbers, default=0) + 1}{path.suffix}")
    write_new(kept, path.read_bytes() if content is None else content)
    return kept


def _number(path: Path, found: Path) -> int:
    number = found.name.removeprefix(f"{path.stem}.old-").removesuffix(path.suffix)
    return int(number) if number.isdecimal() else 0
