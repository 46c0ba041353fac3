"""The forwarder: its own process, takes sealed envelopes from the outbox to the receiver, and the answers back.

Every step may be repeated and is recorded only after it succeeded, so it may be killed anywhere. Manifests go first:
after an outage the province knows within seconds what is to come.
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
from collections.abc import Callable

from kiosk.config import Settings
from sync import answers, signed, store
from sync.client import ItemBad, Later, ReceiverClient, RoadClosed
from sync.envelope import Blob, EnvelopeError, read_manifest
from sync.outbox import Outbox, Road
from sync.outbox_schema import Entry, State

log = logging.getLogger(__name__)

PIECE = 512 * 1024
"""Bytes of one PATCH: four seconds at 1 Mbit/s."""
PAUSE = 0.5
"""Seconds between two looks into the outbox."""
LOOK = 5.0
"""The same while the road is closed."""
SILENCE = 10.0
"""Seconds without traffic after which the receiver is asked whether it is there."""
LONGEST_WAIT = 900.0
MOST_STUMBLES = 5


def run(settings: Settings, once: bool = False) -> int:
    """Forward until stopped (SIGTERM, SIGINT); `once`: everything that waits now, then stop.

    Returns 0, or 1 if `once` could not deliver everything. Raises ConfigError for missing keys and OSError if another
    forwarder is at work.
    """
    folder = settings.kiosk.state / "outbox"
    client = ReceiverClient(settings.office)
    receipt_key = signed.verifying_key(settings.office.receipt_key, "the key of the receiver's receipts")
    outbox = Outbox(folder, signed.signing_key(settings.office.signing_key_file, "this kiosk's signing key"))
    lock = store.hold(folder / "forwarder.lock")
    forwarder = Forwarder(outbox, client, receipt_key)
    try:
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


def _stop_on_signals() -> Stop:
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    return stop


class Forwarder:
    """One round after the other over the outbox."""

    def __init__(self, outbox: Outbox, client: ReceiverClient, receipt_key: signed.Verifier) -> None:
        self._outbox = outbox
        self._client = client
        self._receipt_key = receipt_key
        self._road = outbox.road()
        self._polls: dict[str, tuple[float, float]] = {}

    def run(self, stop: Stop) -> int:
        """Rounds until `stop`; after a failure full-jitter exponential backoff, or what the receiver asks for."""
        failures = 0
        while not stop.wait(0):
            try:
                self._round()
                self._keep_in_touch()
                failures, wait = 0, PAUSE
            except RoadClosed as closed:
                self._note(Road(None, str(closed)))
                wait = max(closed.retry_after, random.uniform(0, min(LONGEST_WAIT, PAUSE * 2**failures)))  # noqa: S311
                failures = 0 if self._rest(stop, wait, closed.retry_after) else min(failures + 1, 20)
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
        """Everything that waits, once; 1 if the road is closed."""
        try:
            self._round()
        except RoadClosed as closed:
            self._note(Road(None, str(closed)))
            return 1
        self._keep_in_touch()
        return 0

    def _round(self) -> None:
        stumbled: Later | None = None
        steps: tuple[tuple[State, Callable[[Entry], None]], ...] = (
            (State.SEALED, self._send_manifest),
            (State.MANIFEST_SENT, self._deliver),
            (State.DELIVERED, self._ask),
        )
        for state, step in steps:
            for entry in self._outbox.entries(state):
                try:
                    step(entry)
                except Later as later:
                    stumbled = later
                except (ItemBad, EnvelopeError) as bad:
                    self._outbox.quarantine(entry, str(bad))
        if stumbled:
            raise stumbled

    # --- the three steps ---

    def _send_manifest(self, entry: Entry) -> None:
        self._put_manifest(entry)
        self._outbox.manifest_sent(entry)

    def _put_manifest(self, entry: Entry) -> None:
        self._client.call("PUT", f"/submissions/{entry.submission}", self._outbox.manifest(entry))

    def _deliver(self, entry: Entry) -> None:
        for blob in read_manifest(self._outbox.manifest(entry), None).blobs:
            self._send_blob(entry, blob)
        receipt = self._client.call("POST", f"/submissions/{entry.submission}/commit").body
        self._check_receipt(entry, receipt)
        self._outbox.delivered(entry, receipt)
        log.info("submission %s (sequence %d) delivered", entry.submission, entry.sequence)

    def _send_blob(self, entry: Entry, blob: Blob) -> None:
        content = self._outbox.blob(entry, blob.sha256)
        offset = self._offset(entry, blob)
        stumbles = 0
        while offset < blob.size:
            reached = self._patch(blob, offset, content[offset : offset + PIECE])
            stumbles = 0 if reached > offset else stumbles + 1
            if stumbles > MOST_STUMBLES:
                raise Later("a blob does not get on")
            offset = reached

    def _offset(self, entry: Entry, blob: Blob) -> int:
        """What the receiver has of a blob; one that lost the manifest is given it again."""
        reply = self._client.call("HEAD", f"/blobs/{blob.sha256}", allowed=frozenset({404}))
        if reply.status == 404:
            self._put_manifest(entry)
            reply = self._client.call("HEAD", f"/blobs/{blob.sha256}")
        return _upload_offset(reply.headers.get("Upload-Offset"))

    def _patch(self, blob: Blob, offset: int, piece: bytes) -> int:
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        headers = {"Upload-Offset": str(offset), "Content-Digest": f"sha-256=:{digest}:"}
        reply = self._client.call("PATCH", f"/blobs/{blob.sha256}", piece, headers, allowed=frozenset({409}))
        return _upload_offset(reply.headers.get("Upload-Offset"))

    def _check_receipt(self, entry: Entry, text: bytes) -> None:
        """Only a signature over our own manifest counts: anything may answer 200."""
        try:
            receipt = signed.verify("receipt", text, self._receipt_key)
        except signed.SignatureError as error:
            raise RoadClosed(f"receipt refused: {error}") from None
        if (receipt.get("submission"), receipt.get("manifest_sha256")) != (entry.submission, entry.manifest_sha256):
            raise RoadClosed("receipt refused: it is for another submission")

    def _ask(self, entry: Entry) -> None:
        """Has the TTHC system answered? Asked often at first, then every minute."""
        due, pause = self._polls.get(entry.submission, (0.0, PAUSE))
        if time.monotonic() < due:
            return
        self._polls[entry.submission] = (time.monotonic() + pause, min(pause * 1.3, 60.0))
        reply = self._client.call("GET", f"/submissions/{entry.submission}/status", allowed=frozenset({400, 404}))
        try:
            answer = json.loads(reply.body)["answer"]
            if answer is not None:
                self._outbox.answered(entry, answers.from_json(answer))
                self._polls.pop(entry.submission)
        except (ValueError, KeyError, TypeError):
            raise Later("the status is not understood") from None

    # --- the road ---

    def _keep_in_touch(self) -> None:
        heard = self._client.heard
        if heard is None or time.monotonic() - heard > SILENCE:
            self._client.call("GET", "/healthz")
        self._note(Road(self._client.heard, ""))

    def _note(self, road: Road) -> None:
        """Recorded when it changes, and now and then as a sign of life."""
        now, then = road.heard, self._road.heard
        if now is not None and then is not None and 0 <= now - then < SILENCE / 2:
            return
        if now is None and road.problem != self._road.problem:
            log.warning("receiver not reached: %s", road.problem)
        self._road = road
        self._outbox.note_road(road)


def _upload_offset(text: str | None) -> int:
    if text is None or not text.isdecimal() or len(text) > 12:
        raise RoadClosed("no receiver of ours: Upload-Offset is missing")
    return int(text)
