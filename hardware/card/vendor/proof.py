"""From the raw files that a vendor's reader hands over to a citizen: the grade is ours, never the vendor's word."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hardware.card.active import challenge
from hardware.card.authenticity import Authenticity, ChipAnswers, examine_document
from hardware.card.errors import BadData
from hardware.card.face import portrait_of_dg2
from hardware.card.identity import Holder, citizen_of, holder_of
from hardware.card.lds import SOD, data_group, evidence_order
from hardware.card.passive import SecurityObject, parse_sod
from hardware.card.portrait import PortraitDecoder
from hardware.card.session import AA_CHALLENGE, AA_RESPONSE
from hardware.card.trust import TrustStore
from hardware.card.vendor.claims import require_number
from kiosk.citizen import AccessKey, Citizen

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Chip:
    """What a reader brought of a chip, and the way to ask it for more."""

    files: Mapping[str, bytes]
    """Raw files by their names."""
    key: AccessKey
    """What opened it."""
    sign: Callable[[bytes], bytes]
    """Has the chip sign a challenge. Raises CardError."""

    @property
    def groups(self) -> dict[int, bytes]:
        """The data groups by number."""
        return {n: raw for n in range(1, 17) if (raw := self.files.get(data_group(n).name)) is not None}


def proven_citizen(chip: Chip, trust: TrustStore, decoder: PortraitDecoder) -> Citizen:
    """The holder, from the data groups (DG1 at least). Raises CardError.

    The reader's word for Active Authentication is worth nothing: the challenge is ours, and so is the judgement.
    """
    groups, sod = chip.groups, _security_object(chip.files)
    holder = holder_of(groups)
    require_number(holder.personal_id, chip.key)
    if not isinstance(sod, BadData) and 15 in sod.hashes and 15 not in groups:
        raise BadData("EF.DG15 is listed but missing")  # a copy would rather hide it than fail the proof
    answers = _answers(chip) if 15 in groups else ChipAnswers()
    found = examine_document(sod, groups, answers, trust, datetime.now(UTC))
    if found.problems:
        log.warning("card: %s", "; ".join(found.problems))
    evidence = dict(chip.files)
    if answers.response:
        evidence |= {AA_CHALLENGE: answers.challenge, AA_RESPONSE: answers.response}
    portrait = decoder.decode(portrait_of_dg2(groups[2])) if 2 in groups else b""
    return _citizen(holder, found, portrait, evidence)


def _citizen(holder: Holder, found: Authenticity, portrait: bytes, evidence: Mapping[str, bytes]) -> Citizen:
    return citizen_of(holder, found.grade, portrait, evidence_order(evidence))


def _security_object(files: Mapping[str, bytes]) -> SecurityObject | BadData:
    """EF.SOD taken apart, or why it is unusable."""
    try:
        return parse_sod(files[SOD.name])
    except KeyError:
        return BadData("there is no EF.SOD")
    except BadData as error:
        return error


def _answers(chip: Chip) -> ChipAnswers:
    """A chip that declines has not shown its key; one that is gone or silent has not been read."""
    challenged = challenge()
    response = chip.sign(challenged)
    return ChipAnswers(None, challenged, response, refused="" if response else "an empty aaResponse")
