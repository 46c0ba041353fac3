"""The start of a visit: what brings the citizen here."""

from kiosk.questions import ChooseErrand, Errand
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.part import Part
from screens.widgets.tile import wide_tile

ICONS = {Errand.TAKE_TICKET: "ticket", Errand.FILE_DOSSIER: "folder", Errand.LOOK_UP: "track"}


class ChooseErrandScreen(Screen[ChooseErrand]):
    """Three large cards, and a button for those who have booked a time."""

    def work(self) -> list[Part]:
        """A card for each errand."""
        return [self._card(errand) for errand in ICONS]

    def actions(self) -> list[Part]:
        """The code of an appointment may be shown right here, too: the screen then ends by itself."""
        booked = Errand.KEEP_APPOINTMENT
        return [Button(f"answer:{booked.value}", self.words(booked.value), self.answering(booked), icon="calendar")]

    def _card(self, errand: Errand) -> Part:
        name, detail = self.words(errand.value), self.words(f"{errand.value}_detail")
        return wide_tile(f"answer:{errand.value}", name, self.answering(errand), ICONS[errand], detail, big=True)
