"""Appointments: a service, a slot within working time, a random token and no person's data; kept at the kiosk by QR.

Reserve nothing: whoever keeps an appointment joins the line as if they had come at its time (queue reference §5.1).
"""

import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from kiosk.clock import from_iso, utc_iso
from kiosk_queue import line
from kiosk_queue.floor import Floor, Refused, View
from kiosk_queue.model import Centre, Json, Service, Window, text_json
from kiosk_queue.storage.store import Row

ALL_DAY = Window(time(0), time(23, 59))
"""The working time of a centre that names none."""
TAKEN = "state <> 'cancelled'"


# --- what is free ---


def days(view: View) -> list[date]:
    """The working days that may be booked, today first."""
    centre = view.centre
    if not centre.appointments.capacity:
        return []
    today = view.now.astimezone(centre.tz).date()
    ahead = (today + timedelta(days=n) for n in range(centre.appointments.days_ahead + 1))
    return [day for day in ahead if day.weekday() in centre.weekdays]


def bookable(centre: Centre) -> list[Service]:
    """The services that appointments are made for."""
    return [service for service in centre.services.values() if service.open] if centre.appointments.capacity else []


def free_slots(view: View, service: str, day: date) -> list[Json]:
    """The slots of a day that are still to come, with how many places are left in each (0: full)."""
    found = [moment for moment in slots(view.centre, day) if moment > view.now]
    if not found or day not in days(view):
        return []
    taken = view.tx.all(
        "SELECT slot, count(*) AS places FROM appointment WHERE centre = :centre AND service = :service"  # noqa: S608
        f" AND slot BETWEEN :first AND :last AND {TAKEN} GROUP BY slot",
        centre=view.centre.id, service=service, first=utc_iso(found[0]), last=utc_iso(found[-1]),
    )  # fmt: skip
    places = {row["slot"]: row["places"] for row in taken}
    most = view.centre.appointments.capacity
    return [
        {
            "slot": utc_iso(moment),
            "time": _local(view.centre, moment).strftime("%H:%M"),
            "free": max(0, most - places.get(utc_iso(moment), 0)),
        }
        for moment in found
    ]


def slots(centre: Centre, day: date) -> Iterator[datetime]:
    """The beginnings of a day's slots, UTC, in order; each ends within its working window."""
    if day.weekday() not in centre.weekdays:
        return
    length = timedelta(minutes=centre.appointments.slot_minutes)
    for window in sorted(centre.windows or (ALL_DAY,), key=lambda w: w.start):
        moment = datetime.combine(day, window.start)
        while moment + length <= datetime.combine(day, window.end):
            found = moment.replace(tzinfo=centre.tz).astimezone(UTC)
            if _local(centre, found).replace(tzinfo=None) == moment:  # it exists: no clock is put forward over it
                yield found
            moment += length


# --- deeds ---


def book(floor: Floor, service: str, slot: str) -> Json:
    """Take a place; `id` of the answer is the token that its holder shows. Refused if it is gone meanwhile."""
    place = _free_place(floor, service, slot)
    token = secrets.token_urlsafe(16)
    floor.tx.run(
        "INSERT INTO appointment (id, centre, service, slot, place, state, booked_at)"
        " VALUES (:id, :centre, :service, :slot, :place, 'booked', :at)",
        id=token, centre=floor.centre.id, service=service, slot=slot, place=place, at=floor.at,
    )  # fmt: skip
    floor.event("appointment_booked", service=service, slot=slot)
    return {"id": token, "service": service, "slot": slot}


def move(floor: Floor, token: str, slot: str) -> Json:
    """Take another slot for the same service; the token stays."""
    row = _booked(floor, token)
    if slot != row["slot"]:
        place = _free_place(floor, row["service"], slot)
        floor.tx.run(
            "UPDATE appointment SET slot = :slot, place = :place WHERE id = :id", slot=slot, place=place, id=token
        )
        floor.event("appointment_moved", service=row["service"], slot=slot, before=row["slot"])
    return {"id": token, "service": row["service"], "slot": slot}


def cancel(floor: Floor, token: str) -> Json:
    """Give the place back; once more does nothing."""
    row = _row_of(floor, token)
    if row["state"] != "cancelled":
        _booked(floor, token)
        floor.tx.run("UPDATE appointment SET state = 'cancelled' WHERE id = :id", id=token)
        floor.event("appointment_cancelled", service=row["service"], slot=row["slot"])
    return {"id": token, "state": "cancelled"}


def check_in(floor: Floor, token: str, group: str = "", estimate: line.Estimator | None = None) -> Json:
    """The holder is at the kiosk: the ticket, beside it `appointment` {"at", "late"}; asked again it is the same one.

    In time: called by the time of the appointment. Late: an ordinary number from now on, for which `estimate` may
    speak. Raises Refused: not_found, cancelled, too_early (the text says when to come back), service_closed.
    """
    row = _row_of(floor, token)
    if row["state"] == "cancelled":
        raise Refused("cancelled", "Lịch hẹn này đã hủy. Mời lấy số thường.")
    if row["state"] == "kept":
        known = floor.ticket(row["ticket"])
        return line.ticket_json(floor.centre, known, _ahead(floor, known)) | _told(floor.centre, row, known)
    in_time = _in_time(floor.centre, row, floor.now)
    if in_time == "early":
        raise Refused("too_early", f"Bạn đến sớm. Mời quay lại {_when_to_come(floor, row)}.")
    late = in_time == "late"
    ticket = line.issue(
        floor, row["service"], group, "kiosk",
        estimate=estimate if late else None, appointment="" if late else row["slot"],
    )  # fmt: skip
    floor.tx.run(
        "UPDATE appointment SET state = 'kept', ticket = :ticket WHERE id = :id", ticket=ticket["id"], id=token
    )
    floor.event("appointment_kept", ticket["id"], number=ticket["number"], slot=row["slot"], late=late)
    return ticket | _told(floor.centre, row, floor.ticket(ticket["id"]))


def appointment(view: View, token: str) -> Json | None:
    """An appointment as its page shows it; `state` may also be `missed`."""
    row = view.tx.one("SELECT * FROM appointment WHERE id = :id AND centre = :centre", id=token, centre=view.centre.id)
    if row is None:
        return None
    service = view.centre.services.get(row["service"])
    slot = from_iso(row["slot"])
    missed = row["state"] == "booked" and _local(view.centre, slot).date() < _local(view.centre, view.now).date()
    return {
        "id": token,
        "service": row["service"],
        "service_name": text_json(service.name) if service else {"vi": row["service"], "en": row["service"]},
        "slot": row["slot"],
        "local": _local(view.centre, slot),
        "from": _local(view.centre, slot - timedelta(minutes=view.centre.rule.early_minutes)).strftime("%H:%M"),
        "until": _local(view.centre, slot + timedelta(minutes=view.centre.rule.late_minutes)).strftime("%H:%M"),
        "state": "missed" if missed else row["state"],
        "ticket": row["ticket"],
    }


def standing(view: View, token: str) -> Json | None:
    """An appointment as a kiosk keeps it: `standing` is what `check_in` would make of it now."""
    row = view.tx.one("SELECT * FROM appointment WHERE id = :id AND centre = :centre", id=token, centre=view.centre.id)
    if row is None:
        return None
    service = view.centre.services.get(row["service"])
    return {
        "id": token,
        "service": row["service"],
        "service_name": text_json(service.name) if service else {"vi": row["service"], "en": row["service"]},
        "at": row["slot"],
        "opens": utc_iso(_opens(view.centre, row)),
        "standing": _in_time(view.centre, row, view.now) if row["state"] == "booked" else row["state"],
    }


# --- inside ---


def _opens(centre: Centre, row: Row) -> datetime:
    """From when on it gives a number."""
    return from_iso(row["slot"]) - timedelta(minutes=centre.rule.early_minutes)


def _in_time(centre: Centre, row: Row, now: datetime) -> str:
    """`early`, `due` or `late`."""
    if now < _opens(centre, row):
        return "early"
    return "late" if now > from_iso(row["slot"]) + timedelta(minutes=centre.rule.late_minutes) else "due"


def _row_of(floor: Floor, token: str) -> Row:
    row = floor.tx.one(
        "SELECT * FROM appointment WHERE id = :id AND centre = :centre", id=token, centre=floor.centre.id
    )
    if row is None:
        raise Refused("not_found", "Không có lịch hẹn này", 404)
    return row


def _booked(floor: Floor, token: str) -> Row:
    """One that can still be changed."""
    row = _row_of(floor, token)
    if row["state"] != "booked":
        raise Refused("changed", "Lịch hẹn này không thay đổi được nữa.")
    return row


def _free_place(floor: Floor, service: str, slot: str) -> int:
    """The lowest free one; the centre is locked, so nobody takes it meanwhile."""
    centre = floor.centre
    if service not in {known.id for known in bookable(centre)}:
        raise Refused("service_closed", "Dịch vụ này không nhận lịch hẹn")
    try:
        moment = from_iso(slot)
        local = _local(centre, moment)
    except (ValueError, OverflowError):
        raise Refused("bad_request", "Giờ hẹn không hợp lệ", 400) from None
    today = _local(centre, floor.now).date()
    if local.date() > today + timedelta(days=centre.appointments.days_ahead) or moment <= floor.now:
        raise Refused("slot_gone", "Giờ hẹn này không còn nhận đặt. Mời chọn giờ khác.")
    if slot not in map(utc_iso, slots(centre, local.date())):
        raise Refused("bad_request", "Giờ hẹn không hợp lệ", 400)
    rows = floor.tx.all(
        "SELECT place FROM appointment WHERE centre = :centre AND service = :service AND slot = :slot"  # noqa: S608
        f" AND {TAKEN}",
        centre=centre.id, service=service, slot=slot,
    )  # fmt: skip
    taken = {row["place"] for row in rows}
    free = next((n for n in range(1, centre.appointments.capacity + 1) if n not in taken), None)
    if free is None:
        raise Refused("slot_gone", "Giờ hẹn này vừa hết chỗ. Mời chọn giờ khác.")
    return free


def _told(centre: Centre, row: Row, ticket: Row) -> Json:
    at = _local(centre, from_iso(row["slot"]))
    return {"appointment": {"at": at.strftime("%H:%M"), "late": not ticket["appointment"]}}


def _ahead(floor: Floor, ticket: Row) -> int:
    return line.count_ahead(
        floor.tx, floor.centre, floor.day, ticket["service"], urgent=bool(ticket["urgent"]), now=ticket["since"]
    )


def _when_to_come(floor: Floor, row: Row) -> str:
    come = _local(floor.centre, _opens(floor.centre, row))
    if come.date() == _local(floor.centre, floor.now).date():
        return f"từ {come:%H:%M}"
    return f"từ {come:%H:%M} ngày {come:%d/%m/%Y}"


def _local(centre: Centre, moment: datetime) -> datetime:
    return moment.astimezone(centre.tz)
