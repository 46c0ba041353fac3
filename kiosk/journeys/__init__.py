"""One file per journey, named by its verb; `serve` is a whole visit."""

from kiosk.appointment import AppointmentCode
from kiosk.journeys.file_dossier import file_dossier
from kiosk.journeys.keep_appointment import code_shown, keep_appointment
from kiosk.journeys.look_up import look_up
from kiosk.journeys.take_ticket import take_ticket
from kiosk.questions import ChooseErrand, Errand
from kiosk.visit import Visit

JOURNEYS = {
    Errand.TAKE_TICKET: take_ticket,
    Errand.FILE_DOSSIER: file_dossier,
    Errand.LOOK_UP: look_up,
    Errand.KEEP_APPOINTMENT: keep_appointment,
}


async def serve(visit: Visit, shown: AppointmentCode | None = None) -> None:
    """Ask what the citizen came for, and do it. `shown`: an appointment's code, which says it without a touch."""
    if shown is not None:
        await keep_appointment(visit, shown)
        return
    errand = await visit.race(ChooseErrand(), lambda: code_shown(visit.equipment.scanner))
    if isinstance(errand, AppointmentCode):
        await keep_appointment(visit, errand)
    else:
        await JOURNEYS[errand](visit)
