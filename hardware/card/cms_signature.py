"""Signed data (RFC 5652) as documents and master lists use it: exactly one signer, signed attributes, one content."""

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest

from asn1crypto import cms, x509

from hardware.card.certificates import country_of, hashes_for
from hardware.card.errors import BadData
from hardware.card.signatures import digest, public_key, signature_ok
from hardware.card.tlv import encode

MAX_SIGNED_CERTIFICATES = 32


@dataclass(frozen=True, slots=True)
class Statement:
    """Content, and who signed it when (if the signer said so)."""

    content: bytes
    signer: x509.Certificate
    signed_at: datetime | None


def verified_content(signed: cms.SignedData, content_type: str) -> Statement:
    """The content that the one signer vouches for; BadData tells what is wrong. Use it inside `parsing`."""
    signer, info = find_signer(signed)
    if signed["encap_content_info"]["content_type"].dotted != content_type:
        raise BadData("the content is of another type")
    content = bytes(signed["encap_content_info"]["content"])
    accepted = hashes_for(country_of(signer.issuer))
    signed_at = _check_attributes(info, content_type, content, accepted)
    # Signed as SET OF, carried with an implicit tag (RFC 5652 §5.4).
    message = encode(0x31, info["signed_attrs"].contents)
    hash_name = info["digest_algorithm"]["algorithm"].native
    key, algorithm = public_key(signer.public_key), info["signature_algorithm"]
    if not signature_ok(key, algorithm, hash_name, info["signature"].native, message, accepted):
        raise BadData("wrong signature")
    return Statement(content, signer, signed_at)


def find_signer(signed: cms.SignedData) -> tuple[x509.Certificate, cms.SignerInfo]:
    """The one signer's certificate, by issuer and serial number or by key identifier; nothing is verified yet."""
    if len(signed["signer_infos"]) != 1:
        raise BadData("not exactly one signer")
    info = signed["signer_infos"][0]
    if len(signed["certificates"]) > MAX_SIGNED_CERTIFICATES:
        raise BadData("too many certificates")
    for choice in signed["certificates"]:
        if choice.name == "certificate" and _is_meant(choice.chosen, info["sid"]):
            return choice.chosen, info
    raise BadData("the signer's certificate is missing")


def _is_meant(certificate: x509.Certificate, sid: cms.SignerIdentifier) -> bool:
    named = sid.chosen
    if sid.name == "issuer_and_serial_number":
        same_number = certificate.serial_number == named["serial_number"].native
        return bool(same_number and certificate.issuer == named["issuer"])
    return bool(certificate.key_identifier == named.native)


def _check_attributes(
    info: cms.SignerInfo, content_type: str, content: bytes, accepted: frozenset[str]
) -> datetime | None:
    """Content type and digest must be there once and right; the signing time if there is one."""
    values: dict[str, cms.SetOf] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name in values or len(attribute["values"]) != 1:
            raise BadData("a signed attribute is repeated")
        values[name] = attribute["values"][0]
    if values["content_type"].dotted != content_type:
        raise BadData("the signed content type is another")
    hash_name = info["digest_algorithm"]["algorithm"].native
    if not compare_digest(values["message_digest"].native, digest(hash_name, content, accepted)):
        raise BadData("the signed digest is another")
    time = values.get("signing_time")
    return time.native if time is not None else None
