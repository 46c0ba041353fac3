"""Cleaning a page on synthetic sheets whose true colours are known: lamp, shadow and grain go, colours stay."""

import cv2
import numpy as np
import pytest

from hardware.camera.flatten import LARGEST_JPEG, encoded, whiten

DPI = 150
RED, BLUE, INK = (38, 28, 205), (148, 52, 32), (30, 28, 28)  # BGR
SIZE = (1240, 1754)


@pytest.fixture(scope="module")
def sheet():
    """Printed lines, a round red seal over some of them, a blue signature and a photograph, on white paper."""
    page = np.full((SIZE[1], SIZE[0], 3), 252, np.uint8)
    for y in range(120, 1300, 44):
        cv2.putText(
            page, "DON DE NGHI XAC NHAN 0123456789", (120, y), cv2.FONT_HERSHEY_SIMPLEX, 0.9, INK, 2, cv2.LINE_AA
        )
    seal, signature = np.zeros(page.shape[:2], np.uint8), np.zeros(page.shape[:2], np.uint8)
    cv2.circle(seal, (450, 1100), 105, 255, 9, cv2.LINE_AA)
    cv2.circle(seal, (450, 1100), 30, 255, -1)
    cv2.polylines(signature, [CURVE], False, 255, 5, cv2.LINE_AA)
    masks = {}
    for name, tint, cover in (("seal", RED, seal), ("signature", BLUE, signature)):
        page[:] = np.where(cover[..., None] > 0, page * (np.array(tint) / 255), page)  # ink over ink is darker
        masks[name] = (cv2.erode(cover, np.ones((3, 3), np.uint8)) > 250) & (page.max(axis=2) > 100)
    photo = np.random.default_rng(4).integers(40, 200, (9, 6, 3)).astype(np.uint8)
    page[1400:1670, 150:330] = cv2.resize(photo, (180, 270), interpolation=cv2.INTER_CUBIC)
    return page, masks


CURVE = np.array([(150 + 4 * i, 1350 + int(24 * np.sin(i / 5))) for i in range(70)], np.int32)


def photographed(page, lamp=(205, 226, 238), shadow=0.62, grain=2.5):
    """Under a warm lamp, half in a soft shadow, with a sensor's grain."""
    across = np.linspace(0, 1, page.shape[1])[None, :, None]
    light = np.array(lamp) / 255 * (1 - (1 - shadow) / (1 + np.exp((0.55 - across) / 0.06)))
    noise = np.random.default_rng(3).normal(0, grain, page.shape)
    return np.clip(page * light + noise, 0, 255).astype(np.uint8)


def colour(picture, where):
    """Median hue (0–179) and saturation (0–255)."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[where].astype(int)
    return np.median((hsv[:, 0] + 30) % 180) - 30, np.median(hsv[:, 1])


@pytest.mark.parametrize("part", ["seal", "signature"])
def test_seal_and_ink_keep_hue_and_saturation_in_light_and_shadow(sheet, part):
    page, masks = sheet
    clean = whiten(photographed(page), DPI)
    hue, saturation = colour(page, masks[part])
    seen_hue, seen_saturation = colour(clean, masks[part])
    assert abs(seen_hue - hue) <= 4
    assert abs(seen_saturation - saturation) <= 20


def test_text_under_the_seal_stays_darker_than_the_seal(sheet):
    page, _ = sheet
    clean = whiten(photographed(page), DPI)
    inside = (slice(990, 1210), slice(340, 560))
    ink = page[inside].max(axis=2) < 45
    red = (page[inside][..., 2] > 180) & (page[inside][..., 1] < 60)
    assert np.median(clean[inside][ink].max(axis=1)) < 80
    assert np.median(clean[inside][red][:, 2]) > 180


@pytest.mark.parametrize("grain", [0.0, 2.5, 5.0])
def test_lamp_shadow_and_grain_leave_pure_white_paper(sheet, grain):
    page, _ = sheet
    clean = whiten(photographed(page, grain=grain), DPI)
    bare = (page.min(axis=2) > 250) & (cv2.erode((page.min(axis=2) > 250).astype(np.uint8), np.ones((9, 9))) > 0)
    rim = 12
    whole = np.zeros_like(bare)
    whole[rim:-rim, rim:-rim] = bare[rim:-rim, rim:-rim]
    assert (clean[whole].min(axis=1) == 255).mean() > 0.985


def test_a_photograph_on_the_page_keeps_its_tones(sheet):
    page, _ = sheet
    spot = (slice(1410, 1660), slice(160, 320))
    clean = whiten(photographed(page), DPI)[spot].astype(float)
    true = page[spot].astype(float)
    assert np.abs(cv2.blur(clean, (9, 9)) - cv2.blur(true, (9, 9))).mean() < 14


def test_a_coloured_card_without_white_paper_is_not_bleached():
    card = np.full((638, 1012, 3), (150, 190, 120), np.uint8)
    cv2.putText(card, "CAN CUOC", (200, 300), cv2.FONT_HERSHEY_SIMPLEX, 3, INK, 8)
    hue, saturation = colour(card, np.ones(card.shape[:2], bool))
    seen_hue, seen_saturation = colour(
        whiten(photographed(card, lamp=(250, 250, 250)), 300), np.ones(card.shape[:2], bool)
    )
    assert abs(seen_hue - hue) <= 4
    assert abs(seen_saturation - saturation) <= 20


def test_edges_of_letters_get_crisper_and_no_pixel_is_added(sheet):
    page, _ = sheet
    soft = cv2.GaussianBlur(page, (0, 0), 1.0)
    clean = whiten(soft, DPI)
    assert clean.shape == soft.shape
    slopes = [cv2.Sobel(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)[90:700], cv2.CV_32F, 1, 0).max() for p in (soft, clean)]
    assert slopes[1] > 1.15 * slopes[0]


def test_a_full_page_of_detail_is_encoded_small_enough_and_a_plain_one_finely():
    rng = np.random.default_rng(1)
    rough = cv2.resize(
        rng.integers(0, 256, (500, 360, 3)).astype(np.uint8), (2480, 3508), interpolation=cv2.INTER_CUBIC
    )
    detail = np.clip(rough.astype(np.int16) + rng.integers(-6, 7, rough.shape), 0, 255).astype(np.uint8)
    plain = np.full((3508, 2480, 3), 255, np.uint8)
    cv2.putText(plain, "trang", (400, 600), cv2.FONT_HERSHEY_SIMPLEX, 6, INK, 20)
    fine = cv2.imencode(".jpg", detail, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].size
    assert fine > LARGEST_JPEG
    assert len(encoded(detail)) < 0.8 * fine
    read = cv2.imdecode(np.frombuffer(encoded(plain), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(read.astype(int) - plain).mean() < 0.5
