"""The result of one check on a chip: four outcomes, because «not proven» is neither right nor wrong."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SUPPORTED = "not_supported"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Check:
    """An outcome and why, for technicians: no personal data in `reason`."""

    outcome: Outcome
    reason: str = ""

    def __bool__(self) -> bool:
        """Whether it passed."""
        return self.outcome is Outcome.PASSED

    @property
    def failed(self) -> bool:
        """Whether something is wrong, not just unproven."""
        return self.outcome is Outcome.FAILED

    def as_json(self) -> dict[str, str]:
        """The shape of `card verify --json`."""
        return {"status": self.outcome.value, "reason": self.reason}


def passed(reason: str = "") -> Check:
    """It is right."""
    return Check(Outcome.PASSED, reason)


def failed(reason: str) -> Check:
    """It is wrong."""
    return Check(Outcome.FAILED, reason)


def not_supported(reason: str) -> Check:
    """The document does not offer it."""
    return Check(Outcome.NOT_SUPPORTED, reason)


def undetermined(reason: str) -> Check:
    """It cannot be told."""
    return Check(Outcome.UNDETERMINED, reason)
