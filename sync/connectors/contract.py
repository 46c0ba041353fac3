"""What a connector to a TTHC system does, and the three ways in which it may fail.

A dossier gets a handle (`create`), its files (`upload`), and then takes effect once (`submit`). Everything before
`submit` may be repeated: at worst an unused code or file is left behind. `find` tells whether `submit` took effect.
Messages of the errors name step and code, never a value: they are logged.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from kiosk.dossier import DossierState
from kiosk.reuse import Reusable as Reusable
from kiosk.reuse import Wish as Wish
from sync.envelope import Opened


class Unreachable(Exception):
    """The TTHC system took nothing of this request: wait and try again."""


class Unclear(Unreachable):
    """Whether the request took effect is unknown: look before sending again."""


class Gone(Unclear):
    """What was prepared under the handle is not there any more, and nothing was filed: it is prepared anew."""


class Refused(Exception):
    """The TTHC system refuses this dossier for good: a person must look."""


class Connector(Protocol):
    """One TTHC system. Usable from any thread. Every method may raise Unreachable, Unclear or Refused."""

    @property
    def repeatable(self) -> bool:
        """Whether the system itself takes a dossier only once under one handle, even from two requests at a time."""

    def create(self, dossier: Opened) -> str:
        """The handle under which the dossier is found from now on."""

    def upload(self, handle: str, dossier: Opened, name: str) -> str:
        """Have one file of the dossier there; how the system names it."""

    def submit(self, handle: str, dossier: Opened, uploads: Mapping[str, str]) -> None:
        """File the dossier, with the uploads by file name."""

    def find(self, handle: str, reference_uid: str) -> bool:
        """Whether this dossier was filed; Refused if another one stands under the handle."""

    def status(self, handle: str, provisional_ref: str, procedure: str) -> DossierState | None:
        """What the system says now, owner masked; None if it does not know the dossier."""

    def catalogue(self) -> list[dict[str, Any]]:
        """Groups with their procedures in the form of `kiosk.catalogue`, Vietnamese only."""

    def reusable_results(self, wish: Wish) -> list[Reusable]:
        """Digitised papers that may stand for the components wished for."""


@contextmanager
def complete_payload() -> Iterator[None]:
    """What a payload lacks is the dossier's fault: Refused."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the payload lacks a field: {type(error).__name__}") from None


@contextmanager
def understood(step: str) -> Iterator[None]:
    """What an answer lacks is the system's fault: Unclear."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unclear(f"{step}: the answer is not understood: {type(error).__name__}") from None


def parts_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """Component codes by file name; files that belong to none are evidence of identity."""
    return {component["file"]: component["code"] for component in payload["components"] if component["file"]}
