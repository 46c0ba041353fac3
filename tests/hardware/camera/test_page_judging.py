"""What makes a page refused: each condition alone, on a page that is otherwise good."""

import cv2
import numpy as np
import pytest

from hardware.camera.finder import Found
from hardware.camera.judge import judge
from hardware.camera.page import take
from hardware.camera.sizes import measure
from kiosk.health import Reason

DPI = 200
FRAME = (2600, 1900)
FOUND = Found(np.array([(123.0, 130.0), (1776, 130), (1776, 2468), (123, 2468)]), 1.0, cut_off=False)


@pytest.fixture
def flat():
    page = np.full((2339, 1654, 3), (214, 220, 222), np.uint8)
    for y in range(220, 2200, 60):
        cv2.putText(page, "Cong hoa xa hoi chu nghia Viet Nam 0123", (150, y), 0, 1.5, (50, 45, 45), 3, cv2.LINE_AA)
    return cv2.GaussianBlur(page, (0, 0), 0.7)


def verdict(page):
    return judge(page, DPI, FOUND, FRAME)


def test_a_good_page_is_accepted_with_its_measures(flat):
    good = verdict(flat)
    assert good.refused is None
    assert not good.blank
    assert good.sharpness > 0.4
    assert good.glare == good.fingers == good.edge_ink == 0
    assert good.shadow < 0.1
    assert good.exposure[1] > 200
    assert abs(good.skew) < 0.3
    assert good.margin == pytest.approx(123 / 2600, abs=0.01)


def test_blur_refuses_and_a_blank_page_cannot_be_blurred(flat):
    assert verdict(cv2.GaussianBlur(flat, (0, 0), 3)).refused is Reason.PAGE_BLURRED
    blank = np.full_like(flat, 220)
    assert verdict(blank).blank
    assert verdict(blank).refused is None


@pytest.mark.parametrize(("sigma", "reason"), [(1.0, None), (1.4, None), (2.4, Reason.PAGE_BLURRED)])
@pytest.mark.parametrize("dpi", [200, 240, 300])
def test_the_verdict_on_blur_is_the_same_at_any_resolution(flat, sigma, reason, dpi):
    soft = cv2.GaussianBlur(flat, (0, 0), sigma)
    larger = cv2.resize(soft, None, fx=dpi / DPI, fy=dpi / DPI, interpolation=cv2.INTER_CUBIC)
    assert judge(larger, dpi, FOUND, FRAME).refused is reason


def test_glare_on_writing_refuses_and_beside_it_does_not(flat):
    on_text, beside = flat.copy(), flat.copy()
    cv2.circle(on_text, (800, 1000), 120, (255, 255, 255), -1)
    assert verdict(on_text).refused is Reason.PAGE_GLARE
    assert verdict(on_text).glare_on_text
    beside[1500:] = 220
    cv2.circle(beside, (800, 1950), 90, (255, 255, 255), -1)
    assert verdict(beside).glare > 0
    assert verdict(beside).refused is None


def test_too_little_light_refuses(flat):
    assert verdict((flat * 0.25).astype(np.uint8)).refused is Reason.PAGE_DARK


def test_a_deep_shadow_refuses_and_a_soft_one_does_not(flat):
    for depth, reason in ((0.3, None), (0.7, Reason.PAGE_SHADOW)):
        light = np.ones(flat.shape[:2], np.float32)
        light[1200:] -= depth
        dark = (flat * cv2.GaussianBlur(light, (0, 0), 40)[..., None]).astype(np.uint8)
        assert verdict(dark).refused is reason


def test_a_thumb_at_the_edge_refuses_and_a_portrait_inside_does_not(flat):
    thumb, portrait = flat.copy(), flat.copy()
    cv2.ellipse(thumb, (0, 1200), (170, 75), 0, 0, 360, (110, 140, 200), -1)
    assert verdict(thumb).refused is Reason.PAGE_HAND
    cv2.rectangle(portrait, (300, 500), (600, 900), (110, 140, 200), -1)
    assert verdict(portrait).refused is None


def test_writing_that_runs_out_at_the_frame_is_cut_off(flat):
    tight = Found(np.array([(0.0, 130.0), (1653, 130), (1653, 2468), (0, 2468)]), 1.0, cut_off=False)
    cut = np.ascontiguousarray(np.roll(flat, -180, axis=1))
    assert judge(cut, DPI, tight, FRAME).refused is Reason.PAGE_CUT_OFF
    assert judge(flat, DPI, tight, FRAME).refused is None


def test_slanted_writing_is_told(flat):
    turned = cv2.warpAffine(
        flat, cv2.getRotationMatrix2D((827, 1170), -1.5, 1), (1654, 2339), borderMode=cv2.BORDER_REPLICATE
    )
    assert abs(verdict(turned).skew) == pytest.approx(1.5, abs=0.3)


def rectangle(width, height):
    return np.array([(0.0, 0.0), (width, 0), (width, height), (0, height)])


def test_a_said_size_is_believed_and_gives_the_resolution():
    for size, name, dpi in (("a4", "A4", 169), ("a5", "A5", 239)):
        sheet = measure(rectangle(1400, 1980), 2560, size)
        assert (sheet.name, round(sheet.dpi)) == (name, dpi)
    assert measure(rectangle(856, 540), 2560, "id1").dpi == pytest.approx(254, abs=1)


def test_the_calibrated_scale_tells_a5_from_a4_and_measures_odd_sheets():
    assert measure(rectangle(1480, 2100), 3300, view_mm=330.0).name == "A5"
    assert measure(rectangle(1480, 2100), 3300, view_mm=466.7).name == "A4"
    odd = measure(rectangle(1000, 2000), 3300, view_mm=330.0)
    assert (odd.name, odd.width_mm, odd.dpi) == ("free", pytest.approx(100), pytest.approx(254))


def test_the_limit_of_resolution_is_the_callers():
    picture = np.full((1280, 960, 3), 80, np.uint8)
    cv2.rectangle(picture, (100, 150), (828, 1180), (225, 225, 225), -1)
    assert take(picture, size="a4").refused.reason is Reason.PAGE_TOO_SMALL
    assert take(picture, size="a4", least_dpi=80).refused is None
