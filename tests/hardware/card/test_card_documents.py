"""A corpus of good and broken documents, one per pitfall of the field; OpenSSL judges every signature too."""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from asn1crypto import core, x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import documents as make
from documents import DAY, GROUPS, NOW, Scheme, csca, ec_key, issue, name, rsa_key, signed_data, signer
from hardware.card.errors import BadData
from hardware.card.passive import Passive, examine, load_anchors, parse_sod
from hardware.card.tlv import encode
from hardware.card.trust import TrustStore

PASS, FAIL, OPEN = "passed", "failed", "undetermined"
CONTENT = make.security_object(GROUPS)


@dataclass(frozen=True)
class Case:
    """CMS bytes, what we must find, and whether OpenSSL is meant to be milder about the signature."""

    cms: bytes
    found: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[int, bytes] = field(default_factory=lambda: GROUPS)
    trust: tuple[bytes, ...] = ()
    openssl_is_milder: bool = False


def good(cms: bytes, **options) -> Case:
    return Case(cms, {"signature": PASS, "chain": PASS, "hashes": PASS, "country": PASS}, **options)


def signed_by(key, **options) -> Case:
    return good(signed_data(CONTENT, signer(key=key), **options))


def wrong(cms: bytes, **options) -> Case:
    return Case(cms, {"signature": FAIL}, **options)


def chained(who: make.Authority, chain: str = FAIL, *trust: make.Authority, **options) -> Case:
    found = {"signature": PASS, "chain": chain}
    return Case(signed_data(CONTENT, who, **options), found, trust=tuple(a.der for a in trust))


def flipped(cms: bytes, part: bytes) -> bytes:
    at = cms.rindex(part) + len(part) - 1
    return cms[:at] + bytes([cms[at] ^ 1]) + cms[at + 1 :]


def of_country(country: str | None, state: str, **options) -> Case:
    """A document of a state, signed by a country."""
    groups = GROUPS | {1: make.dg1(state)}
    who = signer(csca(country), country=country)
    return Case(signed_data(make.security_object(groups), who), groups=groups, trust=(csca(country).der,), **options)


def with_sha1(country: str, state: str, **options) -> Case:
    groups = GROUPS | {1: make.dg1(state)}
    who = signer(csca(country), country=country)
    cms = signed_data(make.security_object(groups, "sha1"), who, scheme=Scheme("sha1"))
    return Case(cms, groups=groups, trust=(csca(country).der,), **options)


def revoked(state: str, *crls: bytes) -> Case:
    return Case(GOOD, {"signature": PASS, "chain": PASS, "revocation": state}, trust=(csca().der, *crls))


class WithForgedGenerator(Scheme):
    """CVE-2020-0601: with somebody's point Q as generator the private key is 1, for who believes the generator."""

    def sign(self, key, message: bytes) -> bytes:
        curve = make.curve_of(key)
        number, secret = int.from_bytes(hashlib.sha256(message).digest(), "big"), 0xC0FFEE
        point = make.public_info(key)["public_key"].native
        r = curve.decode(curve.multiply(point, secret))[0] % curve.order
        return encode_dss_signature(r, pow(secret, -1, curve.order) * (number + r) % curve.order)


def forged_generator() -> Case:
    key = ec_key("BrainpoolP256R1")
    who = signer(key=key, explicit={"base": make.public_info(key)["public_key"].native})
    return wrong(signed_data(CONTENT, who, scheme=WithForgedGenerator()), openssl_is_milder=True)


GOOD = signed_data(CONTENT, signer())
INTERMEDIATE = issue(name("VN", "Between"), ec_key(nth=5), csca(), ca=True)
UNKNOWN = make.extension("1.2.3.4", core.Null().dump(), critical=True)
LIST_SIGNING = make.extension("extended_key_usage", ["2.23.136.1.1.3"])
PERIOD = make.extension(
    "private_key_usage_period",
    x509.PrivateKeyUsagePeriod({"not_before": NOW - 900 * DAY, "not_after": NOW - 800 * DAY}),
)
NEW_KEY = ec_key("SECP384R1", 200)
NEW_CSCA = issue(name("VN", "CSCA"), NEW_KEY, ca=True)
LINK = issue(name("VN", "CSCA"), NEW_KEY, csca(), ca=True)
OLD_CSCA = issue(name("VN", "Old CSCA"), ec_key("SECP384R1", 201), ca=True, days=(-4000, -1))
SPENT_CSCA = issue(name("VN", "Spent CSCA"), ec_key("SECP384R1", 202), ca=True, extra=[PERIOD], days=(-4000, 3000))
ODD_CSCA = issue(name("VN", "Odd CSCA"), ec_key("SECP384R1", 203), ca=True, extra=[UNKNOWN])
NO_CSCA = issue(name("VN", "No CSCA"), ec_key("SECP384R1", 204), ca=True, usage={"crl_sign"})
SMALL = name("vn", "CSCA in small letters")
PSS_WRONG_SALT = Scheme(kind="pss", stated={"salt": 20})
SERIAL = signer().certificate.serial_number
DELTA = make.extension("delta_crl_indicator", 1, critical=True)

CASES: dict[str, Callable[[], Case]] = {
    # --- what issuers really do
    "P-256": lambda: good(GOOD),
    "P-224": lambda: signed_by(ec_key("SECP224R1"), scheme=Scheme("sha224")),
    "P-384": lambda: signed_by(ec_key("SECP384R1"), scheme=Scheme("sha384")),
    "P-521": lambda: signed_by(ec_key("SECP521R1"), scheme=Scheme("sha512")),
    "brainpoolP256r1": lambda: signed_by(ec_key("BrainpoolP256R1")),
    "brainpoolP384r1": lambda: signed_by(ec_key("BrainpoolP384R1"), scheme=Scheme("sha384")),
    "brainpoolP512r1": lambda: signed_by(ec_key("BrainpoolP512R1"), scheme=Scheme("sha512")),
    "explicit P-256": lambda: good(signed_data(CONTENT, signer(explicit={}))),
    "explicit brainpoolP256r1": lambda: good(
        signed_data(CONTENT, signer(key=ec_key("BrainpoolP256R1"), explicit={}))
    ),
    "explicit brainpoolP384r1": lambda: good(
        signed_data(CONTENT, signer(key=ec_key("BrainpoolP384R1"), explicit={}))
    ),
    "RSA PKCS#1 SHA-256": lambda: signed_by(rsa_key()),
    "RSA PKCS#1 SHA-512": lambda: signed_by(rsa_key(), scheme=Scheme("sha512", "rsa")),
    "RSA as bare rsaEncryption": lambda: signed_by(rsa_key(), scheme=Scheme("sha384", "bare")),
    "RSA PSS SHA-256": lambda: signed_by(rsa_key(), scheme=Scheme(kind="pss")),
    "RSA PSS SHA-384, other mask": lambda: signed_by(rsa_key(), scheme=Scheme("sha384", "pss", 48, "sha256")),
    "RSA PSS salt of 20": lambda: signed_by(rsa_key(), scheme=Scheme("sha512", "pss", 20)),
    "signer by key identifier": lambda: good(signed_data(CONTENT, signer(), by_key_id=True)),
    "signer is the second certificate": lambda: good(signed_data(CONTENT, signer(), certificates=[csca(), signer()])),
    "indefinite lengths": lambda: good(make.indefinite(GOOD)),
    "signing time": lambda: good(signed_data(CONTENT, signer(), signed_at=NOW - DAY)),
    "LDS 1.8": lambda: good(signed_data(make.security_object(GROUPS, version=1), signer())),
    "group hashes by SHA-512": lambda: good(signed_data(make.security_object(GROUPS, "sha512"), signer())),
    "country in small letters": lambda: chained(
        signer(issue(SMALL, ec_key(nth=9), ca=True), country="vn"), PASS, issue(SMALL, ec_key(nth=9), ca=True)
    ),
    "SHA-1 abroad": lambda: with_sha1("UT", "UTO", found={"signature": PASS, "hashes": PASS, "country": PASS}),
    # --- signatures
    "SHA-1 at home": lambda: with_sha1("VN", "VNM", found={"signature": FAIL, "hashes": FAIL}, openssl_is_milder=True),
    "MD5": lambda: wrong(
        signed_data(CONTENT, signer(key=rsa_key()), scheme=Scheme("md5", "rsa")), openssl_is_milder=True
    ),
    "altered signature": lambda: wrong(flipped(GOOD, signer_signature(GOOD))),
    "empty signature": lambda: wrong(signed_data(CONTENT, signer(), signature=b"")),
    "altered content": lambda: wrong(flipped(GOOD, hashlib.sha256(GROUPS[2]).digest())),
    "digest of other content": lambda: wrong(signed_data(CONTENT, signer(), digest_of=b"something else")),
    "signed content type is another": lambda: wrong(
        signed_data(CONTENT, signer(), attribute_type="data"), openssl_is_milder=True
    ),
    "content is no security object": lambda: wrong(
        signed_data(CONTENT, signer(), content_type="data"), openssl_is_milder=True
    ),
    "a master list in place of EF.SOD": lambda: wrong(make.master_list([csca()], signer()), openssl_is_milder=True),
    "attributes signed as carried": lambda: wrong(signed_data(CONTENT, signer(), as_carried=True)),
    "no signed attributes": lambda: wrong(signed_data(CONTENT, signer(), no_attributes=True), openssl_is_milder=True),
    "a repeated attribute": lambda: wrong(signed_data(CONTENT, signer(), repeat=True)),
    "two signers": lambda: wrong(signed_data(CONTENT, signer(), signers=2), openssl_is_milder=True),
    "no signer": lambda: wrong(signed_data(CONTENT, signer(), signers=0)),
    "no certificate": lambda: wrong(signed_data(CONTENT, signer(), certificates=[])),
    "another certificate is named": lambda: wrong(
        signed_data(CONTENT, signer(), named=csca(), certificates=[signer(), csca()])
    ),
    "PSS with another salt than stated": lambda: wrong(
        signed_data(CONTENT, signer(key=rsa_key()), scheme=PSS_WRONG_SALT)
    ),
    "PSS with another hash than stated": lambda: wrong(
        signed_data(CONTENT, signer(key=rsa_key()), scheme=Scheme(kind="pss", stated={"hash": "sha512"}))
    ),
    "PKCS#1 stated as PSS": lambda: wrong(
        signed_data(CONTENT, signer(key=rsa_key()), scheme=Scheme(kind="rsa", stated={"kind": "pss"}))
    ),
    "an RSA key of 1024 bits": lambda: wrong(signed_data(CONTENT, signer(key=rsa_key(1024))), openssl_is_milder=True),
    "a forged generator": forged_generator,
    "a group listed twice": lambda: wrong(
        signed_data(make.security_object(GROUPS, repeat=True), signer()), openssl_is_milder=True
    ),
    "cut off": lambda: wrong(GOOD[:-40]),
    # --- groups
    "an altered group": lambda: Case(GOOD, {"signature": PASS, "hashes": FAIL}, groups=GROUPS | {2: b"other"}),
    "a group that nobody signed": lambda: Case(GOOD, {"signature": PASS, "hashes": FAIL}, groups=GROUPS | {3: b"more"}),
    "a security object alone": lambda: Case(
        GOOD, {"signature": PASS, "chain": PASS, "hashes": OPEN, "country": OPEN}, groups={}
    ),
    # --- chain
    "no anchor of this name": lambda: chained(signer(), OPEN, csca("VN", "Another")),
    "right name, another key": lambda: chained(signer(), OPEN, csca("VN", "CSCA", 7)),
    "right name, another key, no identifier to tell": lambda: chained(
        signer(csca("VN", "CSCA", 7), authority_id=csca().certificate.key_identifier), FAIL, csca()
    ),
    "right key, another name": lambda: chained(signer(issuer=name("VN", "Else")), OPEN, csca()),
    "issued by an intermediate": lambda: chained(
        signer(INTERMEDIATE), OPEN, csca(), certificates=[signer(INTERMEDIATE), INTERMEDIATE]
    ),
    "signer has expired": lambda: chained(signer(days=(-300, -1)), FAIL, csca()),
    "signer is not valid yet": lambda: chained(signer(days=(1, 300)), FAIL, csca()),
    "anchor has expired": lambda: chained(signer(OLD_CSCA), FAIL, OLD_CSCA),
    "signed before the signer was valid": lambda: chained(signer(), FAIL, csca(), signed_at=NOW - 500 * DAY),
    "signed after the key's time": lambda: chained(
        signer(extra=[PERIOD], days=(-1000, 1000), by=SPENT_CSCA), FAIL, SPENT_CSCA, signed_at=NOW - DAY
    ),
    "issued after the anchor key's time": lambda: chained(signer(SPENT_CSCA), FAIL, SPENT_CSCA),
    "unknown critical extension": lambda: chained(signer(extra=[UNKNOWN]), FAIL, csca()),
    "unknown critical extension of the anchor": lambda: chained(signer(ODD_CSCA), FAIL, ODD_CSCA),
    "signer is an authority": lambda: chained(INTERMEDIATE, FAIL, csca()),
    "signer may not sign": lambda: chained(signer(usage={"key_encipherment"}), FAIL, csca()),
    "signer signs lists": lambda: chained(signer(extra=[LIST_SIGNING]), FAIL, csca()),
    "anchor may not issue": lambda: chained(signer(NO_CSCA), OPEN, NO_CSCA),
    "signer of another country than its anchor": lambda: chained(signer(csca(), country="UT"), FAIL, csca()),
    "a new CSCA through its link": lambda: chained(signer(NEW_CSCA), PASS, csca(), LINK),
    "a link without the old CSCA": lambda: chained(signer(NEW_CSCA), OPEN, LINK),
    # --- country
    "another country vouches": lambda: of_country("UT", "VNM", found={"chain": PASS, "country": FAIL}),
    "a state that does not exist": lambda: of_country("VN", "QQQ", found={"chain": PASS, "country": OPEN}),
    "a document of abroad": lambda: of_country("DE", "D", found={"chain": PASS, "country": PASS}),
    # --- revocation
    "no revocation list": lambda: revoked(OPEN),
    "not on the list": lambda: revoked(PASS, make.revocation_list(csca(), [SERIAL + 1])),
    "an empty list": lambda: revoked(PASS, make.revocation_list(csca())),
    "revoked": lambda: revoked(FAIL, make.revocation_list(csca(), [SERIAL])),
    "revoked on a stale list": lambda: revoked(FAIL, make.revocation_list(csca(), [SERIAL], (-60, -30))),
    "a stale list": lambda: revoked(OPEN, make.revocation_list(csca(), [], (-60, -30))),
    "a list of tomorrow": lambda: revoked(OPEN, make.revocation_list(csca(), [], (1, 30))),
    "a list by another key": lambda: revoked(OPEN, make.revocation_list(csca(), [SERIAL], key=ec_key(nth=50))),
    "a list of another country": lambda: revoked(OPEN, csca("UT").der, make.revocation_list(csca("UT"), [SERIAL])),
    "a delta list": lambda: revoked(OPEN, make.revocation_list(csca(), extra=[DELTA])),
    "a list with an unknown critical extension": lambda: revoked(OPEN, make.revocation_list(csca(), extra=[UNKNOWN])),
}  # fmt: skip


def signer_signature(cms: bytes) -> bytes:
    return parse_sod(encode(0x77, cms)).signed["signer_infos"][0]["signature"].native


def ours(case: Case, folder: Path) -> Passive | None:
    """Our five checks; None if EF.SOD cannot even be taken apart."""
    for number, raw in enumerate(case.trust or (csca().der,)):
        (folder / f"{number}.bin").write_bytes(raw)
    try:
        sod = parse_sod(encode(0x77, case.cms))
    except BadData:
        return None
    return examine(sod, case.groups, load_anchors(folder), NOW)


def openssl_agrees(cms: bytes) -> bool:
    run = subprocess.run(
        ["openssl", "cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-out", "/dev/null"],
        input=cms, capture_output=True, check=False,
    )  # fmt: skip
    return run.returncode == 0


@pytest.mark.parametrize("kind", CASES)
def test_every_document_gets_its_due_and_openssl_agrees_on_the_signature(kind: str, tmp_path: Path):
    case = CASES[kind]()
    passive = ours(case, tmp_path)
    if passive is None:
        assert case.found == {"signature": FAIL}
    else:
        assert {check: getattr(passive, check).outcome.value for check in case.found} == case.found, passive
    signature = passive is not None and bool(passive.signature)
    assert openssl_agrees(case.cms) == (signature or case.openssl_is_milder)


def test_only_known_good_documents_are_trusted(tmp_path: Path):
    trusted = set()
    for number, (kind, build) in enumerate(CASES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        passive = ours(build(), folder)
        if passive is not None and passive.trusted and passive.hashes:
            trusted.add(kind)
    good_ones = {kind for kind, build in CASES.items() if build().found.get("country") == PASS}
    more = {"country in small letters", "a new CSCA through its link", "SHA-1 abroad", "a document of abroad"}
    clear = {"a state that does not exist"} | {
        kind for kind, build in CASES.items() if build().found.get("revocation") in (PASS, OPEN)
    }
    assert trusted == good_ones | more | clear


def test_an_empty_store_knows_no_anchor():
    passive = examine(parse_sod(encode(0x77, GOOD)), GROUPS, TrustStore(), NOW)
    assert passive.chain.outcome.value == passive.revocation.outcome.value == OPEN
    assert passive.whole
    assert not passive.trusted
