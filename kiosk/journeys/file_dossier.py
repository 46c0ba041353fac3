"""«Nộp hồ sơ»: identity, procedure, papers, form, consent; sealed and stored before the slip is printed."""

import uuid

from kiosk.catalogue import Component, FormField, Procedure
from kiosk.citizen import Citizen
from kiosk.dossier import Dossier, DossierState, Page, Papers, new_provisional_ref
from kiosk.fields import problem
from kiosk.health import Failure, Reason
from kiosk.journeys.identify import identify
from kiosk.journeys.remedies import mend
from kiosk.questions import (
    CaptureAnswer,
    CapturePage,
    ChooseProcedure,
    Consent,
    DossierFiled,
    FillField,
    Mend,
    PageAnswer,
    Paper,
    ReviewDossier,
    ReviewPage,
    ShowComponents,
)
from kiosk.slips import interim_slip, status_slip
from kiosk.visit import Visit


async def file_dossier(visit: Visit) -> None:
    """From the card on the reader to the slip in the hand."""
    citizen = await identify(visit)
    procedure = await _procedure(visit)
    papers = await _papers(visit, procedure)
    answers = await _answers(visit, procedure, citizen)
    dossier = Dossier(
        reference_uid=visit.once(lambda: str(uuid.uuid4())),
        provisional_ref=visit.once(new_provisional_ref),
        procedure=procedure,
        owner=citizen,
        answers=answers,
        papers=papers,
        submitted_at=visit.once(visit.equipment.clock.now),
        support_place=visit.equipment.catalogue.centre.vi,
    )
    await _consent(visit, dossier)
    unprinted = await _submit(visit, dossier)
    await _wait_for_answer(visit, dossier, unprinted)


async def _procedure(visit: Visit) -> Procedure:
    groups = tuple(g for g in visit.equipment.catalogue.groups if g.procedures)
    procedure = await visit.ask(ChooseProcedure(groups))
    await visit.ask(ShowComponents(procedure))
    return procedure


# --- papers ---


async def _papers(visit: Visit, procedure: Procedure) -> tuple[Papers, ...]:
    given = []
    for position, component in enumerate(procedure.components, start=1):
        papers = await _capture(visit, component, position, len(procedure.components))
        if papers is not None:
            given.append(papers)
    return tuple(given)


async def _capture(visit: Visit, component: Component, position: int, of: int) -> Papers | None:
    """The pages of one component; None if an optional one is left out."""
    pages: list[Page] = []
    while len(pages) < component.most_pages:
        shot = await _shoot(visit, CapturePage(component, position, of, len(pages) + 1, visit.equipment.camera.preview))
        if shot is CaptureAnswer.SKIP:
            return None
        if not isinstance(shot, Page):
            return Papers(component)
        answer = await visit.ask(ReviewPage(component, shot, len(pages) + 1))
        if answer is not PageAnswer.RETAKE:
            pages.append(shot)
        if answer is PageAnswer.COMPLETE:
            break
    pdf = await visit.work("assembling", lambda _: visit.equipment.camera.assemble(pages, component.code))
    return Papers(component, tuple(pages), pdf or b"")


async def _shoot(visit: Visit, question: CapturePage) -> Page | CaptureAnswer:
    component = question.component
    while True:
        answer = await visit.ask(question)
        if answer is not CaptureAnswer.SHUTTER:
            return answer
        shot = await visit.work("capturing", lambda _: visit.equipment.camera.capture())
        if isinstance(shot, Page):
            return shot
        reason = shot.reason if shot is not None else Reason.KIOSK_FAULT
        offers = (Mend.RETRY, Mend.WITHOUT, Mend.LEAVE) if component.paper_allowed else (Mend.RETRY, Mend.LEAVE)
        if await mend(visit, reason, offers) is Mend.WITHOUT:
            return CaptureAnswer.PAPER_ONLY


# --- form ---


async def _answers(visit: Visit, procedure: Procedure, citizen: Citizen) -> dict[str, str]:
    return {
        field.name: await _field(visit, field, position, len(procedure.fields), citizen)
        for position, field in enumerate(procedure.fields, start=1)
    }


async def _field(visit: Visit, field: FormField, position: int, of: int, citizen: Citizen) -> str:
    value = str(getattr(citizen, field.source) or "") if field.source else ""
    while True:
        value = await visit.ask(FillField(field, position, of, value))
        if problem(field, value) is None:
            return value


# --- filing ---


async def _consent(visit: Visit, dossier: Dossier) -> None:
    while True:
        await visit.ask(ReviewDossier(dossier))
        if await visit.ask(Consent(dossier.procedure.receiving_unit)):
            return


async def _submit(visit: Visit, dossier: Dossier) -> Failure | None:
    """Store, then print: why there is no paper, or None. A slip in the hand means exactly one accepted record."""
    url = f"{visit.equipment.status_url}?ma={dossier.provisional_ref}"
    slip = interim_slip(dossier, visit.equipment.catalogue.centre, url)

    async def deed() -> tuple[Failure | None, Failure | None]:
        unstored = await visit.equipment.office.submit(dossier)
        return (unstored, None) if unstored else (None, await visit.equipment.printer.print(slip))

    while True:
        unstored, unprinted = await visit.promise("submitting", deed)
        if unstored is None:
            return unprinted
        await mend(visit, unstored.reason)


async def _wait_for_answer(visit: Visit, dossier: Dossier, unprinted: Failure | None) -> None:
    """Stay on the receipt until the TTHC system answers or the citizen leaves; print the answer if they are there."""
    paper = Paper.PRINTED if unprinted is None else Paper.FAILED
    reason = unprinted.reason if unprinted else None
    visit.seal()
    filed = DossierFiled(dossier.provisional_ref, paper, reason)
    state = await visit.race(filed, lambda: visit.equipment.office.answer(dossier.provisional_ref))
    if not isinstance(state, DossierState):
        return
    slip = status_slip(state, visit.equipment.catalogue.centre)
    unprinted = await visit.promise("printing", lambda: visit.equipment.printer.print(slip))
    paper = Paper.PRINTED if unprinted is None else Paper.FAILED
    await visit.tell(DossierFiled(dossier.provisional_ref, paper, unprinted.reason if unprinted else None, state))
