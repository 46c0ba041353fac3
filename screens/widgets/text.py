"""Text: rendered once at its width, white, and tinted where it is drawn."""

from typing import Literal

from kivy.core.text import Label
from kivy.graphics.texture import Texture

from screens.theme import Colour, face, look
from screens.widgets.part import Part, picture

Align = Literal["left", "center", "right"]


def render(text: str, size: str, face_name: str, width: float | None, align: Align = "left") -> Texture:
    """The text as a texture, broken into lines at `width` real pixels."""
    label = Label(
        text=text,
        font_name=face(face_name),
        font_size=look().font_size(size),
        text_size=(width, None),
        halign=align,
        line_height=1.06 if size in ("body", "lead", "small", "label", "control") else 0.98,
    )
    label.refresh()
    return label.texture


class Words(Part):
    """A paragraph in one size and colour."""

    def __init__(
        self,
        text: str,
        size: str = "body",
        colour: Colour | None = None,
        face_name: str = "body",
        align: Align = "left",
        balanced: bool = True,
    ) -> None:
        super().__init__()
        self.text, self.font, self._balanced = text, size, balanced
        self.colour = colour or look().colours.ink
        self._face, self._align = face_name, align
        self._rendered: tuple[float, Texture] | None = None

    def texture(self, width: float) -> Texture:
        """What is drawn at this width."""
        if self._rendered is None or self._rendered[0] != width:
            broken = self._balance(width) if self._balanced else width
            self._rendered = (width, render(self.text, self.font, self._face, broken, self._align))
        return self._rendered[1]

    def _balance(self, width: float) -> float:
        """The least width that needs no more lines than `width`: no single word is left on a last line."""
        if self.natural_width() <= width:
            return width
        high = render(self.text, self.font, self._face, width).height
        least, most = max(width / 2, self.longest_word()), width
        while most - least > width / 24:
            middle = round((least + most) / 2)
            if render(self.text, self.font, self._face, middle).height > high:
                least = middle
            else:
                most = middle
        return most

    def natural_width(self) -> float:
        """The width of the text on one line."""
        return float(render(self.text, self.font, self._face, None).width)

    def longest_word(self) -> float:
        """The width below which a word would be broken."""
        words = max(self.text.split(), key=len, default="")
        return float(render(words, self.font, self._face, None).width) + 1

    def wanted(self, width: float) -> float:
        """The height of its lines."""
        return float(self.texture(round(width)).height) if self.text else 0.0

    def draw(self) -> None:
        """The lines, in the middle of the height."""
        if self.text:
            texture = self.texture(self.width)
            x = self.x if self._align == "left" else self.center_x - texture.width / 2
            if self._align == "right":
                x = self.right - texture.width
            picture(texture, x, self.y + (self.height - texture.height) / 2, texture.width, texture.height, self.colour)

    def leave(self) -> None:
        """Forget what was said."""
        super().leave()
        self.text, self._rendered = "", None


def title(text: str, align: Align = "left") -> Words:
    """The heading of a screen."""
    return Words(text, "title", face_name="display", align=align)


def heading(text: str, align: Align = "left", colour: Colour | None = None) -> Words:
    """The heading of a part."""
    return Words(text, "heading", colour, "display", align)


def lead(text: str, align: Align = "left") -> Words:
    """The sentence below a heading."""
    return Words(text, "lead", look().colours.soft_ink, align=align)


def label(text: str, align: Align = "left", colour: Colour | None = None) -> Words:
    """The name of a control."""
    return Words(text, "label", colour, "strong", align)


def small(text: str, align: Align = "left") -> Words:
    """What is read last."""
    return Words(text, "small", look().colours.soft_ink, align=align)
