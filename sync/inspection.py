"""Does the outbox hold what it promised? Index, audit log, envelopes and receipts against each other."""

from dataclasses import dataclass, field
from typing import Any

from sync.contradictions import Contradictions
from sync.envelope import EnvelopeError, read_manifest
from sync.outbox import Outbox
from sync.outbox_schema import Entry, State
from sync.rebuild import is_receipt_for
from sync.signed import Verifier


@dataclass(slots=True)
class Report:
    """What was looked at, and every problem in words for a technician."""

    submissions: int = 0
    envelopes: int = 0
    problems: list[str] = field(default_factory=list)
    single_recipient: int = 0
    """Envelopes that only the receiver can open: sealed before a recovery key was configured."""


def inspect(outbox: Outbox, kiosk_key: Verifier, receipt_key: Verifier) -> Report:
    """Read everything; every envelope that is not purged is read from the disk and hashed."""
    report = Report(problems=[*outbox.index_problems(), *outbox.audit_problems(kiosk_key)])
    report.problems += map(str, Contradictions(outbox).all())
    for number, row in enumerate(outbox.records(), start=1):
        report.submissions += 1
        try:
            _inspect_one(outbox, row, number, kiosk_key, receipt_key, report)
        except EnvelopeError as error:
            report.problems.append(f"sequence {row['sequence']}, {row['submission']}: {error}")
    return report


def _inspect_one(
    outbox: Outbox,
    row: dict[str, Any],
    number: int,
    kiosk_key: Verifier,
    receipt_key: Verifier,
    report: Report,
) -> None:
    if row["sequence"] != number:
        raise EnvelopeError(f"the sequence has a gap before it (it should be {number})")
    entry = Entry(row["submission"], row["sequence"], row["manifest_sha256"], State(row["state"]))
    manifest = read_manifest(outbox.manifest(entry), kiosk_key)
    if row["receipt"] is not None and not is_receipt_for(
        entry.submission, entry.manifest_sha256, row["receipt"], receipt_key
    ):
        raise EnvelopeError("its receipt is not the receiver's, or for another envelope")
    if not row["purged"]:
        outbox.check(entry)
        report.envelopes += 1
        report.single_recipient += len(manifest.sealed_keys) == 1
