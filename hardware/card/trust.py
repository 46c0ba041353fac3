"""The trust store: which CSCA certificates and revocation lists we have, and what they say about a document signer.

A folder that the operator fills: CSCA certificates (DER or PEM) obtained out of band, link certificates, master lists,
CRLs. What is not usable is logged and left out.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from asn1crypto import cms, core, crl, pem, x509

from hardware.card import certificates as certs
from hardware.card.asn1 import parsing
from hardware.card.checks import Check, failed, passed, undetermined
from hardware.card.cms_signature import verified_content
from hardware.card.errors import BadData
from hardware.card.signatures import public_key, signature_ok

log = logging.getLogger(__name__)

MASTER_LIST = "2.23.136.1.1.2"
MAX_FILE = 16 << 20
"""Octets of one file; the German master list has about 1 MB."""
MAX_CERTIFICATES = 10_000
MAX_FILES = 1000

_UNDERSTOOD_IN_CRL = frozenset({"crl_number", "authority_key_identifier", "issuer_alt_name"})
"""Anything else that is critical (a delta, a distribution point) makes a list incomplete."""


class _Certificates(core.SetOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = x509.Certificate


class _MasterList(core.Sequence):  # type: ignore[misc]
    """CscaMasterList, Doc 9303-12 §9.2."""

    _fields = [("version", core.Integer), ("certificates", _Certificates)]  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Anchors and revocation lists. `list_dates` are when the admitted master lists were signed, where they say it."""

    anchors: Sequence[x509.Certificate] = ()
    crls: Sequence[crl.CertificateList] = ()
    list_dates: Sequence[datetime] = field(default=())

    def issuer_of(
        self, signer: x509.Certificate, now: datetime, signed_at: datetime | None = None
    ) -> tuple[x509.Certificate | None, Check]:
        """The anchor that directly issued a document signer (Doc 9303-12 App. D.1), and the chain's result."""
        problem = undetermined("no anchor of this name and key")
        for anchor in self.anchors:
            if not certs.may_have_issued(anchor, signer):
                continue
            try:
                with parsing("certificate"):
                    _check_link(anchor, signer, now, signed_at)
                return anchor, passed()
            except BadData as error:
                problem = failed(error.failure.detail)
        return None, problem

    def revocation(self, signer: x509.Certificate, now: datetime) -> Check:
        """Whether a complete, fresh and rightly issued list clears the signer (App. D.1.2.3)."""
        country = certs.country_of(signer.issuer)
        result = undetermined("no revocation list of this country")
        for revoked in self.crls:
            if certs.country_of(revoked.issuer) != country:
                continue
            found = self._judged_by(revoked, signer, now)
            if found.failed:
                return found
            result = result or found
        return result

    def _judged_by(self, revoked: crl.CertificateList, signer: x509.Certificate, now: datetime) -> Check:
        try:
            with parsing("CRL"):
                if not any(_issued_list(anchor, revoked) for anchor in self.anchors):
                    return undetermined("the revocation list is not by an anchor")
                return _listed(revoked, signer, now)
        except BadData as error:
            return undetermined(error.failure.detail)


def _check_link(anchor: x509.Certificate, signer: x509.Certificate, now: datetime, signed_at: datetime | None) -> None:
    if not certs.made_signature(anchor, signer):
        raise BadData("no anchor's key made the signature")
    for certificate in (signer, anchor):
        certs.check_valid(certificate, now, "now")
    certs.check_in_use(anchor, signer.not_valid_before)
    if signed_at is not None:
        certs.check_in_use(signer, signed_at)
    certs.check_authority(anchor)
    certs.check_signer(signer)
    if certs.country_of(anchor.subject) != certs.country_of(signer.subject):
        raise BadData("signer and anchor are of two countries")


def _issued_list(anchor: x509.Certificate, revoked: crl.CertificateList) -> bool:
    """A renamed CSCA still speaks for its country, so the name need not be equal."""
    country = certs.country_of(anchor.subject)
    wanted = revoked.authority_key_identifier
    if country != certs.country_of(revoked.issuer) or (wanted and anchor.key_identifier not in (None, wanted)):
        return False
    if anchor.key_usage_value and "crl_sign" not in anchor.key_usage_value.native:
        return False
    message, signature = revoked["tbs_cert_list"].dump(), revoked["signature"].native
    key, accepted = public_key(anchor.public_key), certs.hashes_for(country)
    return signature_ok(key, revoked["signature_algorithm"], "", signature, message, accepted)


def _listed(revoked: crl.CertificateList, signer: x509.Certificate, now: datetime) -> Check:
    """What a rightly signed list says. A stale one still convicts, it only cannot clear."""
    body = revoked["tbs_cert_list"]
    entries = body["revoked_certificates"]
    critical = set(revoked.critical_extensions)
    for entry in entries:
        critical |= entry.critical_extensions
        if entry["user_certificate"].native == signer.serial_number:
            return failed("the signer is revoked")
    if critical - _UNDERSTOOD_IN_CRL or revoked.delta_crl_indicator_value or revoked.issuing_distribution_point_value:
        return undetermined("the revocation list is not complete")
    if body["next_update"].native is None or not body["this_update"].native <= now <= body["next_update"].native:
        return undetermined("the revocation list is stale")
    return passed()


# --- from files ---


def load_anchors(folder: Path | None) -> TrustStore:
    """The trust store in a folder; the work is done anew only when the folder has changed."""
    if folder is None or not folder.is_dir():
        return TrustStore()
    files = [path for path in sorted(folder.iterdir()) if path.is_file()][:MAX_FILES]
    stamps = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return _load(stamps)


@lru_cache(maxsize=2)
def _load(stamps: tuple[tuple[Path, int, int], ...]) -> TrustStore:
    loose: list[x509.Certificate] = []
    crls: list[crl.CertificateList] = []
    lists: list[cms.SignedData] = []
    for path, _, size in stamps:
        try:
            if size > MAX_FILE:
                raise BadData("too large")
            _sort_in(path.read_bytes(), loose, crls, lists)
        except (OSError, BadData) as error:
            log.warning("%s is not a usable CSCA certificate, master list or CRL: %s", path.name, error)
    anchors = _admitted(loose, ())
    dates = []
    for signed in lists:
        try:
            content, signed_at = _master_list(signed, anchors)
        except BadData as error:
            log.warning("a master list is left out: %s", error)
            continue
        anchors = _admitted(content, anchors)
        dates += [signed_at] if signed_at else []
    return TrustStore(tuple(anchors), tuple(crls), tuple(dates))


def _sort_in(
    raw: bytes, loose: list[x509.Certificate], crls: list[crl.CertificateList], lists: list[cms.SignedData]
) -> None:
    """Put what a file holds where it belongs; BadData if it is none of the three."""
    with parsing("file"):
        for name, _, der in pem.unarmor(raw, multiple=True) if pem.detect(raw) else [("", None, raw)]:
            outer = core.Sequence.load(der)
            if isinstance(outer[0], core.ObjectIdentifier):
                lists.append(cms.ContentInfo.load(der)["content"])
            elif name == "X509 CRL" or (name != "CERTIFICATE" and _is_crl(outer)):
                found = crl.CertificateList.load(der)
                _ = found.native
                crls.append(found)
            else:
                loose.append(certs.load_certificate(der))


def _is_crl(outer: core.Sequence) -> bool:
    """A certificate's third element is a name's neighbour; only a CRL has a time at one of these places."""
    body = outer[0]
    return any(isinstance(body[at], core.UTCTime | core.GeneralizedTime) for at in range(2, min(len(body), 5)))


def _admitted(found: Iterable[x509.Certificate], anchors: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The anchors and what they bring: self-signed certificates, and links that an anchor of the country signed."""
    admitted, waiting = list(anchors), [certificate for certificate in found if _usable(certificate)]
    while True:
        known = {anchor.sha256 for anchor in admitted}
        waiting = [certificate for certificate in waiting if certificate.sha256 not in known]
        fresh = [c for c in waiting if any(_vouches(anchor, c) for anchor in [c, *admitted])]
        if not fresh:
            break
        admitted += {certificate.sha256: certificate for certificate in fresh}.values()
    if waiting:
        log.warning("%d certificates in the trust folder are signed by no anchor there and left out", len(waiting))
    return admitted


def _usable(certificate: x509.Certificate) -> bool:
    try:
        with parsing("certificate"):
            certs.check_authority(certificate)
    except BadData as error:
        log.warning("a certificate in the trust folder is no CSCA: %s", error)
        return False
    return True


def _vouches(anchor: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether one makes the other an anchor. A renamed CSCA is still of its country (Doc 9303-12 §7.1.1.4)."""
    try:
        with parsing("certificate"):
            named = (
                certificate.issuer == anchor.subject or certificate.authority_key_identifier == anchor.key_identifier
            )
            if not named or certs.country_of(anchor.subject) != certs.country_of(certificate.subject):
                return False
            return certs.made_signature(anchor, certificate)
    except BadData:
        return False


def _master_list(
    signed: cms.SignedData, anchors: Sequence[x509.Certificate]
) -> tuple[list[x509.Certificate], datetime | None]:
    """The certificates of a list whose signer a CSCA issued that was there without it, and when it was signed."""
    with parsing("master list"):
        statement = verified_content(signed, MASTER_LIST)
        signer = statement.signer
        if certs.LIST_SIGNING not in certs.key_purposes(signer):
            raise BadData("its signer may not sign lists")
        if not any(certs.may_have_issued(a, signer) and certs.made_signature(a, signer) for a in anchors):
            raise BadData("its signer's CSCA is not in the trust folder")
        if statement.signed_at is not None:
            certs.check_in_use(signer, statement.signed_at)
        found = _MasterList.load(statement.content)["certificates"]
        if len(found) > MAX_CERTIFICATES:
            raise BadData("too many certificates")
        return [c for entry in found if (c := _entry(entry.dump())) is not None], statement.signed_at


def _entry(raw: bytes) -> x509.Certificate | None:
    try:
        return certs.load_certificate(raw)
    except BadData as error:
        log.debug("a certificate of a master list is left out: %s", error)
        return None
