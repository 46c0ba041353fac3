"""How chips differ in the field (chip-card reference §4): traits, and the quirks that a card file or the dock names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_BUFFER = 32_000
"""The wire of the virtual reader counts an answer's bytes in 16 bits; some room is left."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What one chip does its own way; the defaults are what the simulated card always did."""

    master_file: bool = False
    """Whether SELECT MF is known: 9000, else 6D00."""
    card_access_refusal: int = 0x6982
    """The status word for an EF.CardAccess that is not there."""
    largest_read: int = 256
    """Plain bytes beyond which READ BINARY is refused in the clear, which ends the session. `buffer` overrules it."""
    corrects_length: bool = False
    """Refuse with 6Cxx, which tells the length, instead of 6700."""
    buffer: int = 0
    """Bytes of the longest command and answer; above zero the chip has extended length and says so."""
    seconds_per_command: float = 0.0
    lies_in_length: bool = False
    """The outer length of EF.DG2 says more than there is."""
    wrong_mac_at: int | None = None
    """Which protected answer since power-up, counted from one, has a wrong checksum."""
    swapped: bool = False
    """Another person's EF.DG2 under the right EF.SOD."""
    cloned: bool = False
    """The files are right, the private keys are others."""


ORDINARY = Traits()

QUIRKS: Mapping[str, Mapping[str, Any]] = {
    "no_mf": {"master_file": False},
    "card_access_6a82": {"card_access_refusal": 0x6A82},
    "card_access_6986": {"card_access_refusal": 0x6986},
    "refuses_256": {"largest_read": 192, "buffer": 0},
    "corrects_length": {"largest_read": 160, "buffer": 0, "corrects_length": True},
    "slow": {"seconds_per_command": 0.15},
    "lies_in_length": {"lies_in_length": True},
    "wrong_mac": {"wrong_mac_at": 12},
    "swapped": {"swapped": True},
    "cloned": {"cloned": True},
}
"""Changes of `Traits` by the quirk's name. Chips that refuse 256 often refuse 223 too: 192 passes everywhere."""

ISSUERS = ("expired", "unknown", "revoked")
"""What may be wrong with the document signer: its time is over, nobody knows its CSCA, its CSCA has revoked it."""

ALL_QUIRKS = (*QUIRKS, *(f"issuer_{kind}" for kind in ISSUERS))
