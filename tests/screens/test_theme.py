"""Colours that can be read, sizes that can be touched."""

import pytest

from screens import theme

TEXTS = (
    ("ink", "paper"), ("ink", "surface"), ("ink", "shade"), ("soft_ink", "paper"), ("soft_ink", "surface"),
    ("soft_ink", "shade"), ("on_primary", "primary"), ("on_tint", "tint"), ("on_tint", "surface"), ("on_tint", "paper"),
    ("good", "good_tint"), ("warn", "warn_tint"), ("good", "surface"),
)  # fmt: skip


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def ratio(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_stands_out_seven_to_one_and_ten_to_one_in_high_contrast(text, ground):
    assert ratio(getattr(theme.STANDARD, text), getattr(theme.STANDARD, ground)) >= 7
    assert ratio(getattr(theme.CONTRAST, text), getattr(theme.CONTRAST, ground)) >= 10


def test_the_edge_of_a_control_stands_out_three_to_one():
    for palette in (theme.STANDARD, theme.CONTRAST):
        assert ratio(palette.control, palette.surface) >= 3
        assert ratio(palette.control, palette.paper) >= 3


def test_large_text_is_larger_and_still_one_of_few_sizes():
    normal, large = theme.Look(), theme.Look(large=True)
    assert all(large.font_size(s) > normal.font_size(s) for s in theme.SIZES)
    assert normal.font_size("body") >= 34


def test_a_missing_typeface_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(theme, "FONTS", tmp_path)
    with pytest.raises(theme.FontsMissingError, match="fonts-inter"):
        theme.face.__wrapped__("body")
