"""The audit log: one line for each event, each chained to the one before by its hash and signed by the kiosk.

    {"n": 7, "utc": …, "event": "delivered", "submission": …, "sequence": …, "previous": <SHA-256>} <signature>

A line is written and synced inside the transaction that makes the event true; the transaction keeps the head (number,
hash and size of the log). What a crash left beyond the head is overwritten by the next line; a log shorter than the
head was truncated. Lines without a signature («-», written by a program that has no key) are covered by the next signed
one, as its hash contains theirs. Nothing personal is ever in it.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import utc_iso
from sync import store
from sync.envelope import SUBMISSION_ID
from sync.signed import Verifier

START = "0" * 64
"""What the first line is chained to."""


class Event(StrEnum):
    """What is written down."""

    SEALED = "sealed"
    MANIFEST_SENT = "manifest_sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"
    RELEASED = "released"
    PURGED = "purged"
    EXPORTED = "exported"
    REBUILT = "rebuilt"
    DELIVERED_AGAIN = "delivered_again"


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log reaches: lines, SHA-256 of the last one, bytes."""

    n: int = 0
    sha256: str = START
    size: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands."""

    document: dict[str, Any]
    signed: bytes
    signature: bytes | None
    head: Head
    """The head with this line as the last."""

    @property
    def sealed(self) -> tuple[int, str] | None:
        """Sequence and submission, if this line says that one was sealed."""
        sequence, submission = self.document.get("sequence"), self.document.get("submission")
        if self.document.get("event") != Event.SEALED or not isinstance(sequence, int):
            return None
        return (sequence, submission) if isinstance(submission, str) and SUBMISSION_ID.fullmatch(submission) else None


def append(path: Path, head: Head, event: Event, signer: Ed25519PrivateKey | None, **fields: object) -> Head:
    """Write and sync the line after `head`; the new head. The caller holds the outbox's write transaction."""
    document = {"n": head.n + 1, "utc": utc_iso(datetime.now(UTC)), "event": event, **fields, "previous": head.sha256}
    text = json.dumps(document, ensure_ascii=True).encode()
    signature = base64.b64encode(signer.sign(text)) if signer else b"-"
    line = text + b" " + signature + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, head.size)
        written = os.pwrite(descriptor, line, head.size)
        if written < len(line):
            os.pwrite(descriptor, line[written:], head.size + written)  # says why there is no room
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if not head.size:
        store.sync_folder(path.parent)
    return Head(head.n + 1, hashlib.sha256(line).hexdigest(), head.size + len(line))


def lines(path: Path) -> Iterator[Line]:
    """The lines that can be read, in order; ends before the first that cannot."""
    if not path.exists():
        return
    size = 0
    with path.open("rb") as file:
        for n, raw in enumerate(file, start=1):
            size += len(raw)
            text, _, signature = raw.rpartition(b" ")
            try:
                document = json.loads(text)
                decoded = None if signature == b"-\n" else base64.b64decode(signature.strip(), validate=True)
            except ValueError:
                return
            if not raw.endswith(b"\n") or not isinstance(document, dict):
                return
            yield Line(document, text, decoded, Head(n, hashlib.sha256(raw).hexdigest(), size))


def problems(path: Path, head: Head, key: Verifier) -> list[str]:
    """What is wrong with the log up to `head`: altered, removed, reordered or foreign lines, a cut end."""
    previous, last = START, Head()
    for line in lines(path):
        if line.head.n > head.n:
            break
        if (line.document.get("n"), line.document.get("previous")) != (line.head.n, previous):
            return [f"audit line {line.head.n} does not follow the one before"]
        if line.signature is not None and not _is_by(key, line):
            return [f"audit line {line.head.n} is not signed by this kiosk"]
        previous, last = line.head.sha256, line.head
    if last.n < head.n:
        return [f"the audit log ends at line {last.n} of {head.n}"]
    return [] if last == head else ["the last audit line is not the one that the database knows"]


def _is_by(key: Verifier, line: Line) -> bool:
    try:
        key.verify(line.signature or b"", line.signed)
    except InvalidSignature:
        return False
    return True
