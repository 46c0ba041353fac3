"""The illustrations of physical actions: layers of our own vector art on a grid of 320×220, and how each moves."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from screens.theme import colour
from screens.widgets.motif import star
from screens.widgets.vector import Drawing

GRID = 320.0
RATIO = 220 / 320

GROUND = colour("#F4ECDD")
DARK = colour("#3B322C")
DARKER = colour("#2A231F")
STEEL = colour("#6B6058")
MAT = colour("#4A4038")
SHEET = colour("#FFFFFF")
RULE = colour("#CFC4B4")
TEXT = colour("#9A8D7E")
RED = colour("#A3262A")
DEEP = colour("#7E1518")
GOLD = colour("#E9B949")
CHIP = colour("#D9A93A")
CARD = colour("#DDEBEA")
CARD_EDGE = colour("#9FBDBB")
GREEN = colour("#2E8B62")
SKIN = colour("#F0C8A4")
SKIN_EDGE = colour("#D79F74")
LIGHT = colour("#FF5A4F")
FOUND = colour("#7CF2B4")

Motion = Callable[[float], tuple[float, float, float]]
"""The share of the loop done → how far right, how far up (grid units), how opaque."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What is drawn and how it moves."""

    paint: Callable[[Drawing], object]
    motion: Motion = lambda _: (0.0, 0.0, 1.0)


def _ease(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _come(dx: float, dy: float, begin: float = 0.1, end: float = 0.5) -> Motion:
    """From (dx, dy) away into place; rests; fades at the end of the loop to begin again."""

    def motion(t: float) -> tuple[float, float, float]:
        away = 1 - _ease((t - begin) / (end - begin))
        shown = _ease(t / 0.08) * (1 - _ease((t - 0.93) / 0.07))
        return dx * away, dy * away, shown

    return motion


def _go(dx: float, dy: float) -> Motion:
    """In place first, then away by (dx, dy)."""

    def motion(t: float) -> tuple[float, float, float]:
        away = _ease((t - 0.3) / 0.4)
        return dx * away, dy * away, _ease(t / 0.08) * (1 - _ease((t - 0.93) / 0.07))

    return motion


def _glow(begin: float = 0.5) -> Motion:
    """Lights up once everything is in place."""
    return lambda t: (0.0, 0.0, _ease((t - begin) / 0.12) * (1 - _ease((t - 0.9) / 0.1)))


def _pulse(t: float) -> tuple[float, float, float]:
    """Comes and goes, three times in a loop."""
    return 0.0, 0.0, 0.65 - 0.35 * math.cos(math.tau * 3 * t)


def _arrow(path: str) -> Callable[[Drawing], object]:
    return lambda d: d.stroke(path, SHEET, 11).stroke(path, RED, 6)


# --- things ---


def _reader(d: Drawing) -> None:
    body = "R62 118 196 78 16"
    d.shadow(body, 7, 0, 7, 0.3)
    d.fill(body, DARK).fill("R62 118 196 66 16", STEEL).fill("R66 121 188 60 13", DARK)
    d.stroke("R92 127 136 48 8", STEEL, 1.6)
    d.fill("O160 190 2.6", GOLD)


def _reader_lit(d: Drawing) -> None:
    d.fill("O160 190 4.2", FOUND)
    for radius in (18, 30, 42):
        d.stroke(
            f"M{160 - radius * 0.7:.1f} {52 - radius * 0.42:.1f}a{radius} {radius} 0 0 1 {radius * 1.4:.1f} 0", GREEN, 5
        )


def _front(d: Drawing, x: float, y: float, scale: float = 1.0) -> None:
    """An ID card's front, 116×73 units: emblem, portrait, chip, lines."""

    def at(kind: str, *numbers: float) -> str:
        moved = [n * scale + (x if i == 0 else y if i == 1 else 0) for i, n in enumerate(numbers)]
        return kind + " ".join(f"{n:.2f}" for n in moved)

    whole = at("R", 0, 0, 116, 73, 7)
    d.shadow(whole, 5, 0, 5, 0.35).fill(whole, CARD).stroke(whole, CARD_EDGE, 1.2)
    d.fill(at("O", 15, 14, 7), RED)
    emblem = star(5.6 * scale, 2.2 * scale, 5, 0)
    d.fill(_shift(emblem, x + 15 * scale, y + 14 * scale), GOLD)
    d.fill(at("R", 30, 9, 66, 4, 2), RED).fill(at("R", 38, 17, 48, 3, 1.5), TEXT)
    d.fill(at("R", 9, 28, 28, 36, 3), colour("#BCD3D1"))
    d.fill(at("O", 23, 41, 7), STEEL).fill(at("R", 13, 51, 20, 13, 6), STEEL)
    d.fill(at("R", 46, 30, 40, 4, 2), STEEL)
    for line, long in ((39, 58), (47, 50), (55, 62)):
        d.fill(at("R", 46, line, long, 3, 1.5), TEXT)
    d.fill(at("R", 92, 24, 15, 12, 3), CHIP).stroke(at("R", 92, 24, 15, 12, 3), colour("#A77C1B"), 0.8)


def _code(d: Drawing, x: float, y: float, side: float) -> None:
    """A QR code on white."""
    d.fill(f"R{x} {y} {side} {side} 3", SHEET)
    pattern, cell = ("1110111", "1010101", "1110111", "0011010", "1110101", "1010011", "1111101"), side * 0.121
    for row, cells in enumerate(pattern):
        for column, dark in enumerate(cells):
            if dark == "1":
                left, top = x + side * 0.079 + column * cell, y + side * 0.079 + row * cell
                d.fill(f"R{left:.1f} {top:.1f} {cell * 0.957:.1f} {cell * 0.957:.1f} 0.3", DARKER)


def _phone(d: Drawing, x: float, y: float) -> None:
    """A phone with a QR code on its screen, 72×132 units."""
    whole = f"R{x} {y} 72 132 11"
    d.shadow(whole, 5, 0, 5, 0.35).fill(whole, DARKER).fill(f"R{x + 5} {y + 6} 62 120 7", SHEET)
    d.fill(f"R{x + 26} {y + 9} 20 3.4 1.7", DARKER).fill(f"R{x + 14} {y + 22} 44 5 2", RED)
    d.fill(f"R{x + 20} {y + 32} 32 3.4 1.7", TEXT)
    _code(d, x + 11, y + 46, 50)
    for line, long in ((102, 44), (110, 30)):
        d.fill(f"R{x + 36 - long / 2} {y + line} {long} 3.4 1.7", RULE)


def _back(d: Drawing, x: float, y: float) -> None:
    """A card with its QR code, 116×73 units."""
    whole = f"R{x} {y} 116 73 7"
    d.shadow(whole, 5, 0, 5, 0.35).fill(whole, CARD).stroke(whole, CARD_EDGE, 1.2)
    _code(d, x + 70, y + 10, 38)
    for line, long in ((14, 46), (23, 38), (32, 48), (41, 30)):
        d.fill(f"R{x + 12} {y + line} {long} 3.4 1.7", TEXT)
    for line in (55, 62):
        d.fill(f"R{x + 12} {y + line} 92 3 1.5", STEEL)


def _shift(path: str, dx: float, dy: float) -> str:
    points = [pair.split() for pair in path.removeprefix("M").removesuffix("z").split("L")]
    return "M" + "L".join(f"{float(x) + dx:.2f} {float(y) + dy:.2f}" for x, y in points) + "z"


def _scanner(d: Drawing) -> None:
    body = "R98 150 124 58 14"
    d.shadow(body, 6, 0, 6, 0.3).fill(body, DARK).fill("R110 160 100 30 8", DARKER)
    d.stroke("R110 160 100 30 8", STEEL, 1.6).fill("R126 172 68 6 3", LIGHT)


def _beam(d: Drawing) -> None:
    d.fill("M130 168L190 168L222 66L98 66z", (1.0, 0.35, 0.3, 0.22))
    d.stroke("M104 84H216", LIGHT, 3)


def _tray(d: Drawing) -> None:
    body = "R52 40 216 168 10"
    d.shadow(body, 7, 0, 6, 0.3).fill(body, MAT)
    for corner in ("M70 74V58h16", "M250 74V58h-16", "M70 174v16h16", "M250 174v16h-16"):
        d.stroke(corner, GOLD, 3.4)


def _camera(d: Drawing) -> None:
    d.shadow("R128 6 64 26 9", 5, 0, 5, 0.35).fill("R128 6 64 26 9", DARK).fill("O160 19 8.5", DARKER)
    d.stroke("O160 19 8.5", STEEL, 2).fill("O160 19 3.6", colour("#7FB6D6")).fill("O181 14 2.4", GREEN)


def _sheet(d: Drawing, x: float = 108, y: float = 58, width: float = 104, height: float = 134) -> None:
    whole = f"R{x} {y} {width} {height} 2"
    d.shadow(whole, 5, 0, 4, 0.35).fill(whole, SHEET)
    d.fill(f"R{x + 30} {y + 13} {width - 60} 4.5 2", RED).fill(f"R{x + 36} {y + 22} {width - 72} 3 1.5", TEXT)
    for n, long in enumerate((80, 72, 80, 66, 80, 76, 48)):
        d.fill(f"R{x + 12} {y + 36 + n * 10} {min(long, width - 24)} 3.4 1.7", RULE)
    d.stroke(f"O{x + width - 26} {y + height - 22} 10", RED, 2)


def _hand(d: Drawing) -> None:
    """A right hand from below with its sleeve, fingers on the sheet."""
    fingers = ("M178 150L164 108", "M192 146L184 98", "M207 146L206 100", "M221 150L227 112", "M184 170L156 158")
    palm = "M172 146c0 -10 54 -10 56 4l4 30c2 20 -6 30 -26 30s-28 -8 -32 -24z"
    for finger in fingers:
        d.stroke(finger, SKIN_EDGE, 17)
    d.fill(palm, SKIN_EDGE)
    for finger in fingers:
        d.stroke(finger, SKIN, 14)
    d.fill("M174 147c2 -8 50 -8 52 4l4 29c2 18 -6 27 -24 27s-26 -7 -30 -22z", SKIN)
    d.stroke("M193 152v14M207 152v14", SKIN_EDGE, 1.6)
    d.fill("M178 200h56l8 34h-62z", RED).fill("M178 200h56l2 9h-57z", DEEP)


def _lamp(d: Drawing) -> None:
    """A lamp at the upper right, and its light down to the sheet."""
    d.fill("M268 30L176 92L196 118L284 46z", (1.0, 0.85, 0.45, 0.28))
    d.shadow("M258 14l34 26l-14 18l-34 -26z", 4, 0, 3, 0.3).fill("M258 14l34 26l-14 18l-34 -26z", DARK)
    d.stroke("M247 36l28 21", GOLD, 6)


def _gleam(d: Drawing) -> None:
    """The lamp mirrored in the sheet: what is written there cannot be seen."""
    for radius, alpha in ((34, 0.35), (27, 0.5), (20, 0.75), (13, 1.0)):
        d.fill(f"O176 108 {radius}", (1.0, 0.93, 0.68, alpha))
    d.fill("O176 108 9", SHEET)
    d.stroke("M176 76v-9M176 140v9M144 108h-9M208 108h9M153 85l-6 -6M199 131l6 6M153 131l-6 6M199 85l6 -6", GOLD, 3.4)


def _view(d: Drawing) -> None:
    d.stroke("M108 58h104v134h-104z", GREEN, 4)
    for x, y in ((108, 58), (212, 58), (108, 192), (212, 192)):
        d.fill(f"O{x} {y} 5.5", GREEN)


def _slot(d: Drawing) -> None:
    body = "R48 8 224 66 14"
    d.shadow(body, 7, 0, 6, 0.3).fill(body, DARK).fill("R48 8 224 56 14", STEEL).fill("R51 11 218 52 12", DARK)
    d.fill("R88 48 144 10 5", DARKER).fill("O246 30 4", GREEN)


def _slot_lip(d: Drawing) -> None:
    d.fill("R84 8 152 43 0.1", DARK).fill("R88 44 144 8 4", DARKER)


def _slip(d: Drawing) -> None:
    edge = "M98 50H222V196" + "".join(f"l-6.2 {6 if n % 2 else -6}" for n in range(20)) + "z"
    d.shadow(edge, 5, 0, 5, 0.25).fill(edge, SHEET)
    d.fill("R128 70 64 5 2.5", TEXT).fill("R140 84 40 26 4", DEEP)
    d.fill("R120 120 80 4 2", RULE).fill("R130 130 60 4 2", RULE)
    for row, cells in enumerate(("11101", "10111", "11010", "01101", "10111")):
        for column, cell in enumerate(cells):
            if cell == "1":
                d.fill(f"R{145 + column * 6} {144 + row * 6} 5.6 5.6 0.3", DARKER)


def _printer_open(d: Drawing) -> None:
    lid = "M70 96L92 20H228L250 96z"
    d.shadow(lid, 6, 0, 4, 0.25).fill(lid, STEEL).stroke(lid, DARK, 2).fill("M84 88L101 30H219L236 88z", MAT)
    body = "R58 92 204 112 16"
    d.shadow(body, 7, 0, 7, 0.3).fill(body, DARK).fill("R74 100 172 44 10", DARKER).fill("R96 176 128 8 4", DARKER)
    d.fill("O238 190 4", LIGHT)


def _roll(d: Drawing) -> None:
    d.shadow("R104 78 112 56 20", 5, 0, 5, 0.35).fill("R104 78 112 56 22", SHEET)
    d.fill("R104 78 30 56 15", RULE).fill("O119 106 9", STEEL).fill("O119 106 5", DARKER)
    d.fill("R150 126 50 10 1", SHEET)


def _jam(d: Drawing) -> None:
    d.fill("M112 180l12 -22l14 16l12 -24l16 22l14 -18l14 14l14 -10v22z", SHEET)
    d.stroke("M112 180l12 -22l14 16l12 -24l16 22l14 -18l14 14l14 -10", TEXT, 2)


def _printer_shut(d: Drawing) -> None:
    body = "R58 64 204 140 18"
    d.shadow(body, 7, 0, 7, 0.3).fill(body, DARK).fill("R58 64 204 56 18", STEEL).fill("R62 68 196 50 14", DARK)
    d.fill("R90 172 140 10 5", DARKER).fill("O236 148 4.5", LIGHT)


def _cross(d: Drawing) -> None:
    d.stroke("M140 78l40 30M180 78l-40 30", LIGHT, 8)


def _servers(d: Drawing) -> None:
    for y in (54, 104):
        body = f"R168 {y} 96 42 9"
        d.shadow(body, 5, 0, 5, 0.25).fill(body, DARK).fill(f"R180 {y + 19} 46 5 2.5", STEEL)
        d.fill(f"O248 {y + 21} 4", GREEN)
    screen = "R48 46 78 118 10"
    d.shadow(screen, 5, 0, 5, 0.25).fill(screen, DARK).fill("R56 54 62 88 4", SHEET)
    d.fill("R56 54 62 24 4", RED).fill("R66 90 42 8 4", RULE).fill("R66 106 42 8 4", RULE).fill("R66 122 42 8 4", RULE)


def _gap_in_line(d: Drawing) -> None:
    d.stroke("M128 102h14M154 102h12", DARK, 5).stroke("M142 94l12 16M154 94l-12 16", RED, 5)


def _envelope(d: Drawing) -> None:
    folder = "M66 62a9 9 0 0 1 9 -9h52l14 16h104a9 9 0 0 1 9 9v110a9 9 0 0 1 -9 9H75a9 9 0 0 1 -9 -9z"
    d.shadow(folder, 7, 0, 7, 0.3).fill(folder, DEEP)
    _sheet(d, 108, 38, 104, 120)
    front = "M60 98a8 8 0 0 1 8 -8h184a8 8 0 0 1 8 8l-8 91a9 9 0 0 1 -9 8H77a9 9 0 0 1 -9 -8z"
    d.shadow(front, 4, 0, -2, 0.25).fill(front, RED).fill("O160 144 29", GOLD).stroke("O160 144 24", DEEP, 1.6)


def _seal(d: Drawing) -> None:
    d.stroke("M147 145l9.5 9.5l18 -20", DEEP, 6)


def _person(d: Drawing) -> None:
    d.shadow("M96 204c0 -46 26 -66 64 -66s64 20 64 66z", 6, 0, 2, 0.2)
    d.fill("M96 204c0 -46 26 -66 64 -66s64 20 64 66z", RED).fill("M146 138h28l-14 30z", SHEET)
    d.fill("R148 112 24 34 10", colour("#E3B48F")).fill("O160 88 34", colour("#F0C8A4"))
    d.fill("M124 90c-4 -34 14 -46 36 -46s42 12 36 46c-6 -18 -16 -26 -36 -26s-30 8 -36 26z", DARKER)
    d.stroke("M122 92a38 40 0 0 1 76 0", DARK, 5).fill("R114 86 15 25 7", DARK).fill("R191 86 15 25 7", DARK)
    d.stroke("M199 110c-2 12 -12 15 -24 15", DARK, 4).fill("O173 125 4.5", DARK)


def _bubble(d: Drawing) -> None:
    bubble = "M214 26h74a10 10 0 0 1 10 10v34a10 10 0 0 1 -10 10h-52l-18 16v-16h-4a10 10 0 0 1 -10 -10v-34"
    bubble += "a10 10 0 0 1 10 -10z"
    d.shadow(bubble, 4, 0, 3, 0.2).fill(bubble, SHEET)
    for x in (230, 251, 272):
        d.fill(f"O{x} 53 6", RED)


def _shelf(d: Drawing) -> None:
    for n, (x, tone) in enumerate(((60, DEEP), (108, RED), (156, STEEL), (204, RED))):
        body = f"R{x} {46 + (n % 2) * 8} 42 {140 - (n % 2) * 8} 5"
        d.shadow(body, 4, 0, 4, 0.25).fill(body, tone).fill(f"R{x + 9} {66 + (n % 2) * 8} 24 34 3", GROUND)
    d.fill("R44 186 232 9 4", DARK)


def _lens(d: Drawing) -> None:
    d.shadow("O196 118 40", 6, 0, 5, 0.25).fill("O196 118 40", (0.95, 0.98, 1.0, 0.72)).stroke("O196 118 40", DARK, 9)
    d.stroke("M226 148l34 34", DARK, 15)


def paint_sheet(d: Drawing) -> Drawing:
    """A page of a document that fills a grid of 104 units' width (sample pictures)."""
    d.fill("R0 0 104 148 0.1", SHEET)
    _sheet(d, 0, 0, 104, 147)
    return d


def paint_card(d: Drawing) -> Drawing:
    """The back of a card that fills a grid of 116 units' width (sample pictures)."""
    d.fill("R0 0 116 73 0.1", CARD)
    _back(d, 0, 0)
    return d


def paint_portrait(d: Drawing) -> Drawing:
    """A portrait of nobody on a grid of 120×160 (sample pictures)."""
    d.fill("R0 0 120 160 0.1", colour("#C9DDE8")).fill("M10 160c0 -36 20 -50 50 -50s50 14 50 50z", DARK)
    d.fill("M48 110h24l-12 22z", SHEET).fill("R50 84 20 34 9", colour("#E3B48F")).fill("O60 66 28", colour("#F0C8A4"))
    d.fill("M30 76c-8 -44 10 -54 30 -54s38 10 30 54c-4 -22 -14 -30 -30 -30s-26 8 -30 30z", DARKER)
    return d


def _mirror(d: Drawing) -> None:
    """Somebody in a round glass, and the frame that a camera puts around a face."""
    d.shadow("O224 112 66", 6, 0, 5, 0.25).fill("O224 112 66", colour("#C9DDE8"))
    d.fill("M178 159c4 -22 20 -32 46 -32s42 10 46 32c-26 26 -66 26 -92 0z", RED).fill("M212 127h24l-12 18z", SHEET)
    d.fill("R214 112 20 24 8", colour("#E3B48F")).fill("O224 94 26", colour("#F0C8A4"))
    d.fill("M197 98c-4 -30 10 -40 27 -40s31 10 27 40c-4 -16 -12 -22 -27 -22s-23 6 -27 22z", DARKER)
    d.stroke("O224 112 66", DARK, 7)


def _face_frame(d: Drawing) -> None:
    for corner in ("M188 72V58h14", "M260 72V58h-14", "M188 118v14h14", "M260 118v14h-14"):
        d.stroke(corner, GREEN, 4.5)


def _alike(d: Drawing) -> None:
    d.stroke("M130 104h22M130 118h22", GREEN, 5)


SCENES: dict[str, tuple[Layer, ...]] = {
    "place_card": (
        Layer(_reader),
        Layer(lambda d: _front(d, 102, 104), _come(0, 92)),
        Layer(_reader_lit, _glow(0.52)),
    ),
    "card_lies": (
        Layer(_reader),
        Layer(lambda d: _front(d, 102, 104)),
        Layer(_reader_lit, _pulse),
    ),
    "turn_card": (
        Layer(_reader),
        Layer(lambda d: _front(d, 102, 104)),
        Layer(_arrow("M92 88a72 52 0 0 1 134 -6M230 52v32h-32"), _pulse),
    ),
    "take_card": (
        Layer(_reader),
        Layer(lambda d: _front(d, 102, 104), _go(0, 92)),
        Layer(_arrow("M276 110V44M254 64l22 -22l22 22")),
    ),
    "show_qr": (
        Layer(_scanner),
        Layer(_beam, _glow(0.45)),
        Layer(lambda d: _back(d, 102, 28), _come(84, 26)),
    ),
    "show_phone": (
        Layer(_scanner),
        Layer(_beam, _glow(0.45)),
        Layer(lambda d: _phone(d, 124, 6), _come(84, 26)),
    ),
    "lay_page": (Layer(_tray), Layer(_sheet, _come(100, 0)), Layer(_view, _glow(0.5)), Layer(_camera)),
    "hand_off": (Layer(_tray), Layer(_sheet), Layer(_camera), Layer(_hand, _go(76, 0)), Layer(_view, _glow(0.68))),
    "glare": (Layer(_tray), Layer(_sheet), Layer(_camera), Layer(_lamp), Layer(_gleam, _pulse),
              Layer(_arrow("M84 92a70 70 0 0 0 4 66M66 148l22 12l10 -22"), _glow(0.3))),
    "take_slip": (Layer(_slot), Layer(_slip, _come(0, 42)), Layer(_slot_lip)),
    "no_paper": (Layer(_printer_open), Layer(_roll, _come(0, 60))),
    "cover_open": (Layer(_printer_open), Layer(_arrow("M284 40c14 22 14 40 2 60M304 84l-19 18l-12 -22"), _glow(0.2))),
    "paper_jam": (Layer(_printer_shut), Layer(_jam)),
    "printer_down": (Layer(_printer_shut), Layer(_cross, _glow(0.1))),
    "network_down": (Layer(_servers), Layer(_gap_in_line, _glow(0.1))),
    "filed": (Layer(_envelope), Layer(_seal, _glow(0.2))),
    "staff": (Layer(_person), Layer(_bubble, _glow(0.15))),
    "face": (Layer(lambda d: _front(d, 14, 80, 0.92)), Layer(_mirror), Layer(_face_frame, _glow(0.2))),
    "face_alike": (Layer(lambda d: _front(d, 14, 80, 0.92)), Layer(_mirror), Layer(_face_frame),
                   Layer(_alike, _glow(0.3))),
    "searching": (Layer(_shelf), Layer(_lens, _come(-90, 10))),
}  # fmt: skip
