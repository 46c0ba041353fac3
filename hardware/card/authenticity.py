"""The verdict on a document: every protocol judged on its own, then the grade that they make together.

Passive Authentication proves data. Only Chip Authentication, its mapping in PACE, or Active Authentication prove that
the chip is no copy, and only with a key that a trusted issuer signed (chip-card reference §9.7).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hardware.card.access import Access
from hardware.card.active import key_of_dg15, proves_key
from hardware.card.asn1 import parsing
from hardware.card.card_access import announced
from hardware.card.checks import Check, failed, not_supported, passed, undetermined
from hardware.card.chip_authentication import SecurityInfos, chip_points, parse_dg14
from hardware.card.errors import BadData
from hardware.card.pace import ChipProof
from hardware.card.passive import Passive, SecurityObject, Verdict, card_security, judge, proof_of_chip, unusable
from hardware.card.trust import TrustStore
from kiosk.citizen import IdentityGrade

FROM_FILES = undetermined("judged from files, there was no chip")


@dataclass(frozen=True, slots=True, repr=False)
class ChipAnswers:
    """What the chip did when it was asked to show its keys."""

    agreed: bool | None = None
    """Whether it went on under the keys of Chip Authentication; None: it was not asked."""
    challenge: bytes = b""
    response: bytes = b""
    """To INTERNAL AUTHENTICATE; empty if it was not asked or gave none."""
    refused: str = ""
    """How it declined Active Authentication."""


@dataclass(frozen=True, slots=True)
class Protocols:
    """One result for every protocol."""

    bac: Check
    pace: Check
    pa: Check
    ca: Check
    """Chip Authentication, or PACE with its mapping."""
    aa: Check

    def as_json(self) -> dict[str, dict[str, str]]:
        """The shape of `card read --json`."""
        return {name: getattr(self, name).as_json() for name in ("bac", "pace", "pa", "ca", "aa")}


@dataclass(frozen=True, slots=True)
class Authenticity:
    """The grade, what is wrong in codes for technicians, and every single result."""

    grade: IdentityGrade
    problems: tuple[str, ...]
    protocols: Protocols
    passive: Passive


def examine_document(
    sod: SecurityObject | BadData,
    groups: Mapping[int, bytes],
    answers: ChipAnswers,
    trust: TrustStore,
    now: datetime,
    access: Access | None = None,
) -> Authenticity:
    """Judge files and what the chip did. `sod` is why EF.SOD is unusable if it is; `access` None: files alone."""
    verdict = unusable(sod) if isinstance(sod, BadData) else judge(sod, groups, trust, now)
    listed = {} if isinstance(sod, BadData) else sod.hashes
    infos = _security_infos(groups)
    mapped = None if access is None or access.proof is None else _mapping(access, access.proof, verdict, trust, now)
    ca = mapped if mapped is not None else _chip_authentication(verdict.passive, listed, infos, answers)
    aa = _active_authentication(verdict.passive, listed, groups, infos, answers)
    pace, bac = (FROM_FILES, FROM_FILES) if access is None else (_pace(access, infos), access.bac)
    protocols = Protocols(bac, pace, verdict.passive.overall(), ca, aa)
    return _together(verdict, protocols, access, infos)


def _together(
    verdict: Verdict, protocols: Protocols, access: Access | None, infos: SecurityInfos | None
) -> Authenticity:
    """A chip that fails to show its key lowers the grade, however good its data: it may be a copy."""
    grade, problems = verdict.grade, list(verdict.problems)
    for name in ("ca", "aa"):
        check: Check = getattr(protocols, name)
        if check.failed:
            grade = IdentityGrade.CHIP_READ
            problems.append(f"chip_clone_suspected: {name}: {check.reason}")
    if access is not None and infos is not None and announced(access.card_access) != infos.pace:
        problems.append("card_access_differs: EF.CardAccess and EF.DG14 name different kinds of PACE")
    return Authenticity(grade, tuple(problems), protocols, verdict.passive)


def _security_infos(groups: Mapping[int, bytes]) -> SecurityInfos | None:
    try:
        return parse_dg14(groups[14])
    except (KeyError, BadData):
        return None


def _pace(access: Access, infos: SecurityInfos | None) -> Check:
    """Signed EF.DG14 convicts an EF.CardAccess that hides PACE (chip-card reference §9.6)."""
    hidden = infos is not None and infos.pace - announced(access.card_access)
    if hidden and not access.pace:
        return failed("EF.DG14 names PACE that EF.CardAccess does not show")
    return access.pace


def _chip_authentication(
    passive: Passive, listed: Mapping[int, bytes], infos: SecurityInfos | None, answers: ChipAnswers
) -> Check:
    if 14 in listed and infos is not None and not infos.chip_keys:
        return not_supported("EF.DG14 has no key of the chip")
    return proof_of_chip(passive, listed, 14, proved=answers.agreed)


def _active_authentication(
    passive: Passive,
    listed: Mapping[int, bytes],
    groups: Mapping[int, bytes],
    infos: SecurityInfos | None,
    answers: ChipAnswers,
) -> Check:
    if answers.refused and 15 in listed:
        return failed(answers.refused)
    proved = None
    if answers.response and 15 in groups:
        try:
            algorithm = infos.active_authentication if infos else None
            proved = proves_key(key_of_dg15(groups[15]), answers.challenge, answers.response, algorithm)
        except BadData as error:
            return undetermined(error.failure.detail)
    return proof_of_chip(passive, listed, 15, proved=proved)


def _mapping(access: Access, proof: ChipProof, verdict: Verdict, trust: TrustStore, now: datetime) -> Check:
    """PACE with chip authentication mapping: the key is in EF.CardSecurity, which a document signer signed."""
    try:
        signed = card_security(access.card_security, trust, now)
        points = chip_points(signed.content)
    except BadData as error:
        return failed(error.failure.detail)
    if not any(_fits(proof, point) for point in points):
        return failed("the chip does not have the key of EF.CardSecurity")
    if signed.chain and verdict.passive.trusted:
        return passed("by PACE with chip authentication mapping")
    return undetermined("the key is right, but no trusted issuer vouches for it")


def _fits(proof: ChipProof, point: bytes) -> bool:
    try:
        with parsing("EF.CardSecurity"):
            return proof.fits(point)
    except BadData:
        return False  # a key for another group
