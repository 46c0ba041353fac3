"""A test CSCA and document signer, made new in memory: no private key is ever written anywhere."""

import hashlib
from collections.abc import Mapping
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
FILE_NAME = "test-csca.cer"


class Issuer:
    """Issues virtual cards. Two issuers bear the same names but have different keys: neither vouches for the other."""

    def __init__(self, country: str = "VN", signer_days: int = 3650) -> None:
        """`signer_days` until the document signer expires; negative: it has already."""
        csca_key = ec.generate_private_key(ec.SECP384R1())
        self._signer_key = ec.generate_private_key(ec.SECP256R1())
        names = (_name(country, "TEST CSCA"), _name(country, "TEST Document Signer"))
        start = datetime.now(UTC) - timedelta(days=400)
        csca_end, signer_end = start + timedelta(days=5475), datetime.now(UTC) + timedelta(days=signer_days)
        self.csca = _certificate(names[0], csca_key, names[0], csca_key, (start, csca_end))
        self._signer = _certificate(names[0], csca_key, names[1], self._signer_key, (start, signer_end))

    def write_csca(self, folder: Path) -> Path:
        """Put the CSCA certificate (DER) into a trust folder, which is made if missing; returns the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE_NAME
        path.write_bytes(self.csca.public_bytes(serialization.Encoding.DER))
        return path

    def sign(self, groups: Mapping[int, bytes]) -> bytes:
        """EF.SOD over whole data group files (Doc 9303-10 §4.6.2)."""
        content = _security_object(groups)
        attributes = _signed_attributes(content)
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
            "encap_content_info": {"content_type": SECURITY_OBJECT, "content": core.ParsableOctetString(content)},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
        info = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})
        return encode(0x77, info.dump())


def _security_object(groups: Mapping[int, bytes]) -> bytes:
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    hashed = b"".join(
        encode(0x30, encode(0x02, bytes([number])) + encode(0x04, hashlib.sha256(groups[number]).digest()))
        for number in sorted(groups)
    )
    return encode(0x30, encode(0x02, b"\x00") + algorithm + encode(0x30, hashed))


def _signed_attributes(content: bytes) -> cms.CMSAttributes:
    digest = hashlib.sha256(content).digest()
    return cms.CMSAttributes(
        [
            {"type": "content_type", "values": [SECURITY_OBJECT]},
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
