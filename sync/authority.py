"""The province's authority: signs the certificates of kiosks and receiver, and the documents that kiosks trust.

Its private key is needed where kiosks are enrolled and nowhere else. A new authority stands beside the old one until
every kiosk knows it: certificates come from the newest, documents are signed by the oldest, which all kiosks know.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.config import ConfigError, ReceiverSettings, secret, text_of
from sync import key_files

LIFE = timedelta(days=825)
"""Of a certificate: browsers accept no longer one."""
AUTHORITY_LIFE = timedelta(days=3650)
_ECDSA = ec.ECDSA(hashes.SHA256())


class Authority:
    """A private key with its certificate; signs documents of `sync.signed` too."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def create(cls, name: str) -> "Authority":
        """A new one; a random part makes its name unique."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"{name} {secrets.token_hex(4)}")
        builder = _builder(subject, subject, key.public_key(), AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    def pem(self) -> bytes:
        """The private key."""
        return key_files.private_pem(self._key)

    def issue(
        self, key: ec.EllipticCurvePublicKey, name: str, hosts: Sequence[str] = (), life: timedelta = LIFE
    ) -> x509.Certificate:
        """A server's certificate if it has hosts, else a client's. Both sides' clocks may be an hour apart."""
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_name(name), self.certificate.subject, key, life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issuer_id, critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def sign(self, data: bytes, /) -> bytes:
        """The signature of a document."""
        return self._key.sign(data, _ECDSA)


class Witness:
    """An authority's certificate as the key that verifies its documents."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises InvalidSignature."""
        key = self._certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise InvalidSignature
        key.verify(signature, data, _ECDSA)


def load(settings: ReceiverSettings) -> list[Authority]:
    """Every authority whose key is here and whose certificate is trusted, oldest first. Raises ConfigError."""
    path = settings.authority_key_file
    keys = [_private_key(one) for one in (*key_files.earlier(path), path)]
    trusted = certificates(settings.client_ca, "the authorities' certificates")
    there = [Authority(key, one) for one in trusted for key in keys if key.public_key() == one.public_key()]
    if not there:
        raise ConfigError(f"{path}: no certificate in {settings.client_ca} belongs to this key")
    return there


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    text = secret(path, "the authority's key").encode()
    try:
        key = load_pem_private_key(text, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path}: the authority's key must be an EC private key in PEM")
    return key


def certificates(path: Path, what: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, in their order; raises ConfigError."""
    text = text_of(path, what).encode()
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise ConfigError(f"{path}: {what} must be certificates in PEM") from None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER, hex."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def pem(listed: Sequence[x509.Certificate]) -> bytes:
    """One after the other."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in listed)


def common_name(subject: x509.Name) -> str:
    """Its only common name, or nothing."""
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names[0] if len(names) == 1 else ""


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + life) - timedelta(hours=1))
        .not_valid_after(now + life)
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
