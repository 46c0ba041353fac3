"""How everything looks: colours, type, spacing, and the `Look` that the present screen is built with.

Sizes are design pixels of a 1080×1920 panel (about 3 to the millimetre); `Look.px` turns them into real ones.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kiosk.i18n import say
from kiosk.questions import Settings
from kiosk.text import Language, Text

Colour = tuple[float, float, float, float]

FONTS = Path("/usr/share/fonts/opentype/inter")
FACES = {
    "display": "InterDisplay-SemiBold.otf",
    "strong": "Inter-SemiBold.otf",
    "body": "Inter-Medium.otf",
    "numbers": "InterDisplay-Bold.otf",
}

SIZES = {
    "giant": 190,
    "hero": 96,
    "title": 64,
    "heading": 48,
    "lead": 42,
    "body": 38,
    "label": 36,
    "small": 34,
    "control": 34,
}
"""The type scale: every text of the product has one of these sizes (times `LARGE` in large text)."""

LARGE = 1.3
LARGEST_GROWS = ("lead", "body", "label", "small")
"""Sizes that grow in full; the others are large already and grow by half as much."""

MARGIN = 56
GAP = 24
MAIN_TARGET = 132
"""Height of a main action: 44 mm on a 32-inch panel, 20 mm on the smallest one that is allowed."""
LEAST_TARGET = 96
LEAST_KEY = 72


class FontsMissingError(RuntimeError):
    """The typeface is not installed; the message names the package."""


def colour(code: str, alpha: float = 1.0) -> Colour:
    """«#8E1B1E» as Kivy wants it."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue, alpha)


@dataclass(frozen=True, slots=True)
class Palette:
    """Every colour of the product. Text on its ground is 7:1 or better (tests/screens/test_theme.py)."""

    paper: Colour
    surface: Colour
    shade: Colour
    line: Colour
    control: Colour
    ink: Colour
    soft_ink: Colour
    primary: Colour
    primary_deep: Colour
    on_primary: Colour
    tint: Colour
    on_tint: Colour
    gold: Colour
    good: Colour
    good_tint: Colour
    warn: Colour
    warn_tint: Colour
    focus: Colour


STANDARD = Palette(
    paper=colour("#FBF8F2"),
    surface=colour("#FFFFFF"),
    shade=colour("#F1EBE0"),
    line=colour("#E2D9C9"),
    control=colour("#8A7F70"),
    ink=colour("#221A16"),
    soft_ink=colour("#544A42"),
    primary=colour("#8E1B1E"),
    primary_deep=colour("#5E0E12"),
    on_primary=colour("#FFFFFF"),
    tint=colour("#F9EAE4"),
    on_tint=colour("#7E1518"),
    gold=colour("#C8962E"),
    good=colour("#0C5438"),
    good_tint=colour("#E3F2E8"),
    warn=colour("#6B3A00"),
    warn_tint=colour("#FFF0D0"),
    focus=colour("#C8962E"),
)
"""Lacquer red and gold on warm paper."""

CONTRAST = Palette(
    paper=colour("#000000"),
    surface=colour("#000000"),
    shade=colour("#000000"),
    line=colour("#FFFFFF"),
    control=colour("#FFFFFF"),
    ink=colour("#FFFFFF"),
    soft_ink=colour("#FFFFFF"),
    primary=colour("#FFD83D"),
    primary_deep=colour("#C9A400"),
    on_primary=colour("#000000"),
    tint=colour("#000000"),
    on_tint=colour("#FFD83D"),
    gold=colour("#FFD83D"),
    good=colour("#8CF5B5"),
    good_tint=colour("#000000"),
    warn=colour("#FFD83D"),
    warn_tint=colour("#000000"),
    focus=colour("#FFD83D"),
)
"""White and yellow on black, with a line around everything that can be touched."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a screen is built with: real size, orientation, and how the present citizen reads."""

    width: int = 1080
    height: int = 1920
    language: Language = "vi"
    large: bool = False
    contrast: bool = False
    animated: bool = True

    @property
    def portrait(self) -> bool:
        """Whether the panel stands upright."""
        return self.height >= self.width

    @property
    def unit(self) -> float:
        """Real pixels of one design pixel."""
        wide, high = (1080, 1920) if self.portrait else (1920, 1080)
        return min(self.width / wide, self.height / high)

    def px(self, design: float) -> int:
        """Design pixels as whole real pixels."""
        return round(design * self.unit)

    def font_size(self, size: str) -> int:
        """Real pixels of a named size of the type scale."""
        grow = 1.0 if not self.large else LARGE if size in LARGEST_GROWS else (1 + LARGE) / 2
        return self.px(SIZES[size] * grow)

    @property
    def colours(self) -> Palette:
        """The palette in force."""
        return CONTRAST if self.contrast else STANDARD


class _Present:
    look = Look()


def look() -> Look:
    """The look of the screen that is being built: one window, one screen at a time."""
    return _Present.look


def use(new: Look) -> None:
    """Build the next screen with this look."""
    _Present.look = new


def for_settings(base: Look, settings: Settings) -> Look:
    """`base` as this citizen wants to read it."""
    return Look(base.width, base.height, settings.language, settings.large_text, settings.high_contrast, base.animated)


def words(text: Text | str, /, **values: object) -> str:
    """A `Text`, or the text under a key, in the present language."""
    return (say(text, **values) if isinstance(text, str) else text).in_(look().language)


@cache
def face(name: str) -> str:
    """The font file of a face; raises FontsMissingError."""
    path = FONTS / FACES[name]
    if not path.is_file():
        raise FontsMissingError(f"{path} is missing: install the Debian package fonts-inter")
    return str(path)
