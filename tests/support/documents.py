"""Documents by hand: certificates, security objects, revocation and master lists with every freedom to be wrong."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from asn1crypto import algos, cms, core, crl, keys, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hardware.card.domain_parameters import STANDARDISED
from hardware.card.groups import Curve
from hardware.card.tlv import encode

SECURITY_OBJECT = "2.23.136.1.1.1"
MASTER_LIST = "2.23.136.1.1.2"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
ZONE = "ID{}1990001239001199000123<<0" + "9901029F3901027{}<<<<<<<<<<<0" + "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
HASHES = {
    "md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256,
    "sha384": hashes.SHA384, "sha512": hashes.SHA512,
}  # fmt: skip


def dg1(state: str = "VNM") -> bytes:
    zone = ZONE.format(state.ljust(3, "<"), state.ljust(3, "<")).encode()
    return encode(0x61, encode(0x5F1F, zone))


GROUPS = {1: dg1(), 2: b"second group", 13: b"third group"}


@cache
def ec_key(curve: str = "SECP256R1", nth: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(getattr(ec, curve)())


@cache
def rsa_key(bits: int = 2048, nth: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Scheme:
    """How something is signed; `stated_*` is what the structure claims."""

    hash: str = "sha256"
    kind: str = "ecdsa"
    salt: int = 32
    mask: str = ""
    stated: dict = field(default_factory=dict, hash=False)

    def sign(self, key: Key, message: bytes) -> bytes:
        hashing = HASHES[self.hash]()
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(hashing))
        if self.kind == "pss":
            return key.sign(message, padding.PSS(padding.MGF1(HASHES[self.mask or self.hash]()), self.salt), hashing)
        return key.sign(message, padding.PKCS1v15(), hashing)

    def algorithm(self) -> algos.SignedDigestAlgorithm:
        kind = self.stated.get("kind", self.kind)
        if kind == "bare":
            return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pkcs1v15", "parameters": core.Null()})
        if kind == "rsa":
            return algos.SignedDigestAlgorithm({"algorithm": f"{self.hash}_rsa", "parameters": core.Null()})
        if kind == "ecdsa":
            return algos.SignedDigestAlgorithm({"algorithm": f"{self.hash}_ecdsa"})
        parameters = {
            "hash_algorithm": {"algorithm": self.stated.get("hash", self.hash)},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": self.mask or self.hash}},
            "salt_length": self.stated.get("salt", self.salt),
        }
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})


def scheme_for(key: Key) -> Scheme:
    return Scheme() if isinstance(key, ec.EllipticCurvePrivateKey) else Scheme(kind="rsa")


def name(country: str | None, common: str) -> x509.Name:
    return x509.Name.build(({"country_name": country} if country else {}) | {"common_name": common})


def public_info(key: Key, explicit: Mapping | None = None) -> keys.PublicKeyInfo:
    """`explicit`: the curve is spelt out, with these fields replaced ({}: none)."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    info = keys.PublicKeyInfo.load(der)
    if explicit is None:
        return info
    algorithm = {"algorithm": "ec", "parameters": keys.ECDomainParameters("specified", explicit_curve(key, **explicit))}
    return keys.PublicKeyInfo({"algorithm": algorithm, "public_key": info["public_key"].native})


def curve_of(key: ec.EllipticCurvePrivateKey) -> Curve:
    return next(group for group in STANDARDISED.values() if isinstance(group, Curve) and group.is_of(key.curve))


def explicit_curve(key: ec.EllipticCurvePrivateKey, **changes: bytes | int) -> keys.SpecifiedECDomain:
    curve = curve_of(key)
    fields = {
        "version": "ecdpVer1",
        "field_id": {"field_type": "prime_field", "parameters": curve.prime},
        "curve": {"a": curve.a.to_bytes(curve.size, "big"), "b": curve.b.to_bytes(curve.size, "big")},
        "base": curve.generator,
        "order": curve.order,
        "cofactor": 1,
    }
    return keys.SpecifiedECDomain(fields | changes)


@dataclass(frozen=True)
class Authority:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.dump()


def extension(kind: str, value: object, critical: bool = False) -> dict:
    return {"extn_id": kind, "critical": critical, "extn_value": value}


def issue(
    subject: x509.Name,
    key: Key,
    by: Authority | None = None,
    *,
    ca: bool = False,
    usage: set[str] | None = None,
    days: tuple[int, int] = (-400, 3000),
    extra: Sequence[dict] = (),
    issuer: x509.Name | None = None,
    authority_id: bytes | None = None,
    explicit: Mapping | None = None,
    scheme: Scheme | None = None,
    serial: int | None = None,
) -> Authority:
    """A certificate by `by`, or by itself."""
    info = public_info(key, explicit)
    signing_key = by.key if by else key
    scheme = scheme or scheme_for(signing_key)
    own_id = info.sha1
    by_id = authority_id or (by.certificate.key_identifier if by else own_id)
    usage = usage if usage is not None else ({"key_cert_sign", "crl_sign"} if ca else {"digital_signature"})
    extensions = [
        extension("key_usage", usage, critical=True),
        extension("key_identifier", own_id),
        extension("authority_key_identifier", {"key_identifier": by_id}),
        *([extension("basic_constraints", {"ca": True, "path_len_constraint": 0}, critical=True)] if ca else []),
        *extra,
    ]
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial or int.from_bytes(hashlib.sha256(info.dump() + subject.dump()).digest()[:8], "big"),
            "signature": scheme.algorithm(),
            "issuer": issuer or (by.certificate.subject if by else subject),
            "validity": {
                "not_before": x509.Time("utc_time", NOW + days[0] * DAY),
                "not_after": x509.Time("utc_time", NOW + days[1] * DAY),
            },
            "subject": subject,
            "subject_public_key_info": info,
            "extensions": extensions,
        }
    )
    signature = scheme.sign(signing_key, body.dump())
    parts = {"tbs_certificate": body, "signature_algorithm": scheme.algorithm(), "signature_value": signature}
    return Authority(key, x509.Certificate.load(x509.Certificate(parts).dump()))


@cache
def csca(country: str | None = "VN", common: str = "CSCA", nth: int = 0) -> Authority:
    return issue(name(country, common), ec_key("SECP384R1", nth + 100), ca=True)


def signer(by: Authority | None = None, key: Key | None = None, country: str | None = "VN", **options) -> Authority:
    return issue(name(country, "Signer"), key or ec_key(), by or csca(country), **options)


def security_object(
    groups: Mapping[int, bytes], digest: str = "sha256", version: int = 0, repeat: bool = False
) -> bytes:
    listed = [n for n in sorted(groups) for _ in range(1 + repeat)]
    hashed = b"".join(
        encode(0x30, encode(0x02, bytes([n])) + encode(0x04, hashlib.new(digest, groups[n]).digest())) for n in listed
    )
    versions = encode(0x30, encode(0x13, b"0108") + encode(0x13, b"040000")) if version else b""
    algorithm = algos.DigestAlgorithm({"algorithm": digest}).dump()
    return encode(0x30, encode(0x02, bytes([version])) + algorithm + encode(0x30, hashed) + versions)


def attributes(content: bytes, digest: str, content_type: str, signed_at: datetime | None, repeat: bool) -> list[dict]:
    found = [
        {"type": "content_type", "values": [content_type]},
        {"type": "message_digest", "values": [hashlib.new(digest, content).digest()]},
    ]
    if signed_at is not None:
        found.append({"type": "signing_time", "values": [cms.Time("utc_time", signed_at)]})
    return found + found[1:2] * repeat


def signed_data(
    content: bytes,
    who: Authority,
    *,
    scheme: Scheme | None = None,
    digest: str | None = None,
    by_key_id: bool = False,
    content_type: str = SECURITY_OBJECT,
    attribute_type: str | None = None,
    digest_of: bytes | None = None,
    signed_at: datetime | None = None,
    repeat: bool = False,
    no_attributes: bool = False,
    as_carried: bool = False,
    named: Authority | None = None,
    certificates: Sequence[Authority] | None = None,
    signers: int = 1,
    signature: bytes | None = None,
) -> bytes:
    """ContentInfo with signed data; every option is one way to be unusual or wrong."""
    scheme = scheme or scheme_for(who.key)
    digest = digest or scheme.hash
    about = cms.CMSAttributes(
        attributes(digest_of or content, digest, attribute_type or content_type, signed_at, repeat)
    )
    message = about.dump()
    if as_carried:
        message = b"\xa0" + message[1:]
    meant = (named or who).certificate
    by_name = {"issuer": meant.issuer, "serial_number": meant.serial_number}
    sid = (
        cms.SignerIdentifier("subject_key_identifier", meant.key_identifier)
        if by_key_id
        else cms.SignerIdentifier("issuer_and_serial_number", by_name)
    )
    info = {
        "version": "v3" if by_key_id else "v1",
        "sid": sid,
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": scheme.algorithm(),
        "signature": signature
        if signature is not None
        else scheme.sign(who.key, content if no_attributes else message),
    } | ({} if no_attributes else {"signed_attrs": about})
    carried = [who] if certificates is None else certificates
    signed = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": {"content_type": content_type, "content": core.ParsableOctetString(content)},
        "certificates": [authority.certificate for authority in carried],
        "signer_infos": [cms.SignerInfo(info) for _ in range(signers)],
    }
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()


def revocation_list(
    by: Authority,
    serials: Sequence[int] = (),
    days: tuple[int, int] = (-1, 30),
    extra: Sequence[dict] = (),
    key: Key | None = None,
) -> bytes:
    scheme = scheme_for(key or by.key)
    revoked = [{"user_certificate": s, "revocation_date": x509.Time("utc_time", NOW - 2 * DAY)} for s in serials]
    body = crl.TbsCertList(
        {
            "version": "v2",
            "signature": scheme.algorithm(),
            "issuer": by.certificate.subject,
            "this_update": x509.Time("utc_time", NOW + days[0] * DAY),
            "next_update": x509.Time("utc_time", NOW + days[1] * DAY),
            "crl_extensions": [extension("crl_number", 1), *extra],
        }
        | ({"revoked_certificates": revoked} if revoked else {})
    )
    signature = scheme.sign(key or by.key, body.dump())
    parts = {"tbs_cert_list": body, "signature_algorithm": scheme.algorithm(), "signature": signature}
    return crl.CertificateList(parts).dump()


def master_list(found: Sequence[Authority], who: Authority, **options) -> bytes:
    inside = b"".join(sorted(authority.der for authority in found))
    content = encode(0x30, encode(0x02, b"\x00") + encode(0x31, inside))
    return signed_data(content, who, **({"content_type": MASTER_LIST} | options))


def indefinite(der: bytes) -> bytes:
    """The outer three levels of signed data with indefinite lengths and the content in two chunks, as BER allows."""
    info = cms.ContentInfo.load(der)
    signed = info["content"]
    content = bytes(signed["encap_content_info"]["content"])
    chunks = encode(0x04, content[:20]) + encode(0x04, content[20:])
    inner = signed["encap_content_info"]["content_type"].dump() + _open(0xA0, _open(0x24, chunks))
    parts = [signed["version"].dump(), signed["digest_algorithms"].dump(), _open(0x30, inner)]
    parts += [signed["certificates"].dump(), signed["signer_infos"].dump()]
    return _open(0x30, info["content_type"].dump() + _open(0xA0, _open(0x30, b"".join(parts))))


def _open(tag: int, value: bytes) -> bytes:
    return bytes([tag, 0x80]) + value + b"\x00\x00"
