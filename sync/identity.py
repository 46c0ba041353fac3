"""This kiosk's certificate and the key that belongs to it, as they lie here: in files, or sealed by systemd."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kiosk.config import ConfigError, OfficeSettings, credential, guarded, private, require
from sync import authority, key_files


def pair(office: OfficeSettings) -> tuple[Path, Path]:
    """This kiosk's certificate, and the key file that belongs to it. Raises ConfigError."""
    path = require(office.certificate, "this kiosk's certificate")
    [certificate, *_] = authority.certificates(path, "this kiosk's certificate")
    key = key_of(certificate, office)
    if key is None:
        private(office.key_file, "the key of this kiosk's certificate")
        raise ConfigError(f"{office.key_file}: is not the key of {path}")
    return path, key


def days_left(office: OfficeSettings) -> float:
    """Of this kiosk's certificate, by this kiosk's clock. Raises ConfigError."""
    [certificate, *_] = authority.certificates(office.certificate, "this kiosk's certificate")
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86400


def key_of(certificate: x509.Certificate, office: OfficeSettings) -> Path | None:
    """A sealed credential, the key in use, or the one that waits: whichever fits."""
    passed = credential(office.key_file)
    files = (office.key_file, key_files.waiting(office.key_file))
    there = [guarded(path, "a key of this kiosk") for path in files if path.exists()]
    return next((path for path in ([passed] if passed else []) + there if fits(path, certificate)), None)


def fits(path: Path, certificate: x509.Certificate) -> bool:
    """Whether this is the certificate's key."""
    key = load(path) if path.exists() else None
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key()


def load(path: Path) -> object:
    """The private key in a PEM file; None if there is none in it."""
    try:
        return load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        return None
