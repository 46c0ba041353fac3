"""Passive Authentication (Doc 9303-11 §5.1, 9303-12): the issuer's signature over the hashes of the data groups.

It proves data, not the chip: a clone passes. Without an anchor the data is whole but its issuer unproven.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from pathlib import Path

from asn1crypto import cms, core, pem, x509

from hardware.card.errors import BadData
from hardware.card.lds import SOD
from hardware.card.signatures import digest, public_key, verify
from hardware.card.tlv import need
from kiosk.citizen import IdentityGrade

log = logging.getLogger(__name__)

COUNTRY = "VN"
ISSUING_STATE = "VNM"
SECURITY_OBJECT = "2.23.136.1.1.1"
MAX_CERTIFICATE = 16_384
UNDERSTOOD = frozenset({"basic_constraints", "key_usage", "extended_key_usage", "certificate_policies"})
"""Critical extensions that may occur; any other critical one fails the chain."""


class _GroupHash(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("number", core.Integer), ("value", core.OctetString)]  # noqa: RUF012


class _GroupHashes(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _GroupHash


class _Versions(core.Sequence):  # type: ignore[misc]
    _fields = [("lds", core.PrintableString), ("unicode", core.PrintableString)]  # noqa: RUF012


class _SecurityObject(core.Sequence):  # type: ignore[misc]
    """LDSSecurityObject, Doc 9303-10 §4.6.2.3."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("hash_algorithm", cms.DigestAlgorithm),
        ("hashes", _GroupHashes),
        ("versions", _Versions, {"optional": True}),
    ]


@contextmanager
def _asn1(what: str) -> Iterator[None]:
    """asn1crypto parses lazily and raises what it likes: all of it is BadData."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise BadData(f"{what}: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class SecurityObject:
    """EF.SOD taken apart, not yet believed."""

    signed: cms.SignedData
    content: bytes
    algorithm: str
    hashes: Mapping[int, bytes]


def parse_sod(raw: bytes) -> SecurityObject:
    """The structure of EF.SOD; BadData if it is none. Tolerates BER, as issuers use it."""
    with _asn1("EF.SOD"):
        info = cms.ContentInfo.load(need(raw, SOD.tag))
        signed = info["content"]
        if info["content_type"].native != "signed_data":
            raise BadData("EF.SOD: not signed data")
        if signed["encap_content_info"]["content_type"].dotted != SECURITY_OBJECT:
            raise BadData("EF.SOD: not an LDS security object")
        content = bytes(signed["encap_content_info"]["content"])
        security = _SecurityObject.load(content)
        hashes = {int(entry["number"].native): entry["value"].native for entry in security["hashes"]}
        if not 1 <= len(hashes) <= 16 or not set(hashes) <= set(range(1, 17)):
            raise BadData("EF.SOD: impossible data groups")
        return SecurityObject(signed, content, security["hash_algorithm"]["algorithm"].native, hashes)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Passive Authentication found; `problems` are codes for technicians."""

    grade: IdentityGrade
    problems: tuple[str, ...] = ()


def judge(
    sod: SecurityObject, groups: Mapping[int, bytes], anchors: Sequence[x509.Certificate], now: datetime
) -> Verdict:
    """Signature, the hash of every group that was read, then the chain to an anchor valid `now`."""
    try:
        with _asn1("EF.SOD"):
            signer = _verified_signer(sod)
    except BadData as error:
        return Verdict(IdentityGrade.CHIP_READ, (f"passive_auth_failed: {error.failure.detail}",))
    if not _hashes_match(sod, groups):
        return Verdict(IdentityGrade.CHIP_READ, ("data_group_hash_mismatch",))
    try:
        with _asn1("certificate"):
            _verify_chain(signer, anchors, now)
    except BadData as error:
        return Verdict(IdentityGrade.INTEGRITY_ONLY, (f"csca_chain_failed: {error.failure.detail}",))
    return Verdict(IdentityGrade.ISSUER_VERIFIED)


def _hashes_match(sod: SecurityObject, groups: Mapping[int, bytes]) -> bool:
    try:
        return all(compare_digest(digest(sod.algorithm, raw), sod.hashes.get(n, b"")) for n, raw in groups.items())
    except BadData:
        return False


def _verified_signer(sod: SecurityObject) -> x509.Certificate:
    """The document signer whose signature over the security object is right; else BadData."""
    if len(sod.signed["signer_infos"]) != 1:
        raise BadData("not exactly one signer")
    info = sod.signed["signer_infos"][0]
    certificate = _signer_certificate(sod.signed, info["sid"])
    attributes = info["signed_attrs"]
    values = {attribute["type"].native: attribute["values"] for attribute in attributes}
    hash_name = info["digest_algorithm"]["algorithm"].native
    if values["content_type"][0].dotted != SECURITY_OBJECT:
        raise BadData("the signed content type is another")
    if not compare_digest(values["message_digest"][0].native, digest(hash_name, sod.content)):
        raise BadData("the signed digest is another")
    message = b"\x31" + attributes.dump()[1:]  # signed as SET OF, carried with an implicit tag (RFC 5652 §5.4)
    if not _signature_ok(certificate, info["signature_algorithm"], hash_name, info["signature"].native, message):
        raise BadData("wrong signature")
    return certificate


def _signature_ok(
    signer: x509.Certificate, algorithm: cms.SignedDigestAlgorithm, hash_name: str, signature: bytes, message: bytes
) -> bool:
    """Scheme and hash as the structure states them; a bare rsaEncryption or ecPublicKey takes `hash_name`."""
    try:
        hash_name = algorithm.hash_algo
    except ValueError:  # the identifier names no hash
        log.debug("signature algorithm without a hash: %s", algorithm["algorithm"].native)
    key = public_key(signer.public_key)
    return verify(key, algorithm.signature_algo, hash_name, algorithm["parameters"], signature, message)


def _signer_certificate(signed: cms.SignedData, sid: cms.SignerIdentifier) -> x509.Certificate:
    for choice in signed["certificates"]:
        certificate = choice.chosen
        if sid.name == "issuer_and_serial_number":
            named = sid.chosen
            same = certificate.issuer == named["issuer"] and certificate.serial_number == named["serial_number"].native
        else:
            same = certificate.key_identifier == sid.chosen.native
        if same:
            return certificate
    raise BadData("the signer's certificate is missing")


def _verify_chain(signer: x509.Certificate, anchors: Sequence[x509.Certificate], now: datetime) -> None:
    """Doc 9303-12 App. D.1: the signer is issued directly by an anchor of this country. BadData tells what fails."""
    candidates = [anchor for anchor in anchors if _may_have_issued(anchor, signer)]
    if not candidates:
        raise BadData("no anchor of this name and key")
    message = signer["tbs_certificate"].dump()
    algorithm, signature = signer["signature_algorithm"], signer["signature_value"].native
    anchor = next((a for a in candidates if _signature_ok(a, algorithm, "", signature, message)), None)
    if anchor is None:
        raise BadData("no anchor's key made the signature")
    for certificate in (signer, anchor):
        if not certificate.not_valid_before <= now <= certificate.not_valid_after:
            raise BadData("outside its validity")
        if not certificate.critical_extensions <= UNDERSTOOD:
            raise BadData("an unknown critical extension")
    _check_usage(signer, anchor)


def _may_have_issued(anchor: x509.Certificate, signer: x509.Certificate) -> bool:
    wanted, own = signer.authority_key_identifier, anchor.key_identifier
    same_key = wanted is None or own is None or wanted == own
    return bool(anchor.subject == signer.issuer and same_key)


def _check_usage(signer: x509.Certificate, anchor: x509.Certificate) -> None:
    if signer.ca or (signer.key_usage_value and "digital_signature" not in signer.key_usage_value.native):
        raise BadData("the signer may not sign documents")
    if not anchor.ca or (anchor.key_usage_value and "key_cert_sign" not in anchor.key_usage_value.native):
        raise BadData("the anchor may not issue certificates")
    for certificate in (signer, anchor):
        if str(certificate.subject.native.get("country_name", "")).upper() != COUNTRY:
            raise BadData("issued by another country")


def load_anchors(folder: Path | None) -> list[x509.Certificate]:
    """The CSCA certificates (DER or PEM) in a folder; what is none is logged and left out."""
    anchors = []
    for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []:
        if not path.is_file():
            continue
        try:
            anchors.append(_load_certificate(path))
        except (OSError, BadData) as error:
            log.warning("%s is not a usable CSCA certificate: %s", path, error)
    return anchors


def _load_certificate(path: Path) -> x509.Certificate:
    with path.open("rb") as file:
        raw = file.read(MAX_CERTIFICATE)
    with _asn1("certificate"):
        if pem.detect(raw):
            raw = pem.unarmor(raw)[2]
        certificate = x509.Certificate.load(raw)
        public_key(certificate.public_key)
        return certificate
