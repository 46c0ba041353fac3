"""The receiver's disk: its power goes while kiosks send. The receiver is a real process, seen over the wire only."""

import hashlib
import json
import os
import shutil
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from kiosk.config import Settings
from sync.client import ItemBad, ReceiverClient, RoadClosed
from sync.forwarder import Forwarder
from sync.outbox_schema import Entry, State
from tests.powercut import witness
from tests.powercut.sabotage import SABOTAGES
from tests.powercut.witness import Promise, Witness
from tests.powercut.workloads import GOLDEN, receipts_of
from tests.sync import delivery_process
from tests.sync.province import PROCESSES, Province, expected, make_dossier, until


def spoiled(sabotage: str, config: Path, log: Path) -> None:
    """A receiver that makes a mistake."""
    SABOTAGES[sabotage]()
    delivery_process.child("receiver", config, log, None)


class _Province(Province):
    """Its receiver takes blobs although the disk is small, and may be spoiled."""

    sabotage = ""

    def __init__(self, root: Path, keys: Path) -> None:
        super().__init__(root, keys)
        self.config.write_text(self.config.read_text().replace("[receiver]", "[receiver]\nleast_free = 0"))

    def start(self, program: str, die_at: int | None = None) -> BaseProcess:
        if program != "receiver" or not self.sabotage:
            return super().start(program, die_at)
        log = self.root / "log" / "receiver.log"
        process = PROCESSES.Process(target=spoiled, args=(self.sabotage, self.config, log))
        process.start()
        self._running[program] = process
        until(lambda: self.listens(program))
        return process


class _Listening(Forwarder):
    """A forwarder with a witness: a receipt counts from the moment it is heard."""

    note: Witness

    def _check_receipt(self, entry: Entry, text: bytes) -> None:
        super()._check_receipt(entry, text)
        self.note.note(witness.RECEIPTED, entry.submission, hashlib.sha256(text).hexdigest())


class Receiving:
    """One province whose receiver's state can be laid onto one disk after the other; the kiosk is off these disks."""

    def __init__(self, root: Path, keys: Path, sabotage: str) -> None:
        root.mkdir()
        self._root = root
        self._province = _Province(root, keys)
        shutil.rmtree(self.settings.receiver.state)  # it lies on the disks
        self._sabotage = sabotage
        self._filed = [make_dossier(evidence=size) for size in (200, 400_000, 20_000, 200, 100_000, 200)]

    @property
    def settings(self) -> Settings:
        """Of the whole province."""
        return self._province.settings

    def close(self) -> None:
        """End it."""
        self._province.close()

    def record(self, disk: Path, note: Witness) -> None:
        """Dossiers arrive and are handed on, while `disk` is recorded."""
        province = self._province
        self._lay_onto(disk)
        province.enrol()
        province.start("tthc-model")
        province.sabotage = self._sabotage
        province.start("receiver")
        note.note(witness.BEGUN)
        client = ReceiverClient(self.settings.office)
        forwarder = _Listening(province.outbox, client, self.settings)
        forwarder.note = note
        for dossier in self._filed:
            assert province.outbox.put(dossier, province.sealer) is None
            assert forwarder.drain() == 0
        until(lambda: forwarder.drain() == 0 and set(province.states()) == {State.ANSWERED})
        client.close()
        province.kill("receiver")
        province.sabotage = ""

    def _lay_onto(self, disk: Path) -> None:
        link = self._root / "receiver"
        link.unlink(missing_ok=True)
        (disk / "receiver").mkdir(exist_ok=True, mode=0o700)
        link.symlink_to(disk / "receiver")

    def check(self, disk: Path, promises: list[Promise]) -> list[str]:
        """The receiver starts again on what the cut left: are the receipts and the dossiers there?"""
        self._lay_onto(disk)
        self._province.start("receiver")
        self._province.enrol()  # version 1 had no register
        client = ReceiverClient(self.settings.office)
        try:
            return [problem for promise in promises if (problem := self._broken(client, promise))]
        finally:
            client.close()
            self._province.kill("receiver")

    def _broken(self, client: ReceiverClient, promise: Promise) -> str:
        try:
            receipt = client.call("GET", f"/submissions/{promise.name}/receipt").body
            if hashlib.sha256(receipt).hexdigest() != promise.detail:
                return f"{promise.name}: another receipt than was given"
            return self._unfinished(client, promise.name)
        except (RoadClosed, ItemBad) as error:
            return f"receipt for {promise.name}: lost ({error})"

    def _unfinished(self, client: ReceiverClient, submission: str) -> str:
        """It is opened and handed on to its end; what is wrong if not."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            state = json.loads(client.call("GET", f"/submissions/{submission}/status").body)["state"]
            if state in ("answered", "quarantined"):
                return "" if state == "answered" else f"{submission}: cannot be opened any more"
            time.sleep(0.03)
        return f"{submission}: is not handed on"

    def doubled_or_missing(self) -> list[str]:
        """At the TTHC system, after all that was filed and all the cuts."""
        try:
            arrived = self._province.arrived()
        except AssertionError as error:
            return [str(error)]
        return [] if arrived == expected(*self._filed) else ["the TTHC system does not hold exactly what was filed"]


class Upgrading(Receiving):
    """The receiver takes over what version 1 left. There is no TTHC system: only receipts are looked at."""

    def record(self, disk: Path, note: Witness) -> None:
        """The first start of this program over the older one's folder."""
        shutil.copytree(GOLDEN / "receiver-v1", disk / "receiver")
        os.sync()
        for submission, receipt in receipts_of(GOLDEN / "receiver-v1" / "receiver.db"):
            note.note(witness.RECEIPTED, submission, hashlib.sha256(receipt).hexdigest())
        note.note(witness.BEGUN)
        self._lay_onto(disk)
        self._province.sabotage = self._sabotage
        self._province.start("receiver")
        self._province.kill("receiver")
        self._province.sabotage = ""
        os.sync()

    def _unfinished(self, client: ReceiverClient, submission: str) -> str:
        return ""

    def doubled_or_missing(self) -> list[str]:
        """Nothing was sent on."""
        return []
