"""The API at the counters: what their programs do, each by the counter that the device holds."""

from collections.abc import Callable

from msgspec import UNSET

from kiosk_queue import counter, line
from kiosk_queue.api.devices import Role
from kiosk_queue.api.dispatch import Call, Endpoint, Handler, Reply
from kiosk_queue.api.shapes import (
    Because,
    Called,
    Closed,
    Counter,
    Group,
    Grouped,
    Moved,
    Next,
    Note,
    Noted,
    Open,
    PaperState,
    Pause,
    Recalled,
    Shape,
    StaffCalled,
    Transfer,
    Void,
)
from kiosk_queue.counter import Officer
from kiosk_queue.floor import Floor, Refused
from kiosk_queue.model import Json

COUNTER: tuple[Role, ...] = ("counter",)

TicketDeed = Callable[[Floor, Officer, Call], Json]


def endpoints() -> list[Endpoint]:
    """The rows of the table."""
    return [
        *_desk_endpoints(),
        _deed("call", "Call this number out of turn", _call_chosen, Called),
        _deed("recall", "Announce the number once more", _recall, Recalled, refusals=(429,)),
        _deed("serve", "The citizen is there", _plain(counter.serve), Moved),
        _deed("complete", "Done; a visit with further services goes on", _plain(counter.complete), Moved),
        _deed("no-show", "Nobody came, after enough calls", _plain(counter.no_show), Moved),
        _deed("hold", "Put the number aside", _hold, Moved, Because),
        _deed("unhold", "Back into the line at its old place", _plain(counter.unhold), Moved),
        _deed("transfer", "Send on to a service, a counter or a person", _transfer, Moved, Transfer),
        _deed("undo-transfer", "Take the transfer back", _plain(counter.undo_transfer), Moved),
        _deed("group", "Confirm or correct the priority group", _group, Grouped, Group),
        _deed("note", "Note for colleagues, reference of the dossier", _note, Noted, Note),
        _floor_deed("void", "Take the number out of the queue for good", _void, Moved, Void),
        _floor_deed("reprint", "Have the paper printed once more", _reprint, PaperState),
    ]


def _desk_endpoints() -> list[Endpoint]:
    def at(deed: str, summary: str, handler: Handler, answers: dict[int, Shape | None], body: Shape) -> Endpoint:
        path, refusals = f"/counters/{{id}}/{deed}", (404, 409)
        return Endpoint("POST", path, summary, COUNTER, handler, answers, body, key="optional", refusals=refusals)

    def answer_call() -> Endpoint:
        path, summary = "/staff-calls/{id}/answer", "An officer goes to the kiosk"
        return Endpoint(
            "POST", path, summary, COUNTER, _answer_staff, {200: StaffCalled}, key="optional", by_counter=True,
            refusals=(404, 409),
        )  # fmt: skip

    return [
        at("open", "Open the counter", _open, {200: Counter}, Open),
        Endpoint(
            "POST", "/counters/{id}/close", "Close the counter", COUNTER, _close, {200: Closed}, key="optional",
            refusals=(409,),
        ),
        at("pause", "Take no numbers for a while, or go on", _pause, {200: Counter}, Pause),
        at("next", "Call who is next by the rule; 204: nobody waits", _next, {200: Called, 204: None}, Next),
        answer_call(),
    ]  # fmt: skip


# --- the counter ---


async def _open(call: Call) -> Reply:
    who = Officer(_session(call, call.id), call.id, call.body.officer)
    return 200, await _do(call, lambda floor: counter.open_counter(floor, who, take_over=call.body.take_over))


async def _close(call: Call) -> Reply:
    return 200, await _do(call, lambda floor: counter.close_counter(floor, _officer(floor, call, call.id)))


async def _pause(call: Call) -> Reply:
    return 200, await _do(call, lambda floor: counter.pause(floor, _officer(floor, call, call.id), call.body.reason))


async def _next(call: Call) -> Reply:
    current = call.body.current

    who = Officer(_session(call, call.id), call.id)

    def deed(floor: Floor) -> Json:
        if current is UNSET:
            found = counter.call_next(floor, who)
        else:
            found = counter.call_next(floor, who, current, check_current=True)
        return _called(floor, who, found) if found["ticket"] is not None else found

    answer = await _do(call, deed)
    return (204, None) if answer.get("ticket", "") is None else (200, answer)


async def _answer_staff(call: Call) -> Reply:
    if not (call.id.isascii() and call.id.isdigit() and len(call.id) < 16):
        raise Refused("not_found", "Không có lời gọi này", 404)
    number = int(call.id)
    return 200, await _do(
        call, lambda floor: counter.answer_staff(floor, _officer(floor, call, _counter_of(floor, call)), number)
    )


# --- the ticket ---


def _deed(
    name: str, summary: str, deed: TicketDeed, answer: Shape, body: Shape | None = None, refusals: tuple[int, ...] = ()
) -> Endpoint:
    """An endpoint that works on a ticket from the counter that holds it."""

    async def handler(call: Call) -> Reply:
        def job(floor: Floor) -> Json:
            return _named(deed(floor, _officer(floor, call, _counter_of(floor, call)), call))

        return 200, await _do(call, job)

    return Endpoint(
        "POST", f"/tickets/{{id}}/{name}", summary, COUNTER, handler, {200: answer}, body, "optional", by_counter=True,
        refusals=(404, 409, *refusals),
    )  # fmt: skip


def _floor_deed(
    name: str, summary: str, deed: Callable[[Floor, Call], Json], answer: Shape, body: Shape | None = None
) -> Endpoint:
    """An endpoint that works on a ticket from any counter."""

    async def handler(call: Call) -> Reply:
        return 200, await _do(call, lambda floor: _named(deed(floor, call)))

    return Endpoint(
        "POST", f"/tickets/{{id}}/{name}", summary, COUNTER, handler, {200: answer}, body, "optional",
        refusals=(404, 409),
    )  # fmt: skip


def _plain(deed: Callable[[Floor, Officer, str], Json]) -> TicketDeed:
    return lambda floor, who, call: deed(floor, who, call.id)


def _call_chosen(floor: Floor, who: Officer, call: Call) -> Json:
    return _called(floor, who, counter.call_chosen(floor, who, call.id))


def _recall(floor: Floor, who: Officer, call: Call) -> Json:
    return counter.recall(floor, who, call.id)


def _hold(floor: Floor, who: Officer, call: Call) -> Json:
    return counter.hold(floor, who, call.id, call.body.reason)


def _transfer(floor: Floor, who: Officer, call: Call) -> Json:
    to = call.body
    if not (to.service or to.counter or to.officer):
        raise Refused("bad_request", "Chuyển đến đâu: dịch vụ, quầy hay cán bộ?", 400)
    return counter.transfer(floor, who, call.id, to.service, to.counter, to.officer, to.position)


def _group(floor: Floor, who: Officer, call: Call) -> Json:
    return counter.confirm_group(floor, who, call.id, call.body.group)


def _note(floor: Floor, who: Officer, call: Call) -> Json:
    return counter.annotate(floor, who, call.id, call.body.note, call.body.reference)


def _void(floor: Floor, call: Call) -> Json:
    return counter.void(floor, call.device.name, call.id, call.body.reason)


def _reprint(floor: Floor, call: Call) -> Json:
    return line.request_reprint(floor, call.id, call.device.name)


# --- who ---


async def _do(call: Call, deed: Callable[[Floor], Json]) -> Json:
    return await call.site.do(call.centre, deed, call.key, call.request)


def _session(call: Call, name: str) -> str:
    """A device may hold several counters: each is a session of its own."""
    return f"{call.device.id}/{name}"


def _officer(floor: Floor, call: Call, name: str) -> Officer:
    """Who works at a counter, as was told when it was opened."""
    session = _session(call, name)
    row = floor.tx.one(
        "SELECT officer FROM desk WHERE centre = :centre AND counter = :counter AND session = :session",
        centre=floor.centre.id, counter=name, session=session,
    )  # fmt: skip
    return Officer(session, name, row["officer"] if row else "")


def _counter_of(floor: Floor, call: Call) -> str:
    """The counter of a deed: named by X-Counter, the one that has the ticket, or the only one of the device."""
    if call.counter:
        return call.counter
    row = floor.tx.one("SELECT counter FROM ticket WHERE id = :id AND centre = :centre", id=call.id, centre=call.centre)
    if row is not None and row["counter"] is not None:
        return str(row["counter"])
    own = call.device.id + "/"
    held = floor.tx.all(
        "SELECT counter FROM desk WHERE centre = :centre AND substr(session, 1, :size) = :own",
        centre=call.centre, size=len(own), own=own,
    )  # fmt: skip
    if not held:
        raise Refused("counter_taken", "Thiết bị chưa mở quầy nào.")
    if len(held) > 1:
        raise Refused("counter_needed", "Thiết bị mở nhiều quầy: cần tiêu đề X-Counter", 400)
    return str(held[0]["counter"])


def _named(answer: Json) -> Json:
    """A ticket's identity is `id` in every answer."""
    return {"id": answer.pop("ticket"), **answer} if "ticket" in answer else answer


def _called(floor: Floor, who: Officer, found: Json) -> Json:
    return {
        "id": found["ticket"],
        "number": found["number"],
        "business_day": floor.day,
        "state": "called",
        "service": found["service"],
        "counter": who.counter,
        "why": found["why"],
        "waited": found["waited"],
    }
