"""Put the ID card on the reader."""

from kiosk.questions import PlaceCard, PlaceCardAnswer
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.part import Part


class PlaceCardScreen(Screen[PlaceCard]):
    """Ends by itself when the card lies there."""

    steps = ("file_dossier", 0)

    def intro(self) -> list[Part]:
        """What to do, as a picture and in words."""
        return [Illustration("place_card"), *super().intro()]

    def actions(self) -> list[Part]:
        """For those without a card."""
        return [Button("answer:no_card", self.words("no_card"), self.answering(PlaceCardAnswer.NO_CARD))]
