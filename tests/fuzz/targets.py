"""Everything of chip reader and delivery that takes bytes it cannot trust, as functions of one input.

A target may raise CardError and nothing else. `seeds` are good inputs to begin from. Keys are fixed, so that a saved
input means the same in every process.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.fuzz import targets_delivery, targets_documents, targets_files, targets_sessions

Run = Callable[[bytes], object]
Seeds = Callable[[], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Target:
    """A named function of one input."""

    name: str
    run: Run
    seeds: Seeds


TARGETS: Mapping[str, Target] = {
    name: Target(name, run, seeds)
    for part in (targets_files, targets_documents, targets_sessions, targets_delivery)
    for name, (run, seeds) in part.TARGETS.items()
}
