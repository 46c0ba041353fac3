"""Which service the citizen queues for."""

from collections.abc import Sequence

from kiosk.catalogue import Group, Service
from kiosk.questions import ChooseService
from screens.choose_entry import ChooseEntryScreen


class ChooseServiceScreen(ChooseEntryScreen[ChooseService]):
    """Groups, their services, and search."""

    steps = ("take_ticket", 0)

    def entries(self, group: Group) -> Sequence[Service]:
        """The services of a group."""
        return group.services

    def key(self, entry: Service) -> str:
        """`service:<id>`."""
        return f"service:{entry.id}"
