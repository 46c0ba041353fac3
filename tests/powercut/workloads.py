"""What a kiosk is at when the power goes: the real code, in a process of its own, on the recorded disk."""

import hashlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kiosk.clock import utc_iso
from kiosk.config import Settings
from kiosk.dossier import DossierState
from sync import signed
from sync.client import ReceiverClient
from sync.forwarder import Forwarder
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import Entry
from tests.powercut import witness
from tests.powercut.witness import Witness, contents_of
from tests.sync.province import make_dossier

GOLDEN = Path(__file__).parents[1] / "sync" / "golden"
DAY = datetime(2026, 11, 1, 3, tzinfo=UTC)
KEEP_DAYS = 30


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a workload runs: its settings have the kiosk's state on the recorded disk."""

    settings: Settings
    note: Witness
    seed: int
    number: int
    """Of the recording: the first is 0."""

    @property
    def folder(self) -> Path:
        """The outbox."""
        return self.settings.kiosk.state / "outbox"


class Noted(Outbox):
    """The outbox, with a witness beside it."""

    def __init__(self, scene: Scene) -> None:
        self._sealer = Sealer.of(scene.settings.office, scene.settings.kiosk)
        super().__init__(scene.folder, self._sealer.by)
        self._note = scene.note
        self._receipts = signed.verifying_key(scene.settings.office.receipt_key, "key")
        self._chance = random.Random(scene.seed)

    def begin(self) -> "Noted":
        """Become the one that puts."""
        self.take_over(self._receipts)
        return self

    def file(self) -> None:
        """A citizen files: small, and sometimes large."""
        dossier = make_dossier(evidence=self._chance.choice((200, 20_000, 400_000)))
        failure = self.put(dossier, self._sealer)
        assert failure is None, failure
        self._note.note(witness.SUBMITTED, dossier.reference_uid, contents_of(dossier))

    def manifest_sent(self, entry: Entry) -> None:
        super().manifest_sent(entry)
        self._note.note(witness.SENT, entry.submission)

    def delivered(self, entry: Entry, receipt: bytes) -> None:
        super().delivered(entry, receipt)
        self._note.note(witness.DELIVERED, entry.submission, hashlib.sha256(receipt).hexdigest())

    def answered(self, entry: Entry, state: DossierState) -> None:
        super().answered(entry, state)
        self._note.note(witness.ANSWERED, entry.submission)

    def purge(self, keep_days: float) -> int:
        before = {row["submission"] for row in self.records() if row["purged"]}
        done = super().purge(keep_days)
        for row in self.records():
            if row["purged"] and row["submission"] not in before:
                self._note.note(witness.PURGED, row["submission"])
        return done


def submit(scene: Scene) -> None:
    """Citizens file, one after the other."""
    scene.note.note(witness.BEGUN)
    outbox = Noted(scene).begin()
    for _ in range(8):
        outbox.file()
    outbox.close()


def send(scene: Scene) -> None:
    """The forwarder sends to a real receiver off this disk, while citizens file."""
    outbox = Noted(scene).begin()
    client = ReceiverClient(scene.settings.office)
    forwarder = Forwarder(outbox, client, scene.settings)
    scene.note.note(witness.BEGUN)
    for _ in range(3):
        outbox.file()
        outbox.file()
        assert forwarder.drain() == 0
    deadline = time.monotonic() + 20
    while any(row["state"] != "answered" for row in outbox.records()):
        assert time.monotonic() < deadline, "the province does not answer"
        time.sleep(0.1)
        forwarder.drain()
    client.close()
    outbox.close()


def purge(scene: Scene) -> None:
    """Day after day receipts come in, and what is old enough goes."""
    outbox = Noted(scene).begin()
    for _ in range(8):
        outbox.file()
    scene.note.note(witness.BEGUN)
    for day, entry in enumerate(outbox.undelivered()[:-1]):
        outbox.manifest_sent(entry)
        outbox.delivered(entry, _receipt(scene, entry, DAY + timedelta(days=15 * day)))
        outbox.purge(KEEP_DAYS)
    outbox.close()


def rebuild(scene: Scene) -> None:
    """The index is lost; the next start makes it anew, and citizens file."""
    outbox = Noted(scene).begin()
    for _ in range(6):
        outbox.file()
    for day, entry in enumerate(outbox.undelivered()[:3]):
        outbox.manifest_sent(entry)
        outbox.delivered(entry, _receipt(scene, entry, DAY + timedelta(days=40 * day)))
    outbox.purge(KEEP_DAYS)
    outbox.close()
    for path in scene.folder.glob("outbox.db*"):
        path.unlink()
    os.sync()
    scene.note.note(witness.BEGUN)
    outbox = Noted(scene).begin()
    outbox.file()
    outbox.close()


def migrate(scene: Scene) -> None:
    """This program takes a full queue of a released version over, and citizens file."""
    scene.settings.kiosk.state.mkdir(exist_ok=True)
    queues = sorted(GOLDEN.glob("outbox-v*"))
    queue = queues[scene.number % len(queues)]
    shutil.copytree(queue, scene.folder)
    os.sync()
    for submission, receipt in receipts_of(queue / "outbox.db"):
        scene.note.note(witness.DELIVERED, submission, hashlib.sha256(receipt).hexdigest())
    scene.note.note(witness.BEGUN)
    outbox = Noted(scene).begin()
    outbox.file()
    outbox.file()
    outbox.close()


def receipts_of(index: Path) -> list[tuple[str, bytes]]:
    """Submissions and receipts in a golden database, which is not touched."""
    database = sqlite3.connect(f"file:{index}?mode=ro&immutable=1", uri=True)
    rows = database.execute("SELECT submission, receipt FROM submission WHERE receipt IS NOT NULL").fetchall()
    database.close()
    return rows


def _receipt(scene: Scene, entry: Entry, received: datetime) -> bytes:
    ids = {"submission": entry.submission, "manifest_sha256": entry.manifest_sha256}
    key = signed.signing_key(scene.settings.receiver.receipt_key_file, "key")
    return signed.sign("receipt", {"schema": 1, **ids, "received_at": utc_iso(received)}, key)


WORKLOADS: dict[str, Callable[[Scene], None]] = {
    "submit": submit,
    "send": send,
    "purge": purge,
    "migrate": migrate,
    "rebuild": rebuild,
}
