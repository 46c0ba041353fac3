"""«Lấy số»: a number in the queue, with or without a card. What a card says stays here: it never goes to the queue."""

from kiosk.catalogue import PriorityGroup, Service
from kiosk.health import Failure
from kiosk.journeys.identify import greet, take_back
from kiosk.journeys.remedies import insist, mend
from kiosk.questions import AfterTicket, ChoosePriority, ChooseService, Nothing, Paper, TicketIssued
from kiosk.slips import ticket_slip
from kiosk.ticket import Ticket
from kiosk.visit import Visit


async def take_ticket(visit: Visit) -> None:
    """Service, priority group, number; on paper if the printer lets us, on screen always. A card laid down is read."""
    groups = await insist(visit, "loading_services", visit.equipment.queue.groups)
    service = await visit.ask(ChooseService(groups))
    await greet(visit)
    priority = await ask_priority(visit)
    ticket, unprinted = await _issue(visit, service, priority)
    await hand_over(visit, ticket, unprinted)


async def ask_priority(visit: Visit) -> PriorityGroup | None:
    """The group that the citizen belongs to, if any; not asked where the centre has none."""
    groups = visit.equipment.catalogue.priorities
    if not groups:
        return None
    answer = await visit.ask(ChoosePriority(groups))
    return None if answer is Nothing.NOTHING else answer


async def _issue(visit: Visit, service: Service, priority: PriorityGroup | None) -> tuple[Ticket, Failure | None]:
    async def deed() -> tuple[Ticket, Failure | None] | Failure:
        ticket = await visit.equipment.queue.issue(service, priority, visit.key("ticket"))
        if isinstance(ticket, Failure):
            return ticket
        return ticket, await print_ticket(visit, ticket)

    while isinstance(result := await visit.promise("issuing_ticket", deed), Failure):
        await mend(visit, result.reason)
    return result


async def print_ticket(visit: Visit, ticket: Ticket) -> Failure | None:
    """Print the slip and tell the queue whether it came out; why it did not."""
    failure = await visit.equipment.printer.print(ticket_slip(ticket))
    await visit.equipment.queue.printed(ticket, on_paper=failure is None)
    return failure


async def hand_over(visit: Visit, ticket: Ticket, unprinted: Failure | None, paper: Paper = Paper.PRINTED) -> None:
    """The number on screen, printed again as often as wanted; then the card, if one lies there, is taken back.

    `paper`: where the slip is if nothing is wrong with it.
    """
    while await visit.tell(_issued(ticket, unprinted, paper)) is AfterTicket.REPRINT:
        unprinted = await visit.promise("printing", lambda: print_ticket(visit, ticket))
        paper = Paper.PRINTED
    await take_back(visit, in_passing=True)


def _issued(ticket: Ticket, unprinted: Failure | None, paper: Paper) -> TicketIssued:
    return TicketIssued(ticket, paper) if unprinted is None else TicketIssued(ticket, Paper.FAILED, unprinted.reason)
