"""What makes a scene under the simulated camera harder."""

from dataclasses import dataclass, replace
from typing import Any

MOST_LEVELS = 30
"""A mat darker than the paper by more is the usual dark mat's work."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Everything that may be wrong at once; the defaults are a well-kept kiosk."""

    blurred: bool = False
    """The lens is out of focus."""
    low_light: bool = False
    """The lamp is off: dark and noisy."""
    glare: bool = False
    """The lamp is mirrored in the sheet."""
    shadow: bool = False
    """Head and shoulders of the person stand in the light."""
    clutter: bool = False
    """Pen, coins, telephone and cable lie around, partly under the sheet."""
    curl: bool = False
    """The sheet is bent along its height: its upper and lower edges bow by 5 mm."""
    hand: bool = False
    """A hand lies on the sheet."""
    two_sheets: bool = False
    """Another sheet lies beside this one, or under it where there is no room."""
    white_on_white: int = 0
    """The mat is white: darker than the paper by this many grey levels, 1 to 30; 0: the dark mat."""

    def turned(self, name: str, on: bool) -> "Conditions":
        """With the condition `name` on or off."""
        values: dict[str, Any] = {name: on}
        return replace(self, **values)

    @property
    def names(self) -> tuple[str, ...]:
        """What is wrong, by name."""
        return tuple(name for name in self.__slots__ if getattr(self, name))


TOGGLES = {
    "blur": "blurred",
    "low_light": "low_light",
    "glare": "glare",
    "shadow": "shadow",
    "clutter": "clutter",
    "curl": "curl",
    "hand": "hand",
    "two_sheets": "two_sheets",
}
"""Actions that take `on`, and the condition that each turns."""
