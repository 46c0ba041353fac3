"""What was promised, and when: written down outside the disk whose power is cut.

A promise is noted after the program under test has given it, with the point of the disk's history at that moment. After
a cut later than this point it must hold.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiosk.dossier import Dossier

SUBMITTED = "submitted"
"""`submit` returned, the receipt may be printed: of a dossier (its reference_uid and what is in it)."""
SENT = "manifest_sent"
DELIVERED = "delivered"
"""The outbox took the receipt (`detail` is its hash) of a submission."""
ANSWERED = "answered"
PURGED = "purged"
BEGUN = "begun"
"""From here on the work is under way whose power is cut."""
RECEIPTED = "receipted"
"""The receiver signed a receipt (`detail` is its hash) for a submission."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise; `at` is a size of the disk's log."""

    at: int
    what: str
    name: str = ""
    detail: str = ""


class Witness:
    """Notes promises in `path`, at the point where the log of the disk stands."""

    def __init__(self, path: Path, log: Path) -> None:
        self._path = path
        self._log = log

    def note(self, what: str, name: str = "", detail: str = "") -> None:
        """This was promised just now."""
        promise = Promise(self._log.stat().st_size, what, name, detail)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(promise)) + "\n")

    def promises(self) -> list[Promise]:
        """Everything noted, in order."""
        return [Promise(**json.loads(line)) for line in self._path.read_text().splitlines()]


def contents(payload: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """One hash over all that is in a dossier."""
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode())
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def contents_of(dossier: Dossier) -> str:
    """The same of a dossier before it is sealed."""
    return contents(dossier.payload(), dossier.files())
