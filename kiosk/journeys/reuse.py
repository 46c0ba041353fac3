"""Before anything is captured: which papers does the province hold already? With consent, and never in the way."""

from kiosk.catalogue import Component, Procedure
from kiosk.citizen import Citizen
from kiosk.health import Failure
from kiosk.questions import ConsentToReuse, NothingToReuse, OfferReuse
from kiosk.reuse import PROVEN, Agreement, Reusable, Reuse, Wish, text_version
from kiosk.visit import Visit


async def reuse_papers(visit: Visit, procedure: Procedure, citizen: Citizen) -> Reuse:
    """What the citizen chose to re-use; nothing if nobody is asked, or says no, or nothing is there."""
    office = visit.equipment.office
    if not visit.once(lambda: citizen.grade in PROVEN and office.asks_for_papers):
        return Reuse()
    if not await visit.ask(ConsentToReuse(citizen, len(procedure.components))):
        return Reuse()
    agreement = visit.once(lambda: _agreement(visit))
    wish = _wish(procedure, citizen)
    found = await visit.work("finding_papers", lambda _: office.reusable(wish), can_cancel=True)
    if found is None:
        return Reuse(agreement)
    if isinstance(found, Failure) or not found:
        await visit.ask(NothingToReuse(searched=not isinstance(found, Failure)))
        return Reuse(agreement)
    return Reuse(agreement, await _chosen(visit, procedure, found))


async def _chosen(visit: Visit, procedure: Procedure, found: tuple[Reusable, ...]) -> dict[str, Reusable]:
    offers = [(component, papers) for component in procedure.components if (papers := _for(component, found))]
    chosen = {}
    for position, (component, papers) in enumerate(offers, start=1):
        answer = await visit.ask(OfferReuse(component, position, len(offers), papers))
        if isinstance(answer, Reusable):
            chosen[component.code] = answer
    return chosen


def _for(component: Component, found: tuple[Reusable, ...]) -> tuple[Reusable, ...]:
    return tuple(paper for paper in found if paper.component == component.code)


def _wish(procedure: Procedure, citizen: Citizen) -> Wish:
    """The holder of the card asks for their own papers."""
    codes = tuple(component.code for component in procedure.components)
    return Wish(citizen.personal_id, citizen.personal_id, citizen.full_name, procedure.code, codes)


def _agreement(visit: Visit) -> Agreement:
    language = visit.settings.language
    return Agreement(visit.equipment.clock.now(), language, text_version("consent_to_reuse", language))
