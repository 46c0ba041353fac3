"""Synthetic pictures of papers with exact truth, for capture.py. Nothing here knows the product or its simulators.

Two families that share no drawing code but the page itself. «kiosk»: a camera above a tray. «held back»: a tilted
pinhole camera over other grounds, in other light. The finder was made while looking at failures in both, so neither is
unseen: what a run with a new --seed shows is that it holds on other draws of the same kinds, not on other kinds.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]
Points = npt.NDArray[np.float64]
Rng = np.random.Generator

WIDTH, HEIGHT = 1920, 1080
SIZES = {"a4": (210.0, 297.0), "a5": (148.0, 210.0), "id1": (53.98, 85.6)}


@dataclass(frozen=True, repr=False)
class Shot:
    """One picture with its empty tray; `corners` (4×2 pixels, along the page's outline) is None without a page."""

    name: str
    family: str
    tag: str
    picture: Picture
    empty: list[Picture]
    corners: Points | None
    size: tuple[float, float] = (210.0, 297.0)
    hand: bool = False


@dataclass
class Recipe:
    """What one scene is made of."""

    tag: str
    size: str = "a4"
    ground: str = "plain"
    level: int | None = None
    """White on white: paper minus table, in grey levels."""
    extra: set[str] = field(default_factory=set)


# --- the page ---


def page(rng: Rng, size: str, extra: set[str], paper: tuple[float, ...]) -> Picture:
    """A flat page, float32 BGR, about 6 pixels a mm (a card: 14)."""
    scale = 14 if size == "id1" else 6
    short, long = SIZES[size]
    turned = size == "id1" or rng.random() < 0.3
    width, height = (long, short) if turned else (short, long)
    sheet = np.empty((round(height * scale), round(width * scale), 3), np.float32)
    sheet[:] = paper
    if size == "id1":
        _card(rng, sheet)
    elif "blank" not in extra:
        _text(rng, sheet, float(rng.choice([0.15, 0.5, 1.0])), scale)
        if "box" in extra:
            _box(rng, sheet, scale)
    return sheet


def _text(rng: Rng, sheet: Picture, density: float, scale: int) -> None:
    height, width = sheet.shape[:2]
    margin, pitch = round(rng.uniform(8, 22) * scale), round(rng.uniform(5.5, 8) * scale)
    ink = rng.uniform(20, 70)
    for y in range(margin, height - margin, pitch):
        if rng.random() > density:
            continue
        x = margin
        end = width - margin - int(rng.uniform(0, 0.3) * width)
        while x < end:
            word = int(rng.uniform(3, 14) * scale)
            for stroke in range(x, min(x + word, end), max(3, scale // 2)):
                tall = int(rng.uniform(0.9, 2.4) * scale)
                cv2.line(
                    sheet, (stroke, y), (stroke + int(rng.integers(-2, 3)), y - tall), (ink,) * 3, max(1, scale // 4)
                )
            x += word + 2 * scale
    if rng.random() < 0.4:
        middle = (int(width * rng.uniform(0.55, 0.8)), int(height * rng.uniform(0.7, 0.85)))
        cv2.circle(sheet, middle, 15 * scale, (50, 40, 190), scale // 2, cv2.LINE_AA)


def _box(rng: Rng, sheet: Picture, scale: int) -> None:
    """A frame, a table or a filled block: what a finder may take for the page."""
    height, width = sheet.shape[:2]
    x0, y0 = int(width * rng.uniform(0.06, 0.2)), int(height * rng.uniform(0.06, 0.25))
    x1, y1 = int(width * rng.uniform(0.8, 0.94)), int(height * rng.uniform(0.7, 0.93))
    if rng.random() < 0.4:
        tone = rng.uniform(120, 215, 3)
        cv2.rectangle(sheet, (x0, y0), (x1, y1), tuple(map(float, tone)), -1)
    cv2.rectangle(sheet, (x0, y0), (x1, y1), (40.0, 40.0, 40.0), int(rng.uniform(0.4, 1.4) * scale))


def _card(rng: Rng, sheet: Picture) -> None:
    height, width = sheet.shape[:2]
    slope = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    sheet += slope * rng.uniform(-35, 10, 3).astype(np.float32)
    cv2.rectangle(sheet, (40, int(height * 0.35)), (int(width * 0.28), int(height * 0.9)), (120.0, 140.0, 190.0), -1)
    for row in range(8):
        y = int(height * (0.2 + 0.09 * row))
        cv2.line(sheet, (int(width * 0.34), y), (int(width * rng.uniform(0.5, 0.95)), y), (60.0, 60.0, 60.0), 9)


# --- grounds ---


def _cloud(rng: Rng, cells: int, sigma: float) -> Picture:
    rough = rng.normal(0, sigma, (cells * HEIGHT // WIDTH + 2, cells)).astype(np.float32)
    return cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _plain(rng: Rng) -> Picture:
    base = np.array(
        [[70, 75, 70], [95, 70, 50], [60, 90, 60], [130, 130, 128], [35, 35, 38]][rng.integers(5)], np.float32
    )
    return base + (_cloud(rng, 60, 2.0) + _cloud(rng, 400, 2.5))[..., None]


def _wood(rng: Rng) -> Picture:
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0].astype(np.float32) + _cloud(rng, 7, 40)
    grain = np.sin(y * rng.uniform(0.05, 0.16)) * 9 + np.sin(y * rng.uniform(0.3, 0.6) + 1) * 6
    grain += cv2.resize(rng.normal(0, 9, (HEIGHT, 60)).astype(np.float32), (WIDTH, HEIGHT))
    planks = 1 - 0.35 * (np.abs(y % rng.uniform(200, 380)) < 4)
    base = np.array([[90, 140, 190], [60, 95, 140], [130, 170, 205], [40, 60, 95]][rng.integers(4)], np.float32)
    return (base + grain[..., None] * np.array([0.7, 0.9, 1.0], np.float32)) * planks[..., None].astype(np.float32)


def _clutter(rng: Rng) -> Picture:
    ground = _plain(rng) if rng.random() < 0.6 else _wood(rng)
    for _ in range(int(rng.integers(6, 16))):
        tone = tuple(map(float, rng.uniform(10, 235, 3)))
        at = (float(rng.uniform(0, WIDTH)), float(rng.uniform(0, HEIGHT)))
        box = cv2.boxPoints((at, tuple(rng.uniform(40, 380, 2)), float(rng.uniform(0, 180)))).astype(np.int32)
        kind = rng.integers(4)
        if kind < 2:
            cv2.fillConvexPoly(ground, box, tone, cv2.LINE_AA)
        elif kind == 2:
            cv2.ellipse(ground, (at, tuple(rng.uniform(30, 250, 2)), float(rng.uniform(0, 180))), tone, -1, cv2.LINE_AA)
        else:
            cv2.line(
                ground, tuple(box[0].tolist()), tuple(box[2].tolist()), tone, int(rng.integers(4, 18)), cv2.LINE_AA
            )
    return ground


def _patterned(rng: Rng) -> Picture:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    step, turn = rng.uniform(30, 110), rng.uniform(0, 1.5)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    kind = rng.integers(3)
    on = (
        (u // step % 2)
        if kind == 0
        else (u // step + v // step) % 2
        if kind == 1
        else (np.hypot(u % step - step / 2, v % step - step / 2) < step / 4)
    )
    tones = rng.uniform(30, 150, (2, 3)).astype(np.float32)
    return np.where(np.asarray(on, bool)[..., None], tones[0], tones[1]).astype(np.float32)


def _marble(rng: Rng) -> Picture:
    veins = sum(
        (np.abs(_cloud(rng, cells, 1.0)) ** 0.5 * weight for cells, weight in ((4, 30), (9, 18), (30, 9))),
        np.float32(0),
    )
    base = rng.uniform(60, 165, 3).astype(np.float32)
    return base + np.asarray(veins, np.float32)[..., None]


def _tiles(rng: Rng) -> Picture:
    ground = _marble(rng) * np.float32(0.9)
    step = int(rng.uniform(150, 420))
    for x in range(int(rng.integers(step)), WIDTH, step):
        cv2.line(ground, (x, 0), (x, HEIGHT), (60.0, 62.0, 65.0), 5)
    for y in range(int(rng.integers(step)), HEIGHT, step):
        cv2.line(ground, (0, y), (WIDTH, y), (60.0, 62.0, 65.0), 5)
    return ground


def _cloth(rng: Rng) -> Picture:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    weave = np.sin(x * rng.uniform(0.5, 1.4)) * np.sin(y * rng.uniform(0.5, 1.4)) * 14 + _cloud(rng, 12, 9)
    return rng.uniform(25, 140, 3).astype(np.float32) + weave[..., None]


def _two_tone(rng: Rng) -> Picture:
    """A desk's edge runs through the picture, with a keyboard-like grid beside."""
    ground = _plain(rng)
    cut = int(WIDTH * rng.uniform(0.05, 0.2))
    ground[:, :cut] = rng.uniform(20, 200, 3)
    for y in range(40, HEIGHT - 60, 62):
        cv2.rectangle(ground, (WIDTH - 190, y), (WIDTH - 20, y + 46), (30.0, 30.0, 30.0), -1)
    return ground


GROUNDS: dict[str, Callable[[Rng], Picture]] = {
    "plain": _plain, "wood": _wood, "clutter": _clutter, "patterned": _patterned,
    "marble": _marble, "tiles": _tiles, "cloth": _cloth, "two-tone": _two_tone,
}  # fmt: skip


# --- where the page lies ---


def above(rng: Rng, width: float, height: float, extra: set[str]) -> Points:
    """Corners under a camera above the tray: any turn within 15°, slight or (if asked) strong perspective."""
    tall = max(width, height) > 250
    share = (
        rng.uniform(0.72, 0.84)
        if tall
        else rng.uniform(0.5, 0.8)
        if max(width, height) > 100
        else rng.uniform(0.3, 0.45)
    )
    turn = math.radians(rng.uniform(-6, 6) if tall else rng.uniform(-15, 15))
    flat = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width, height) / 2
    flat *= share * HEIGHT / max(height, width * 0.75)
    quad = flat @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    keystone = rng.uniform(0.06, 0.14) if "perspective" in extra else rng.uniform(0, 0.02)
    quad[:, 0] *= 1 + keystone * quad[:, 1] / HEIGHT * 2 * rng.choice([-1, 1])
    quad[:, 1] *= 1 + keystone / 2 * quad[:, 0] / WIDTH * 2
    room = np.maximum(np.array([WIDTH, HEIGHT]) / 2 - 25 - np.abs(quad).max(axis=0), 0)
    return quad + np.array([WIDTH, HEIGHT]) / 2 + rng.uniform(-1, 1, 2) * room


def pinhole(rng: Rng, width: float, height: float, _: set[str]) -> Points:
    """Corners in a real camera turned up to 22° off the vertical."""
    focal = 1500.0
    tilt, roll, spin = (
        np.radians(rng.uniform(-22, 22)),
        np.radians(rng.uniform(-12, 12)),
        np.radians(rng.uniform(-20, 20)),
    )
    turn = (
        cv2.Rodrigues(np.array([tilt, 0, 0]))[0]
        @ cv2.Rodrigues(np.array([0, roll, 0]))[0]
        @ cv2.Rodrigues(np.array([0, 0, spin]))[0]
    )
    flat = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64) * (width / 2, height / 2, 1)
    space = flat @ turn.T
    for distance in np.geomspace(1, 12, 80) * max(width, height) * 1.2:
        seen = space[:, :2] / (space[:, 2:] + distance) * focal
        if np.abs(seen[:, 0]).max() < WIDTH / 2 - 60 and np.abs(seen[:, 1]).max() < HEIGHT / 2 - 40:
            return seen + np.array([WIDTH, HEIGHT]) / 2
    raise AssertionError("the page never fits")


# --- light and sensor ---


def lay(ground: Picture, sheet: Picture, corners: Points, sag: float, shade: float) -> Picture:
    """The page on the ground, its edges bowed by `sag` (share of its height), with a contact shadow."""
    height, width = sheet.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    warp = cv2.getPerspectiveTransform(corners.astype(np.float32), flat)
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 30, 0)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 30
    y, x = np.mgrid[y0 : min(y1, HEIGHT), x0 : min(x1, WIDTH)]
    places = np.stack([x, y, np.ones_like(x)], axis=-1) @ warp.T
    u, v = places[..., 0] / places[..., 2], places[..., 1] / places[..., 2]
    share = np.clip((u + 0.5) / width, 0, 1)
    v = v + sag * height * 4 * share * (1 - share)
    padded = cv2.copyMakeBorder(sheet, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    seen = cv2.remap(
        padded,
        (u + 2).astype(np.float32),
        (v + 2).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    per_pixel = max(width / np.hypot(*(corners[1] - corners[0])), 1e-6)
    inside = np.minimum.reduce([u + 0.5, width - 0.5 - u, v + 0.5, height - 0.5 - v]) / per_pixel
    cover = np.clip(inside + 0.5, 0, 1).astype(np.float32)[..., None]
    result = ground.copy()
    if shade:
        dark = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.fillConvexPoly(dark, np.rint(corners + np.array([6, 8])).astype(np.int32), 1.0)
        result *= (1 - shade * cv2.GaussianBlur(dark, (0, 0), 7))[..., None]
    part = result[y0:y1, x0:x1]
    result[y0:y1, x0:x1] = part * (1 - cover) + seen * cover
    return result


def lamp(rng: Rng, slope: float) -> Picture:
    """Light over the frame: a slope in any direction and a vignette."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    turn = rng.uniform(0, 2 * math.pi)
    return (1 + slope * (x * math.cos(turn) + y * math.sin(turn)) - 0.05 * (x * x + y * y))[..., None].astype(
        np.float32
    )


def shadowed(rng: Rng, picture: Picture, depth: float, soft: float) -> Picture:
    """A person's or a lamp's shadow with a soft edge."""
    mask = np.zeros((HEIGHT // 4, WIDTH // 4), np.float32)
    at = rng.uniform(0.1, 0.9, 2) * (WIDTH / 4, HEIGHT / 4)
    cv2.ellipse(
        mask, (tuple(map(float, at)), tuple(map(float, rng.uniform(120, 330, 2))), float(rng.uniform(0, 180))), 1.0, -1
    )
    mask = cv2.resize(cv2.GaussianBlur(mask, (0, 0), soft / 4), (WIDTH, HEIGHT))
    return picture * (1 - depth * mask)[..., None]


def glared(rng: Rng, picture: Picture, corners: Points) -> Picture:
    at = corners[0] + (corners[2] - corners[0]) * rng.uniform(0.2, 0.8)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    blob = np.exp(-(((x - at[0]) / rng.uniform(60, 160)) ** 2 + ((y - at[1]) / rng.uniform(40, 110)) ** 2))
    return picture + 190 * blob[..., None]


def handed(rng: Rng, picture: Picture, corners: Points) -> Picture:
    """A hand from the frame's edge over the middle part of one side."""
    side = int(rng.integers(4))
    start, end = corners[side], corners[(side + 1) % 4]
    tip = start + (end - start) * rng.uniform(0.35, 0.65)
    inward = corners.mean(axis=0) - tip
    tip = tip + inward * rng.uniform(0.12, 0.22)
    away = -inward / np.linalg.norm(inward)
    far = tip + away * 1500
    tone = np.array([[120, 150, 205], [90, 120, 180], [70, 95, 150], [140, 170, 220]][rng.integers(4)], np.float32)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    across = np.array([-away[1], away[0]])
    for finger in range(4):
        root = tip + across * (finger - 1.5) * 34 - away * rng.uniform(-20, 25)
        cv2.line(
            mask,
            tuple(np.rint(root).astype(int).tolist()),
            tuple(np.rint(root + away * 220).astype(int).tolist()),
            1.0,
            30,
            cv2.LINE_AA,
        )
    cv2.line(
        mask,
        tuple(np.rint(tip + away * 190).astype(int).tolist()),
        tuple(np.rint(far).astype(int).tolist()),
        1.0,
        130,
        cv2.LINE_AA,
    )
    dark = cv2.GaussianBlur(mask, (0, 0), 14)
    shaded = picture * (1 - 0.25 * np.roll(dark, (10, 8), (0, 1)))[..., None]
    texture = tone * (0.92 + 0.08 * dark[..., None])
    return shaded * (1 - mask[..., None]) + texture * mask[..., None]


def exposed(
    rng: Rng, picture: Picture, gain: float = 1.0, noise: float = 2.5, blur: float = 0.7, gamma: float = 1.0
) -> Picture:
    """What the sensor and a JPEG of quality 88 make of it."""
    picture = cv2.GaussianBlur(picture, (0, 0), blur) * gain
    if gamma != 1.0:
        picture = 255 * (np.clip(picture, 0, 255) / 255) ** gamma
    tile = rng.standard_normal((HEIGHT // 2, WIDTH // 2, 3), np.float32) * np.float32(noise)
    noisy = cv2.add(picture, cv2.repeat(tile, 2, 2), dtype=cv2.CV_8U)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


# --- families ---


def kiosk_recipes() -> Iterator[Recipe]:
    sizes = ("a4", "a5", "id1")
    for size in sizes:
        for ground in ("plain", "wood", "clutter", "patterned"):
            for _ in range(8):
                yield Recipe(ground, size, ground)
    for level in (30, 15, 8, 5, 3, 2):
        for index in range(16):
            yield Recipe(f"white {level}", sizes[index % 2], "white", level)
    for extra in ("shadow", "glare", "low light", "curl", "blur", "hand", "perspective", "box", "blank"):
        for index in range(10):
            yield Recipe(extra, sizes[index % 2], ("plain", "wood")[index % 5 == 4], None, {extra})
    for index in range(20):
        ground = ("plain", "wood", "clutter", "patterned", "white")[index % 5]
        yield Recipe("empty, cards" if ground == "clutter" else "empty", "a4", ground, 0, {"empty"})


def held_back_recipes() -> Iterator[Recipe]:
    for ground in ("marble", "tiles", "cloth", "two-tone"):
        for index in range(16):
            yield Recipe(ground, ("a4", "a5", "id1", "a4")[index % 4], ground)
    for extra in ("shadow", "glare", "low light", "hand", "box", "curl"):
        for index in range(8):
            yield Recipe(extra, ("a4", "a5")[index % 2], ("cloth", "marble")[index % 2], None, {extra})
    for index in range(12):
        yield Recipe("empty", "a4", ("marble", "tiles", "cloth", "two-tone")[index % 4], None, {"empty"})


def shots(family: str, seed: int) -> Iterator[Shot]:
    """The scenes of one family, always the same for one seed."""
    recipes = kiosk_recipes() if family == "kiosk" else held_back_recipes()
    for number, recipe in enumerate(recipes):
        yield shot(np.random.default_rng((seed, len(family), number)), family, recipe, number)


def shot(rng: Rng, family: str, recipe: Recipe, number: int) -> Shot:
    """One scene, and three frames of its tray when it was empty and the exposure up to 3 % off."""
    kiosk, extra = family == "kiosk", recipe.extra
    table = float(rng.uniform(195, 220))
    ground = np.full((HEIGHT, WIDTH, 3), table, np.float32) if recipe.ground == "white" else GROUNDS[recipe.ground](rng)
    light = lamp(
        rng, rng.uniform(0.02, 0.06) if recipe.ground == "white" else rng.uniform(0.03, 0.18 if kiosk else 0.28)
    )
    sensor = {"gain": 0.22, "noise": 5.0} if "low light" in extra else {"blur": 3.0} if "blur" in extra else {}
    if not kiosk:
        sensor["gamma"] = float(rng.uniform(0.8, 1.15))
    empty = [exposed(rng, ground * light * rng.uniform(0.985, 1.015), **sensor) for _ in range(3)]
    name = f"{family}-{number:03}-{recipe.tag.replace(', ', '-').replace(' ', '-')}"
    picture, corners, size = ground, None, SIZES[recipe.size]
    if "empty" not in extra:
        white = (
            (table + recipe.level,) * 3
            if recipe.level
            else tuple(rng.uniform(205, 240, 3))
            if kiosk
            else tuple(rng.uniform(180, 245, 3))
        )
        sheet = page(rng, recipe.size, extra, white)
        size = (
            sheet.shape[1] / (14 if recipe.size == "id1" else 6),
            sheet.shape[0] / (14 if recipe.size == "id1" else 6),
        )
        corners = (above if kiosk else pinhole)(rng, *size, extra)
        sag = rng.uniform(0.004, 0.012) * rng.choice([-1, 1]) if "curl" in extra else 0.0
        picture = lay(ground, sheet, corners, sag, 0.0 if recipe.level else rng.uniform(0.1, 0.35))
    picture = picture * light
    if "shadow" in extra or ("empty" in extra and number % 2):
        picture = shadowed(rng, picture, rng.uniform(0.15, 0.45), rng.uniform(25, 70) if kiosk else rng.uniform(6, 20))
    if corners is not None and "glare" in extra:
        picture = glared(rng, picture, corners)
    if corners is not None and "hand" in extra:
        picture = handed(rng, picture, corners)
    return Shot(name, family, recipe.tag, exposed(rng, picture, **sensor), empty, corners, size, "hand" in extra)
