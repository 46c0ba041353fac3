"""«Tra cứu hồ sơ»: two factors, then the status in plain words."""

from kiosk.dossier import DossierState
from kiosk.health import Failure, Reason
from kiosk.journeys.remedies import mend
from kiosk.questions import AfterStatus, Mend, ShowStatus, TypeDossierCode, TypePersonalId
from kiosk.slips import status_slip
from kiosk.text import nfc
from kiosk.visit import Visit

ATTEMPTS = 3


async def look_up(visit: Visit) -> None:
    """Code (typed or scanned) and the owner's number; on paper if wanted."""
    state = await _find(visit)
    answer = await visit.tell(ShowStatus(state))
    slip = status_slip(state, visit.equipment.catalogue.centre)
    while answer is AfterStatus.PRINT:
        unprinted = await visit.promise("printing", lambda: visit.equipment.printer.print(slip))
        if unprinted is not None and await mend(visit, unprinted.reason) is Mend.RETRY:
            continue
        answer = await visit.tell(ShowStatus(state, printed=True))


async def _find(visit: Visit) -> DossierState:
    not_found = False
    for _ in range(ATTEMPTS):
        code = await visit.race(TypeDossierCode(not_found), visit.equipment.scanner.next_code)
        personal_id = await visit.ask(TypePersonalId())
        state = await _ask_receiver(visit, dossier_code(code), personal_id)
        if isinstance(state, DossierState):
            return state
        not_found = True
    await mend(visit, Reason.NOT_FOUND, (Mend.LEAVE,))
    return visit.give_up()


async def _ask_receiver(visit: Visit, code: str, personal_id: str) -> DossierState | None:
    while True:
        state = await visit.work("looking_up", lambda _: visit.equipment.office.look_up(code, personal_id))
        if isinstance(state, DossierState):
            return state
        if not isinstance(state, Failure) or state.reason is Reason.NOT_FOUND:
            return None
        await mend(visit, state.reason)


def dossier_code(scanned: str) -> str:
    """The code in what was typed or scanned: a slip's QR is an address that ends in `ma=<code>`."""
    return nfc(scanned).rpartition("ma=")[2].upper().replace(" ", "")
