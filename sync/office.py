"""The office as the kiosk's core sees it: submit into the outbox, await the answer, look a dossier up.

The forwarder is another process. What it learns arrives through the outbox's database: answers, and whether the
receiver is heard. A dossier can be filed while the receiver is away; it cannot while the disk fails.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from kiosk import memory
from kiosk.config import ConfigError, KioskSettings, OfficeSettings, OutboxSettings, require
from kiosk.dossier import Dossier, DossierState
from kiosk.health import Failure, Level, Published, Reason
from kiosk.reuse import Reusable, Wish
from sync import answers, identity, signed, store
from sync.client import ItemBad, ReceiverClient, RoadClosed, Watch
from sync.connectors import reuse
from sync.contradictions import Contradictions
from sync.envelope import KIOSK_ID
from sync.outbox import Outbox, Sealer

log = logging.getLogger(__name__)

T = TypeVar("T")

MB = 1_000_000
LOOK = 0.5
"""Seconds between two looks into the outbox, for answers and for the state of the road."""
SILENCE = 30.0
"""Seconds without a word of the receiver after which it counts as unreachable."""
PROBE = 60.0
"""Seconds between two trial writes while all is well."""
RECOVERY = 2.0
"""Seconds between two trial writes while the disk fails: only a good one ends the fault."""


class OutboxOffice(Published):
    """Raises ConfigError if a key or certificate is missing. A broken disk is a status, not an error."""

    name = "office"

    def __init__(self, office: OfficeSettings, kiosk: KioskSettings, outbox: OutboxSettings) -> None:
        super().__init__()
        if not KIOSK_ID.fullmatch(kiosk.id):
            raise ConfigError(f"kiosk.id is {kiosk.id!r}; allowed: letters, digits, dot, dash, underscore; at most 64")
        require(office.ca, "the authority of the receiver's certificate")
        identity.pair(office)
        self._settings = office
        self._kiosk = kiosk
        self._sealer = Sealer.of(office, kiosk)
        keys = (office.receiver_key, office.signing_key_file, office.recovery_key)
        self._keys = Watch(*(path for path in keys if path))
        self._receipt_key = signed.verifying_key(office.receipt_key, "the key of the receiver's receipts")
        self._storing = outbox
        remarks = (
            "" if self._sealer.recovery else "no offline recovery key is configured",
            "swap is on: what is in memory of a citizen may reach the disk; switch it off" if memory.swaps() else "",
        )
        self._remark = "; ".join(filter(None, remarks))
        self._scarce = ""
        self._heard = False
        self._folder = kiosk.state / "outbox"
        self._outbox: Outbox | None = None
        self._disk: ThreadPoolExecutor | None = None
        self._watch: asyncio.Task[None] | None = None
        self._probed = -PROBE

    async def start(self) -> None:
        """Open the outbox and begin to publish."""
        if self._remark:
            log.warning("outbox: %s", self._remark)
        self._disk = ThreadPoolExecutor(1, "outbox")
        self.publish(*await self._on_disk(self._judge))
        self._watch = asyncio.create_task(self._keep_watch(), name="office")

    async def stop(self) -> None:
        """End; a submit under way is finished first."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._disk is not None:
            await self._on_disk(self._close)
            self._disk.shutdown()
        self._watch = self._disk = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def submit(self, dossier: Dossier) -> Failure | None:
        """Seal and store durably; None: it will arrive, exactly once. The same dossier again is no second one."""
        failure = await self._on_disk(lambda: self._put(dossier))
        if failure is not None:
            self.publish(Level.FAULT, failure.reason, failure.detail)
        return failure

    async def answer(self, provisional_ref: str) -> DossierState:
        """Return when the TTHC system has answered. Raises KeyError for a reference that was never submitted here."""
        while True:
            state = await self._on_disk(lambda: self._answer(provisional_ref))
            if state is not None:
                return state
            await asyncio.sleep(LOOK)

    async def look_up(self, code: str, personal_id: str) -> DossierState | Failure:
        """What the province knows; NOT_FOUND for an unknown code and for another's number alike."""
        return await asyncio.to_thread(self._look_up, code, personal_id)

    @property
    def asks_for_papers(self) -> bool:
        """Whether the receiver was heard of late, and is to be asked at all."""
        return self._settings.reuse_seconds > 0 and self._heard

    async def reusable(self, wish: Wish) -> tuple[Reusable, ...] | Failure:
        """What the province holds; RECEIVER_UNREACHABLE if there was no good answer in time."""
        try:
            async with asyncio.timeout(self._settings.reuse_seconds):
                return await asyncio.to_thread(self._reusable, wish)
        except TimeoutError:
            return Failure(Reason.RECEIVER_UNREACHABLE, "no answer in time")

    # --- on the outbox's thread ---

    async def _on_disk(self, work: Callable[[], T]) -> T:
        assert self._disk is not None, "the office is not started"
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    def _put(self, dossier: Dossier) -> Failure | None:
        if self._outbox is None:
            return Failure(Reason.STORAGE_ERROR, "the outbox is not open")
        if self._keys.changed():
            self._renew_sealer()
        return self._outbox.put(dossier, self._sealer)

    def _renew_sealer(self) -> None:
        """Keys were replaced: the next dossier is sealed with the new ones."""
        try:
            self._sealer = Sealer.of(self._settings, self._kiosk)
        except ConfigError as error:
            log.error("the keys of before are used: %s", error)

    def _answer(self, provisional_ref: str) -> DossierState | None:
        try:
            return self._outbox.answer(provisional_ref) if self._outbox else None
        except store.DatabaseError:
            return None

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.publish(*await self._on_disk(self._judge))

    def _judge(self) -> tuple[Level, Reason, str]:
        try:
            outbox = self._outbox or self._open()
            failure = self._probe(outbox)
            if failure is not None:
                return Level.FAULT, failure.reason, failure.detail
            road = outbox.road()
            contradicted = Contradictions(outbox).open()
        except (OSError, store.DatabaseError) as error:
            return Level.FAULT, Reason.STORAGE_ERROR, str(error)
        self._heard = road.heard is not None and 0 <= time.monotonic() - road.heard < SILENCE
        problem = "" if self._heard else road.problem or "the forwarder has not reported"
        if self._scarce:
            return Level.DEGRADED, Reason.DISK_LOW, "; ".join(filter(None, (self._scarce, problem)))
        if road.clock and (self._heard or road.heard is None):
            return Level.DEGRADED, Reason.CLOCK_WRONG, road.clock
        if problem:
            return Level.DEGRADED, Reason.RECEIVER_UNREACHABLE, problem
        if contradicted:
            return Level.DEGRADED, Reason.RECEIVER_DISAGREES, "; ".join(map(str, contradicted[:3]))
        return Level.READY, Reason.OK, self._remark

    def _probe(self, outbox: Outbox) -> Failure | None:
        fault = self.status.level is Level.FAULT
        if time.monotonic() - self._probed < (RECOVERY if fault else PROBE):
            return Failure(self.status.reason, self.status.detail) if fault else None
        self._probed = time.monotonic()
        failure = outbox.probe()
        if failure is None:
            outbox.purge(self._storing.keep_days)
            days = outbox.room().days(self._storing.daily_mb * MB)
            self._scarce = f"space for {days:.0f} days is left" if days < self._storing.warn_days else ""
        return failure

    def _open(self) -> Outbox:
        outbox = Outbox(self._folder, self._sealer.by, self._storing.ballast_mb * MB)
        try:
            outbox.take_over(self._receipt_key)
        except (OSError, store.DatabaseError):
            outbox.close()
            raise
        self._outbox = outbox
        return outbox

    def _close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    # --- on a thread of its own ---

    def _look_up(self, code: str, personal_id: str) -> DossierState | Failure:
        client = ReceiverClient(self._settings)
        body = json.dumps({"code": code, "personal_id": personal_id}).encode()
        try:
            reply = client.call("POST", "/lookups", body, allowed=frozenset({404}))
            return Failure(Reason.NOT_FOUND) if reply.status == 404 else answers.from_json(json.loads(reply.body))
        except ItemBad:
            return Failure(Reason.NOT_FOUND)
        except (RoadClosed, ValueError, TypeError) as error:
            problem = str(error) if isinstance(error, RoadClosed) else "the answer is not understood"
            return Failure(Reason.RECEIVER_UNREACHABLE, problem)
        finally:
            client.close()

    def _reusable(self, wish: Wish) -> tuple[Reusable, ...] | Failure:
        client = ReceiverClient(replace(self._settings, timeout=self._settings.reuse_seconds))
        try:
            return reuse.read_told(client.call("POST", "/reusable", reuse.asked(wish)).body, wish)
        except (RoadClosed, ItemBad, ValueError) as error:
            log.warning("re-use: %s", error)
            return Failure(Reason.RECEIVER_UNREACHABLE, str(error))
        finally:
            client.close()
