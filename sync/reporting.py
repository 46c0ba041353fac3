"""What the kiosk tells and asks the receiver beside dossiers: report, reconciliation, list of keys, catalogue.

Errands of the forwarder, on its thread and connection. Each may fail and is tried again: none delays a dossier by more
than one short request, none is kept for later.
"""

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from kiosk.catalogue import CatalogueError
from kiosk.clock import from_iso, utc_iso
from kiosk.config import ConfigError, Settings
from sync import dating, key_list, released, signed
from sync.client import ItemBad, Later, ReceiverClient, RoadClosed
from sync.contradictions import Contradictions, Held, compare
from sync.envelope import SUBMISSION_ID
from sync.outbox import Outbox

log = logging.getLogger(__name__)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
PATIENCE = 5.0
"""Seconds for one errand: a dossier may be waiting behind it."""
MOST_NUMBERS = 1000
"""Of one reconciliation."""
MOST_PROBLEMS = 50
MOST_CATALOGUE = 16 * 1024 * 1024
MB = 1_000_000
NEWEST_RECEIPT = "SELECT receipt FROM submission WHERE receipt IS NOT NULL ORDER BY sequence DESC LIMIT 1"


@dataclass(slots=True)
class Errand:
    """Something done every `every` seconds and a tenth more by chance, so that kiosks do not all come together."""

    every: float
    work: Callable[[], None]
    due: float = 0.0
    """Monotonic."""

    def next_in(self, seconds: float) -> None:
        """Not before that."""
        self.due = time.monotonic() + seconds * random.uniform(1, 1.1)  # noqa: S311


class Reporter:
    """The errands of one kiosk; `clock`: what the receiver's time says of ours, empty if it is right."""

    def __init__(self, outbox: Outbox, client: ReceiverClient, settings: Settings) -> None:
        self._outbox = outbox
        self._client = client
        self._settings = settings
        self._contradictions = Contradictions(outbox)
        self.clock = ""
        self._reported = float("-inf")
        self._etag = ""
        self._from = 1
        self._index = outbox.index
        self._report = Errand(MINUTE, self.report)
        self._reconciliation = Errand(DAY, self.reconcile)
        later = (Errand(HOUR, self.fetch_catalogue), Errand(HOUR, self.fetch_keys))
        self._errands = [self._report, self._reconciliation, *later]
        for row in outbox.select(NEWEST_RECEIPT):
            with suppress(signed.SignatureError):
                client.learn_date(signed.unverified("receipt", row["receipt"]).get("received_at"))

    def hurry(self) -> None:
        """The receiver is back: report at once, if that is longer than a report's time ago."""
        if time.monotonic() - self._reported > MINUTE:
            self._report.due = 0.0

    def when_due(self) -> None:
        """One errand at most. While the road is closed or the receiver knows none of it, it is for later."""
        if self._outbox.index != self._index:
            self._index, self._from, self._reconciliation.due = self._outbox.index, 1, 0.0
        errand = min(self._errands, key=lambda errand: errand.due)
        if errand.due > time.monotonic():
            return
        errand.next_in(errand.every)
        try:
            errand.work()
        except (RoadClosed, ItemBad) as refusal:
            errand.next_in(min(errand.every, MINUTE))
            log.info("%s: not now: %s", errand.work.__name__, refusal)

    # --- report ---

    def report(self) -> None:
        """How this kiosk is; the answer tells the time."""
        body = json.dumps(self.figures()).encode()
        reply = self._client.call("PUT", "/report", body, timeout=PATIENCE)
        try:
            theirs = from_iso(json.loads(reply.body)["utc"])
        except (ValueError, KeyError, TypeError):
            raise Later("the answer to the report is not understood") from None
        self._reported, clock = time.monotonic(), dating.offset(theirs)
        if clock and clock != self.clock:
            log.warning("%s", clock)
        self.clock = clock

    def figures(self) -> dict[str, Any]:
        """The report. Nothing personal."""
        tally, room, head = tallied(self._outbox), self._outbox.room(), self._outbox.head
        problems, open_ones = _problems(self._outbox), self._contradictions.open()
        problems += [(one.submission, str(one)) for one in open_ones]
        daily = self._settings.outbox.daily_mb * MB
        return {
            "schema": 1,
            "utc": utc_iso(datetime.now(UTC)),
            "program": version("motcua-kiosk"),
            "first_sequence": tally.first,
            "last_sequence": tally.last,
            "waiting": tally.waiting,
            "oldest_seconds": _age(tally.oldest),
            "quarantined": [{"submission": name, "problem": said[:200]} for name, said in problems[:MOST_PROBLEMS]],
            "quarantined_count": tally.quarantined + len(open_ones),
            "bytes_free": room.bytes,
            "days_free": round(room.days(daily), 1) if daily else None,
            "audit": {"n": head.n, "sha256": head.sha256},
            "certificate_days": dating.certificate_days(self._settings.office.certificate),
        }

    # --- reconciliation ---

    def reconcile(self) -> None:
        """The next MOST_NUMBERS numbers; after the last ones it rests for a day."""
        first, last = self._from, self._from + MOST_NUMBERS - 1
        ours = self._contradictions.known(first, last)
        lines = (f"{one.sequence} {one.submission} {one.manifest_sha256}\n" for one in ours if one.receipted)
        question = {"from": first, "to": last, "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}
        reply = self._client.call("POST", "/reconciliation", json.dumps(question).encode(), timeout=PATIENCE)
        held = _held(reply.body, first, last)
        found = compare(ours, held) if held is not None else []
        for one in found:
            log.critical("reconciliation: %s", one)
        self._contradictions.settle(first, last, found)
        more = len(ours) == MOST_NUMBERS
        self._from = last + 1 if more else 1
        if more:
            self._reconciliation.due = 0.0

    # --- keys and catalogue ---

    def fetch_keys(self) -> None:
        """The province's list of keys, if there is a newer one; a list that is refused changes nothing."""
        try:
            if key_list.refresh(self._client, self._settings.office):
                log.info("a newer list of keys was taken: number %d", key_list.number(self._settings.office))
        except (ConfigError, OSError) as error:
            log.error("the list of keys is not taken: %s", error)

    def fetch_catalogue(self) -> None:
        """The released procedures, if there are newer ones; only while no dossier waits."""
        if tallied(self._outbox).waiting:
            raise Later("dossiers first")
        headers = {"If-None-Match": self._etag} if self._etag else {}
        allowed = frozenset({304, 404})
        reply = self._client.call("GET", "/catalogue", headers=headers, allowed=allowed, most=MOST_CATALOGUE)
        if reply.status != 200:
            return
        try:
            if released.take(reply.body, self._settings.kiosk.state / "catalogue.json"):
                log.info("a newer catalogue was taken; it counts from the next visit on")
            self._etag = reply.headers.get("ETag", "")
        except (CatalogueError, OSError) as error:
            log.error("the released catalogue is not taken, the present one stays: %s", error)


@dataclass(frozen=True, slots=True)
class Tally:
    """The queue in figures: first and last sequence number (0: none), what waits and since when (UTC, as sealed)."""

    first: int
    last: int
    waiting: int
    quarantined: int
    oldest: str | None


def tallied(outbox: Outbox) -> Tally:
    """What a report says of the queue."""
    waiting = "receipt IS NULL AND state <> 'quarantined'"
    query = f"""SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0), coalesce(sum({waiting}), 0),
        coalesce(sum(state = 'quarantined'), 0), min(CASE WHEN {waiting} THEN nullif(sealed_at, '') END)
        FROM submission"""  # noqa: S608  # our own words
    return Tally(*outbox.select(query)[0])


def _problems(outbox: Outbox) -> list[tuple[str, str]]:
    """The oldest submissions that need a person, with the reason."""
    query = "SELECT submission, problem FROM submission WHERE problem IS NOT NULL ORDER BY sequence LIMIT ?"
    return [(row["submission"], row["problem"]) for row in outbox.select(query, MOST_PROBLEMS)]


def _age(sealed_at: str | None) -> float | None:
    """Seconds by this machine's clock, which may have jumped: never negative."""
    if not sealed_at:
        return None
    return max(0.0, round((datetime.now(UTC) - from_iso(sealed_at)).total_seconds(), 1))


def _held(body: bytes, first: int, last: int) -> Held | None:
    """What the receiver holds; None if it agrees. Raises Later if it is not understood."""
    try:
        answer = json.loads(body)
        if answer["agrees"] is True:
            return None
        held = {number: (name, sha256) for number, name, sha256 in answer["held"]}
        if not all(type(n) is int and first <= n <= last and SUBMISSION_ID.fullmatch(v[0]) for n, v in held.items()):
            raise ValueError("numbers nobody asked for, or no ids")
    except (ValueError, KeyError, TypeError):
        raise Later("the answer to the reconciliation is not understood") from None
    return held
