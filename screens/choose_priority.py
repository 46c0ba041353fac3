"""Whether the citizen is served first."""

from functools import partial

from kiosk.catalogue import PriorityGroup
from kiosk.questions import ChoosePriority, Nothing
from screens.screen import Screen
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.pages import Pages
from screens.widgets.part import Part
from screens.widgets.tile import wide_tile


class ChoosePriorityScreen(Screen[ChoosePriority]):
    """The groups as cards; the ordinary number is the main action."""

    steps = ("take_ticket", 1)

    def work(self) -> list[Part]:
        """A card for each group."""
        return [Pages([partial(self._card, group) for group in self.question.groups])]

    def actions(self) -> list[Part]:
        """Most people belong to none."""
        act = self.answering(Nothing.NOTHING)
        return [Button("answer:nothing", self.words("nothing"), act, PRIMARY, after="forward")]

    def _card(self, group: PriorityGroup) -> Part:
        return wide_tile(f"priority:{group.id}", words(group.name), self.answering(group), "priority")
