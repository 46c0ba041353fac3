"""After the power came back: is everything true that was promised before the cut?"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from kiosk.config import Settings
from sync import forwarder, signed
from sync.envelope import EnvelopeError, open_envelope, read_manifest
from sync.inspection import inspect
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import Entry, State
from tests.powercut import witness
from tests.powercut.witness import Promise, contents
from tests.sync.province import make_dossier

_ORDER = ["sealed", "manifest_sent", "delivered", "answered"]
_LEAST = {witness.SUBMITTED: 0, witness.SENT: 1, witness.DELIVERED: 2, witness.PURGED: 2, witness.ANSWERED: 3}


class KioskCheck:
    """The kiosk starts again on what the cut left. `found`: everything that is not as promised, in words."""

    def __init__(self, settings: Settings, promises: list[Promise]) -> None:
        self._settings = settings
        self._promises = promises
        self._sealer = Sealer.of(settings.office, settings.kiosk)
        self._receipts = signed.verifying_key(settings.office.receipt_key, "key")
        self._opening = signed.opening_key(settings.receiver.hpke_key_file, "key")
        self._folder = settings.kiosk.state / "outbox"
        self.found: list[str] = []

    def run(self, then: Callable[[Outbox], None]) -> list[str]:
        """Start, verify, compare; `then` the day goes on."""
        outbox = Outbox(self._folder, self._sealer.by)
        try:
            rebuilt = outbox.take_over(self._receipts)
            if rebuilt is not None and rebuilt.lost:
                self.found.append(f"the rebuild misses {rebuilt.lost}")
            self.found += inspect(outbox, self._sealer.by.public_key(), self._receipts).problems
            self._compare(outbox)
            then(outbox)
        except (OSError, EnvelopeError) as error:
            self.found.append(f"{type(error).__name__}: {error}")
        finally:
            outbox.close()
        return self.found

    def _compare(self, outbox: Outbox) -> None:
        rows = {row["submission"]: row for row in outbox.records()}
        by_uid = {row["reference_uid"]: row for row in rows.values()}
        inside = dict(self._opened(outbox, rows))
        doubled = [uid for uid, times in Counter(uid for uid, _ in inside.values()).items() if times > 1]
        self.found += [f"{uid} lies there twice" for uid in doubled]
        for promise in self._promises:
            row = by_uid.get(promise.name) if promise.what == witness.SUBMITTED else rows.get(promise.name)
            if row is None:
                self.found.append(f"{promise.what} {promise.name}: lost")
            else:
                self.found += self._broken(promise, row, inside)

    def _opened(self, outbox: Outbox, rows: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
        """By submission: the dossier and its contents, of all that was not purged; opened with the receiver's key."""
        for path in (self._folder / "envelopes").iterdir():
            row = rows.get(path.name)
            if row is None:
                self.found.append(f"{path.name}: an envelope without a row")
            elif not row["purged"]:
                entry = Entry(row["submission"], row["sequence"], row["manifest_sha256"], State(row["state"]))
                try:
                    manifest = read_manifest(outbox.manifest(entry), self._sealer.by.public_key())
                    opened = open_envelope(manifest, lambda name, entry=entry: outbox.blob(entry, name), self._opening)
                except EnvelopeError as error:
                    self.found.append(f"{path.name}: does not open: {error}")
                else:
                    yield path.name, (opened.payload["reference_uid"], contents(opened.payload, opened.files))
            elif row["receipt"] is None:
                self.found.append(f"{path.name}: purged without a receipt")

    def _broken(self, promise: Promise, row: dict[str, Any], inside: dict[str, tuple[str, str]]) -> Iterator[str]:
        name = f"{promise.what} {promise.name}"
        if row["state"] not in _ORDER or _ORDER.index(row["state"]) < _LEAST[promise.what]:
            yield f"{name}: is {row['state']} now"
        if promise.what == witness.SUBMITTED and not row["purged"]:
            held = inside.get(row["submission"])
            if held != (promise.name, promise.detail):
                yield f"{name}: what is inside is not what was filed"
        if promise.what == witness.DELIVERED:
            beside = self._folder / "envelopes" / promise.name / "receipt"
            for receipt in (row["receipt"] or b"", beside.read_bytes() if beside.exists() else b""):
                if hashlib.sha256(receipt).hexdigest() != promise.detail:
                    yield f"{name}: the receipt is not kept"
        if promise.what == witness.PURGED:
            left = {path.name for path in (self._folder / "envelopes" / promise.name).iterdir()}
            if not row["purged"] or left != {"manifest", "receipt"}:
                yield f"{name}: is there again"

    def send_again(self, outbox: Outbox) -> None:
        """The forwarder goes on: with the same receiver, to which more was sent before the cut than is known here."""
        if forwarder.run(self._settings, once=True) or outbox.undelivered():
            self.found.append(f"not all can be sent again: {[row['problem'] for row in outbox.records()]}")
        self._compare(outbox)

    def file_another(self, outbox: Outbox) -> None:
        """The next citizen files."""
        before, dossier = len(outbox.records()), make_dossier()
        failure = outbox.put(dossier, self._sealer)
        if failure is not None or len(outbox.records()) != before + 1:
            self.found.append(f"the next citizen cannot file: {failure}")
