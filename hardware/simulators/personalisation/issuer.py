"""A test CSCA and document signer, made new in memory: no private key is ever written anywhere."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hardware.card.tlv import encode

SECURITY_OBJECT = "2.23.136.1.1.1"
SECURITY_INFOS = "0.4.0.127.0.7.3.2.1"
FILE_NAME = "test-csca.cer"
CRL_NAME = "test-csca.crl"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Authority:
    """A CSCA."""

    country: str
    name: x509.Name
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    start: datetime


class Issuer:
    """Issues virtual cards. Two issuers bear the same names but have different keys: neither vouches for the other."""

    def __init__(self, country: str = "VN", signer_days: int = 3650, csca: _Authority | None = None) -> None:
        """`signer_days` until the document signer expires; negative: it has already. `csca` None makes a new one."""
        self._authority = csca or _authority(country)
        self.csca = self._authority.certificate
        self._signer_key = ec.generate_private_key(ec.SECP256R1())
        by, end = self._authority, datetime.now(UTC) + timedelta(days=signer_days)
        subject = _name(by.country, "TEST Document Signer")
        self._signer = _certificate(by.name, by.key, subject, self._signer_key, (by.start, end))
        self._variants: dict[str, Issuer] = {}

    @property
    def serial_number(self) -> int:
        """Of the document signer's certificate."""
        return self._signer.serial_number

    def variant(self, kind: str) -> "Issuer":
        """This issuer with something wrong about its document signer (`traits.ISSUERS`); itself for "".

        An expired or a revoked signer is another one of the same CSCA, an unknown one has another CSCA.
        """
        if not kind:
            return self
        if kind not in self._variants:
            country, csca = self._authority.country, None if kind == "unknown" else self._authority
            self._variants[kind] = Issuer(country, -1 if kind == "expired" else 3650, csca)
        return self._variants[kind]

    def write_csca(self, folder: Path) -> Path:
        """Put the CSCA certificate (DER) into a trust folder, which is made if missing; returns the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE_NAME
        path.write_bytes(self.csca.public_bytes(serialization.Encoding.DER))
        return path

    def write_crl(self, folder: Path) -> Path:
        """Put the CSCA's revocation list (DER), which names the revoked signer, beside it; returns the file."""
        now = datetime.now(UTC)
        serial = self.variant("revoked").serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY).build()
        key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.key.public_key())
        listed = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._authority.name)
            .last_update(now - DAY)
            .next_update(now + 365 * DAY)
            .add_extension(key, critical=False)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_revoked_certificate(entry)
            .sign(self._authority.key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CRL_NAME
        path.write_bytes(listed.public_bytes(serialization.Encoding.DER))
        return path

    def sign(self, groups: Mapping[int, bytes]) -> bytes:
        """EF.SOD over whole data group files (Doc 9303-10 §4.6.2)."""
        return encode(0x77, self._signed(SECURITY_OBJECT, _security_object(groups)))

    def sign_card_security(self, infos: bytes) -> bytes:
        """EF.CardSecurity over SecurityInfos (Doc 9303-10 §3.11.4): a bare ContentInfo, no file tag around it."""
        return self._signed(SECURITY_INFOS, infos)

    def _signed(self, kind: str, content: bytes) -> bytes:
        """SignedData with content of this type, by the document signer."""
        attributes = _signed_attributes(kind, content)
        signature = self._signer_key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        certificate = asn1_x509.Certificate.load(self._signer.public_bytes(serialization.Encoding.DER))
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number",
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
                ),
                "digest_algorithm": {"algorithm": "sha256"},
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": signature,
            }
        )
        signed = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": kind, "content": core.ParsableOctetString(content)},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump())


def _authority(country: str) -> _Authority:
    """A new CSCA of fifteen years, made some time ago."""
    key, name = ec.generate_private_key(ec.SECP384R1()), _name(country, "TEST CSCA")
    start = datetime.now(UTC) - 400 * DAY
    certificate = _certificate(name, key, name, key, (start, start + 5475 * DAY))
    return _Authority(country, name, key, certificate, start)


def _security_object(groups: Mapping[int, bytes]) -> bytes:
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    hashed = b"".join(
        encode(0x30, encode(0x02, bytes([number])) + encode(0x04, hashlib.sha256(groups[number]).digest()))
        for number in sorted(groups)
    )
    return encode(0x30, encode(0x02, b"\x00") + algorithm + encode(0x30, hashed))


def _signed_attributes(kind: str, content: bytes) -> cms.CMSAttributes:
    digest = hashlib.sha256(content).digest()
    return cms.CMSAttributes(
        [
            {"type": "content_type", "values": [kind]},
            {"type": "message_digest", "values": [digest]},
        ]
    )


def _name(country: str, common: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, country), (NameOID.ORGANIZATION_NAME, "Motcua"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


def _certificate(
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    validity: tuple[datetime, datetime],
) -> x509.Certificate:
    """A certificate after Doc 9303-12 table 5: the CSCA may issue, a signer may only sign documents."""
    is_csca = subject == issuer
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    ) | {"decipher_only": False, "digital_signature": not is_csca, "key_cert_sign": is_csca, "crl_sign": is_csca}
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if is_csca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())
