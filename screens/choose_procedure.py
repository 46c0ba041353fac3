"""Which procedure the dossier is for."""

from collections.abc import Sequence

from kiosk.catalogue import Group, Procedure
from kiosk.questions import ChooseProcedure
from screens.choose_entry import ChooseEntryScreen


class ChooseProcedureScreen(ChooseEntryScreen[ChooseProcedure]):
    """Groups, their procedures, and search."""

    steps = ("file_dossier", 1)

    def entries(self, group: Group) -> Sequence[Procedure]:
        """The procedures of a group."""
        return group.procedures

    def key(self, entry: Procedure) -> str:
        """`procedure:<code>`."""
        return f"procedure:{entry.code}"
