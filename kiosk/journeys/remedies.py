"""What every journey does when something physical is in the way: say it, offer the remedy, try again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from kiosk.health import Failure, Reason
from kiosk.ports import Progress
from kiosk.questions import Mend, Remedy
from kiosk.visit import Visit

T = TypeVar("T")

RETRY_OR_LEAVE = (Mend.RETRY, Mend.LEAVE)


async def mend(visit: Visit, reason: Reason, offers: tuple[Mend, ...] = RETRY_OR_LEAVE) -> Mend:
    """Show the remedy; RETRY or WITHOUT is the caller's business, LEAVE ends the visit here."""
    answer = await visit.ask(Remedy(reason, offers), back=False)
    if answer is Mend.LEAVE:
        visit.give_up()
    return answer


async def insist(visit: Visit, what: str, attempt: Callable[[], Awaitable[T | Failure]]) -> T:
    """Work at something until it succeeds or the citizen leaves."""

    async def job(_: Progress) -> T | Failure:
        return await attempt()

    while True:
        result = await visit.work(what, job)
        if not isinstance(result, Failure):
            return result  # type: ignore[return-value]  # None only if it can be cancelled, which it cannot
        await mend(visit, result.reason)
