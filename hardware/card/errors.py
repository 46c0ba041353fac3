"""What can go wrong between reader and chip: one exception that carries the Failure it ends as."""

from kiosk.health import Failure, Reason


class CardError(Exception):
    """Ends a read. `detail` is for technicians: status words and file names, never contents."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.failure = Failure(reason, detail)


class BadData(CardError):
    """The chip said something that breaks its own rules, or more than we are ready to hold."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.CARD_DATA_BAD, detail)
