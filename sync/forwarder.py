"""The forwarder: its own process, takes sealed envelopes from the outbox to the receiver, and the answers back.

Every step may be repeated and is recorded only after it succeeded, so it may be killed anywhere. Manifests go first,
also those of dossiers that are filed during a long drain: the province knows within seconds what is to come.
"""

import base64
import contextlib
import hashlib
import json
import logging
import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kiosk.config import ConfigError, Settings
from sync import answers, signed, store
from sync.client import LONGEST_WAIT, Busy, ItemBad, Later, ReceiverClient, RoadClosed, Watch
from sync.contradictions import Contradictions
from sync.envelope import Blob, EnvelopeError, read_manifest
from sync.outbox import Outbox, Road
from sync.outbox_schema import Entry, State
from sync.pace import Bucket, Paced, PieceSize
from sync.reporting import Reporter
from sync.web import Reply

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two looks into the outbox, and the longest first wait after a failure."""
LOOK = 5.0
"""Seconds between two looks while the road is closed."""
SILENCE = 10.0
"""Seconds without traffic after which the receiver is asked whether it is there."""
LONGEST_POLL = 600.0
SLICE = 20
"""Envelopes of one age: among them the small ones go first."""
MOST_STUMBLES = 5
"""So often in a row, over pieces or over items, and it is not theirs: the road counts as closed."""


def run(settings: Settings, once: bool = False) -> int:
    """Forward until stopped (SIGTERM, SIGINT); `once`: everything that waits now, then stop.

    Returns 0, or 1 if `once` could not deliver everything. Raises ConfigError for missing keys and OSError if another
    forwarder is at work.
    """
    folder, office = settings.kiosk.state / "outbox", settings.office
    client = ReceiverClient(office)
    outbox = Outbox(folder, signed.signing_key(office.signing_key_file, "this kiosk's signing key"))
    lock = store.hold(folder / "forwarder.lock")
    try:
        forwarder = Forwarder(outbox, client, settings)
        return forwarder.drain() if once else forwarder.run(_stop_on_signals())
    finally:
        client.close()
        outbox.close()
        os.close(lock)


class Stop:
    """Set by a signal handler and waited for: a pipe, because an Event deadlocks if it is set in mid-wait that way."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """From now on every wait returns at once."""
        with contextlib.suppress(BlockingIOError):  # a full pipe says it already
            os.write(self._write, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether it is set."""
        return bool(select.select([self._read], [], [], seconds)[0])


class Stopped(Exception):
    """We are told to end: no further request is begun."""


def _stop_on_signals() -> Stop:
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    return stop


@dataclass(frozen=True, slots=True)
class _Pause:
    """Of an item that stumbled."""

    until: float = 0.0
    times: int = 0

    def longer(self) -> "_Pause":
        """Twice as long as the last one, from now on; full jitter."""
        seconds = random.uniform(0, min(LONGEST_WAIT, PAUSE * 2**self.times))  # noqa: S311
        return _Pause(time.monotonic() + seconds, min(self.times + 1, 20))


class Forwarder:
    """One round after the other over the outbox. Raises ConfigError if the key of receipts is missing."""

    def __init__(self, outbox: Outbox, client: ReceiverClient, settings: Settings) -> None:
        self._outbox = outbox
        self._client = client
        self._key_path = settings.office.receipt_key
        self._receipt_key = self._read_key()
        self._key_watch = Watch(self._key_path)
        self._contradictions = Contradictions(outbox)
        self._reporter = Reporter(outbox, client, settings)
        self._bucket = Bucket(settings.office.kbit_per_second)
        self._piece = PieceSize(settings.office.kbit_per_second)
        self._road = outbox.road()
        self._polls: dict[str, tuple[float, float]] = {}
        self._stop: Stop | None = None
        self._steps = 0
        self._pauses: dict[str, _Pause] = {}
        self._in_a_row = 0
        self._fresh: set[str] = set()
        self._deliver_from = 0.0
        self._busy = ""

    def run(self, stop: Stop) -> int:
        """Rounds until `stop`; after a failure full-jitter exponential backoff, or what the receiver asks for."""
        self._stop, failures = stop, 0
        while not stop.wait(0):
            steps = self._steps
            try:
                self._round()
                failures, wait = 0, PAUSE
            except Stopped:
                break
            except RoadClosed as closed:
                self._closed(closed)
                failures = 0 if self._steps > steps else min(failures + 1, 20)
                wait = max(closed.retry_after, random.uniform(0, min(LONGEST_WAIT, PAUSE * 2**failures)))  # noqa: S311
                failures = 0 if self._rest(stop, wait, closed.retry_after) else failures
                continue
            except (store.DatabaseError, OSError) as error:
                log.error("outbox: %s", error)
                wait = LONGEST_WAIT / 60
            stop.wait(wait)
        return 0

    def _rest(self, stop: Stop, wait: float, asked: float) -> bool:
        """Wait, but no longer than `asked` of us once a new dossier lies there; whether one does.

        After a day without network the pauses are long, and a citizen who files now is not to wait for their end.
        """
        begun, known = time.monotonic(), self._newest()
        while (rested := time.monotonic() - begun) < min(wait, LONGEST_WAIT):
            if rested >= asked and self._newest() != known:
                return True
            if stop.wait(min(LOOK, wait - rested)):
                break
        return False

    def _newest(self) -> int:
        return max((entry.sequence for entry in self._outbox.entries(State.SEALED)), default=0)

    def drain(self) -> int:
        """Everything that waits, once; 1 if the road is closed, the receiver too busy, or something stumbled."""
        try:
            self._round()
        except RoadClosed as closed:
            self._closed(closed)
            return 1
        return 1 if self._held or self._pauses else 0

    def _round(self) -> None:
        """Every item once."""
        self._chores()
        for entry in self._in_order():
            if self._held:
                break
            self._attempt(entry, self._deliver)
        for entry in self._outbox.entries(State.DELIVERED):
            self._attempt(entry, self._ask)
        self._keep_in_touch()

    def _chores(self) -> None:
        """What goes before the next piece of the backlog: manifests of what was filed meanwhile, a report if due."""
        for entry in self._outbox.entries(State.SEALED):
            self._attempt(entry, self._send_manifest)
        self._reporter.when_due()

    def _attempt(self, entry: Entry, step: Callable[[Entry], None]) -> None:
        """One step of one item, which has a pause of its own if it stumbles.

        MOST_STUMBLES in a row with no success between, and it is not theirs: RoadClosed.
        """
        pause = self._pauses.get(entry.submission, _Pause())
        if time.monotonic() < pause.until:
            return
        try:
            step(entry)
        except Later as later:
            self._pauses[entry.submission] = pause.longer()
            self._in_a_row += 1
            log.info("submission %s later: %s", entry.submission, later)
            if self._in_a_row >= MOST_STUMBLES:
                self._in_a_row = 0
                raise RoadClosed(str(later)) from None
        except (ItemBad, EnvelopeError) as bad:
            self._pauses.pop(entry.submission, None)
            self._set_aside(entry, str(bad))
        else:
            self._pauses.pop(entry.submission, None)

    def _gets_on(self) -> None:
        """Something was taken: the road is good."""
        self._steps += 1
        self._in_a_row = 0

    def _set_aside(self, entry: Entry, problem: str) -> None:
        if entry.state in (State.SEALED, State.MANIFEST_SENT):
            self._outbox.quarantine(entry, problem)
        else:
            log.critical("submission %s (sequence %d): %s", entry.submission, entry.sequence, problem)
            self._contradictions.refused_again(entry, problem)

    def _call(self, method: str, path: str, body: Any = b"", **options: Any) -> Reply:
        """A request, unless we are to stop: one that was begun comes to its end."""
        if self._stop and self._stop.wait(0):
            raise Stopped
        reply = self._client.call(method, path, body, **options)
        self._heard()
        return reply

    # --- the three steps ---

    def _send_manifest(self, entry: Entry) -> None:
        self._put_manifest(entry)
        self._outbox.manifest_sent(entry)
        self._fresh.add(entry.submission)
        self._gets_on()

    def _put_manifest(self, entry: Entry) -> None:
        self._call("PUT", f"/submissions/{entry.submission}", self._outbox.manifest(entry))

    def _in_order(self) -> Iterator[Entry]:
        """What waits for delivery, oldest first; small before large in a slice; what has stumbled after the rest."""
        waiting = [*self._outbox.entries(State.MANIFEST_SENT), *self._contradictions.owed()]
        waiting.sort(key=lambda entry: entry.submission in self._pauses)
        for first in range(0, len(waiting), SLICE):
            piece = waiting[first : first + SLICE]
            yield from sorted(piece, key=lambda entry: (entry.submission in self._pauses, self._size(entry)))

    def _size(self, entry: Entry) -> int:
        try:
            return sum(blob.size for blob in read_manifest(self._outbox.manifest(entry), None).blobs)
        except EnvelopeError:
            return 0  # the attempt will tell

    @property
    def _held(self) -> bool:
        return time.monotonic() < self._deliver_from

    def _deliver(self, entry: Entry) -> None:
        """All of an envelope, and its receipt. While the receiver is too busy for it, manifests still go."""
        fresh = entry.submission in self._fresh
        self._fresh.discard(entry.submission)
        try:
            for blob in read_manifest(self._outbox.manifest(entry), None).blobs:
                self._send_blob(entry, blob, 0 if fresh else self._offset(entry, blob))
            receipt = self._call("POST", f"/submissions/{entry.submission}/commit").body
        except Busy as busy:
            wait = max(busy.retry_after, random.uniform(0, LOOK))  # noqa: S311
            self._busy = f"the receiver takes no files now: {busy}"
            self._deliver_from = time.monotonic() + wait
            self._heard()
            return
        self._check_receipt(entry, receipt)
        if entry.state is State.MANIFEST_SENT:
            self._outbox.delivered(entry, receipt)
        else:
            self._contradictions.delivered_again(entry, receipt)
        self._gets_on()
        log.info("submission %s (sequence %d) delivered", entry.submission, entry.sequence)

    def _send_blob(self, entry: Entry, blob: Blob, offset: int) -> None:
        """From where the receiver has it; if we are wrong about that, it tells."""
        content = self._outbox.blob(entry, blob.sha256)
        stumbles = 0
        while offset < blob.size:
            self._chores()
            reached = self._patch(blob, offset, content[offset : offset + self._piece.bytes])
            stumbles = 0 if reached > offset else stumbles + 1
            self._steps += reached > offset
            if stumbles > MOST_STUMBLES:
                raise Later("a blob does not get on")
            offset = reached

    def _offset(self, entry: Entry, blob: Blob) -> int:
        """What the receiver has of a blob; one that lost the manifest is given it again."""
        reply = self._call("HEAD", f"/blobs/{blob.sha256}", allowed=frozenset({404}))
        if reply.status == 404:
            self._put_manifest(entry)
            reply = self._call("HEAD", f"/blobs/{blob.sha256}")
        return _upload_offset(reply.headers.get("Upload-Offset"))

    def _patch(self, blob: Blob, offset: int, piece: bytes) -> int:
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        headers = {"Upload-Offset": str(offset), "Content-Digest": f"sha-256=:{digest}:"}
        path, body, begun = f"/blobs/{blob.sha256}", Paced(piece, self._bucket), time.monotonic()
        try:
            reply = self._call("PATCH", path, body, headers=headers, allowed=frozenset({409}))
        except (Busy, Later):
            raise
        except RoadClosed:
            self._piece.failed()
            raise
        self._piece.took(len(piece), time.monotonic() - begun)
        return _upload_offset(reply.headers.get("Upload-Offset"))

    def _check_receipt(self, entry: Entry, text: bytes) -> None:
        """Only a signature over our own manifest counts: anything may answer 200."""
        try:
            if self._key_watch.changed():
                self._receipt_key = self._read_key()
            try:
                receipt = signed.verify("receipt", text, self._receipt_key)
            except signed.SignatureError:  # perhaps the receiver signs with a new key
                self._reporter.fetch_keys()
                self._receipt_key = self._read_key()
                receipt = signed.verify("receipt", text, self._receipt_key)
        except (signed.SignatureError, ConfigError) as error:
            raise RoadClosed(f"receipt refused: {error}") from None
        if (receipt.get("submission"), receipt.get("manifest_sha256")) != (entry.submission, entry.manifest_sha256):
            raise RoadClosed("receipt refused: it is for another submission")
        self._client.learn_date(receipt.get("received_at"))

    def _read_key(self) -> signed.Verifier:
        return signed.verifying_key(self._key_path, "the key of the receiver's receipts")

    def _ask(self, entry: Entry) -> None:
        """Has the TTHC system answered? Asked often at first, then every ten minutes."""
        due, pause = self._polls.get(entry.submission, (0.0, PAUSE))
        if time.monotonic() < due:
            return
        self._polls[entry.submission] = (time.monotonic() + pause, min(pause * 1.3, LONGEST_POLL))
        reply = self._call("GET", f"/submissions/{entry.submission}/status", allowed=frozenset({400, 404}))
        try:
            answer = json.loads(reply.body)["answer"]
            if answer is not None:
                self._outbox.answered(entry, answers.from_json(answer))
                self._polls.pop(entry.submission)
                self._gets_on()
        except (ValueError, KeyError, TypeError):
            raise Later("the status is not understood") from None

    # --- the road ---

    def _heard(self) -> None:
        self._note(Road(self._client.heard, self._busy if self._held else "", self._reporter.clock))

    def _closed(self, closed: RoadClosed) -> None:
        self._note(Road(None, str(closed), closed.clock))

    def _keep_in_touch(self) -> None:
        heard = self._client.heard
        if heard is None or self._road.heard is None or time.monotonic() - heard > SILENCE:
            self._call("GET", "/healthz")

    def _note(self, road: Road) -> None:
        """Recorded when it changes, and now and then as a sign of life."""
        now, then = road.heard, self._road.heard
        again = now is not None and then is not None and 0 <= now - then < SILENCE / 2
        said = (road.problem, road.clock) == (self._road.problem, self._road.clock)
        if again and said:
            return
        if road.problem and not said:
            log.warning("%s%s", "receiver not reached: " if now is None else "", road.problem)
        if now is not None and then is None:
            self._reporter.hurry()
        self._road = road
        self._outbox.note_road(road)


def _upload_offset(text: str | None) -> int:
    if text is None or not text.isdecimal() or len(text) > 12:
        raise RoadClosed("no receiver of ours: Upload-Offset is missing")
    return int(text)
