"""Documents are put together behind the screens while the citizen goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kiosk.catalogue import Component
from kiosk.dossier import Document, DocumentLabel, Page, Papers
from kiosk.health import Failure
from kiosk.ports import Progress
from kiosk.visit import Visit

LOOKS_PER_SECOND = 5


@dataclass(slots=True)
class _Job:
    pages: tuple[Page, ...]
    label: DocumentLabel
    task: "asyncio.Task[Document | Failure]"
    done: int = 0


class Binder:
    """One document for each component, begun as soon as its pages are there. It ends with the visit."""

    def __init__(self, visit: Visit, reference: str) -> None:
        self._visit, self._reference = visit, reference
        self._jobs: dict[str, _Job] = {}

    def bind(self, component: Component, pages: tuple[Page, ...]) -> None:
        """Begin with these pages; the same pages again change nothing, no pages take back what was begun."""
        job = self._jobs.get(component.code)
        if job is not None and job.pages == pages:
            return
        if job is not None:
            job.task.cancel()
            del self._jobs[component.code]
        if pages:
            now = self._visit.equipment.clock.now()
            self._begin(component.code, pages, DocumentLabel(component.name.vi, component.code, self._reference, now))

    def share(self) -> float | None:
        """The share of pages that are done, or None if nothing is under way."""
        if all(job.task.done() for job in self._jobs.values()):
            return None
        return self._done()

    async def finish(self, progress: Progress) -> Failure | None:
        """Wait until every document is there; why one is not. What failed before is begun again."""
        for code, job in list(self._jobs.items()):
            if job.task.done() and isinstance(job.task.result(), Failure):
                self._begin(code, job.pages, job.label)
        tasks = [job.task for job in self._jobs.values()]
        while not all(task.done() for task in tasks):
            progress(self._done())
            await asyncio.wait(tasks, timeout=1 / LOOKS_PER_SECOND)
        return next((result for task in tasks if isinstance(result := task.result(), Failure)), None)

    def bound(self, papers: Sequence[Papers]) -> tuple[Papers, ...]:
        """The papers with their documents, after `finish` had nothing to complain of."""
        return tuple(self._with_document(p) if p.pages else p for p in papers)

    def _with_document(self, papers: Papers) -> Papers:
        document = self._jobs[papers.component.code].task.result()
        assert isinstance(document, Document)
        return replace(papers, pdf=document.data, sha256=document.sha256)

    def _begin(self, code: str, pages: tuple[Page, ...], label: DocumentLabel) -> None:
        def count(done: int, _: int) -> None:
            if self._jobs.get(code) is job:
                job.done = done

        work = self._visit.equipment.camera.assemble(pages, label, count)
        job = _Job(pages, label, self._visit.start(work))
        self._jobs[code] = job

    def _done(self) -> float:
        jobs = self._jobs.values()
        return sum(job.done for job in jobs) / max(sum(len(job.pages) for job in jobs), 1)
