"""Everything to be filed, at a glance."""

from functools import partial

from kiosk.dossier import Papers
from kiosk.questions import ReviewAnswer, ReviewDossier
from screens.screen import Screen
from screens.theme import words
from screens.widgets.behind import behind
from screens.widgets.button import PRIMARY, Button
from screens.widgets.facts import fact
from screens.widgets.pages import Pages
from screens.widgets.part import Part
from screens.widgets.text import small


class ReviewDossierScreen(Screen[ReviewDossier]):
    """Applicant, procedure, papers, answers as lines in pages."""

    steps = ("file_dossier", 4)

    def intro(self) -> list[Part]:
        """What to do if something is wrong."""
        hint = small(self.words("correct"))
        hint.optional = True
        return [*super().intro(), hint, *behind(self.question.behind)]

    def work(self) -> list[Part]:
        """The lines."""
        makers = [partial(fact, label, value, icon) for icon, label, value in self._lines()]
        return [Pages(makers, page=self.draft.get("page", 0), turned=self._turned, most=10, gap=14)]

    def actions(self) -> list[Part]:
        """On."""
        act = self.answering(ReviewAnswer.GO_ON)
        return [Button("answer:go_on", self.words("go_on"), act, PRIMARY, after="forward")]

    def _lines(self) -> list[tuple[str, str, str]]:
        """Icon, label, value."""
        dossier = self.question.dossier
        owner = " · ".join(part for part in (dossier.owner.full_name, dossier.owner.masked_id) if part)
        papers = [("document", words(p.component.name), self._given(p)) for p in dossier.papers]
        answers = [
            ("edit", words(f.label), next((words(text) for value, text in f.choices if value == answer), answer))
            for f in dossier.procedure.fields
            if (answer := dossier.answers.get(f.name, ""))
        ]
        first = [
            ("person", self.words("owner"), owner),
            ("folder", self.words("procedure"), words(dossier.procedure.name)),
        ]
        return [*first, *papers, *answers]

    def _given(self, papers: Papers) -> str:
        if papers.reused:
            return self.words("reused", number=papers.reused.shown_number)
        count = len(papers.pages)
        return self.words("paper_only") if papers.paper_only else self.words("page" if count == 1 else "pages", n=count)

    def _turned(self, page: int) -> None:
        self.draft["page"] = page
