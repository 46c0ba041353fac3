"""How the drawn portrait of an invented person looks."""

from dataclasses import dataclass, replace
from typing import Literal

Hair = Literal["long", "short", "bob"]


@dataclass(frozen=True, slots=True)
class Look:
    """How the drawn portrait looks; colours are `#rrggbb`."""

    hair: Hair
    hair_colour: str = "#1d1a1c"
    skin: str = "#e3b48f"
    clothes: str = "#2d3f5e"
    glasses: bool = False

    def stranger(self) -> "Look":
        """Somebody else, to be told apart at a glance."""
        hair: Hair = "short" if self.hair != "short" else "long"
        return replace(self, hair=hair, hair_colour="#7a5230", clothes="#b5762a", glasses=not self.glasses)
