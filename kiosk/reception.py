"""Welcomes one citizen after the other, for ever; a defect ends one visit and never the kiosk."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from kiosk.appointment import AppointmentCode
from kiosk.catalogue import Catalogue
from kiosk.config import KioskSettings
from kiosk.health import Reason
from kiosk.journeys import serve
from kiosk.journeys.keep_appointment import code_shown
from kiosk.ports import Equipment
from kiosk.questions import Attract, Control, Mend, Remedy, Settings
from kiosk.slips import ticket_slip
from kiosk.text import Language
from kiosk.ticket import Ticket
from kiosk.visit import Frame, Outcome, Patience, Presenter, Visit, either

log = logging.getLogger(__name__)

VisitEnded = Callable[[Outcome], None]

APOLOGY_SECONDS = 30.0
"""Seconds an apology stands if nobody touches it: the next citizen must not find it."""

REPRINT_SECONDS = 3.0
"""Seconds between two looks for tickets to print again."""


class Reception:
    """What runs while the kiosk is on."""

    def __init__(
        self,
        equipment: Equipment,
        presenter: Presenter,
        settings: KioskSettings,
        offered: Callable[[], Catalogue] | None = None,
    ) -> None:
        """`offered`: the catalogue as it is when a visit begins; None: always the equipment's."""
        self.equipment = equipment
        self._offered = offered
        self._presenter = presenter
        self._patience = Patience(settings.idle_seconds, settings.warning_seconds)
        self._visit: Visit | None = None
        self._speaking: asyncio.Future[None] | None = None
        self.on_visit_ended: VisitEnded | None = None

    def touched(self) -> None:
        """Somebody touched the screen."""
        if self._visit is not None:
            self._visit.idle.touch()

    def speak(self, text: str, language: Language) -> None:
        """Say aloud what the screen says; the newest text replaces the one before."""
        self._speaking = asyncio.ensure_future(self.equipment.speaker.say(text, language))

    async def attend(self) -> None:
        """Attract, visit, wipe, again."""
        while True:
            errands = asyncio.ensure_future(self._print_what_officers_want())
            try:
                begun = await either(code_shown(self.equipment.scanner), self._attract())
            finally:
                errands.cancel()
            outcome = await self._one_visit(begun)
            log.info("visit ended: %s", outcome.value)
            if self.on_visit_ended is not None:
                self.on_visit_ended(outcome)

    async def _attract(self) -> Language:
        """Wait for the first touch; it chooses the language."""
        settings = Settings()
        question = Attract(self.equipment.catalogue.centre)
        while True:
            answer = await self._presenter.show(question, Frame(settings, can_go_back=False, in_visit=False))
            if not isinstance(answer, Control):
                return answer
            if answer is Control.CALL_STAFF:
                await self.equipment.queue.call_staff()

    async def _print_what_officers_want(self) -> None:
        """While nobody is at the kiosk: print tickets again that officers asked for."""
        queue = self.equipment.queue
        while True:
            await asyncio.sleep(REPRINT_SECONDS)
            ticket = await queue.reprint() if self.equipment.printer.status.usable else None
            if ticket is not None:
                await asyncio.shield(asyncio.ensure_future(self._reprint(ticket)))

    async def _reprint(self, ticket: Ticket) -> None:
        failure = await self.equipment.printer.print(ticket_slip(ticket))
        await self.equipment.queue.printed(ticket, on_paper=failure is None)

    async def _one_visit(self, begun: Language | AppointmentCode) -> Outcome:
        """From the language that was touched, or from the code of an appointment that was held under the scanner."""
        if self._offered is not None:
            self.equipment = replace(self.equipment, catalogue=self._offered())
        shown = begun if isinstance(begun, AppointmentCode) else None
        settings = Settings() if isinstance(begun, AppointmentCode) else Settings(language=begun)
        self._visit = Visit(self.equipment, self._presenter, settings, self._patience)
        try:
            return await self._visit.run(lambda visit: serve(visit, shown))
        except* Exception as defects:  # noqa: BLE001  # a defect ends one visit, never the kiosk
            # The traceback's frames name code; messages may hold a citizen's data, so only types are logged.
            log.error("defect in a visit: %s", "; ".join(_place(e) for e in _leaves(defects)))
        finally:
            self._visit = None
        apology = Remedy(Reason.KIOSK_FAULT, (Mend.LEAVE,))
        with suppress(TimeoutError):
            async with asyncio.timeout(APOLOGY_SECONDS):
                await self._presenter.show(apology, Frame(settings, can_go_back=False, in_visit=False))
        await self._presenter.blank()
        return Outcome.FAULT


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [leaf for e in group.exceptions for leaf in (_leaves(e) if isinstance(e, BaseExceptionGroup) else [e])]


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {where}"
