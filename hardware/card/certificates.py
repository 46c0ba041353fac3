"""Certificates of CSCAs and document signers (Doc 9303-12 §7): what each says, and whether one issued the other."""

from datetime import datetime

from asn1crypto import pem, x509

from hardware.card.asn1 import parsing
from hardware.card.errors import BadData
from hardware.card.signatures import DEPRECATED_TOO, STRICT, public_key, signature_ok

STRICT_ISSUERS = frozenset({"VN", ""})
"""Countries (and certificates without one) whose signatures must not use SHA-1; elsewhere it still occurs."""

LIST_SIGNING = "2.23.136.1.1.3"
"""Key purpose of a master list signer (Doc 9303-12 §7.1.1.3)."""
DEVIATION_SIGNING = "2.23.136.1.1.8"

UNDERSTOOD = frozenset({"basic_constraints", "key_usage", "extended_key_usage", "certificate_policies"})
"""Critical extensions that may occur; any other critical one fails the chain."""


def load_certificate(raw: bytes) -> x509.Certificate:
    """A certificate (DER or PEM) that can be used; BadData otherwise. asn1crypto is lazy, so everything is touched."""
    with parsing("certificate"):
        if pem.detect(raw):
            raw = pem.unarmor(raw)[2]
        certificate = x509.Certificate.load(raw)
        _touch(certificate)
        public_key(certificate.public_key)
        return certificate


def _touch(certificate: x509.Certificate) -> None:
    """Parse all that is asked of a certificate later: one that breaks there must not break what has to do with it."""
    for name in (certificate.subject, certificate.issuer):
        _ = (name.native, name.hashable)
    _ = (certificate.sha256, certificate.not_valid_before, certificate.not_valid_after, state_of(certificate))
    _ = (certificate.key_identifier, certificate.authority_key_identifier, key_purposes(certificate), certificate.ca)
    _ = (certificate.critical_extensions, certificate.serial_number)
    for value in (certificate.key_usage_value, certificate.private_key_usage_period_value):
        _ = value and value.native


def country_of(name: x509.Name) -> str:
    """The country in a name, in capitals: «gb» occurs. Empty if there is none."""
    return str(name.native.get("country_name", "")).upper()


def state_of(certificate: x509.Certificate) -> str:
    """The issuing state as the zone writes it, from the alternative name's locality (Doc 9303-12 §7.1.1.2); or ""."""
    for name in certificate.subject_alt_name_value or ():
        if name.name == "directory_name":
            locality = name.chosen.native.get("locality_name", "")
            return locality.upper() if isinstance(locality, str) else ""
    return ""


def hashes_for(country: str) -> frozenset[str]:
    """The hashes that are accepted in signatures of an issuer."""
    return STRICT if country in STRICT_ISSUERS else DEPRECATED_TOO


def key_purposes(certificate: x509.Certificate) -> frozenset[str]:
    """The extended key purposes as dotted numbers."""
    purposes = certificate.extended_key_usage_value
    return frozenset(purpose.dotted for purpose in purposes) if purposes else frozenset()


def may_have_issued(anchor: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether name and key identifier fit (App. D.1); a right name with another key does not."""
    wanted, own = certificate.authority_key_identifier, anchor.key_identifier
    same_key = wanted is None or own is None or wanted == own
    return bool(anchor.subject == certificate.issuer and same_key)


def made_signature(anchor: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the anchor's key signed the certificate."""
    inner, outer = certificate["tbs_certificate"]["signature"], certificate["signature_algorithm"]
    if inner.dump() != outer.dump():
        raise BadData("a certificate names two signature algorithms")
    message, signature = certificate["tbs_certificate"].dump(), certificate["signature_value"].native
    accepted = hashes_for(country_of(anchor.subject))
    return signature_ok(public_key(anchor.public_key), outer, "", signature, message, accepted)


def check_authority(certificate: x509.Certificate) -> None:
    """BadData unless it may issue certificates."""
    if not certificate.ca or (
        certificate.key_usage_value and "key_cert_sign" not in certificate.key_usage_value.native
    ):
        raise BadData("the anchor may not issue certificates")


def check_signer(certificate: x509.Certificate) -> None:
    """BadData unless it may sign documents: an end entity for nothing else."""
    if certificate.ca or (
        certificate.key_usage_value and "digital_signature" not in certificate.key_usage_value.native
    ):
        raise BadData("the signer may not sign documents")
    if key_purposes(certificate) & {LIST_SIGNING, DEVIATION_SIGNING}:
        raise BadData("the signer signs lists, not documents")
    if "extended_key_usage" in certificate.critical_extensions:
        raise BadData("the signer's certificate is for another purpose")


def check_valid(certificate: x509.Certificate, moment: datetime, when: str) -> None:
    """BadData unless `moment` lies in its validity and no critical extension is unknown."""
    if not certificate.not_valid_before <= moment <= certificate.not_valid_after:
        raise BadData(f"outside its validity {when}")
    if not certificate.critical_extensions <= UNDERSTOOD:
        raise BadData("an unknown critical extension")


def check_in_use(certificate: x509.Certificate, moment: datetime) -> None:
    """BadData unless its key could sign at that moment: in validity and in the key's own period, if it has one."""
    check_valid(certificate, moment, "at signing")
    period = certificate.private_key_usage_period_value
    if period is None:
        return
    start, end = period["not_before"].native, period["not_after"].native
    if (start and moment < start) or (end and moment > end):
        raise BadData("its key was not in use at signing")
