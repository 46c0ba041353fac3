"""«Tôi có lịch hẹn»: the QR code of an appointment becomes a number, called by the appointment's time."""

from kiosk.appointment import Appointment, AppointmentCode, Standing, appointment_code
from kiosk.health import Failure, Reason
from kiosk.journeys.remedies import mend
from kiosk.journeys.take_ticket import ask_priority, hand_over, print_ticket, take_ticket
from kiosk.ports import Scanner
from kiosk.questions import AppointmentAnswer, ComeLater, Mend, Paper, ShowAppointment
from kiosk.ticket import Ticket
from kiosk.visit import Visit

OFFERS = (Mend.WITHOUT, Mend.RETRY, Mend.LEAVE)
"""WITHOUT: an ordinary number instead."""
ANOTHER_CODE = (Reason.APPOINTMENT_UNKNOWN, Reason.APPOINTMENT_ELSEWHERE, Reason.APPOINTMENT_CANCELLED)
"""What the same code will not change."""


async def code_shown(scanner: Scanner) -> AppointmentCode:
    """Wait until the code of an appointment is held under the scanner; others are nobody's business here."""
    while True:
        code = appointment_code(await scanner.next_code())
        if code is not None:
            return code


async def keep_appointment(visit: Visit, shown: AppointmentCode | None = None) -> None:
    """Code, priority group, number; an ordinary number if the appointment gives none and the citizen wants one."""
    appointment = await _find(visit, shown)
    if appointment is None:
        await take_ticket(visit)
        return
    kept = appointment.standing is Standing.KEPT
    priority = None if kept else await ask_priority(visit)

    async def deed() -> tuple[Ticket, Failure | None] | Failure:
        ticket = await visit.equipment.queue.check_in(appointment, priority, visit.key("appointment"))
        if isinstance(ticket, Failure):
            return ticket
        return ticket, None if kept else await print_ticket(visit, ticket)

    while isinstance(result := await visit.promise("issuing_ticket", deed), Failure):
        if await mend(visit, result.reason, OFFERS) is Mend.WITHOUT:
            await take_ticket(visit)
            return
    ticket, unprinted = result
    await hand_over(visit, ticket, unprinted, Paper.EARLIER if kept else Paper.PRINTED)


async def _find(visit: Visit, shown: AppointmentCode | None) -> Appointment | None:
    """The appointment that can be kept now; None for an ordinary number."""
    code = shown
    while True:
        if code is None and (code := await _held_code(visit)) is None:
            return None
        found = await _ask_queue(visit, code)
        if isinstance(found, Appointment) and found.standing is not Standing.EARLY:
            return found
        if isinstance(found, Appointment):
            now = visit.once(visit.equipment.clock.now)
            if await visit.ask(ComeLater(found, now), back=False) is AppointmentAnswer.ORDINARY:
                return None
            visit.give_up()
        if await mend(visit, found.reason, OFFERS) is Mend.WITHOUT:
            return None
        if found.reason in ANOTHER_CODE:
            code = None


async def _ask_queue(visit: Visit, code: AppointmentCode) -> Appointment | Failure:
    found = await visit.work("finding_appointment", lambda _: visit.equipment.queue.appointment(code))
    assert found is not None  # it cannot be cancelled
    return found


async def _held_code(visit: Visit) -> AppointmentCode | None:
    """A code held under the scanner; None for an ordinary number."""
    if not visit.once(lambda: visit.equipment.scanner.status.usable):
        await mend(visit, Reason.NO_SCANNER, (Mend.WITHOUT, Mend.LEAVE))
        return None
    unreadable = False
    while True:
        code = await visit.race(ShowAppointment(unreadable), visit.equipment.scanner.next_code)
        if isinstance(code, AppointmentAnswer):
            return None
        parsed = appointment_code(code)
        if parsed is not None:
            return parsed
        unreadable = True
