"""What every widget is: a part that knows the height it wants at a width, and is then placed once, at once.

Nothing here is bound to anything: a screen is built, placed, looked at and dropped, so nothing can keep it alive.
"""

import math
from collections.abc import Callable, Iterable, Iterator

from kivy.graphics import Color, Rectangle, SmoothRoundedRectangle
from kivy.graphics.texture import Texture
from kivy.input import MotionEvent
from kivy.uix.widget import Widget

from screens.theme import Colour, look


class Part(Widget):
    """A rectangle of the screen. Coordinates are Kivy's: real pixels from the lower left."""

    stretch = 0.0
    """The share of spare height it takes in a column."""
    share = 1.0
    """The share of width it takes in a row, if `wide` is 0."""
    wide = 0.0
    """The fixed width it takes in a row, in real pixels."""
    optional = False
    """Whether a column leaves it out when there is no room for everything (large text, landscape)."""

    def __init__(self) -> None:
        # Kivy's style rules go by class names («Button»): they are not for us.
        super().__init__(__no_builder=True)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """The height it needs at `width`."""
        return 0.0

    def most(self, width: float) -> float:  # noqa: ARG002
        """The height above which more is of no use to it, if it stretches."""
        return math.inf

    def place(self, x: float, y: float, width: float, height: float) -> None:
        """Take this rectangle, draw, and place what is inside."""
        self.pos, self.size = (round(x), round(y)), (round(width), round(height))
        self.redraw()
        self.arrange()

    def redraw(self) -> None:
        """Draw anew what the part itself shows."""
        self.canvas.before.clear()
        with self.canvas.before:
            self.draw()

    def draw(self) -> None:
        """Issue the canvas instructions of the part itself."""

    def arrange(self) -> None:
        """Place the children."""

    def leave(self) -> None:
        """The part goes: stop clocks, drop pixels."""
        for child in self.children:
            child.leave()
        self.canvas.before.clear()

    def parts(self) -> Iterator["Part"]:
        """The part and everything inside it, outermost first."""
        yield self
        for child in reversed(self.children):
            yield from child.parts()


def box(part: Part, fill: Colour, line: Colour | None = None, radius: float = 20, width: float = 3) -> None:
    """Draw the part's rounded ground with an optional line inside its edge (sizes in design pixels)."""
    rounded(part.x, part.y, part.width, part.height, fill, line, radius, width)


def rounded(
    x: float,
    y: float,
    width: float,
    height: float,
    fill: Colour,
    line: Colour | None = None,
    radius: float = 20,
    thickness: float = 3,
) -> None:
    """Draw a rounded rectangle (real pixels; radius and thickness in design pixels)."""
    corner, edge = look().px(radius), max(1, look().px(thickness)) if line else 0
    if line:
        Color(*line)
        SmoothRoundedRectangle(pos=(x, y), size=(width, height), radius=[corner])
    Color(*fill)
    inner = max(corner - edge, 1)
    SmoothRoundedRectangle(pos=(x + edge, y + edge), size=(width - 2 * edge, height - 2 * edge), radius=[inner])


def picture(texture: Texture, x: float, y: float, width: float, height: float, tint: Colour = (1, 1, 1, 1)) -> None:
    """Draw a texture on whole pixels."""
    Color(*tint)
    Rectangle(texture=texture, pos=(round(x), round(y)), size=(round(width), round(height)))


class Space(Part):
    """Nothing: at least `least` design pixels high, and what is spare."""

    def __init__(self, least: float = 0, stretch: float = 1.0) -> None:
        super().__init__()
        self._least = look().px(least)
        self.stretch = stretch

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """The least height."""
        return self._least


class Column(Part):
    """Parts from top to bottom; spare height goes to those that stretch, or stays below.

    Without room for everything the gaps shrink to `least_gap`, then the optional parts go, the last first.
    """

    def __init__(
        self, parts: Iterable[Part], gap: float = 24, stretch: float = 0, least_gap: float | None = None
    ) -> None:
        super().__init__()
        self._gap = look().px(gap)
        self._least_gap = self._gap if least_gap is None else look().px(least_gap)
        self.stretch = stretch
        self.items = list(parts)
        for part in self.items:
            self.add_widget(part)

    def wanted(self, width: float) -> float:
        """Everything and the gaps."""
        return sum(p.wanted(width) for p in self.items) + self._gap * max(len(self.items) - 1, 0)

    def arrange(self) -> None:
        """Stack the children."""
        self._make_room()
        top = self.top
        for part, height in zip(self.items, self._heights(self.width), strict=True):
            part.place(self.x, top - height, self.width, height)
            top -= height + self._gap

    def _make_room(self) -> None:
        over = self.wanted(self.width) - self.height
        if over <= 0.5 or len(self.items) < 2:
            return
        self._gap = max(self._least_gap, int(self._gap - over / (len(self.items) - 1) - 1))
        for part in reversed(self.items[:]):
            if self.wanted(self.width) <= self.height + 0.5:
                return
            if part.optional:
                part.leave()
                self.items.remove(part)
                self.remove_widget(part)

    def _heights(self, width: float) -> list[float]:
        """What each part gets: what it wants, and its share of the spare height up to what is of use to it."""
        heights = [p.wanted(width) for p in self.items]
        room = self.height - self._gap * max(len(heights) - 1, 0)
        hungry = {n for n, p in enumerate(self.items) if p.stretch}
        while hungry and (spare := room - sum(heights)) > 0.5:
            shares = sum(self.items[n].stretch for n in hungry)
            for n in sorted(hungry):
                part = self.items[n]
                grown = heights[n] + spare * part.stretch / shares
                heights[n] = min(grown, max(part.most(width), heights[n]))
                if heights[n] < grown:
                    hungry.discard(n)
        return heights

    def swap(self, *parts: Part) -> None:
        """Show other parts in the same place."""
        for part in self.items:
            part.leave()
        self.clear_widgets()
        self.items = list(parts)
        for part in self.items:
            self.add_widget(part)
        self.arrange()


class Either(Part):
    """One of several parts, in room for the largest: what is said may change without anything moving."""

    def __init__(self, parts: dict[str, Part], shown: str) -> None:
        super().__init__()
        self._parts, self._shown = parts, shown
        self.add_widget(parts[shown])

    def wanted(self, width: float) -> float:
        """The highest."""
        return max(part.wanted(width) for part in self._parts.values())

    def arrange(self) -> None:
        """The one that is shown."""
        self._parts[self._shown].place(*self.pos, *self.size)

    def leave(self) -> None:
        """All of them go."""
        super().leave()
        for part in self._parts.values():
            part.leave()

    def show(self, name: str) -> None:
        """Show another one."""
        self.remove_widget(self._parts[self._shown])
        self._shown = name
        self.add_widget(self._parts[name])
        self.arrange()


class Row(Part):
    """Parts from left to right, all as high as the highest wants."""

    def __init__(self, parts: Iterable[Part], gap: float = 24, middle: bool = False, stretch: float = 0) -> None:
        super().__init__()
        self._gap, self._middle = look().px(gap), middle
        self.stretch = stretch
        self.items = list(parts)
        for part in self.items:
            self.add_widget(part)

    def _widths(self, width: float) -> list[float]:
        fixed = sum(p.wide for p in self.items) + self._gap * max(len(self.items) - 1, 0)
        shares = sum(p.share for p in self.items if not p.wide) or 1.0
        return [p.wide or max(width - fixed, 0) * p.share / shares for p in self.items]

    def wanted(self, width: float) -> float:
        """The highest child."""
        return max((p.wanted(w) for p, w in zip(self.items, self._widths(width), strict=True)), default=0.0)

    def arrange(self) -> None:
        """Line the children up; `middle` keeps each at its own height."""
        x = self.x
        for part, width in zip(self.items, self._widths(self.width), strict=True):
            height = min(part.wanted(width), self.height) if self._middle else self.height
            part.place(x, self.y + (self.height - height) / 2, width, height)
            x += width + self._gap


class Padded(Part):
    """One part with room around it, on an optional ground."""

    def __init__(
        self,
        part: Part,
        pad: float,
        fill: Colour | None = None,
        line: Colour | None = None,
        across: float | None = None,
    ) -> None:
        super().__init__()
        self._pad, self._across = look().px(pad), look().px(pad if across is None else across)
        self._fill, self._line = fill, line
        self.stretch = part.stretch
        self._part = part
        self.add_widget(part)

    def wanted(self, width: float) -> float:
        """The part and its padding."""
        return self._part.wanted(width - 2 * self._across) + 2 * self._pad

    def draw(self) -> None:
        """The ground."""
        if self._fill:
            box(self, self._fill, self._line, radius=24)

    def arrange(self) -> None:
        """The part inside its padding."""
        self._part.place(
            self.x + self._across, self.y + self._pad, self.width - 2 * self._across, self.height - 2 * self._pad
        )


class Touchable(Part):
    """Something to touch: acts when a touch that began on it ends on it. `key` names it for tests and tours."""

    def __init__(self, key: str, act: Callable[[], None], least: float = 96) -> None:
        super().__init__()
        self.key, self._act = key, act
        self.least = look().px(least)
        self.pressed = False

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """A finger comes down."""
        if self.disabled or not self.collide_point(*touch.pos):
            return False
        touch.grab(self)
        self._press(True)
        return True

    def on_touch_move(self, touch: MotionEvent) -> bool:
        """A finger slides: off the part, it is no press any more."""
        if touch.grab_current is self:
            self._press(self.collide_point(*touch.pos))
        return bool(touch.grab_current is self)

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """A finger leaves."""
        if touch.grab_current is not self:
            return False
        touch.ungrab(self)
        acts = self.pressed and self.collide_point(*touch.pos)
        self._press(False)
        if acts:
            self._act()
        return True

    def _press(self, pressed: bool) -> None:
        if pressed != self.pressed:
            self.pressed = pressed
            self.redraw()
