"""What the procedure needs, before anything is captured."""

from functools import partial

from kiosk.catalogue import Component
from kiosk.questions import ShowComponents
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.icon import Icon
from screens.widgets.pages import Pages
from screens.widgets.part import Column, Padded, Part, Row
from screens.widgets.text import Words, heading, small, title


class ShowComponentsScreen(Screen[ShowComponents]):
    """Time and fee at a glance, then the papers."""

    steps = ("file_dossier", 1)

    def intro(self) -> list[Part]:
        """The procedure's name, time, fee."""
        procedure = self.question.procedure
        glance = [("clock", "duration", procedure.duration), ("fee", "fee", procedure.fee)]
        facts = [self._glance(icon, key, words(text)) for icon, key, text in glance if text.vi]
        unit = small(f"{self.words('unit')}: {procedure.receiving_unit}")
        unit.optional = True
        return [title(words(procedure.name)), unit, *([Row(facts)] if facts else [])]

    def work(self) -> list[Part]:
        """The papers."""
        makers = [partial(self._paper, c) for c in self.question.procedure.components]
        return [heading(self.words("papers")), Pages(makers, most=6)]

    def actions(self) -> list[Part]:
        """Begin."""
        return [Button("answer:start", self.words("start"), self.answering(None), PRIMARY, after="forward")]

    def _glance(self, icon: str, key: str, value: str) -> Part:
        colours = look().colours
        texts = Column([small(self.words(key)), Words(value, "small", face_name="strong")], gap=2)
        return Padded(
            Row([Icon(icon, 60, colours.on_tint), texts], gap=22, middle=True), 24, colours.surface, colours.line
        )

    def _paper(self, component: Component) -> Part:
        colours = look().colours
        lines: list[Part] = [Words(words(component.name), "body", face_name="strong")]
        optional = "" if component.required else f"{self.words('optional')}. "
        if detail := optional + words(component.hint):
            lines.append(small(detail))
        row = Row([Icon("document", 88, colours.on_tint, colours.tint), Column(lines, gap=4)], gap=28, middle=True)
        return Padded(row, 20, colours.surface, colours.line)
