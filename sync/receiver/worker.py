"""The connector worker of the receiver: opens envelopes, hands dossiers to the TTHC system, waits for its answer.

A thread over the registry's states; every step may be repeated, so it may be killed anywhere. Of several processes on
one database one hands on (`lead`); if that ends, the next takes over. One bad item never stops the others: it is
quarantined with all its bytes, or held for a person if nobody can tell whether it was filed. Logs name class and place
of what went wrong, never a value: exceptions may quote a citizen's data.
"""

import hashlib
import hmac
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.answers import answered
from sync.connectors.contract import Refused, Unclear, Unreachable
from sync.connectors.desk import Desk, Held
from sync.envelope import EnvelopeError, Manifest, Opened, open_envelope, read_manifest
from sync.receiver.database import DatabaseFault
from sync.receiver.registry import Registry, State, Submission

log = logging.getLogger(__name__)

PAUSE = 0.3
LONGEST_WAIT = 60.0
RECOVERY = 2.0
"""Seconds until a database that failed is tried again."""
MOST_STUMBLES = 3
"""Dossiers in one round that the TTHC system may stumble over before it counts as away."""


class OwnerHash:
    """The second factor of a look-up as it may be stored: keyed with a secret that is not in the database."""

    def __init__(self, keys: Iterable[X25519PrivateKey]) -> None:
        """The receiver's opening keys, the present one first: what was noted under an earlier one still counts."""
        self._keys = [_look_up_key(key) for key in keys]

    def of(self, reference_uid: str, personal_id: str) -> bytes:
        """Differs from dossier to dossier, so that one person's dossiers cannot be told from it."""
        return self._all(reference_uid, personal_id)[0]

    def fits(self, kept: bytes, reference_uid: str, personal_id: str) -> bool:
        """Whether `kept` is of this person; takes as long for a wrong one."""
        return sum(hmac.compare_digest(kept, one) for one in self._all(reference_uid, personal_id)) > 0

    def _all(self, reference_uid: str, personal_id: str) -> list[bytes]:
        text = f"{reference_uid}\n{personal_id}".encode()
        return [hmac.digest(key, text, hashlib.sha256) for key in self._keys]


def _look_up_key(key: X25519PrivateKey) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"motcua look-up 1").derive(key.private_bytes_raw())


class Worker:
    """Runs in threads of its own between `start` and `stop`."""

    def __init__(
        self,
        registry: Registry,
        tthc: Desk,
        keys: Mapping[str, X25519PrivateKey],
        lead: Callable[[], bool],
        catalogue_seconds: float = LONGEST_WAIT * 60,
    ) -> None:
        """`keys` that open envelopes by their ids, the present one first; `lead`: whether this process hands on."""
        self._registry = registry
        self._lead = lead
        self._tthc = tthc
        self._keys = keys
        self._owner_hash = OwnerHash(keys.values())
        self._catalogue_seconds = catalogue_seconds
        self._stop = threading.Event()
        self._news = threading.Event()
        self._threads = (
            threading.Thread(target=self._run, name="connector", daemon=True),
            threading.Thread(target=self._keep_catalogue, name="catalogue", daemon=True),
        )

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the step at work, or leave it (it may be repeated) after a few seconds."""
        self._stop.set()
        self._news.set()
        for thread in self._threads:
            thread.join(5)

    def wake(self) -> None:
        """Something was committed: do not sleep on it."""
        self._news.set()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                if self._lead():
                    self._round()
                failures, wait = 0, PAUSE
            except Unreachable as problem:
                if failures == 0:
                    log.warning("TTHC system not reached: %s", problem)
                wait = random.uniform(PAUSE, min(LONGEST_WAIT, PAUSE * 2 ** (failures + 1)))  # noqa: S311
                failures = min(failures + 1, 20)
            except DatabaseFault as fault:
                log.error("connector: the receiver's database: %s", fault)
                wait = RECOVERY
            except Exception as defect:  # noqa: BLE001  # one round fails, the worker goes on
                log.error("connector: a defect; it goes on: %s", place(defect))
                wait = LONGEST_WAIT
            self._news.wait(wait)
            self._news.clear()

    def _round(self) -> None:
        """Everything that is due, once. Raises Unreachable if the TTHC system is away, not if it stumbles at one."""
        stumbles = 0
        for state, step, growth in ((State.COMMITTED, self._take, 2.0), (State.FILED, self._ask, 1.3)):
            for item in self._registry.due(state, LONGEST_WAIT):
                if self._stop.is_set():
                    return
                self._registry.postpone(item, min(LONGEST_WAIT, PAUSE * growth ** min(item.tries, 50)))
                try:
                    step(item)
                except Unclear as problem:
                    log.warning("submission %s: %s; it is tried again", item.submission, problem)
                    stumbles += 1
                    if stumbles == MOST_STUMBLES:
                        raise

    def _keep_catalogue(self) -> None:
        """On a thread of its own: a catalogue is thousands of questions, and no dossier is to wait for them."""
        while not self._stop.is_set():
            try:
                if self._lead():
                    self._tthc.refresh_catalogue()
            except Exception as defect:  # noqa: BLE001  # the last good one stays
                log.error("catalogue: a defect; it is tried again: %s", place(defect))
            self._stop.wait(self._catalogue_seconds)

    def _take(self, item: Submission) -> None:
        try:
            self._file(item)
        except Held as held:
            log.error("submission %s held for a person: %s", item.submission, held)
        except (EnvelopeError, Refused) as bad:
            self._quarantine(item, str(bad))
        except Unreachable as problem:
            if not isinstance(problem, Unclear):
                self._registry.record(item, due_at=None, tries=0)  # the road was closed: it is not to wait for that
            raise
        except (OSError, DatabaseFault):
            raise  # our own disk: no fault of this dossier
        except Exception as defect:  # noqa: BLE001  # met in one dossier: the rest goes on
            self._quarantine(item, f"a defect: {place(defect)}")

    def _quarantine(self, item: Submission, problem: str) -> None:
        log.error("submission %s quarantined: %s", item.submission, problem)
        self._registry.record(item, state=State.QUARANTINED, problem=problem)

    def _file(self, item: Submission) -> None:
        manifest = read_manifest(item.manifest, None)
        opened = open_envelope(manifest, self._registry.read_blob, self._key_for(manifest))
        self._note_contents(item, opened)
        self._tthc.file(opened)
        self._registry.record(item, state=State.FILED)
        log.info("submission %s filed with the TTHC system", item.submission)

    def _key_for(self, manifest: Manifest) -> X25519PrivateKey:
        for name in manifest.sealed_keys:
            if name in self._keys:
                return self._keys[name]
        raise EnvelopeError(f"sealed to the keys {', '.join(manifest.sealed_keys)}; held: {', '.join(self._keys)}")

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
        try:
            state = self._tthc.state(item.reference_uid, item.provisional_ref, item.procedure)
        except Refused as problem:
            log.error("submission %s: its status is refused: %s", item.submission, problem)
            return
        if state is not None and answered(state):
            self._registry.answered(item, state)


def place(defect: BaseException) -> str:
    """Class and innermost place of a defect: all that a log may say of it."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
    return f"{type(defect).__name__} at {where}"
