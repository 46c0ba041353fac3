"""What every screen is: it renders one question, and answers once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from kiosk.i18n import catalogue
from kiosk.questions import Control, Question
from kiosk.text import Text
from kiosk.visit import Frame
from screens.theme import MARGIN, look, words
from screens.widgets.abreast import SPARE, Abreast
from screens.widgets.frame import Dock, header
from screens.widgets.illustration import Illustration
from screens.widgets.motif import drum_texture
from screens.widgets.part import Column, Padded, Part, Space, picture, rounded
from screens.widgets.text import Words, lead, title

Q = TypeVar("Q", bound=Question[Any])


def screen_name(question: type[Question[Any]]) -> str:
    """`ChooseService` → «choose_service»: names the screen, its texts and its pictures."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", question.__name__).lower()


@dataclass(slots=True)
class Shown(Generic[Q]):
    """What a screen is made of. `draft` holds what was entered so far: it survives a change of language or size."""

    question: Q
    frame: Frame
    answer: Callable[[object], None]
    centre: Text
    draft: dict[str, Any] = field(default_factory=dict)
    speak: Callable[[str], None] = lambda _: None
    """Says something in place of what is being said."""


class Screen(Part, Generic[Q]):
    """Subclasses say what stands in `intro`, `work`, `actions`: portrait stacks them, landscape puts them abreast."""

    steps: ClassVar[tuple[str, int] | None] = None
    """A key under `steps.` and the index of this screen's step."""

    def __init__(self, shown: Shown[Q]) -> None:
        super().__init__()
        self.shown = shown
        self.question, self.frame, self.draft = shown.question, shown.frame, shown.draft
        self.name = screen_name(type(shown.question))
        self._body: list[Part] = []

    # --- what subclasses say ---

    def intro(self) -> list[Part]:
        """Heading, explanation, picture."""
        parts: list[Part] = [title(self.words("heading"))]
        if f"screen.{self.name}.lead" in catalogue():
            explanation = lead(self.words("lead"))
            explanation.optional = True
            parts.append(explanation)
        return parts

    def work(self) -> list[Part]:
        """What is chosen from, entered or looked at."""
        return []

    def actions(self) -> list[Part]:
        """What leads on, the main action last."""
        return []

    def inner_back(self) -> bool:
        """Whether «back» would stay on this screen."""
        return False

    def go_back(self) -> None:
        """Go back within this screen."""

    # --- what subclasses use ---

    def words(self, key: str, /, **values: object) -> str:
        """The screen's own text under `key`."""
        return words(f"screen.{self.name}.{key}", **values)

    def answer(self, value: object) -> None:
        """Answer the question."""
        self.shown.answer(value)

    def answering(self, value: object) -> Callable[[], None]:
        """What a button does that answers with `value`."""
        return lambda: self.answer(value)

    def refresh(self) -> None:
        """Build the screen anew after something entered or turned."""
        self.build()
        self.place(self.x, self.y, self.width, self.height)

    # --- building ---

    def build(self) -> None:
        """Make the widget tree."""
        for child in self.children[:]:
            child.leave()
        self.clear_widgets()
        self._header = header(self.shown.centre, self._steps())
        self._main = self._stacked() if look().portrait else self._abreast()
        self._dock = Dock(self.frame, self.frame.can_go_back or self.inner_back(), self._control)
        for part in (self._header, self._main, *([self._dock] if self.frame.in_visit else [])):
            self.add_widget(part)

    def arrange(self) -> None:
        """Header above, dock below, the body in all that is between."""
        top = self._header.wanted(self.width)
        bottom = self._dock.wanted(self.width) if self.frame.in_visit else 0
        self._header.place(self.x, self.top - top, self.width, top)
        self._main.place(self.x, self.y + bottom, self.width, self.height - top - bottom)
        if self.frame.in_visit:
            self._dock.place(self.x, self.y, self.width, bottom)

    def draw(self) -> None:
        """Paper with the drum's rings, faint, behind the upper corner."""
        colours = look().colours
        rounded(self.x, self.y, self.width, self.height, colours.paper, radius=0)
        if not look().contrast:
            side = look().px(1150)
            faint = (*colours.gold[:3], 0.13)
            picture(
                drum_texture(side, (1, 1, 1, 1)), self.right - side * 0.62, self.top - side * 0.56, side, side, faint
            )

    def _steps(self) -> tuple[tuple[str, ...], int] | None:
        if self.steps is None:
            return None
        journey, now = self.steps
        count = sum(1 for key in catalogue() if key.startswith(f"steps.{journey}."))
        return tuple(words(f"steps.{journey}.{n}") for n in range(count)), now

    def _stacked(self) -> Part:
        self._body = [*self.intro(), *self.work(), *self.actions()]
        # What is not needed stays above: what is touched belongs in the lower half.
        return Padded(Column([Space(0, SPARE), *self._body], gap=30, least_gap=12), 24, across=MARGIN)

    def _abreast(self) -> Part:
        intro, work, actions = self.intro(), self.work(), self.actions()
        self._body = [*intro, *work, *actions]
        if not work:  # a picture stands above what is touched
            work = [part for part in intro if isinstance(part, Illustration)]
            intro = [part for part in intro if part not in work]
        return Padded(Abreast(intro, work, actions), 16, across=MARGIN)

    def _control(self, control: Control) -> None:
        if control is Control.BACK and self.inner_back():
            self.go_back()
        else:
            self.answer(control)

    # --- speech ---

    @property
    def speakable(self) -> list[str]:
        """Everything the screen says, in reading order: heading, text, choices."""
        return [p.text for part in self._body for p in part.parts() if isinstance(p, Words) and p.text]

    @property
    def spoken(self) -> str:
        """What is said when the screen appears: heading and instruction."""
        return "\n".join(
            p.text for part in self._body for p in part.parts() if isinstance(p, Words) and p.font in ("title", "lead")
        )
