"""What officers do at a counter: open it, call, announce again, serve, finish, hold, transfer, pause.

Who acts is known by a session; a counter belongs to one session at a time, and every deed checks that it still does.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from kiosk.clock import from_iso, utc_iso
from kiosk_queue import rules
from kiosk_queue.floor import LINE, Floor, Refused, number_of
from kiosk_queue.line import LAST_SINCE
from kiosk_queue.model import Centre, Json
from kiosk_queue.storage.store import Row, Tx

BEAT_SECONDS = 60
"""A counter whose page has been silent so long may be opened elsewhere without asking."""
UNDO_SECONDS = 60
POSITIONS = ("keep", "first", "last")


@dataclass(frozen=True, slots=True)
class Officer:
    """Who acts, from which session, at which counter."""

    session: str
    counter: str
    name: str = ""


# --- the counter ---


def open_counter(floor: Floor, who: Officer, *, take_over: bool = False) -> Json:
    """Hold the counter; Refused if another session does that is alive, unless it is to be taken over."""
    if who.counter not in floor.centre.desks:
        raise Refused("not_found", "Không có quầy này", 404)
    held = _desk(floor.tx, floor.centre, who.counter)
    if held is not None and held["session"] == who.session:
        floor.tx.run(
            "UPDATE desk SET beat_at = :at WHERE centre = :centre AND counter = :counter",
            at=floor.at, centre=floor.centre.id, counter=who.counter,
        )  # fmt: skip
        return counter_json(floor.tx, floor.centre, who.counter)
    alive = held is not None and from_iso(held["beat_at"]) > floor.now - timedelta(seconds=BEAT_SECONDS)
    if alive and not take_over:
        raise Refused("counter_taken", "Quầy này đang được mở ở máy khác.")
    for row in floor.tx.all(
        "SELECT counter FROM desk WHERE centre = :centre AND (session = :session OR counter = :counter)",
        centre=floor.centre.id, session=who.session, counter=who.counter,
    ):  # fmt: skip
        _close(floor, row["counter"], who.name, "taken_over" if row["counter"] == who.counter else "moved")
    floor.tx.run(
        "INSERT INTO desk (centre, counter, session, officer, opened_at, beat_at)"
        " VALUES (:centre, :counter, :session, :officer, :at, :at)",
        centre=floor.centre.id, counter=who.counter, session=who.session, officer=who.name, at=floor.at,
    )  # fmt: skip
    floor.event("counter_opened", counter=who.counter, actor=who.name)
    return counter_json(floor.tx, floor.centre, who.counter)


def close_counter(floor: Floor, who: Officer) -> Json:
    """Leave the counter; not with a citizen at it."""
    _check_lease(floor, who)
    if _at_counter(floor.tx, floor.centre, who.counter) is not None:
        raise Refused("busy", "Hãy kết thúc hoặc chuyển số đang phục vụ trước khi đóng quầy.")
    _close(floor, who.counter, who.name, "closed")
    return {"counter": who.counter, "open": False}


def release(floor: Floor, session: str, actor: str, why: str) -> None:
    """Free the counter that a session holds, if any; a number at it stays for whoever opens the counter next."""
    row = floor.tx.one(
        "SELECT counter FROM desk WHERE centre = :centre AND session = :session",
        centre=floor.centre.id, session=session,
    )  # fmt: skip
    if row is not None:
        _close(floor, row["counter"], actor, why)


def pause(floor: Floor, who: Officer, reason: str) -> Json:
    """Stop taking numbers for a while, with a reason; an empty reason goes on."""
    _check_lease(floor, who)
    floor.tx.run(
        "UPDATE desk SET paused = :reason, beat_at = :at WHERE centre = :centre AND counter = :counter",
        reason=reason, at=floor.at, centre=floor.centre.id, counter=who.counter,
    )  # fmt: skip
    floor.event("paused" if reason else "resumed", counter=who.counter, actor=who.name, reason=reason)
    return counter_json(floor.tx, floor.centre, who.counter)


def beat(floor: Floor, who: Officer) -> Json:
    """The page at the counter is alive."""
    _check_lease(floor, who)
    floor.tx.run(
        "UPDATE desk SET beat_at = :at WHERE centre = :centre AND counter = :counter",
        at=floor.at, centre=floor.centre.id, counter=who.counter,
    )  # fmt: skip
    return {"counter": who.counter}


# --- calling ---


def call_next(floor: Floor, who: Officer, current: str | None = None, *, check_current: bool = False) -> Json:
    """Call who is next by the rule and complete the number that was at the counter. Nobody waits: `ticket` is null.

    The officer is whoever opened the counter. With `check_current` nothing is done unless `current` is the number that
    is there: what the officer saw.
    """
    held = floor.tx.one(_HELD, centre=floor.centre.id, counter=who.counter)
    if held is None or held["lease"] != who.session:
        raise _taken()
    who = replace(who, name=held["lessee"])
    if held["pausing"]:
        raise Refused("paused", "Quầy đang tạm nghỉ. Hãy mở lại trước khi gọi.")
    if check_current and held["id"] != current:
        raise Refused("changed", "Số tại quầy vừa thay đổi. Hãy xem lại rồi thao tác.")
    rows = _head_rows(floor.tx, floor.centre, floor.day, who.counter, who.name)
    choice = rules.choose(map(waiting, rows), floor.now, floor.centre.rule, rules.Recent(floor.urgent_in_a_row))
    if choice is None:
        return {"ticket": None}
    if held["id"] is not None:
        _finish(floor, who, held, "completed")
    floor.urgent_in_a_row = floor.urgent_in_a_row + 1 if choice.head.urgent else 0
    chosen = next(row for row in rows if row["id"] == choice.head.ticket)
    return _call(floor, who, chosen, choice.reason)


def call_chosen(floor: Floor, who: Officer, ticket: str) -> Json:
    """Call one number out of turn: waiting, on hold, or missed and come back after all."""
    _check_open(floor, who)
    if _at_counter(floor.tx, floor.centre, who.counter) is not None:
        raise Refused("busy", "Quầy đang có số. Hãy kết thúc số đó trước.")
    row = floor.ticket(ticket)
    if row["state"] == "no_show" and row["day"] == floor.day:
        floor.change(ticket, state="waiting", ended_at=None)
        row = floor.ticket(ticket)
    if row["state"] not in ("reserved", "waiting", "held") or row["day"] != floor.day:
        raise Refused("changed", "Số này không còn trong hàng chờ.")
    return _call(floor, who, row, "Cán bộ chọn số này")


def recall(floor: Floor, who: Officer, ticket: str) -> Json:
    """Announce the number at the counter once more; limited in number and in time."""
    row = _mine(floor, who, ticket, "called")
    limits = floor.centre.calling
    if row["calls"] > limits.recalls:
        raise Refused("recall_limit", f"Đã gọi lại {limits.recalls} lần. Hãy báo vắng hoặc giữ số.", 429)
    ready = from_iso(row["announced_at"]) + timedelta(seconds=limits.recall_seconds)
    if floor.now < ready:
        left = max(1, round((ready - floor.now).total_seconds()))
        raise Refused("too_soon", f"Vừa gọi xong, có thể gọi lại sau {left} giây.", 429)
    floor.change(ticket, calls=row["calls"] + 1, announced_at=floor.at)
    floor.event("recalled", ticket, who.counter, who.name, number=number_of(row), times=row["calls"])
    return {"ticket": ticket, "recalls": row["calls"]}


def serve(floor: Floor, who: Officer, ticket: str) -> Json:
    """The citizen is at the counter."""
    row = _mine(floor, who, ticket, "called")
    floor.change(ticket, state="serving", serving_at=floor.at)
    floor.event("serving", ticket, who.counter, who.name, number=number_of(row))
    return {"ticket": ticket, "state": "serving"}


def complete(floor: Floor, who: Officer, ticket: str) -> Json:
    """Done; a visit with further services goes on to the next and keeps its number and its place by arrival."""
    return _finish(floor, who, _mine(floor, who, ticket, "called", "serving"), "completed")


def no_show(floor: Floor, who: Officer, ticket: str) -> Json:
    """Nobody came, after enough calls."""
    row = _mine(floor, who, ticket, "called")
    needed = floor.centre.calling.calls_before_no_show
    if row["calls"] < needed:
        raise Refused("call_again", f"Hãy gọi ít nhất {needed} lần trước khi báo vắng.")
    return _finish(floor, who, row, "no_show")


def hold(floor: Floor, who: Officer, ticket: str, reason: str = "") -> Json:
    """Put the number aside: the citizen fills in a form or fetches a paper."""
    row = _mine(floor, who, ticket, "called", "serving")
    _stint(floor, row, "held")
    floor.change(ticket, state="held", counter=None)
    floor.event("held", ticket, who.counter, who.name, number=number_of(row), reason=reason)
    return {"ticket": ticket, "state": "held"}


def unhold(floor: Floor, who: Officer, ticket: str) -> Json:
    """Back into the line, where it was by its arrival."""
    _check_lease(floor, who)
    row = floor.ticket(ticket)
    if row["state"] != "held":
        raise Refused("changed", "Số này không đang được giữ.")
    floor.change(ticket, state="waiting")
    floor.event("returned", ticket, who.counter, who.name, number=number_of(row))
    return {"ticket": ticket, "state": "waiting"}


def transfer(
    floor: Floor,
    who: Officer,
    ticket: str,
    service: str = "",
    counter: str = "",
    officer: str = "",
    position: str = "keep",
) -> Json:
    """Send the citizen on: to a service, counter or person. `position`: keep the place by arrival, first or last."""
    row = _mine(floor, who, ticket, "called", "serving")
    service = service or row["service"]
    if service not in floor.centre.services or position not in POSITIONS:
        raise Refused("bad_request", "Không chuyển đến đó được", 400)
    if counter and (counter not in floor.centre.desks or service not in floor.centre.skills_of(counter)):
        raise Refused("bad_request", "Quầy này không phục vụ dịch vụ đó", 400)
    before = {name: row[name] for name in _MOVED}
    _stint(floor, row, "transferred")
    floor.change(
        ticket, state="waiting", counter=None, service=service, for_counter=counter, for_officer=officer,
        goes_first=int(position == "first"), since=_last(floor) if position == "last" else row["since"], appointment=0,
    )  # fmt: skip
    floor.event(
        "transferred", ticket, who.counter, who.name, number=number_of(row), service=service, to_counter=counter,
        to_officer=officer, position=position, before=before,
    )  # fmt: skip
    return {"ticket": ticket, "state": "waiting", "service": service}


def _last(floor: Floor) -> str:
    """From when the wait of somebody counts who goes to the end of the line."""
    row = floor.tx.one(LAST_SINCE, centre=floor.centre.id, day=floor.day, since=floor.at)
    if row is None or row["since"] is None:
        return floor.at
    return utc_iso(from_iso(row["since"]) + timedelta(milliseconds=1))


def undo_transfer(floor: Floor, who: Officer, ticket: str) -> Json:
    """Take a transfer back, for a minute and as long as nobody has called the number since."""
    _check_lease(floor, who)
    row = floor.ticket(ticket)
    last = floor.tx.one("SELECT * FROM event WHERE ticket = :ticket ORDER BY seq DESC LIMIT 1", ticket=ticket)
    mine = last is not None and last["kind"] == "transferred" and last["counter"] == who.counter
    if row["state"] != "waiting" or not mine or last is None:
        raise Refused("changed", "Không hoàn tác được: số đã được xử lý tiếp.")
    if _at_counter(floor.tx, floor.centre, who.counter) is not None:
        raise Refused("busy", "Quầy đang có số khác.")
    if from_iso(last["at"]) < floor.now - timedelta(seconds=UNDO_SECONDS):
        raise Refused("changed", "Đã quá một phút, không hoàn tác được nữa.")
    before = json.loads(last["body"])["before"]
    floor.change(ticket, **before, counter=who.counter)
    floor.event("transfer_undone", ticket, who.counter, who.name, number=number_of(row))
    return {"ticket": ticket, "state": before["state"]}


def void(floor: Floor, actor: str, ticket: str, reason: str) -> Json:
    """Take a number out of the queue for good (a supervisor's deed)."""
    row = floor.ticket(ticket)
    if row["state"] in ("completed", "no_show", "void"):
        raise Refused("changed", "Số này đã kết thúc.")
    if row["state"] in ("called", "serving"):
        _stint(floor, row, "void")
    floor.change(ticket, state="void", counter=None, ended_at=floor.at)
    floor.event("void", ticket, row["counter"], actor, number=number_of(row), reason=reason)
    return {"ticket": ticket, "state": "void"}


# --- about the citizen ---


def confirm_group(floor: Floor, who: Officer, ticket: str, group: str) -> Json:
    """The officer has seen whether the citizen belongs to the priority group that was declared (or to which)."""
    row = _mine(floor, who, ticket, "called", "serving")
    if group and group not in {known.id for known in floor.centre.priorities}:
        raise Refused("bad_request", "Nhóm ưu tiên không có trong danh mục", 400)
    floor.change(ticket, priority=group, urgent=int(bool(group)), confirmed=1)
    floor.event("group_confirmed", ticket, who.counter, who.name, number=number_of(row), group=group)
    return {"ticket": ticket, "group": group}


def annotate(floor: Floor, who: Officer, ticket: str, note: str | None, reference: str | None) -> Json:
    """A note for colleagues, or the reference of the citizen's dossier. Neither is told in the stream."""
    _check_lease(floor, who)
    row = floor.ticket(ticket)
    changed = {name: text for name, text in (("note", note), ("reference", reference)) if text is not None}
    floor.change(ticket, **changed)
    floor.event("annotated", ticket, who.counter, who.name, number=number_of(row), what=sorted(changed))
    return {"ticket": ticket, **changed}


# --- staff calls and ratings ---


def call_staff(floor: Floor, kiosk: str) -> Json:
    """A kiosk asks for a person; asking again while the call is open is the same call."""
    open_one = floor.tx.one(
        "SELECT id FROM staff_call WHERE centre = :centre AND kiosk = :kiosk AND answered_at IS NULL",
        centre=floor.centre.id, kiosk=kiosk,
    )  # fmt: skip
    if open_one is not None:
        return {"call": open_one["id"]}
    call = floor.event("staff_called", actor=kiosk, kiosk=kiosk)
    floor.tx.run(
        "INSERT INTO staff_call (centre, id, kiosk, at) VALUES (:centre, :id, :kiosk, :at)",
        centre=floor.centre.id, id=call, kiosk=kiosk, at=floor.at,
    )  # fmt: skip
    return {"call": call}


def answer_staff(floor: Floor, who: Officer, call: int) -> Json:
    """An officer goes to the kiosk."""
    row = floor.tx.one(
        "SELECT * FROM staff_call WHERE centre = :centre AND id = :id", centre=floor.centre.id, id=call
    )  # fmt: skip
    if row is None:
        raise Refused("not_found", "Không có lời gọi này", 404)
    if row["answered_at"] is None:
        floor.tx.run(
            "UPDATE staff_call SET answered_at = :at, counter = :counter WHERE centre = :centre AND id = :id",
            at=floor.at, counter=who.counter, centre=floor.centre.id, id=call,
        )  # fmt: skip
        floor.event("staff_answered", None, who.counter, who.name, call=call, kiosk=row["kiosk"])
    return {"call": call}


def rate(floor: Floor, ticket: str, score: int) -> Json:
    """The citizen's satisfaction, 1 to 5, once for a served number; a later word replaces the earlier."""
    row = floor.ticket(ticket)
    if row["state"] not in ("completed", "serving") or score not in range(1, 6):
        raise Refused("bad_request", "Chưa thể đánh giá số này", 400)
    floor.tx.run(
        "INSERT INTO rating (centre, ticket, at, day, score) VALUES (:centre, :ticket, :at, :day, :score)"
        " ON CONFLICT (centre, ticket) DO UPDATE SET score = :score, at = :at",
        centre=floor.centre.id, ticket=ticket, at=floor.at, day=row["day"], score=score,
    )  # fmt: skip
    floor.event("rated", ticket, number=number_of(row), score=score)
    return {"ticket": ticket, "score": score}


# --- reading the line ---


def heads(tx: Tx, centre: Centre, day: str, counter: str, officer: str = "") -> list[rules.Waiting]:
    """The first of each class (service × priority × appointment) that this counter may call; each by index."""
    return [waiting(row) for row in _head_rows(tx, centre, day, counter, officer)]


def _head_rows(tx: Tx, centre: Centre, day: str, counter: str, officer: str) -> list[Row]:
    desk = centre.desks.get(counter)
    skills = desk.skills if desk is not None else ()
    names = {f"s{n}": skill for n, skill in enumerate(skills)}
    return tx.all(_heads_of(len(skills)), centre=centre.id, day=day, counter=counter, officer=officer, **names)


_RANKED = "h.id, h.series, h.n, h.place, h.service, h.urgent, h.since, h.appointment, h.goes_first"


@lru_cache(maxsize=64)
def _heads_of(skills: int) -> str:
    """The classes that wait, then the first of each by index. Without skills: of any service, offered still or not."""
    wanted = f"IN ({', '.join(f':s{n}' for n in range(skills))})" if skills else "> ''"
    return (
        f"SELECT {_RANKED} FROM (SELECT DISTINCT service, urgent, appointment FROM ticket"  # noqa: S608  # our own names
        f" WHERE centre = :centre AND day = :day AND {LINE} AND service {wanted}) k"
        f" JOIN ticket h ON h.id = (SELECT id FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"
        " AND service = k.service AND urgent = k.urgent AND appointment = k.appointment"
        " AND (for_counter = '' OR for_counter = :counter) AND (for_officer = '' OR for_officer = :officer)"
        " ORDER BY goes_first DESC, since, place LIMIT 1)"
    )


def waiting(row: Row) -> rules.Waiting:
    """A ticket row as the calling rule sees it."""
    return rules.Waiting(
        row["id"], number_of(row), row["place"], bool(row["urgent"]), from_iso(row["since"]), row["service"],
        bool(row["appointment"]), bool(row["goes_first"]),
    )  # fmt: skip


def counter_json(tx: Tx, centre: Centre, counter: str) -> Json:
    """A counter as programs know it."""
    held, row = _desk(tx, centre, counter), _at_counter(tx, centre, counter)
    return {
        "counter": counter,
        "open": held is not None,
        "officer": held["officer"] if held else None,
        "paused": held["paused"] if held else "",
        "skills": list(centre.skills_of(counter)),
        "current": {"ticket": row["id"], "number": number_of(row), "state": row["state"]} if row else None,
    }


# --- inside ---

_MOVED = ("state", "service", "for_counter", "for_officer", "goes_first", "since", "appointment", "called_at",
          "serving_at", "calls")  # fmt: skip
"""What a transfer changes, or what a call after it would."""


def _call(floor: Floor, who: Officer, row: Row, why: str) -> Json:
    floor.change(
        row["id"], state="called", counter=who.counter, officer=who.name, calls=1, called_at=floor.at,
        announced_at=floor.at, serving_at=None, goes_first=0,
    )  # fmt: skip
    waited = max(0.0, (floor.now - from_iso(row["since"])).total_seconds())
    body = {"number": number_of(row), "service": row["service"], "why": why, "waited": round(waited)}
    floor.event("called", row["id"], who.counter, who.name, urgent=bool(row["urgent"]), **body)
    return {"ticket": row["id"], **body}


def _finish(floor: Floor, who: Officer, row: Row, outcome: str) -> Json:
    """The stint ends; so does the visit unless further services are left."""
    served = _stint(floor, row, outcome)
    further = [name for name in row["further"].split(",") if name in floor.centre.services]
    if outcome == "completed" and further:
        floor.change(
            row["id"], state="waiting", counter=None, service=further[0], further=",".join(further[1:]),
            for_counter="", for_officer="",
        )  # fmt: skip
        floor.event(
            "moved_on", row["id"], who.counter, who.name, number=number_of(row), served=served, service=further[0]
        )
        return {"ticket": row["id"], "state": "waiting", "service": further[0]}
    floor.change(row["id"], state=outcome, counter=None, ended_at=floor.at)
    floor.event(outcome, row["id"], who.counter, who.name, number=number_of(row), served=served)
    return {"ticket": row["id"], "state": outcome}


_STINT = (
    "INSERT INTO stint (centre, seq, ticket, day, service, urgent, appointment, counter, officer, waiting_since,"
    " called_at, serving_at, ended_at, outcome, waited, served, wait_low, wait_high, wait_likely,"
    " wait_p10, wait_p90)"
    " SELECT centre, :seq, id, day, service, urgent, appointment, counter, officer, since, called_at, serving_at,"
    " :ended_at, :outcome, :waited, :served, wait_low, wait_high, wait_likely, wait_p10, wait_p90 FROM ticket"
    " WHERE id = :id"
)


def _stint(floor: Floor, row: Row, outcome: str) -> int:
    """History of one stay at a counter; seconds served. Its number is that of the event which follows."""
    waited = max(0.0, (from_iso(row["called_at"]) - from_iso(row["since"])).total_seconds())
    served = max(0.0, (floor.now - from_iso(row["serving_at"] or row["called_at"])).total_seconds())
    floor.tx.put(
        _STINT, seq=floor.seq + 1, ended_at=floor.at, outcome=outcome, waited=waited, served=served, id=row["id"]
    )
    return round(served)


_HELD = (
    "SELECT d.session AS lease, d.officer AS lessee, d.paused AS pausing, t.* FROM desk d"
    " LEFT JOIN ticket t ON t.centre = d.centre AND t.counter = d.counter AND t.state IN ('called', 'serving')"
    " WHERE d.centre = :centre AND d.counter = :counter"
)
_OWN = (
    "SELECT d.session AS lease, t.* FROM desk d LEFT JOIN ticket t ON t.centre = d.centre AND t.id = :ticket"
    " WHERE d.centre = :centre AND d.counter = :counter"
)
"""A counter's lease beside the number at it, and beside a given number."""


def _mine(floor: Floor, who: Officer, ticket: str, *states: str) -> Row:
    """The number at the officer's counter, in one of these states."""
    row = floor.tx.one(_OWN, centre=floor.centre.id, counter=who.counter, ticket=ticket)
    if row is None or row["lease"] != who.session:
        raise _taken()
    if row["id"] is None:
        raise Refused("not_found", "Không có số này", 404)
    if row["counter"] != who.counter or row["state"] not in states:
        raise Refused("changed", "Số tại quầy vừa thay đổi. Hãy xem lại rồi thao tác.")
    return row


def _check_lease(floor: Floor, who: Officer) -> Row:
    row = _desk(floor.tx, floor.centre, who.counter)
    if row is None or row["session"] != who.session:
        raise _taken()
    return row


def _check_open(floor: Floor, who: Officer) -> None:
    """The counter is ours and does not rest."""
    if _check_lease(floor, who)["paused"]:
        raise Refused("paused", "Quầy đang tạm nghỉ. Hãy mở lại trước khi gọi.")


def _taken() -> Refused:
    return Refused("counter_taken", "Quầy này đã được mở ở máy khác. Hãy chọn lại quầy.")


def _desk(tx: Tx, centre: Centre, counter: str) -> Row | None:
    return tx.one("SELECT * FROM desk WHERE centre = :centre AND counter = :counter", centre=centre.id, counter=counter)


def _at_counter(tx: Tx, centre: Centre, counter: str) -> Row | None:
    return tx.one(
        "SELECT * FROM ticket WHERE centre = :centre AND counter = :counter AND state IN ('called', 'serving')",
        centre=centre.id, counter=counter,
    )  # fmt: skip


def _close(floor: Floor, counter: str, actor: str, why: str) -> None:
    floor.tx.run(
        "DELETE FROM desk WHERE centre = :centre AND counter = :counter", centre=floor.centre.id, counter=counter
    )
    floor.event("counter_closed", counter=counter, actor=actor, why=why)
