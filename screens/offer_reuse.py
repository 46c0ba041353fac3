"""A paper that the province holds already: use it, or take a new picture."""

from functools import partial

from kiosk.questions import Nothing, OfferReuse
from kiosk.reuse import Reusable
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.facts import lined, pair
from screens.widgets.notice import notice
from screens.widgets.pages import Pages
from screens.widgets.part import Padded, Part, Row
from screens.widgets.text import Words, lead, title
from screens.widgets.tile import wide_tile


class OfferReuseScreen(Screen[OfferReuse]):
    """The one that was found with its particulars, or several to touch."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Which paper of the procedure, and what was found."""
        question, several = self.question, len(self.question.found) > 1
        which = self.words("which", position=question.position, of=question.of)
        told = self.words("lead_several", n=len(question.found)) if several else self.words("lead")
        return [
            Words(which, "label", look().colours.on_tint, "strong"),
            title(words(question.component.name)),
            lead(told),
        ]

    def work(self) -> list[Part]:
        """What is on file."""
        found = self.question.found
        if len(found) > 1:
            return [Pages([partial(self._tile, number, paper) for number, paper in enumerate(found, start=1)])]
        checked = notice("staff", self.words("checked"))
        checked.optional = True
        return [self._card(found[0]), checked]

    def actions(self) -> list[Part]:
        """A new picture, or what is there."""
        found = self.question.found
        capture = Button("answer:capture", self.words("capture"), self.answering(Nothing.NOTHING), icon="camera")
        if len(found) > 1:
            return [capture]
        use = Button("answer:use", self.words("use"), self.answering(found[0]), PRIMARY, icon="check")
        capture.share, use.share = 0.8, 1.0
        return [Row([capture, use])]

    def _card(self, paper: Reusable) -> Part:
        colours = look().colours
        facts = [("name", paper.name), ("number", paper.shown_number), ("issuer", paper.issuer)]
        content = lined(pair(self.words(key), value) for key, value in facts if value)
        return Padded(content, 26, colours.surface, colours.line)

    def _tile(self, number: int, paper: Reusable) -> Part:
        detail = "\n".join(part for part in (paper.shown_number, paper.issuer) if part)
        return wide_tile(f"paper:{number}", paper.name, self.answering(paper), "document", detail)
