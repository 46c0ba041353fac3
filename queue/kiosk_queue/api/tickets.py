"""The API of kiosks and of whoever looks: numbers, their paper, blocks, staff calls, the centre, the event stream."""

from kiosk.clock import utc_iso
from kiosk_queue import appointments, counter, line, rules
from kiosk_queue.api.devices import Role
from kiosk_queue.api.dispatch import STREAM, Call, Endpoint, Reply, request_of
from kiosk_queue.api.shapes import (
    Appointment,
    Block,
    Centre,
    CheckedIn,
    CheckIn,
    Counters,
    Given,
    Lease,
    NewTicket,
    Paper,
    PaperState,
    Rated,
    Rating,
    Reprint,
    Services,
    StaffCall,
    StaffCalled,
    StaffCallNow,
    Ticket,
    TicketNow,
)
from kiosk_queue.feed import Audience, events_after
from kiosk_queue.floor import LINE, Floor, Refused, View
from kiosk_queue.model import Json, Service, text_json
from kiosk_queue.storage.store import Row, Tx
from kiosk_queue.web import Site, events

KIOSK: tuple[Role, ...] = ("kiosk",)
_WAITING = f"SELECT * FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608  # our own columns
_WAITING_BY_SERVICE = (
    f"SELECT service, count(*) AS waiting FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
    " GROUP BY service"
)
DOES_NOT_WAIT = ("completed", "no_show", "void", "called", "serving")


def endpoints() -> list[Endpoint]:
    """The rows of the table."""
    return [
        Endpoint(
            "POST", "/tickets", "A new number", KIOSK, _issue, {201: Ticket}, NewTicket, "required", refusals=(409,)
        ),
        Endpoint(
            "POST", "/tickets/reconcile", "A number given out of a block while the server was away", KIOSK, _reconcile,
            {200: Ticket}, Given,
        ),
        Endpoint("GET", "/tickets/{id}", "A number as it stands now", (), _ticket, {200: TicketNow}, refusals=(404,)),
        Endpoint(
            "POST", "/tickets/{id}/paper", "Whether the slip came out", KIOSK, _paper, {200: PaperState}, Paper,
            "optional", refusals=(404,),
        ),
        Endpoint(
            "POST", "/tickets/{id}/rate", "Satisfaction with the service", KIOSK, _rate, {200: Rated}, Rating,
            "optional", refusals=(404,),
        ),
        Endpoint(
            "GET", "/appointments/{id}", "An appointment as it stands now", KIOSK, _appointment, {200: Appointment},
            refusals=(404,),
        ),
        Endpoint(
            "POST", "/appointments/{id}/check-in", "The number of a citizen who comes to an appointment", KIOSK,
            _check_in, {200: CheckedIn}, CheckIn, "optional", refusals=(404, 409),
        ),
        Endpoint(
            "POST", "/reprints", "Take over a number whose paper is wanted again", KIOSK, _reprint, {200: Reprint},
            key="optional",
        ),
        Endpoint(
            "POST", "/blocks", "Lease numbers for the time without the server", KIOSK, _block, {201: Lease}, Block,
            "optional",
        ),
        Endpoint(
            "POST", "/staff-calls", "Ask for a person at the kiosk", KIOSK, _call_staff, {201: StaffCalled}, StaffCall,
            "optional",
        ),
        Endpoint(
            "GET", "/staff-calls/{id}", "Whether somebody has answered", (), _staff_call, {200: StaffCallNow},
            refusals=(404,),
        ),
        Endpoint("GET", "/services", "What is offered now, and how many wait", (), _services, {200: Services}),
        Endpoint("GET", "/counters", "Every counter", (), _counters, {200: Counters}),
        Endpoint("GET", "/centre", "The centre", (), _centre, {200: Centre}),
        Endpoint("GET", "/events", "Everything that happens, as server-sent events", (), _events, {200: None}),
    ]  # fmt: skip


# --- numbers ---


async def _issue(call: Call) -> Reply:
    wanted: NewTicket = call.body
    guess = call.site.estimates.newcomer(call.centre, wanted.service, urgent=bool(wanted.group))
    answer = await call.site.do(
        call.centre,
        lambda floor: line.issue(floor, wanted.service, wanted.group or "", wanted.channel, wanted.further, guess),
        call.key,
        call.request,
    )
    return 201, _with_url(call.site, call.centre, answer)


async def _appointment(call: Call) -> Reply:
    found = await call.site.see(call.centre, lambda view: appointments.standing(view, call.id))
    if found is None:
        raise Refused("not_found", "Không có lịch hẹn này", 404)
    return 200, found


async def _check_in(call: Call) -> Reply:
    group = call.body.group or ""
    booked = await call.site.see(call.centre, lambda view: appointments.appointment(view, call.id))
    if booked is None:
        raise Refused("not_found", "Không có lịch hẹn này", 404)
    guess = call.site.estimates.newcomer(call.centre, booked["service"], urgent=bool(group))
    answer = await call.site.do(
        call.centre, lambda floor: appointments.check_in(floor, call.id, group, guess), call.key, call.request
    )
    return 200, _with_url(call.site, call.centre, answer)


async def _ticket(call: Call) -> Reply:
    return 200, _with_url(call.site, call.centre, await call.site.see(call.centre, lambda view: _now(view, call.id)))


async def _paper(call: Call) -> Reply:
    def deed(floor: Floor) -> Json:
        return {"id": call.id, **line.paper(floor, call.id, printed=call.body.printed)}

    return 200, await call.site.do(call.centre, deed, call.key, call.request)


async def _rate(call: Call) -> Reply:
    def deed(floor: Floor) -> Json:
        return {"id": call.id, "score": counter.rate(floor, call.id, call.body.score)["score"]}

    return 200, await call.site.do(call.centre, deed, call.key, call.request)


async def _reprint(call: Call) -> Reply:
    answer = await call.site.do(call.centre, line.claim_reprint, call.key, call.request)
    found = answer["ticket"]
    return 200, {"ticket": None if found is None else _with_url(call.site, call.centre, found)}


async def _block(call: Call) -> Reply:
    wanted: Block = call.body
    return 201, await call.site.do(
        call.centre,
        lambda floor: line.lease_block(floor, call.device.name, wanted.series, wanted.size),
        call.key,
        call.request,
    )


async def _reconcile(call: Call) -> Reply:
    given: Given = call.body
    answer = await call.site.do(
        call.centre,
        lambda floor: line.reconcile(
            floor,
            call.device.name,
            {
                "id": given.id, "block": given.block, "n": given.n, "service": given.service, "group": given.group,
                "issued_at": utc_iso(given.issued_at), "printed": given.printed, "instead_of": given.instead_of,
            },
        ),
    )  # fmt: skip
    return 200, _with_url(call.site, call.centre, answer)


def _with_url(site: Site, centre: str, ticket: Json) -> Json:
    ticket["url"] = f"{site.address_of(centre)}/t/{ticket['id']}"
    return ticket


def _now(view: View, ticket: str) -> Json:
    row = view.tx.one("SELECT * FROM ticket WHERE id = :id AND centre = :centre", id=ticket, centre=view.centre.id)
    if row is None:
        raise Refused("not_found", "Không có số này", 404)
    found = line.ticket_json(view.centre, row, _ahead(view, row))
    return found | {"counter": row["counter"], "called_at": row["called_at"]}


def _ahead(view: View, mine: Row) -> int:
    """Who waits at the same counters and would be called before by the rule, if no time passed."""
    if mine["state"] in DOES_NOT_WAIT or mine["day"] != view.day:
        return 0
    rivals = set(view.centre.rivals.get(mine["service"], (mine["service"],)))
    rows = view.tx.all(_WAITING, centre=view.centre.id, day=view.day)
    others = (counter.waiting(row) for row in rows if row["service"] in rivals)
    return rules.ahead(counter.waiting(mine), others, view.now, view.centre.rule)


# --- staff calls ---


async def _call_staff(call: Call) -> Reply:
    kiosk = call.body.kiosk or call.device.name
    return 201, await call.site.do(call.centre, lambda floor: counter.call_staff(floor, kiosk), call.key, call.request)


async def _staff_call(call: Call) -> Reply:
    if not (call.id.isascii() and call.id.isdigit() and len(call.id) < 16):
        raise Refused("not_found", "Không có lời gọi này", 404)
    number = int(call.id)

    def look(view: View) -> Json:
        row = view.tx.one(
            "SELECT * FROM staff_call WHERE centre = :centre AND id = :id", centre=view.centre.id, id=number
        )
        if row is None:
            raise Refused("not_found", "Không có lời gọi này", 404)
        return {"call": row["id"], **{name: row[name] for name in ("kiosk", "at", "answered_at", "counter")}}

    return 200, await call.site.see(call.centre, look)


# --- the centre ---


async def _services(call: Call) -> Reply:
    return 200, await call.site.see(call.centre, services_now)


async def _counters(call: Call) -> Reply:
    def look(view: View) -> Json:
        return {"counters": [counter.counter_json(view.tx, view.centre, name) for name in view.centre.desks]}

    return 200, await call.site.see(call.centre, look)


async def _centre(call: Call) -> Reply:
    def look(view: View) -> Json:
        centre = view.centre
        return {
            "id": centre.id, "name": text_json(centre.name), "zone": centre.zone,
            "cut_over_hours": centre.cut_over_hours, "ticket_url": f"{call.site.address_of(centre.id)}/t/",
            "day": view.day, "open": centre.takes_numbers(view.now), "rule": centre.rule.name,
            "version": centre.version, "seq": view.seq,
        }  # fmt: skip

    return 200, await call.site.see(call.centre, look)


def services_now(view: View) -> Json:
    """What a kiosk shows: groups with the services that take numbers now, and how many wait for each."""
    centre, waiting = view.centre, waiting_by_service(view.tx, view.centre.id, view.day)
    taking = centre.takes_numbers(view.now)
    groups = []
    for group in centre.groups:
        offered = [service for service in group.services if taking and _offered(view, service)]
        if offered:
            services = [
                {"id": s.id, "name": text_json(s.name), "series": s.series, "waiting": waiting.get(s.id, 0)}
                for s in offered
            ]
            groups.append({"id": group.id, "name": text_json(group.name), "icon": group.icon, "services": services})
    return {
        "centre": text_json(centre.name),
        "day": view.day,
        "open": taking,
        "groups": groups,
        "priorities": [{"id": group.id, "name": text_json(group.name)} for group in centre.priorities],
        "series": sorted({service.series for service in centre.services.values()}),
    }


def waiting_by_service(tx: Tx, centre: str, day: str) -> dict[str, int]:
    """How many wait for each service; those that nobody waits for are left out."""
    rows = tx.all(_WAITING_BY_SERVICE, centre=centre, day=day)
    return {row["service"]: row["waiting"] for row in rows}


def _offered(view: View, service: Service) -> bool:
    if not service.open or not service.daily_cap:
        return service.open
    row = view.tx.one(
        "SELECT count(*) AS given FROM ticket WHERE centre = :centre AND day = :day AND service = :service",
        centre=view.centre.id, day=view.day, service=service.id,
    )  # fmt: skip
    return row is None or row["given"] < service.daily_cap


# --- the stream ---


def _programs_state(view: View) -> Json:
    return {"seq": view.seq, "day": view.day, "waiting": waiting_by_service(view.tx, view.centre.id, view.day)}


PROGRAMS = Audience(
    "programs", lambda view, seen: events_after(view.tx, view.centre.id, seen), _programs_state, lossless=True
)


async def _events(call: Call) -> Reply:
    call.scope["api.response"] = events(call.site, request_of(call), PROGRAMS, call.centre)
    return STREAM, None
