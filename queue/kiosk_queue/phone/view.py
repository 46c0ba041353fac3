"""What the holder of a number sees on the phone: place, range, counter. The line is read once for all who look.

Nothing here belongs to a person: whoever has the address of the page has the paper.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from kiosk.clock import from_iso
from kiosk.ticket import LONG, told_range
from kiosk_queue import counter, rules
from kiosk_queue.estimate import Outlook, later
from kiosk_queue.floor import Floor, Refused, View, number_of
from kiosk_queue.forecast import Range
from kiosk_queue.model import Centre, Json, text_json
from kiosk_queue.storage.store import Row

WAITS = ("reserved", "waiting")
OVER = ("completed", "no_show", "void", "expired")
FRESH = timedelta(seconds=10)
"""Under aging the order changes with time alone."""
SOON = 2.0
"""Minutes below which a wait is «any moment»."""


@dataclass(frozen=True, slots=True)
class Board:
    """Everybody in the hall at one event: `ahead` says how many are called before each who waits."""

    at: datetime
    day: str
    version: int
    seq: int
    tickets: Mapping[str, Row]
    ahead: Mapping[str, int]

    def holds(self, view: View) -> bool:
        """Whether it still says what the view would."""
        same = (self.day, self.version, self.seq) == (view.day, view.centre.version, view.seq)
        return same and timedelta(0) <= view.now - self.at < FRESH


class Boards:
    """The latest board of each centre. Used from the store's readers: at worst a board is read twice."""

    def __init__(self) -> None:
        self._latest: dict[str, Board] = {}

    def states(self, view: View, tickets: Iterable[str], outlook: Outlook | None) -> dict[str, Json]:
        """How these tickets stand; one that does not exist is left out."""
        board = self._latest.get(view.centre.id)
        if board is None or not board.holds(view):
            board = self._latest[view.centre.id] = read_board(view)
        found: dict[str, Json] = {}
        for ticket in tickets:
            row = board.tickets.get(ticket) or _row(view, ticket)
            if row is not None:
                found[ticket] = _state(view, row, board.ahead.get(ticket), outlook)
        return found


def read_board(view: View) -> Board:
    """The line in the order in which the rule would call it if no time passed."""
    rows = view.tx.all(
        "SELECT * FROM ticket WHERE centre = :centre AND day = :day"
        " AND state IN ('reserved', 'waiting', 'called', 'serving', 'held')",
        centre=view.centre.id, day=view.day,
    )  # fmt: skip
    tickets = {row["id"]: row for row in rows}
    people = [counter.waiting(row) for row in rows if row["state"] in WAITS]
    ranked = rules.order(people, view.now, view.centre.rule)
    known = {waiting.ticket for waiting in ranked}
    ranked += sorted((w for w in people if w.ticket not in known), key=lambda w: (w.since, w.place))
    return Board(
        view.now, view.day, view.centre.version, view.seq, tickets, _ahead(view.centre, ranked)
    )  # fmt: skip


def _ahead(centre: Centre, ranked: Iterable[rules.Waiting]) -> dict[str, int]:
    """Only those count who wait at the same counters."""
    before: Counter[str] = Counter()
    found = {}
    for waiting in ranked:
        rivals = centre.rivals.get(waiting.service, (waiting.service,))
        found[waiting.ticket] = sum(before[rival] for rival in rivals)
        before[waiting.service] += 1
    return found


def _row(view: View, ticket: str) -> Row | None:
    return view.tx.one("SELECT * FROM ticket WHERE id = :id AND centre = :centre", id=ticket, centre=view.centre.id)


def _state(view: View, row: Row, ahead: int | None, outlook: Outlook | None) -> Json:
    centre, state = view.centre, _state_of(view, row)
    waits = state == "waiting"
    desk = centre.desks.get(row["counter"] or "")
    return {
        "number": number_of(row),
        "state": state,
        "service": _service(centre, row["service"]),
        "further": [_service(centre, name) for name in row["further"].split(",") if name],
        "urgent": bool(row["urgent"]),
        "ahead": ahead if waits else None,
        "wait": shown_range(_wait(view, row, outlook)) if waits else None,
        "appointment": _clock(centre, row["since"]) if row["appointment"] else None,
        "counter": row["counter"],
        "zone": desk.zone if desk is not None else "",
        "announced": row["announced_at"] if state == "called" else None,
        "issued": _clock(centre, row["issued_at"]),
        "score": _score(view, row["id"]) if state == "completed" else None,
        "given_back": state == "void" and _void_reason(view, row["id"]) == GIVEN_BACK,
    }


def _state_of(view: View, row: Row) -> str:
    state: str = row["state"]
    if state in WAITS:
        state = "waiting"
    if row["day"] < view.day and state != "completed":
        return "expired"
    return state


def _wait(view: View, row: Row, outlook: Outlook | None) -> Range | None:
    """The latest forecast; for a number that is younger than it, what was said when it was given out."""
    found = outlook.of_ticket(row["id"], view.now) if outlook is not None else None
    young = outlook is not None and from_iso(row["issued_at"]) >= outlook.at
    if found is None and young and row["wait_p90"] is not None:
        told = Range(row["wait_low"], row["wait_likely"], row["wait_high"], row["wait_p10"], row["wait_p90"])
        return later(told, (from_iso(row["issued_at"]) - view.now).total_seconds() / 60)
    return found


def shown_range(found: Range | None) -> Json | None:
    """Whole minutes, rounded outwards; a long wait in hours."""
    if found is None:
        return None
    low, high = told_range(found.low, found.high)
    return {"low": low, "high": high, "soon": found.high <= SOON, "hours": low // 60 if low >= LONG else 0}


def clock_of(view: View) -> str:
    """The centre's time, «09:05»."""
    return view.now.astimezone(view.centre.tz).strftime("%H:%M")


def _score(view: View, ticket: str) -> int | None:
    row = view.tx.one(
        "SELECT score FROM rating WHERE centre = :centre AND ticket = :id", centre=view.centre.id, id=ticket
    )
    return None if row is None else int(row["score"])


def _clock(centre: Centre, moment: str) -> str:
    return from_iso(moment).astimezone(centre.tz).strftime("%H:%M")


def _service(centre: Centre, service: str) -> dict[str, str]:
    known = centre.services.get(service)
    return text_json(known.name) if known is not None else {"vi": service, "en": service}


# --- what the holder may do ---

GIVEN_BACK = "given_back"


def give_back(floor: Floor, ticket: str) -> Json:
    """The holder no longer needs the number; not once it has been called."""
    row = floor.ticket(ticket)
    if row["state"] not in (*WAITS, "held") or row["day"] != floor.day:
        raise Refused("changed", "Số này đã được gọi hoặc đã kết thúc.")
    return counter.void(floor, "", ticket, GIVEN_BACK)


def _void_reason(view: View, ticket: str) -> str:
    row = view.tx.one(
        "SELECT body FROM event WHERE ticket = :ticket AND kind = 'void' ORDER BY seq DESC LIMIT 1", ticket=ticket
    )
    return str(msgspec.json.decode(row["body"]).get("reason", "")) if row is not None else ""
