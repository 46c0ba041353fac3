"""Getting into the line: numbers given out, their paper, blocks leased to kiosks for when the server is away."""

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal

from kiosk.clock import from_iso, utc_iso
from kiosk_queue.floor import LINE, Floor, Refused, number_of
from kiosk_queue.forecast import Range
from kiosk_queue.model import Centre, Json, Rule, Service, text_json
from kiosk_queue.storage.store import Row, Tx

CHANNELS = ("kiosk", "web", "counter", "api")
FURTHER_MOST = 5
"""Services of one visit beside the first."""
BLOCK_MOST = 50
RESERVE = range(501, 2001)
"""Numbers of each series that blocks are made of: the line's own stay 001, 002, … without holes, and go on behind."""

Estimator = Callable[[int], Range | None]
"""The wait of somebody before whom so many wait; None where nobody can tell."""


def issue(
    floor: Floor,
    service: str,
    group: str = "",
    channel: str = "api",
    further: Sequence[str] = (),
    estimate: Estimator | None = None,
    appointment: str = "",
) -> Json:
    """A new number, with how many wait before it. `further`: services of the same visit, to be had one after another.

    `appointment`: the time of one that is kept, stored form; the wait counts from it, and neither hours nor a daily
    cap turn its holder away. Raises Refused for what the centre does not offer now.
    """
    wanted = offered(floor, service, booked=bool(appointment))
    for name in further:
        offered(floor, name)
    if len(further) > FURTHER_MOST or channel not in CHANNELS:
        raise Refused("bad_request", "Yêu cầu lấy số không hợp lệ", 400)
    urgent = _is_urgent(floor.centre, group)
    ahead = count_ahead(floor.tx, floor.centre, floor.day, service, urgent=urgent, now=floor.at)
    place = floor.seq + 1  # the number of the event that tells of it
    # Nobody can guess it; its beginning grows, so that new numbers lie together however many old ones there are.
    ticket = f"{place:06x}{secrets.token_urlsafe(12)}"
    row = _columns(floor, ticket, place, wanted, _next_number(floor, wanted.series), group)
    row |= {"channel": channel, "further": ",".join(further)}
    if channel == "kiosk":
        row |= {"state": "reserved", "paper": "pending"}
    if appointment:
        row |= {"since": appointment, "appointment": 1}
    guess = estimate(ahead) if estimate is not None else None
    if guess is not None:
        row |= {f"wait_{name}": round(minutes, 2) for name, minutes in guess._asdict().items()}
    floor.tx.put(_INSERT if appointment else _JOIN, **row)
    number = number_of(row)
    floor.event("issued", row["id"], number=number, service=service, urgent=urgent, ahead=ahead, channel=channel)
    return ticket_json(floor.centre, row, ahead)


def paper(floor: Floor, ticket: str, *, printed: bool) -> Json:
    """The kiosk reports whether the slip came out; the same report again is no event."""
    row = floor.ticket(ticket)
    found = "printed" if printed else "failed"
    if row["paper"] != found:
        state = {"state": "waiting"} if row["state"] == "reserved" else {}
        floor.change(ticket, paper=found, **state)
        floor.event("printed" if printed else "print_failed", ticket, number=number_of(row))
    return {"paper": found}


def request_reprint(floor: Floor, ticket: str, actor: str) -> Json:
    """An officer wants the paper of a waiting number once more; the next free kiosk prints it."""
    row = floor.ticket(ticket)
    if row["state"] not in ("reserved", "waiting", "held"):
        raise Refused("changed", "Số này đã được gọi, không cần in lại")
    floor.change(ticket, paper="wanted")
    floor.event("reprint_requested", ticket, actor=actor, number=number_of(row))
    return {"ticket": ticket, "paper": "wanted"}


def claim_reprint(floor: Floor) -> Json:
    """The oldest number whose paper is wanted, given to one kiosk only; `ticket` is null if there is none."""
    row = floor.tx.one(
        f"SELECT * FROM ticket WHERE centre = :centre AND day = :day AND {LINE} AND paper = 'wanted'"  # noqa: S608
        " ORDER BY place LIMIT 1",
        centre=floor.centre.id, day=floor.day,
    )  # fmt: skip
    if row is None:
        return {"ticket": None}
    floor.change(row["id"], paper="pending")
    ahead = count_ahead(floor.tx, floor.centre, floor.day, row["service"], urgent=bool(row["urgent"]), now=row["since"])
    return {"ticket": ticket_json(floor.centre, row, ahead)}


def lease_block(floor: Floor, kiosk: str, series: str, size: int) -> Json:
    """Numbers set aside for a kiosk: nobody else gets them today, whether it uses them or not."""
    if series not in {service.series for service in floor.centre.services.values()} or not 1 <= size <= BLOCK_MOST:
        raise Refused("bad_request", "Không cấp được dải số này", 400)
    last = RESERVE.start - 1 + _advance(floor, series, "leased", size)
    if last not in RESERVE:
        raise Refused("used_up", "Đã hết dải số dự phòng trong ngày")
    block = secrets.token_urlsafe(12)
    floor.tx.run(
        "INSERT INTO block (id, centre, kiosk, day, series, first, last, leased_at)"
        " VALUES (:id, :centre, :kiosk, :day, :series, :first, :last, :at)",
        id=block, centre=floor.centre.id, kiosk=kiosk, day=floor.day, series=series, first=last - size + 1, last=last,
        at=floor.at,
    )  # fmt: skip
    floor.event("block_leased", actor=kiosk, series=series, first=last - size + 1, last=last)
    return {"block": block, "day": floor.day, "series": series, "first": last - size + 1, "last": last}


def reconcile(floor: Floor, kiosk: str, given: Json) -> Json:
    """A number that the kiosk gave out of its block while we were away: into the line, at the time it was given.

    `given`: id (the kiosk's own, random), block, n, service, group, issued_at, printed. The same again is no event.
    `instead_of`: the key under which the kiosk had asked us before, without hearing the answer. A number that we gave
    for it has no holder and is taken out; if the request is still on its way, it finds its key used up.
    """
    known = floor.tx.one("SELECT * FROM ticket WHERE id = :id", id=given["id"])
    if known is not None:
        return ticket_json(floor.centre, known, 0)
    block = floor.tx.one(
        "SELECT * FROM block WHERE id = :id AND centre = :centre AND kiosk = :kiosk",
        id=given["block"], centre=floor.centre.id, kiosk=kiosk,
    )  # fmt: skip
    service = floor.centre.services.get(given["service"])
    if block is None or not block["first"] <= given["n"] <= block["last"]:
        raise Refused("bad_request", "Số này không thuộc dải đã cấp", 400)
    if service is None or service.series != block["series"]:
        raise Refused("bad_request", "Dịch vụ không hợp với dải số", 400)
    group = given["group"] if given["group"] in {g.id for g in floor.centre.priorities} else ""
    since = min(max(given["issued_at"], block["leased_at"]), floor.at)
    over = block["day"] != floor.day
    if given.get("instead_of"):
        _use_up(floor, kiosk, given["instead_of"])
    floor.tx.run(
        _INSERT,
        **_columns(floor, given["id"], floor.seq + 1, service, given["n"], group)
        | {
            "channel": "kiosk",
            "day": block["day"],
            "state": "void" if over else "waiting",
            "ended_at": floor.at if over else None,
            "paper": "printed" if given["printed"] else "failed",
            "since": since,
            "issued_at": since,
        },
    )
    row = floor.ticket(given["id"])
    floor.event(
        "issued", row["id"], number=number_of(row), service=service.id, urgent=bool(row["urgent"]), ahead=0,
        channel="kiosk", offline=True, given_at=since,
    )  # fmt: skip
    return ticket_json(floor.centre, row, 0)


def _use_up(floor: Floor, kiosk: str, key: str) -> None:
    """Decide a request whose answer was lost: nobody stands in the line for it."""
    stored = f"{kiosk}:{key}"
    answer = floor.tx.one(
        "SELECT body FROM answer WHERE centre = :centre AND key = :key", centre=floor.centre.id, key=stored
    )
    if answer is None:
        floor.tx.run(
            "INSERT INTO answer (centre, key, request, at, body) VALUES (:centre, :key, 'used up', :at, '{}')",
            centre=floor.centre.id, key=stored, at=floor.at,
        )  # fmt: skip
        return
    ticket = floor.tx.one(
        "SELECT * FROM ticket WHERE id = :id AND centre = :centre",
        id=json.loads(answer["body"]).get("id", ""), centre=floor.centre.id,
    )  # fmt: skip
    if ticket is not None and ticket["state"] in ("reserved", "waiting", "held"):
        floor.change(ticket["id"], state="void", ended_at=floor.at)
        floor.event("void", ticket["id"], actor=kiosk, number=number_of(ticket), reason="given_offline")


def offered(floor: Floor, service: str, *, booked: bool = False) -> Service:
    """A service that takes numbers now; raises Refused. Neither hours nor cap keep out who has `booked` a time."""
    found = floor.centre.services.get(service)
    if found is None or not found.open:
        raise Refused("service_closed", "Dịch vụ này không nhận số")
    if booked:
        return found
    if not floor.centre.takes_numbers(floor.now):
        raise Refused("service_closed", "Ngoài giờ lấy số")
    if found.daily_cap:
        row = floor.tx.one(
            "SELECT count(*) AS given FROM ticket WHERE centre = :centre AND day = :day AND service = :service",
            centre=floor.centre.id, day=floor.day, service=service,
        )  # fmt: skip
        if row is not None and row["given"] >= found.daily_cap:
            raise Refused("service_closed", "Dịch vụ này đã hết số hôm nay")
    return found


def count_ahead(tx: Tx, centre: Centre, day: str, service: str, *, urgent: bool, now: str) -> int:
    """Who waits at the counters that serve `service` and would be called before somebody who comes at `now`."""
    names = {f"s{n}": name for n, name in enumerate(centre.rivals.get(service, (service,)))}
    sql = f"SELECT count(*) AS waiting FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
    if len(names) < len(centre.services):
        sql += f" AND service IN ({', '.join(f':{name}' for name in names)})"
    else:
        names = {}
        sql += " AND service > ''"  # leads both planners to the index of the line, whatever their statistics
    values = {"centre": centre.id, "day": day, **names, **_limit(centre.rule, urgent, now)}
    if "before" in values:
        sql += " AND (since <= :before OR urgent = 1)"
    elif urgent and centre.rule.name in ("strict", "ratio"):
        sql += " AND urgent = 1"
    row = tx.one(sql, **values)
    return int(row["waiting"]) if row else 0


def _limit(rule: Rule, urgent: bool, now: str) -> dict[str, str]:
    """Under head_start a priority citizen comes before ordinary ones of the last minutes."""
    if not urgent or rule.name != "head_start":
        return {}
    return {"before": utc_iso(from_iso(now) - timedelta(minutes=rule.head_start_minutes))}


def ticket_json(centre: Centre, row: Row, ahead: int) -> Json:
    """A ticket as a kiosk prints it and programs know it."""
    group = next((g.name for g in centre.priorities if g.id == row["priority"]), None)
    service = centre.services.get(row["service"])
    low, high = row["wait_low"], row["wait_high"]
    return {
        "id": row["id"],
        "number": number_of(row),
        "business_day": row["day"],
        "state": row["state"],
        "service": row["service"],
        "service_name": text_json(service.name) if service else {"vi": row["service"], "en": row["service"]},
        "centre": text_json(centre.name),
        "group": row["priority"],
        "group_name": text_json(group) if group else None,
        "issued_at": row["issued_at"],
        "ahead": ahead,
        "wait": None if low is None else {"low": round(low, 1), "high": round(high, 1)},
    }


def _is_urgent(centre: Centre, group: str) -> bool:
    if group and group not in {known.id for known in centre.priorities}:
        raise Refused("bad_request", "Nhóm ưu tiên không có trong danh mục", 400)
    return bool(group)


def _next_number(floor: Floor, series: str) -> int:
    last = _advance(floor, series, "last", 1)
    return last if last < RESERVE.start else last + len(RESERVE)


def _advance(floor: Floor, series: str, count: Literal["last", "leased"], by: int) -> int:
    """How many of the day's series were given out, or leased, after so many more."""
    row = floor.tx.one(
        f"INSERT INTO series (centre, day, series, {count}) VALUES (:centre, :day, :series, :by)"  # noqa: S608
        f" ON CONFLICT (centre, day, series) DO UPDATE SET {count} = series.{count} + :by RETURNING {count} AS reached",
        centre=floor.centre.id, day=floor.day, series=series, by=by,
    )  # fmt: skip
    assert row is not None
    return int(row["reached"])


_NAMES = (
    "id", "centre", "place", "day", "series", "n", "service", "further", "priority", "urgent", "channel", "state",
    "paper", "since", "appointment", "issued_at", "ended_at", "wait_low", "wait_high", "wait_likely",
    "wait_p10", "wait_p90",
)  # fmt: skip
_PLACES = ", ".join(f":{name}" for name in _NAMES)
_INSERT = f"INSERT INTO ticket ({', '.join(_NAMES)}) VALUES ({_PLACES})"  # noqa: S608  # our own columns
LAST_SINCE = (
    "SELECT max(since) AS since FROM ticket WHERE centre = :centre AND day = :day AND service > ''"  # noqa: S608
    f" AND appointment = 0 AND {LINE} AND since >= :since"
)
"""Whose wait began last, if not before `:since`: after the clock was set back. Whoever comes counts as no earlier."""
_JOIN = _INSERT.replace(":since,", f"coalesce(({LAST_SINCE}), :since),")


def _columns(floor: Floor, ticket: str, place: int, service: Service, n: int, group: str) -> Json:
    """A row as it is inserted: waiting, without paper."""
    return {
        "id": ticket,
        "centre": floor.centre.id,
        "place": place,
        "day": floor.day,
        "series": service.series,
        "n": n,
        "service": service.id,
        "further": "",
        "priority": group,
        "urgent": int(bool(group)),
        "channel": "api",
        "state": "waiting",
        "paper": "none",
        "since": floor.at,
        "appointment": 0,
        "issued_at": floor.at,
        "ended_at": None,
        "wait_low": None,
        "wait_high": None,
        "wait_likely": None,
        "wait_p10": None,
        "wait_p90": None,
    }
