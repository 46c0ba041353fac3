"""What the vendors' readers share: a wire that is kept open and tells of cards by itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from hardware.card.device import Attempt, CardWorker, Report, WatchedReader
from hardware.card.errors import CardError
from kiosk.citizen import Citizen
from kiosk.health import Failure, Reason


class Link(Protocol):
    """An open wire to a reader. NO_READER, raised by either method, ends it."""

    @property
    def alive(self) -> bool:
        """Whether the reader has answered since the wire was opened."""

    @property
    def present(self) -> bool:
        """Whether a card lies on the reader."""

    def listen(self) -> None:
        """Take in what the reader says, for a tenth of a second at most. Raises CardError."""

    def read(self, attempt: Attempt) -> Citizen:
        """Read the card whole with the first key that fits. Raises CardError."""


Connect = Callable[[], AbstractContextManager[Link]]
"""Opens the wire; raises CardError."""


class _Worker(CardWorker):
    def __init__(self, connect: Connect, report: Report) -> None:
        super().__init__(report)
        self._connect = connect

    def serve(self) -> None:
        """Open the wire and listen; reads come between."""
        with self._connect() as link:
            while not self.ended:
                if link.alive:
                    self.tell(None, present=link.present)
                attempt = self.next_attempt()
                if attempt is None:
                    link.listen()
                    continue
                result = self.answer(attempt, link.read)
                if isinstance(result, Failure) and result.reason is Reason.NO_READER:
                    raise CardError(result.reason, result.detail)


class VendorReader(WatchedReader):
    """Chip ID cards on a vendor's reader. Nothing of a citizen is kept after `read`."""

    def __init__(self, connect: Connect) -> None:
        super().__init__(partial(_Worker, connect))
