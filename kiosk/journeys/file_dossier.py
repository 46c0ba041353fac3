"""«Nộp hồ sơ»: identity, procedure, papers at hand or on file, form, consent; stored before the slip is printed."""

import uuid
from dataclasses import replace

from kiosk.catalogue import Procedure
from kiosk.citizen import Citizen
from kiosk.dossier import Dossier, DossierState, new_provisional_ref
from kiosk.fields import problem
from kiosk.health import Failure, Level, Reason
from kiosk.journeys.binding import Binder
from kiosk.journeys.capture import capture_papers
from kiosk.journeys.identify import identify
from kiosk.journeys.remedies import mend
from kiosk.journeys.reuse import reuse_papers
from kiosk.questions import (
    Behind,
    ChooseProcedure,
    Consent,
    DossierFiled,
    FillField,
    Paper,
    ReviewDossier,
    ShowComponents,
)
from kiosk.slips import interim_slip, status_slip
from kiosk.visit import Visit


async def file_dossier(visit: Visit) -> None:
    """From the card on the reader to the slip in the hand."""
    await _room(visit)
    citizen = await identify(visit)
    procedure = await _procedure(visit)
    reference = visit.once(new_provisional_ref)
    binder = visit.once(lambda: Binder(visit, reference))
    reuse = await reuse_papers(visit, procedure, citizen)
    papers = await capture_papers(visit, procedure, binder, reuse.chosen)
    answers = await _answers(visit, procedure, citizen, binder.share)
    dossier = Dossier(
        reference_uid=visit.once(lambda: str(uuid.uuid4())),
        provisional_ref=reference,
        procedure=procedure,
        owner=citizen,
        answers=answers,
        papers=papers,
        submitted_at=visit.once(visit.equipment.clock.now),
        support_place=visit.equipment.catalogue.centre.vi,
        reuse=reuse.agreement,
    )
    await _consent(visit, dossier, binder.share)
    dossier = await _bound(visit, dossier, binder)
    unprinted = await _submit(visit, dossier)
    await _wait_for_answer(visit, dossier, unprinted)


async def _room(visit: Visit) -> None:
    """Nobody is asked for a card and papers while the outbox takes nothing."""

    def closed() -> Reason | None:
        status = visit.equipment.office.status
        return status.reason if status.level is Level.FAULT else None

    while (reason := visit.once(closed)) is not None:
        await mend(visit, reason)


async def _procedure(visit: Visit) -> Procedure:
    groups = tuple(g for g in visit.equipment.catalogue.groups if g.procedures)
    procedure = await visit.ask(ChooseProcedure(groups))
    await visit.ask(ShowComponents(procedure))
    return procedure


# --- form ---


async def _answers(visit: Visit, procedure: Procedure, citizen: Citizen, behind: Behind) -> dict[str, str]:
    return {
        field.name: await _field(visit, FillField(field, position, len(procedure.fields), behind=behind), citizen)
        for position, field in enumerate(procedure.fields, start=1)
    }


async def _field(visit: Visit, question: FillField, citizen: Citizen) -> str:
    field = question.field
    value = str(getattr(citizen, field.source) or "") if field.source else ""
    while True:
        value = await visit.ask(replace(question, value=value))
        if problem(field, value) is None:
            return value


# --- filing ---


async def _consent(visit: Visit, dossier: Dossier, behind: Behind) -> None:
    while True:
        await visit.ask(ReviewDossier(dossier, behind))
        if await visit.ask(Consent(dossier.procedure.receiving_unit)):
            return


async def _bound(visit: Visit, dossier: Dossier, binder: Binder) -> Dossier:
    """The dossier with its documents; waits for those that are still being put together."""
    while (failure := await visit.work("assembling", binder.finish)) is not None:
        await mend(visit, failure.reason)
    return replace(dossier, papers=binder.bound(dossier.papers))


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
