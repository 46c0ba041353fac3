"""A complete set of keys and certificates for demo and tests, under the names that `kiosk.config` expects.

In the field every key is made where it is used and only public parts travel; here one call makes them all.
"""

import errno
import ipaddress
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=825)
_AnyKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey


def create_world(folder: Path, kiosk_ids: Sequence[str], hosts: Sequence[str] = ("127.0.0.1", "localhost")) -> None:
    """Fill `folder` (the `secrets/` of the configuration) for these kiosks and a receiver at `hosts`.

    The first kiosk's files are `kiosk.pem`, `kiosk.key`, `kiosk-signing.key`; a further kiosk's begin with its id.
    The authority's private key is used and dropped: another kiosk means another world. Existing files are replaced.
    """
    (folder / "kiosks").mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority()
    _write(folder / "ca.pem", authority.certificate.public_bytes(Encoding.PEM))
    authority.issue(folder, "receiver", "receiver", hosts)
    _pair(folder, "receiver-hpke", X25519PrivateKey.generate())
    _pair(folder, "recovery", X25519PrivateKey.generate())
    _pair(folder, "receiver-receipt", Ed25519PrivateKey.generate())
    for number, kiosk in enumerate(kiosk_ids):
        prefix = kiosk if number else "kiosk"
        authority.issue(folder, prefix, kiosk)
        signing = Ed25519PrivateKey.generate()
        _write(folder / f"{prefix}-signing.key", _private(signing))
        _write(folder / "kiosks" / f"{kiosk}.pub", _public(signing))
    _write(folder / "tthc-user", f"motcua:{secrets.token_urlsafe(18)}\n".encode())


def create_recovery(path: Path) -> X25519PublicKey:
    """A new offline recovery key in `path`, its public part beside it (`.pub`). Raises FileExistsError."""
    key, public = X25519PrivateKey.generate(), path.with_suffix(".pub")
    for taken in (path, public):
        if taken.exists():
            raise FileExistsError(errno.EEXIST, "is there already, and is never overwritten", str(taken))
    _write(path, _private(key))
    _write(public, _public(key))
    return key.public_key()


class Authority:
    """A certificate authority that lives as long as the call that needs it."""

    def __init__(self, name: str = "Motcua demo authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = _key_usage(signs_certificates=True)
        self.certificate = (
            _builder(subject, subject, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, folder: Path, prefix: str, name: str, hosts: Sequence[str] = ()) -> None:
        """`<prefix>.pem` and `<prefix>.key`: a server's certificate if it has hosts, else a client's."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_name(name), self.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issuer_id, critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(folder / f"{prefix}.pem", certificate.public_bytes(Encoding.PEM))
        _write(folder / f"{prefix}.key", _private(key))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pair(folder: Path, prefix: str, key: Ed25519PrivateKey | X25519PrivateKey) -> None:
    _write(folder / f"{prefix}.key", _private(key))
    _write(folder / f"{prefix}.pub", _public(key))


def _private(key: _AnyKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes) -> None:
    """Never readable by others, not even for the moment of writing."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
