"""Targets: what issuers sign, raw and with our test issuer's signature over whatever comes."""

import atexit
import itertools
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import documents as make
from hardware.card.certificates import LIST_SIGNING, load_certificate
from hardware.card.chip_authentication import chip_points
from hardware.card.mapping import Mapping
from hardware.card.passive import CARD_SECURITY_INFOS, Verdict, card_security, judge, parse_sod
from hardware.card.tlv import encode, need
from hardware.card.trust import TrustStore, load_anchors
from hardware.simulators.personalisation.chip_keys import card_security_infos
from hardware.simulators.personalisation.pace import PaceProfile
from tests.fuzz.fixed import ec_key

NUMBERS = itertools.count()
SIGN = ec.ECDSA(hashes.SHA256())
ALGORITHM = make.Scheme().algorithm().dump()


@cache
def authority() -> make.Authority:
    """The CSCA."""
    return make.issue(make.name("VN", "CSCA"), ec_key(101), ca=True)


@cache
def signer() -> make.Authority:
    """The document signer."""
    return make.signer(authority(), ec_key(102))


@cache
def list_signer() -> make.Authority:
    """The signer of master lists."""
    purpose = make.extension("extended_key_usage", [LIST_SIGNING], critical=True)
    return make.issue(make.name("VN", "Lists"), ec_key(103), authority(), extra=[purpose])


@cache
def trust_folder() -> Path:
    """A trust folder with the CSCA, gone with the process."""
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    folder = Path(kept.name)
    (folder / "csca.cer").write_bytes(authority().der)
    return folder


@cache
def store() -> TrustStore:
    crl = make.crl.CertificateList.load(make.revocation_list(authority(), [7]))
    return TrustStore((authority().certificate,), (crl,))


@cache
def _good_sod() -> bytes:
    return _sod(make.security_object(make.GROUPS))


@cache
def _sod_by_key() -> bytes:
    return _sod(make.security_object(make.GROUPS), by_key_id=True)


def _sod(content: bytes, **options: Any) -> bytes:
    return encode(0x77, make.signed_data(content, signer(), **options))


def sod(data: bytes) -> None:
    """EF.SOD as it stands."""
    judge(parse_sod(data), make.GROUPS, store(), make.NOW)


def sod_content(data: bytes) -> None:
    """A security object that is rightly signed."""
    sod(_sod(data))


def sod_attributes(data: bytes) -> None:
    """Signed attributes (the content of their SET) that are rightly signed."""
    info = cms.ContentInfo.load(need(_good_sod(), 0x77))
    (one,) = info["content"]["signer_infos"]
    before = one["sid"].dump() + one["digest_algorithm"].dump()
    signature = encode(0x04, ec_key(102).sign(encode(0x31, data), SIGN))
    after = one["signature_algorithm"].dump() + signature
    _with_signer_info(one["version"].dump() + before + encode(0xA0, data) + after)


def _with_signer_info(body: bytes) -> None:
    signed = cms.ContentInfo.load(need(_good_sod(), 0x77))["content"]
    parts = [signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info", "certificates")]
    whole = encode(0x30, b"".join(parts) + encode(0x31, encode(0x30, body)))
    sod(encode(0x77, encode(0x30, cms.ContentType("signed_data").dump() + encode(0xA0, whole))))


def sod_signer(data: bytes) -> None:
    """A document signer (TBSCertificate) that the CSCA signed, in an EF.SOD that refers to it by its key."""
    signed = cms.ContentInfo.load(need(_sod_by_key(), 0x77))["content"]
    parts = [signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info")]
    body = b"".join(parts) + encode(0xA0, _signed(data)) + signed["signer_infos"].dump()
    sod(encode(0x77, encode(0x30, cms.ContentType("signed_data").dump() + encode(0xA0, encode(0x30, body)))))


def card_security_file(data: bytes) -> None:
    """EF.CardSecurity as it stands."""
    chip_points(card_security(data, store(), make.NOW).content)


def card_security_content(data: bytes) -> None:
    """Security infos that are rightly signed."""
    card_security_file(signed_infos(data))


def signed_infos(content: bytes) -> bytes:
    """EF.CardSecurity."""
    return make.signed_data(content, signer(), content_type=CARD_SECURITY_INFOS)


def _signed(body: bytes) -> bytes:
    """A certificate or revocation list around a body, signed by the CSCA."""
    return encode(0x30, body + ALGORITHM + encode(0x03, b"\x00" + ec_key(101).sign(body, SIGN)))


def trust_file(data: bytes) -> Verdict:
    """A file in the trust folder, and a good EF.SOD judged with what came of it."""
    path = trust_folder() / f"other-{next(NUMBERS)}"  # a new name: the store tells files apart by name, time and size
    path.write_bytes(data)
    try:
        found = load_anchors(trust_folder())
    finally:
        path.unlink()
    return judge(parse_sod(_good_sod()), make.GROUPS, found, make.NOW)


def trust_signed(data: bytes) -> Verdict:
    """A body that the CSCA signed (another CSCA, a link certificate, a revocation list) in the trust folder."""
    return trust_file(_signed(data))


def master_list(data: bytes) -> None:
    """A rightly signed master list with this content."""
    trust_file(make.signed_data(data, list_signer(), content_type=make.MASTER_LIST))


def _sods() -> list[bytes]:
    content = make.security_object(make.GROUPS, version=1)
    rsa = make.signer(authority(), make.rsa_key())
    return [
        _good_sod(),
        _sod(content, signed_at=make.NOW, by_key_id=True),
        encode(0x77, make.indefinite(need(_good_sod(), 0x77))),
        encode(0x77, make.signed_data(content, rsa, scheme=make.Scheme(kind="pss"))),
        encode(0x77, make.signed_data(content, make.signer(authority(), ec_key(104), explicit={}))),
    ]


def _contents() -> list[bytes]:
    return [make.security_object(make.GROUPS), make.security_object(make.GROUPS, "sha512", version=1)]


def _attributes() -> list[bytes]:
    content = make.security_object(make.GROUPS)
    found = make.attributes(content, "sha256", make.SECURITY_OBJECT, make.NOW, repeat=False)
    return [cms.CMSAttributes(found).contents]


def _bodies() -> list[bytes]:
    return [signer().certificate["tbs_certificate"].dump(), authority().certificate["tbs_certificate"].dump()]


def infos_of_mapping() -> bytes:
    """The content of EF.CardSecurity of a chip with chip authentication mapping."""
    return card_security_infos(PaceProfile(Mapping.CHIP_AUTHENTICATION))


def _trust_bodies() -> list[bytes]:
    link = make.issue(make.name("VN", "CSCA 2"), ec_key(105), authority(), ca=True)
    lists = [make.revocation_list(authority(), serials) for serials in ((), (1, 2, 3))]
    loaded = [make.crl.CertificateList.load(der)["tbs_cert_list"].dump() for der in lists]
    return [link.certificate["tbs_certificate"].dump(), *loaded]


def _lists() -> list[bytes]:
    inside = b"".join(sorted([authority().der, list_signer().der]))
    return [encode(0x30, encode(0x02, b"\x00") + encode(0x31, inside))]


def _trust_files() -> list[bytes]:
    found = make.master_list([authority()], list_signer())
    return [*map(_signed, _trust_bodies()), found, make.issue(make.name("VN", "R"), make.rsa_key(), ca=True).der]


def _certificates() -> list[bytes]:
    return [signer().der, *_trust_files()[-1:], make.issue(make.name("VN", "E"), ec_key(9), ca=True, explicit={}).der]


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], Sequence[bytes]]]] = {
    "certificate": (load_certificate, _certificates),
    "sod": (sod, _sods),
    "sod-content": (sod_content, _contents),
    "sod-attributes": (sod_attributes, _attributes),
    "sod-signer": (sod_signer, _bodies),
    "card-security": (card_security_file, lambda: [signed_infos(infos_of_mapping())]),
    "card-security-content": (card_security_content, lambda: [infos_of_mapping()]),
    "trust-file": (trust_file, _trust_files),
    "trust-signed": (trust_signed, _trust_bodies),
    "master-list": (master_list, _lists),
}
