"""Passive Authentication (Doc 9303-11 §5.1, 9303-12): the issuer's signature over the hashes of the data groups.

It proves data, not the chip: a clone passes. Without an anchor the data is whole but its issuer unproven.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest

from asn1crypto import cms, core, x509

from hardware.card.asn1 import parsing
from hardware.card.certificates import country_of, hashes_for, state_of
from hardware.card.checks import Check, failed, not_supported, passed, undetermined
from hardware.card.cms_signature import find_signer, verified_content
from hardware.card.countries import country_of_state
from hardware.card.errors import BadData
from hardware.card.lds import SOD
from hardware.card.signatures import digest
from hardware.card.tlv import need
from hardware.card.trust import TrustStore
from hardware.card.trust import load_anchors as load_anchors
from kiosk.citizen import IdentityGrade

COUNTRY = "VN"
SECURITY_OBJECT = "2.23.136.1.1.1"
CARD_SECURITY_INFOS = "0.4.0.127.0.7.3.2.1"


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


@dataclass(frozen=True, slots=True)
class SecurityObject:
    """EF.SOD taken apart, not yet believed."""

    signed: cms.SignedData
    content: bytes
    algorithm: str
    hashes: Mapping[int, bytes]


def parse_sod(raw: bytes) -> SecurityObject:
    """The structure of EF.SOD; BadData if it is none. Tolerates BER, as issuers use it."""
    with parsing("EF.SOD"):
        info = cms.ContentInfo.load(need(raw, SOD.tag))
        signed = info["content"]
        if info["content_type"].native != "signed_data":
            raise BadData("EF.SOD: not signed data")
        if signed["encap_content_info"]["content_type"].dotted != SECURITY_OBJECT:
            raise BadData("EF.SOD: not an LDS security object")
        content = bytes(signed["encap_content_info"]["content"])
        security = _SecurityObject.load(content)
        listed = [(int(entry["number"].native), entry["value"].native) for entry in security["hashes"]]
        hashes = dict(listed)
        if not 1 <= len(hashes) <= 16 or not set(hashes) <= set(range(1, 17)) or len(hashes) != len(listed):
            raise BadData("EF.SOD: impossible data groups")
        return SecurityObject(signed, content, security["hash_algorithm"]["algorithm"].native, hashes)


@dataclass(frozen=True, slots=True)
class CardSecurity:
    """Security infos that their signer vouches for, and whether a trusted issuer vouches for the signer."""

    content: bytes
    chain: Check


def card_security(raw: bytes, trust: TrustStore, now: datetime) -> CardSecurity:
    """EF.CardSecurity (Doc 9303-10 §3.11.4), its signature verified; BadData if it is wrong or missing."""
    if not raw:
        raise BadData("EF.CardSecurity is missing")
    with parsing("EF.CardSecurity"):
        statement = verified_content(cms.ContentInfo.load(raw)["content"], CARD_SECURITY_INFOS)
        _, chain = trust.issuer_of(statement.signer, now, statement.signed_at)
        if chain and (revoked := trust.revocation(statement.signer, now)).failed:
            chain = revoked
    return CardSecurity(statement.content, chain)


@dataclass(frozen=True, slots=True)
class Passive:
    """The five checks of Passive Authentication, each judged on its own."""

    signature: Check
    chain: Check
    hashes: Check
    revocation: Check
    country: Check
    home: bool = False
    """Whether the anchor is of this country."""

    @property
    def whole(self) -> bool:
        """Whether the data is what the document signer signed."""
        return bool(self.signature) and not self.hashes.failed

    @property
    def trusted(self) -> bool:
        """Whether an issuer that may do so vouches for the data. What DG1 leaves open is held to be of this country."""
        country = bool(self.country) or (self.home and not self.country.failed)
        return self.whole and bool(self.chain) and not self.revocation.failed and country

    def overall(self) -> Check:
        """The five as one."""
        for check in (self.signature, self.hashes, self.chain, self.revocation, self.country):
            if check.failed:
                return check
        if self.trusted and self.hashes:
            return passed()
        open_ones = (self.signature, self.hashes, self.chain, self.country)
        return undetermined(next(check.reason for check in open_ones if not check))

    def as_json(self) -> dict[str, dict[str, str]]:
        """The shape of `card verify --json`."""
        names = ("signature", "chain", "hashes", "revocation", "country")
        return {name: getattr(self, name).as_json() for name in names}


def examine(sod: SecurityObject, groups: Mapping[int, bytes], trust: TrustStore, now: datetime) -> Passive:
    """Signature, hash of every group that was read, chain to an anchor valid `now`, revocation, issuing country."""
    signature, signer, signed_at = _signature(sod)
    hashes = _hashes(sod, groups, signer)
    if signer is None:
        unknown = undetermined("there is no signer")
        return Passive(signature, unknown, hashes, unknown, unknown)
    anchor, chain = None, undetermined("")
    try:
        with parsing("certificate"):
            anchor, chain = trust.issuer_of(signer, now, signed_at)
    except BadData as error:
        chain = failed(error.failure.detail)
    if anchor is None:
        unknown = undetermined("there is no anchor")
        return Passive(signature, chain, hashes, unknown, unknown)
    home = country_of(anchor.subject) == COUNTRY
    return Passive(signature, chain, hashes, trust.revocation(signer, now), _country(anchor, groups), home)


def _signature(sod: SecurityObject) -> tuple[Check, x509.Certificate | None, datetime | None]:
    signer = None
    try:
        with parsing("EF.SOD"):
            signer = find_signer(sod.signed)[0]
            statement = verified_content(sod.signed, SECURITY_OBJECT)
            return passed(), signer, statement.signed_at
    except BadData as error:
        return failed(error.failure.detail), signer, None


def _hashes(sod: SecurityObject, groups: Mapping[int, bytes], signer: x509.Certificate | None) -> Check:
    if not groups:
        return undetermined("no data group was read")
    try:
        with parsing("certificate"):
            accepted = hashes_for(country_of(signer.issuer) if signer is not None else "")
            wrong = [n for n, raw in groups.items() if not _matches(sod, n, digest(sod.algorithm, raw, accepted))]
    except BadData as error:
        return failed(error.failure.detail)
    if wrong:
        return failed(f"{_names(wrong)}: not what was signed")
    return passed(f"not compared: {_names(left)}" if (left := set(sod.hashes) - set(groups)) else "")


def _matches(sod: SecurityObject, number: int, value: bytes) -> bool:
    return compare_digest(value, sod.hashes.get(number, b""))


def _names(numbers: list[int] | set[int]) -> str:
    return ", ".join(f"EF.DG{number}" for number in sorted(numbers))


def _country(anchor: x509.Certificate, groups: Mapping[int, bytes]) -> Check:
    """Doc 9303-12 §6.1.1: else any of the states in the store could vouch for a card of this country."""
    issuer, own = country_of(anchor.subject), state_of(anchor)
    try:
        state = need(groups[1], 0x61, 0x5F1F)[2:5].decode("ascii", "replace")  # the same place in TD1, TD2 and TD3
    except (BadData, KeyError):
        return undetermined(f"no country in EF.DG1; the anchor is of {issuer or 'none'}")
    country = country_of_state(state)
    if (own and own != state.rstrip("<").upper()) or (country and country != issuer):
        return failed("the anchor is of another country than EF.DG1")
    return passed() if own or country else undetermined("EF.DG1 names a country that is not known")


def _without_sod(detail: str) -> Passive:
    nothing = undetermined("there is no usable EF.SOD")
    return Passive(failed(detail), nothing, nothing, nothing, nothing)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Passive Authentication found; `problems` are codes for technicians."""

    grade: IdentityGrade
    problems: tuple[str, ...] = ()
    passive: Passive = field(default=_without_sod("there is no usable EF.SOD"), compare=False)


def judge(sod: SecurityObject, groups: Mapping[int, bytes], trust: TrustStore, now: datetime) -> Verdict:
    """The grade that the five checks make, and the first problem found."""
    passive = examine(sod, groups, trust, now)
    if not passive.signature:
        return Verdict(IdentityGrade.CHIP_READ, (f"passive_auth_failed: {passive.signature.reason}",), passive)
    if passive.hashes.failed:
        return Verdict(IdentityGrade.CHIP_READ, ("data_group_hash_mismatch",), passive)
    if not passive.trusted:
        wrong = passive.revocation if passive.revocation.failed else passive.country
        wrong = wrong if passive.chain else passive.chain
        return Verdict(IdentityGrade.INTEGRITY_ONLY, (f"csca_chain_failed: {wrong.reason}",), passive)
    return Verdict(IdentityGrade.ISSUER_VERIFIED, (), passive)


def unusable(problem: BadData) -> Verdict:
    """The verdict on an EF.SOD that could not be taken apart."""
    detail = problem.failure.detail
    return Verdict(IdentityGrade.CHIP_READ, (f"passive_auth_failed: {detail}",), _without_sod(detail))


def proof_of_chip(passive: Passive, listed: Container[int], group: int, *, proved: bool | None) -> Check:
    """The result of a protocol that shows the chip is no copy, with the key in this data group (14 CA, 15 AA).

    `listed` are the groups in EF.SOD; `proved` None: it was not run.
    It counts only if the key is under a trusted EF.SOD (chip-card reference §9.7).
    """
    if group not in listed:
        return not_supported(f"EF.SOD lists no EF.DG{group}")
    if proved is None:
        return undetermined("it was not run")
    if not proved:
        return failed("the chip does not have the key")
    return passed() if passive.trusted else undetermined("the key is right, but no trusted issuer vouches for it")
