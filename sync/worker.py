"""The connector worker of the receiver: opens envelopes, hands dossiers to the TTHC system, waits for its answer.

A thread over the registry's states; every step may be repeated, so it may be killed anywhere. One bad item never stops
the others: it is quarantined with all its bytes.
"""

import hashlib
import hmac
import logging
import random
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.connectors.opencps import OpenCps, Refused, Unreachable, answered
from sync.envelope import EnvelopeError, Opened, open_envelope, read_manifest
from sync.registry import Registry, State, Submission

log = logging.getLogger(__name__)

PAUSE = 0.3
LONGEST_WAIT = 60.0


class OwnerHash:
    """The second factor of a look-up as it may be stored: keyed with a secret that is not in the database."""

    def __init__(self, key: X25519PrivateKey) -> None:
        derive = HKDF(hashes.SHA256(), 32, salt=None, info=b"motcua look-up 1")
        self._key = derive.derive(key.private_bytes_raw())

    def of(self, reference_uid: str, personal_id: str) -> bytes:
        """Differs from dossier to dossier, so that one person's dossiers cannot be told from it."""
        return hmac.digest(self._key, f"{reference_uid}\n{personal_id}".encode(), hashlib.sha256)


class Worker:
    """Runs in a thread of its own between `start` and `stop`."""

    def __init__(self, registry: Registry, tthc: OpenCps, key: X25519PrivateKey) -> None:
        self._registry = registry
        self._tthc = tthc
        self._key = key
        self._owner_hash = OwnerHash(key)
        self._polls: dict[str, tuple[float, float]] = {}
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connector", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step at work, or leave it (it may be repeated) after a few seconds."""
        self._stop.set()
        self._news.set()
        self._thread.join(5)

    def wake(self) -> None:
        """Something was committed: do not sleep on it."""
        self._news.set()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._round()
                failures, wait = 0, PAUSE
            except Unreachable as problem:
                if failures == 0:
                    log.warning("TTHC system not reached: %s", problem)
                wait = random.uniform(PAUSE, min(LONGEST_WAIT, PAUSE * 2 ** (failures + 1)))  # noqa: S311
                failures = min(failures + 1, 20)
            except Exception:
                log.exception("connector: a defect; it goes on")
                wait = LONGEST_WAIT
            self._news.wait(wait)
            self._news.clear()

    def _round(self) -> None:
        for item in self._registry.in_state(State.COMMITTED):
            try:
                self._file(item)
            except (EnvelopeError, Refused) as bad:
                log.error("submission %s quarantined: %s", item.submission, bad)
                self._registry.record(item, state=State.QUARANTINED, problem=str(bad))
        for item in self._registry.in_state(State.FILED):
            self._ask(item)

    def _file(self, item: Submission) -> None:
        manifest = read_manifest(item.manifest, None)
        opened = open_envelope(manifest, self._registry.read_blob, self._key)
        self._note_contents(item, opened)
        self._tthc.file(opened)
        self._registry.record(item, state=State.FILED)
        log.info("submission %s filed with the TTHC system", item.submission)

    def _note_contents(self, item: Submission, opened: Opened) -> None:
        """Before filing: whoever holds the slip can look the dossier up although the TTHC system is away."""
        payload = opened.payload
        try:
            uid = payload["reference_uid"]
            owner_hash = self._owner_hash.of(uid, payload["owner"]["personal_id"])
            names = {"provisional_ref": payload["provisional_ref"], "procedure": payload["procedure_name"]}
        except (KeyError, TypeError) as error:
            raise EnvelopeError(f"the payload lacks a field: {type(error).__name__}") from None
        self._registry.record(item, reference_uid=uid, owner_hash=owner_hash, **names)

    def _ask(self, item: Submission) -> None:
        due, pause = self._polls.get(item.submission, (0.0, PAUSE))
        if time.monotonic() < due:
            return
        self._polls[item.submission] = (time.monotonic() + pause, min(pause * 1.3, LONGEST_WAIT))
        state = self._tthc.state(item.reference_uid, item.provisional_ref, item.procedure)
        if state is not None and answered(state):
            self._registry.answered(item, state)
            self._polls.pop(item.submission)
