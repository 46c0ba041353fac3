"""Seeded photographs of invented cards and passports, with their truth: what `codes.py` and the tests read.

Several frames of one subject: a hand lays the card down and the lamp flickers, so every frame has its own small shift,
turn, focus and noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import segno
from PIL import Image, ImageDraw, ImageFont

from hardware.card.mrz import Mrz

Picture = npt.NDArray[Any]
Rng = np.random.Generator

OCR_B = "/usr/share/fonts/opentype/ocr-b/OCRB.otf"
SMALL = "/usr/share/fonts/opentype/inter/Inter-Regular.otf"
PX_PER_MM = 20
PITCH_MM = 2.54
CARD, PASSPORT = (85.6, 53.98), (125.0, 88.0)
FRAMES = 10
QR_MM = 14.0

SURNAMES = ("NGUYEN", "TRAN", "LE", "PHAM", "HOANG", "VU", "DANG", "BUI", "DO", "NGO", "DUONG", "LY", "QUACH", "THACH")
MIDDLES = ("VAN", "THI", "DUC", "NGOC", "MINH", "HUU", "XUAN", "QUOC", "GIA", "BAO")
GIVEN = ("AN", "BINH", "CHI", "DUNG", "GIANG", "KHOA", "LINH", "OANH", "PHUC", "QUYNH", "SON", "THUY", "XUYEN", "ZEP")
ACCENTED = ("Nguyễn Văn Mẫu", "Trần Thị Thử", "Lê Hữu Ước", "Đỗ Ngọc Quỳnh", "Phạm Thị Diễm Hương")
PLACES = (
    "Số 12 ngõ 34, phố Thí Dụ, Hoàn Kiếm, Hà Nội",
    "Tổ 5, Ấp Mẫu, xã Thử Nghiệm, huyện Ví Dụ, tỉnh Cà Mau",
    "Khu 3, Việt Trì",
)
MARKS = "Đặc điểm nhận dạng / Personal identification"
NAME = "Họ và tên / Full name: MẪU THÍ DỤ"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What makes a shot hard: pixels a mm, degrees of tilt and turn, blur and shake in pixels, grey levels of noise."""

    scale: float
    tilt: float = 0.0
    turn: float = 0.0
    blur: float = 0.5
    shake: float = 0.0
    noise: float = 2.0
    glare: float = 0.0
    quality: int = 88
    ground: str = "mat"
    worn: float = 0.0
    """Share of the print that is scratched and rubbed."""


class Frames:
    """The frames of one subject (BGR), taken when they are first looked at: most readers need one or two."""

    def __init__(self, taken: Iterator[Picture]) -> None:
        self._coming = taken
        self._taken: list[Picture] = []

    def __iter__(self) -> Iterator[Picture]:
        for number in range(FRAMES):
            if number == len(self._taken):
                self._taken.append(next(self._coming))
            yield self._taken[number]


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames of one subject and what is to be read in them."""

    name: str
    frames: Frames
    text: str


def qr_payload(rng: Rng) -> str:
    """Seven fields as a card has them; invented."""
    number = f"{rng.integers(1, 97):03}{rng.integers(0, 4)}{rng.integers(0, 100):02}{rng.integers(0, 10**6):06}"
    born = f"{rng.integers(1, 29):02}{rng.integers(1, 13):02}{rng.integers(1950, 2010)}"
    old = f"{rng.integers(10**8, 10**9)}" if rng.random() < 0.5 else ""
    fields = (number, old, rng.choice(ACCENTED), born, rng.choice(["Nam", "Nữ"]), rng.choice(PLACES), "15032024")
    return "|".join(str(field) for field in fields)


def zone(rng: Rng, size: str = "TD1") -> Mrz:
    """A machine readable zone of an invented person."""
    number = f"{rng.integers(1, 97):03}{rng.integers(0, 4)}{rng.integers(0, 100):02}{rng.integers(0, 10**6):06}"
    given = " ".join(rng.choice(MIDDLES, rng.integers(1, 3), replace=False))
    names = f"{rng.choice(SURNAMES)}  {given} {rng.choice(GIVEN)}"
    dates = [f"{rng.integers(0, 100):02}{rng.integers(1, 13):02}{rng.integers(1, 29):02}" for _ in range(2)]
    sex = str(rng.choice(["M", "F"]))
    if size == "TD1":
        return Mrz("VNM", number[-9:], number, dates[0], sex, dates[1], "VNM", names)
    passport = f"{rng.choice(list('BCKPNQ'))}{rng.integers(0, 10**7):07}"
    return Mrz("VNM", passport, number, dates[0], sex, dates[1], "VNM", names, document_code="P", size="TD3")


def card_back(rng: Rng, lines: tuple[str, ...], payload: str = "") -> Picture:
    """The side of a card with the zone below; RGB. With `payload` also the QR code, as on cards of 2024."""
    image = _ground(rng, CARD)
    pen = ImageDraw.Draw(image)
    for i in range(5):
        pen.text(
            (_px(4), _px(3 + 3.2 * i)),
            MARKS[: 44 - 5 * i],
            (40, 40, 60),
            _small(1.9),
        )
    pen.rounded_rectangle((_px(6), _px(19), _px(18), _px(29)), _px(1.2), (196, 168, 92), (120, 96, 40), 4)
    pen.line((_px(6), _px(24), _px(18), _px(24)), (120, 96, 40), 5)
    if payload:
        image.paste(_qr(rng, payload, QR_MM), (_px(67), _px(4)))
    _zone(rng, pen, lines, (rng.uniform(3.4, 5.4), 33.5 + rng.uniform(-0.8, 0.8)), rng.choice([5.3, 5.8, 6.35]))
    return np.asarray(image)


def card_front(rng: Rng, payload: str) -> Picture:
    """The side with portrait and QR code (cards of 2021); RGB."""
    image = _ground(rng, CARD)
    pen = ImageDraw.Draw(image)
    pen.rectangle((_px(4), _px(16), _px(25), _px(44)), (150, 160, 180))
    pen.ellipse((_px(9), _px(20), _px(20), _px(34)), (200, 170, 150))
    for i in range(7):
        pen.text((_px(29), _px(18 + 4.6 * i)), NAME[: 33 - 2 * i], (30, 30, 50), _small(2.2))
    image.paste(_qr(rng, payload, QR_MM), (_px(68), _px(3)))
    return np.asarray(image)


def passport_page(rng: Rng, lines: tuple[str, ...]) -> Picture:
    """A passport's data page; RGB."""
    image = _ground(rng, PASSPORT)
    pen = ImageDraw.Draw(image)
    pen.rectangle((_px(6), _px(16), _px(38), _px(57)), (150, 160, 180))
    for i in range(9):
        pen.text((_px(44), _px(14 + 5 * i)), NAME[: 33 - 2 * i], (30, 30, 50), _small(2.4))
    _zone(rng, pen, lines, (rng.uniform(5.5, 7.5), 70.5), 6.35)
    return np.asarray(image)


def qr_shots(seed: int, each: int) -> Iterator[Shot]:
    """Hard shots of cards by trouble: modules of 1.6 to 4 pixels, tilt, glare, blur, noise; `each` of a kind."""
    kinds: dict[str, dict[str, float]] = {f"module {px}": {"module": px} for px in (1.6, 2.0, 2.5, 3.0, 4.0)}
    kinds |= {f"tilt {tilt}": {"module": 3.2, "tilt": tilt} for tilt in (20, 35, 45)}
    kinds |= {"glare": {"module": 3.0, "glare": 0.9}, "blur 1.0": {"module": 2.8, "blur": 1.0}}
    kinds |= {"shake 3": {"module": 3.2, "shake": 3.0}, "noise 12": {"module": 2.8, "noise": 12.0}}
    kinds |= {"worn": {"module": 3.0, "worn": 0.2}, "mixed": {}}
    for kind, more in kinds.items():
        for i in range(each):
            rng = np.random.default_rng([seed, len(kind), sum(map(ord, kind)), i])
            own = more or _mixed(rng) | {"module": rng.uniform(1.7, 3)}
            payload = qr_payload(rng)
            modules = segno.make(payload, micro=False, error="L", boost_error=False).symbol_size(border=0)[0]
            trouble = {"turn": rng.uniform(-25, 25), "tilt": rng.uniform(0, 8), "blur": rng.uniform(0.4, 0.7)} | own
            trouble["scale"] = trouble.pop("module") * modules / QR_MM
            front = rng.random() < 0.5
            flat = card_front(rng, payload) if front else card_back(rng, zone(rng).lines(), payload)
            yield Shot(kind, Frames(_frames(rng, flat, Trouble(**trouble))), payload)  # type: ignore[arg-type]


def mrz_shots(seed: int, each: int, size: str = "TD1") -> Iterator[Shot]:
    """Hard shots by trouble: pitch of 8 to 24 pixels, tilt, turn, glare, blur, noise, grounds; `each` of a kind."""
    kinds: dict[str, dict[str, Any]] = {f"pitch {px}": {"pitch": px} for px in (7, 8, 10, 14, 24)}
    kinds |= {f"tilt {tilt}": {"pitch": 14, "tilt": tilt} for tilt in (15, 30)}
    kinds |= {"upside down": {"pitch": 12, "turn": 180.0}, "sideways": {"pitch": 12, "turn": 90.0}}
    kinds |= {"glare": {"pitch": 13, "glare": 0.6}, "blur 1.2": {"pitch": 12, "blur": 1.2}}
    kinds |= {"shake 3": {"pitch": 13, "shake": 3.0}, "noise 12": {"pitch": 12, "noise": 12.0}}
    kinds |= {"clutter": {"pitch": 12, "ground": "clutter"}, "white table": {"pitch": 12, "ground": "white"}}
    kinds |= {"worn": {"pitch": 13, "worn": 0.25}, "mixed": {}}
    for kind, more in kinds.items():
        for i in range(each):
            rng = np.random.default_rng([seed, len(size), sum(map(ord, kind + size)), i])
            own = dict(more) or _mixed(rng) | {"pitch": rng.uniform(7.5, 14)}
            lines = zone(rng, size).lines()
            trouble = {"tilt": rng.uniform(0, 8), "blur": rng.uniform(0.4, 0.8)} | own
            trouble["turn"] = own.get("turn", 0) + rng.uniform(-15, 15)
            trouble["scale"] = trouble.pop("pitch") / PITCH_MM
            if size == "TD3":
                flat = passport_page(rng, lines)
            else:
                flat = card_back(rng, lines, qr_payload(rng) if rng.random() < 0.5 else "")
            yield Shot(kind, Frames(_frames(rng, flat, Trouble(**trouble))), "\n".join(lines))


def _mixed(rng: Rng) -> dict[str, float]:
    """Several troubles at once."""
    return {
        "tilt": rng.uniform(0, 30),
        "blur": rng.uniform(0.5, 1.1),
        "noise": rng.uniform(2, 12),
        "shake": rng.choice([0.0, 1.5, 2.5]),
        "glare": rng.choice([0.0, 0.5, 0.8]),
        "worn": rng.choice([0.0, 0.1, 0.2]),
    }


# --- drawing ---


def _px(mm: float) -> int:
    return round(mm * PX_PER_MM)


def _small(mm: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(SMALL, _px(mm))


def _ground(rng: Rng, size: tuple[float, float]) -> Image.Image:
    """Printed ground: a pale colour under waves of fine lines."""
    width, height = _px(size[0]), _px(size[1])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / PX_PER_MM
    colour = rng.uniform((200, 205, 195), (235, 240, 230))
    picture = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    for _ in range(4):
        turn, wave = rng.uniform(0, np.pi), rng.uniform(0.6, 2.2)
        bend = rng.uniform(0.5, 3) * np.sin((x * np.cos(turn + 1) + y * np.sin(turn + 1)) / rng.uniform(2, 9))
        lines = np.sin((x * np.cos(turn) + y * np.sin(turn) + bend) / wave * 2 * np.pi) > rng.uniform(0.2, 0.8)
        picture = picture - lines[..., None] * rng.uniform(4, 24) * rng.uniform(0.2, 1, 3).astype(np.float32)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _zone(rng: Rng, pen: ImageDraw.ImageDraw, lines: tuple[str, ...], at: tuple[float, float], step: float) -> None:
    """The lines in OCR-B, one character every 2.54 mm, printed thinner or fatter."""
    fat = int(rng.choice([0, 0, 1, 2]))
    probe = ImageFont.truetype(OCR_B, 1000).getlength("0")
    font = ImageFont.truetype(OCR_B, round(1000 * PITCH_MM * PX_PER_MM / probe))
    ink = tuple(int(level) for level in rng.uniform(15, 75) + rng.uniform(-8, 8, 3))
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            pen.text(
                (_px(at[0] + column * PITCH_MM), _px(at[1] + 3 + row * step)),
                letter,
                ink,
                font,
                anchor="ls",
                stroke_width=fat,
            )


def _qr(rng: Rng, payload: str, mm: float) -> Image.Image:
    code = segno.make(payload, micro=False, error="L", boost_error=False)
    modules = np.array([[not bit for bit in row] for row in code.matrix], np.uint8) * 255
    modules = np.pad(modules, 2, constant_values=255)
    side = round(_px(mm) * len(modules) / code.symbol_size(border=0)[0])
    dark = int(rng.integers(10, 50))
    return Image.fromarray(np.maximum(modules, dark)).resize((side, side), Image.Resampling.NEAREST).convert("RGB")


# --- photographing ---


def _frames(rng: Rng, flat: Picture, trouble: Trouble) -> Iterator[Picture]:
    """The flat original, photographed `FRAMES` times."""
    flat = _worn(rng, cv2.cvtColor(flat, cv2.COLOR_RGB2BGR), trouble.worn)
    diagonal = float(np.hypot(*flat.shape[:2])) / PX_PER_MM * trouble.scale
    side = round(1.2 * diagonal)
    wide, high = round(side * rng.uniform(1.0, 1.25)), side
    ground = _table(rng, trouble.ground, (wide, high))
    axis, spot = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.7, 2)
    way = rng.uniform(0, np.pi)
    for _ in range(FRAMES):
        corners = _posed(flat, trouble, axis + rng.normal(0, 0.05), rng.normal(0, 0.7))
        corners += np.array([wide / 2, high / 2]) + rng.normal(0, 0.01 * diagonal, 2)
        picture = _laid(flat, corners, ground)
        if trouble.glare:
            spot = np.clip(spot + rng.normal(0, 0.05, 2), 0.2, 0.8)
            _glare(picture, corners, spot, trouble.glare)
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.2, trouble.blur * rng.uniform(0.85, 1.25)))
        if trouble.shake:
            _shaken(picture, trouble.shake * rng.uniform(0.2, 1.2), way + rng.normal(0, 0.4))
        yield _sensed(rng, picture, trouble)


def _worn(rng: Rng, flat: Picture, share: float) -> Picture:
    """With scratches, and places where the print is rubbed pale."""
    if not share:
        return flat
    height, width = flat.shape[:2]
    rough = cv2.resize(rng.normal(0, 1, (height // 40, width // 40)).astype(np.float32), (width, height))
    pale = np.clip((rough - np.quantile(rough, 1 - share)) * 2, 0, 0.55)[..., None]
    flat = (flat + pale * (215 - flat.astype(np.float32))).astype(np.uint8)
    for _ in range(round(60 * share)):
        start, way = rng.uniform(0, 1, 2) * (width, height), rng.normal(0, 150, 2)
        cv2.line(
            flat,
            start.astype(int).tolist(),
            (start + way).astype(int).tolist(),
            (210, 212, 215),
            int(rng.integers(2, 5)),
        )
    return flat


def _posed(flat: Picture, trouble: Trouble, axis: float, more_turn: float) -> Picture:
    """Corners around the origin: turned, tilted about an axis in the plane, seen from a distance of 350 mm."""
    height, width = (size / PX_PER_MM for size in flat.shape[:2])
    points = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    turn, tilt = np.radians(trouble.turn + more_turn), np.radians(trouble.tilt)
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    along = points @ np.array([np.cos(axis), np.sin(axis)])
    across = points @ np.array([-np.sin(axis), np.cos(axis)])
    depth = 350 / (350 + across * np.sin(tilt))
    across = across * np.cos(tilt)
    placed = along[:, None] * (np.cos(axis), np.sin(axis)) + across[:, None] * (-np.sin(axis), np.cos(axis))
    return np.asarray(placed * depth[:, None] * trouble.scale)


def _laid(flat: Picture, corners: Picture, ground: Picture) -> Picture:
    width = flat.shape[1]
    shrink = min(1.0, 2.2 * float(np.linalg.norm(corners[1] - corners[0])) / width)
    small = cv2.resize(flat, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    high, wide = small.shape[:2]
    target = corners.astype(np.float32)
    warp = cv2.getPerspectiveTransform(np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32) - 0.5, target)
    size = ground.shape[1::-1]
    card = cv2.warpPerspective(small, warp, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(np.full((high, wide), 1.0, np.float32), warp, size)[..., None]
    shadow = cv2.GaussianBlur(np.roll(cover[..., 0], (4, 5), (0, 1)), (0, 0), 5)[..., None]
    return np.asarray(card * 0.93 * cover + ground * (1 - 0.35 * shadow) * (1 - cover), np.float32)


def _table(rng: Rng, kind: str, size: tuple[int, int]) -> Picture:
    level = {"mat": 78, "clutter": 120, "white": 205}[kind]
    rough = rng.normal(0, 5, (size[1] // 16 + 2, size[0] // 16 + 2, 3)).astype(np.float32)
    ground = np.clip(level + cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    if kind == "clutter":
        for _ in range(14):
            corner, other = rng.uniform(0, 1, 2) * size, rng.uniform(0, 1, 2) * size
            colour = rng.uniform(30, 220, 3).tolist()
            cv2.rectangle(
                ground, corner.astype(int).tolist(), other.astype(int).tolist(), colour, int(rng.choice([-1, 2, 6]))
            )
        for _ in range(12):
            at = (rng.uniform(0, 1, 2) * size).astype(int).tolist()
            cv2.putText(
                ground, "HO SO 12345 MOT CUA", at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.5, 1.2), (20, 20, 20), 2
            )
    return np.asarray(ground, np.float32)


def _glare(picture: Picture, corners: Picture, spot: Picture, strength: float) -> None:
    """A soft bright spot of a lamp in the laminate, at `spot` of the card."""
    u, v = spot
    at = (corners[0] * (1 - u) + corners[1] * u) * (1 - v) + (corners[3] * (1 - u) + corners[2] * u) * v
    reach = 0.12 * float(np.linalg.norm(corners[1] - corners[0]))
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    light = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * reach**2))[..., None]
    picture += light * strength * (250 - picture)


def _shaken(picture: Picture, length: float, way: float) -> None:
    steps = [t * length * np.array([np.cos(way), np.sin(way)]) for t in np.linspace(-0.5, 0.5, 7)]
    size = picture.shape[1::-1]
    moved = [
        cv2.warpAffine(picture, np.array([[1, 0, dx], [0, 1, dy]]), size, borderMode=cv2.BORDER_REPLICATE)
        for dx, dy in steps
    ]
    picture[:] = np.mean(moved, axis=0)


def _sensed(rng: Rng, picture: Picture, trouble: Trouble) -> Picture:
    """Under an uneven lamp, with the sensor's noise, as a JPEG."""
    height, width = picture.shape[:2]
    slope = rng.uniform(-0.08, 0.08, 2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    lamp = rng.uniform(0.9, 1.0) * (1 + slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5))
    noisy = picture * lamp[..., None] + rng.normal(0, trouble.noise, picture.shape).astype(np.float32)
    data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, trouble.quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
