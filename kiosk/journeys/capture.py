"""The papers of a dossier before the camera: taken one page after the other, looked through, put in order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kiosk.catalogue import Component, Procedure
from kiosk.dossier import Page, Papers
from kiosk.health import Failure, Reason
from kiosk.journeys.binding import Binder
from kiosk.journeys.remedies import mend
from kiosk.leaves import Leaf, Leaves
from kiosk.ports import PageLook, Progress
from kiosk.questions import (
    ArrangePages,
    CaptureAnswer,
    CapturePage,
    Deed,
    Mend,
    PageAnswer,
    PageDeed,
    ReviewPage,
)
from kiosk.reuse import Reusable
from kiosk.shutter import Shutter
from kiosk.visit import Visit


async def capture_papers(
    visit: Visit, procedure: Procedure, binder: Binder, reused: Mapping[str, Reusable]
) -> tuple[Papers, ...]:
    """What the citizen gives for each component, but for those `reused` (by code).

    Documents are begun as soon as a component is complete.
    """
    camera, clock = visit.equipment.camera, visit.equipment.clock
    shutter = visit.once(lambda: Shutter(camera.preview, clock.monotonic))
    missing = [component for component in procedure.components if component.code not in reused]
    given = []
    for component in procedure.components:
        pages: tuple[Page, ...] | None = ()
        if component in missing:
            pages = await _Desk(visit, shutter, component, missing.index(component) + 1, len(missing)).pages()
        binder.bind(component, pages or ())
        if pages is not None:
            given.append(Papers(component, pages, reused=reused.get(component.code)))
    return tuple(given)


@dataclass(frozen=True, slots=True, repr=False)
class _Shot:
    page: Page
    look: PageLook


class _Desk:
    """One component before the camera."""

    def __init__(self, visit: Visit, shutter: Shutter, component: Component, position: int, of: int) -> None:
        self._visit, self._shutter = visit, shutter
        self._component, self._position, self._of = component, position, of
        self._leaves = Leaves()

    async def pages(self) -> tuple[Page, ...] | None:
        """All pictures in order; none if the paper goes to the counter, None if an optional one is left out."""
        at: int | None = 0
        while at is not None:
            shot = await self._shoot(at)
            if shot is CaptureAnswer.SKIP:
                return None
            if not isinstance(shot, _Shot):
                return ()
            self._leaves = self._leaves.inserted(at, shot.page)
            at = await self._kept(at, shot)
        return self._leaves.pages

    async def _kept(self, at: int, shot: _Shot) -> int | None:
        """Show what was taken: where the next page is to be taken, or None if everything is there."""
        answer = await self._review(at, shot.page, shot.look)
        if answer is PageAnswer.NEXT_PAGE:
            return len(self._leaves)
        if answer is PageAnswer.RETAKE:
            return at
        if answer is PageAnswer.COMPLETE and len(self._leaves) == 1:
            return None
        return await self._arrange()

    async def _review(self, at: int, page: Page, look: PageLook) -> PageAnswer:
        """What becomes of the picture `page` of the leaf at `at`; dropped or to be retaken, it is gone already."""
        while True:
            answer = await self._ask_of(at, page, look)
            match answer:
                case PageAnswer.ROTATE:
                    page = await self._turn(at)
                case PageAnswer.SLIP:
                    shot = await self._shoot(at, lifted=True)
                    if isinstance(shot, _Shot):
                        self._leaves = self._leaves.lifted(at, shot.page)
                        page, look = shot.page, PageLook()
                case PageAnswer.RETAKE | PageAnswer.DROP:
                    self._leaves = self._leaves.without(at)
                    return answer
                case _:
                    return answer

    async def _ask_of(self, at: int, page: Page, look: PageLook) -> PageAnswer:
        room = len(self._leaves.pages) < self._component.most_pages
        question = ReviewPage(self._component, page, at + 1, look.blank, self._number(look.same_as, at), room)
        return await self._visit.race(question, self._shutter.follow)

    def _number(self, earlier: int | None, at: int) -> int | None:
        """The number of the leaf whose picture stood at `earlier` before the leaf at `at` came in."""
        others = self._leaves.without(at).leaves
        owners = [n for n, leaf in enumerate(others) for _ in leaf.pages]
        if earlier is None:
            return None
        return owners[earlier] + (2 if owners[earlier] >= at else 1)

    async def _arrange(self) -> int | None:
        """Look through all pages: where the next one is to be taken, or None if everything is there."""
        chosen = 0
        while self._leaves:
            room = len(self._leaves.pages) < self._component.most_pages
            question = ArrangePages(self._component, self._leaves.leaves, chosen, room)
            deed = await self._visit.race(question, self._shutter.follow)
            chosen = deed.at
            match deed.deed:
                case Deed.DONE:
                    return None
                case Deed.ADD:
                    return len(self._leaves)
                case Deed.RETAKE:
                    self._leaves = self._leaves.without(chosen)
                    return chosen
                case _:
                    chosen = await self._do(deed)
        return 0

    async def _do(self, deed: PageDeed) -> int:
        """Change one page among the others; which one is looked at afterwards."""
        at = deed.at
        match deed.deed:
            case Deed.ROTATE:
                await self._turn(at)
            case Deed.EARLIER | Deed.LATER:
                to = at + (1 if deed.deed is Deed.LATER else -1)
                self._leaves = self._leaves.moved(at, to)
                at = min(max(to, 0), len(self._leaves) - 1)
            case Deed.DROP:
                self._leaves = self._leaves.without(at)
                at = max(min(at, len(self._leaves) - 1), 0)
        return at

    async def _turn(self, at: int) -> Page:
        """Turn every picture of a leaf; the last one of it."""
        leaf, turned = self._leaves.leaves[at], self._visit.equipment.camera.turned
        lifted = None if leaf.lifted is None else await turned(leaf.lifted)
        leaf = Leaf(await turned(leaf.page), lifted)
        self._leaves = self._leaves.replaced(at, leaf)
        return leaf.pages[-1]

    async def _shoot(self, at: int, *, lifted: bool = False) -> _Shot | CaptureAnswer:
        component = self._component
        while True:
            pages, watch = self._leaves.pages, self._shutter.look
            question = CapturePage(component, self._position, self._of, at + 1, watch, pages, lifted)
            answer = await self._visit.race(question, self._by_itself(lifted))
            if answer is not CaptureAnswer.SHUTTER:
                return answer
            shot = await self._visit.work("capturing", self._take)
            if isinstance(shot, _Shot):
                return shot
            reason = shot.reason if shot is not None else Reason.KIOSK_FAULT
            first = component.paper_allowed and not self._leaves
            offers = (Mend.RETRY, Mend.WITHOUT, Mend.LEAVE) if first else (Mend.RETRY, Mend.LEAVE)
            if await mend(self._visit, reason, offers) is Mend.WITHOUT:
                return CaptureAnswer.PAPER_ONLY

    def _by_itself(self, lifted: bool) -> Callable[[], Awaitable[CaptureAnswer]]:
        """The shutter without a touch; not while a hand must hold a slip up."""

        async def fires() -> CaptureAnswer:
            await (self._shutter.follow() if lifted else self._shutter.fires())
            return CaptureAnswer.SHUTTER

        return fires

    async def _take(self, _: Progress) -> _Shot | Failure:
        camera = self._visit.equipment.camera
        page = await camera.capture()
        if isinstance(page, Failure):
            return page
        self._shutter.took()
        return _Shot(page, await camera.look(page, self._leaves.pages))
