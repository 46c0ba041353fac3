"""One file per journey, named by its verb; `serve` is a whole visit."""

from kiosk.journeys.file_dossier import file_dossier
from kiosk.journeys.look_up import look_up
from kiosk.journeys.take_ticket import take_ticket
from kiosk.questions import ChooseErrand, Errand
from kiosk.visit import Visit

JOURNEYS = {
    Errand.TAKE_TICKET: take_ticket,
    Errand.FILE_DOSSIER: file_dossier,
    Errand.LOOK_UP: look_up,
}


async def serve(visit: Visit) -> None:
    """Ask what the citizen came for, and do it."""
    errand = await visit.ask(ChooseErrand())
    await JOURNEYS[errand](visit)
