"""Did the promises hold? A pure function over what each side wrote down independently (delivery reference §7.4).

I1 a printed receipt ↔ exactly one record at the province, of equal hash
I2 no record at the province without a submission
I3 at most one effect in the TTHC system for each dossier, and none nobody filed
I4 the sequence has no gap
I5 no purge before a verified receipt
I6 the audit chain verifies
I7 the queue empties within the stated bound
I8 no plaintext outside the TTHC system
I9 states move along allowed edges only
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One line of one side's log.

    kiosk: `printed`, `drained` (seconds, bound) · outbox: the audit log's events in their order, `problem` (text)
    receiver: `received` (signed a receipt) · tthc: `filed` · disk: `plaintext` (text)
    """

    side: str
    what: str
    submission: str = ""
    sequence: int = 0
    sha256: str = ""
    uid: str = ""
    seconds: float = 0.0
    bound: float = 0.0
    text: str = ""


_EDGES = {
    "": {"sealed"},
    "sealed": {"manifest_sent", "quarantined"},
    "manifest_sent": {"delivered", "quarantined"},
    "quarantined": {"released"},
    "released": {"manifest_sent", "quarantined"},
    "delivered": {"answered"},
    "answered": set(),
}
_NO_STATE = {"purged", "exported", "rebuilt", "delivered_again"}


def violations(history: Iterable[Event]) -> list[str]:
    """Every broken promise, each beginning with its number."""
    logs: dict[tuple[str, str], list[Event]] = defaultdict(list)
    moves: dict[str, list[str]] = defaultdict(list)
    for event in history:
        logs[event.side, event.what].append(event)
        if event.side == "outbox" and event.submission:
            moves[event.submission].append(event.what)
    printed, received = logs["kiosk", "printed"], logs["receiver", "received"]
    return [
        *_records(printed, received),
        *_effects(printed, logs["tthc", "filed"]),
        *_gaps(printed),
        *_gaps(logs["outbox", "sealed"]),
        *(f"I5 {name}: purged before a receipt" for name, path in moves.items() if _purged_early(path)),
        *(f"I6 {event.text}" for event in logs["outbox", "problem"]),
        *_drain(logs["kiosk", "drained"]),
        *(f"I8 {event.text}" for event in logs["disk", "plaintext"]),
        *(f"I9 {name}: {bad}" for name, path in moves.items() for bad in _false_moves(path)),
    ]


def _records(printed: Sequence[Event], received: Sequence[Event]) -> list[str]:
    held = Counter(event.submission for event in received)
    identity = {event.submission: (event.sequence, event.sha256) for event in received}
    found = [f"I1 {p.submission}: {held[p.submission]} records" for p in printed if held[p.submission] != 1]
    found += [
        f"I1 {p.submission}: the record is another"
        for p in printed
        if held[p.submission] and identity[p.submission] != (p.sequence, p.sha256)
    ]
    ours = {event.submission for event in printed}
    return found + [f"I2 {name}: nobody submitted it" for name in held if name not in ours]


def _effects(printed: Sequence[Event], filed: Sequence[Event]) -> list[str]:
    effects, ours = Counter(event.uid for event in filed), {event.uid for event in printed}
    doubled = [f"I3 {uid}: {times} effects" for uid, times in effects.items() if times > 1]
    return doubled + [f"I3 {uid}: filed by nobody" for uid in effects if uid not in ours]


def _gaps(events: Sequence[Event]) -> list[str]:
    numbers = sorted(event.sequence for event in events)
    return [] if numbers == list(range(1, len(numbers) + 1)) else [f"I4 the sequence has a gap: {numbers}"]


def _purged_early(path: Sequence[str]) -> bool:
    return "purged" in path and "delivered" not in path[: path.index("purged")]


def _drain(drained: Sequence[Event]) -> list[str]:
    if not drained:
        return ["I7 the queue was never empty"]
    return [f"I7 the queue was empty after {e.seconds:.0f} s of {e.bound:.0f}" for e in drained if e.seconds > e.bound]


def _false_moves(path: Sequence[str]) -> list[str]:
    state, found = "", []
    for what in path:
        if what in _NO_STATE:
            continue
        if what not in _EDGES[state]:
            found.append(f"{state or 'nothing'} > {what}")
        state = what
    return found
