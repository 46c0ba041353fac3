"""Nobody is there: the house's face, and the language as the first touch."""

from functools import cache

import numpy as np
from kivy.graphics.texture import Texture
from kivy.input import MotionEvent

from kiosk.i18n import say
from kiosk.questions import Attract
from screens.screen import Screen
from screens.theme import MARGIN, Colour, look
from screens.widgets.button import PRIMARY, Button
from screens.widgets.icon import Icon, texture_of
from screens.widgets.motif import GOLD, drum_texture
from screens.widgets.part import Column, Padded, Part, Row, Space, picture, rounded
from screens.widgets.text import Words

WHITE: Colour = (1.0, 1.0, 1.0, 1.0)
OFFERS = (("ticket", "ticket"), ("folder", "dossier"), ("track", "look_up"))


@cache
def fade_texture() -> Texture:
    """White, opaque below and clear above."""
    alpha = np.linspace(0, 255, 64).astype(np.uint8)
    rgba = np.full((64, 4, 4), 255, np.uint8)
    rgba[..., 3] = alpha[:, None]
    return texture_of(rgba)


class AttractScreen(Screen[Attract]):
    """Both languages at once. A touch anywhere else begins in Vietnamese."""

    def build(self) -> None:
        """The greeting above, the languages below."""
        self.clear_widgets()
        centre = self.question.centre
        greeting = [
            Space(),
            Words(say("screen.attract.welcome").vi, "hero", WHITE, "display", "center"),
            Words(say("screen.attract.welcome").en, "title", GOLD, "display", "center"),
            Space(20, 0),
            Words(centre.vi, "lead", WHITE, "strong", "center"),
            Words(centre.in_("en"), "body", WHITE, align="center"),
            Space(30, 0),
        ]
        self._greeting = Padded(Column(greeting, gap=14, stretch=1), 40, across=MARGIN)
        self._panel = Padded(Column(self._panel_parts(), gap=34), 56, across=MARGIN)
        self._body = [self._greeting, self._panel]
        for part in self._body:
            self.add_widget(part)

    def _panel_parts(self) -> list[Part]:
        invite, colours = say("screen.attract.invite"), look().colours
        offers = [
            self._offer(icon, key) for icon, key in (("ticket", "ticket"), ("folder", "dossier"), ("track", "look_up"))
        ]
        languages = [
            Button("language:vi", say("screen.attract.vietnamese").vi, self.answering("vi"), PRIMARY, after="forward"),
            Button("language:en", say("screen.attract.english").en, self.answering("en"), after="forward"),
        ]
        return [
            Row(offers, gap=20),
            Words(f"{invite.vi}  ·  {invite.en}", "lead", colours.soft_ink, "strong", "center"),
            Row(languages, gap=28) if look().portrait else Column(languages, gap=28),
        ]

    def _offer(self, icon: str, key: str) -> Part:
        colours, name = look().colours, say(f"screen.attract.{key}")
        return Column(
            [
                Icon(icon, 120, colours.on_tint, colours.tint),
                Words(name.vi, "label", face_name="strong", align="center"),
                Words(name.en, "small", colours.soft_ink, align="center"),
            ],
            gap=10,
        )

    def draw(self) -> None:
        """Lacquer with the bronze drum in gold; a sheet of paper below."""
        colours = look().colours
        rounded(
            self.x, self.y, self.width, self.height, colours.paper if look().contrast else colours.primary, radius=0
        )
        side = look().px(1180 if look().portrait else 980)
        centre_x = self.center_x if look().portrait else self.x + self.width * 0.29
        picture(drum_texture(side, GOLD), centre_x - side / 2, self._drum_top() - side, side, side, (1, 1, 1, 0.9))
        self._fade()
        self._sheet()

    def _fade(self) -> None:
        """The drum sinks into the lacquer where the greeting stands."""
        ground = look().colours.paper if look().contrast else look().colours.primary
        texture = fade_texture()
        bottom = self._sheet_box()[3] if look().portrait else 0
        text = self._greeting.wanted(self.width)
        rounded(self.x, self.y + bottom, self.width, text * 0.86, ground, radius=0)
        picture(texture, self.x, self.y + bottom + text * 0.86, self.width, text * 0.55, ground)

    def _drum_top(self) -> float:
        return float(self.top) + look().px(180 if look().portrait else 300)

    def _sheet(self) -> None:
        x, y, width, height = self._sheet_box()
        rounded(x, y - look().px(60), width, height + look().px(60), look().colours.paper, radius=56)

    def _sheet_box(self) -> tuple[float, float, float, float]:
        if look().portrait:
            return self.x, self.y, self.width, self._panel.wanted(self.width)
        return self.x + self.width * 0.58, self.y, self.width * 0.42, self.height + look().px(120)

    def arrange(self) -> None:
        """Greeting on the lacquer, languages on the paper."""
        x, y, width, height = self._sheet_box()
        if look().portrait:
            self._panel.place(x, y, width, height)
            self._greeting.place(self.x, self.y + height, self.width, self.height - height)
            return
        wanted = self._panel.wanted(width)
        self._panel.place(x, self.y + (self.height - wanted) / 2, width, wanted)
        self._greeting.place(self.x, self.y, self.width - width, self.height)

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """What touches no button touches the screen itself."""
        if not super().on_touch_down(touch):
            touch.grab(self)
        return True

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """Whoever touches anything else wants to begin."""
        if touch.grab_current is self:
            touch.ungrab(self)
            self.answer("vi")
            return True
        return bool(super().on_touch_up(touch))
