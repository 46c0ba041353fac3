"""What is wrong with a screen as it stands: overflow, small targets, targets over each other."""

from itertools import combinations
from typing import Any

from screens.keyboard.keys import Key
from screens.screen import Screen
from screens.theme import LEAST_KEY, LEAST_TARGET, look
from screens.widgets.part import Part, Touchable
from screens.widgets.text import Words

TOLERANCE = 2


def complaints(screen: Screen[Any]) -> list[str]:
    """One line for each defect; none is as it should be."""
    found = [*_outside(screen), *_texts(screen)]
    touchables = [p for p in screen.parts() if isinstance(p, Touchable)]
    found += [f"{p.key}: {p.width}×{p.height} is too small" for p in touchables if not _large_enough(p)]
    found += [f"{a.key} lies over {b.key}" for a, b in combinations(touchables, 2) if a.collide_widget(b)]
    keys = [p.key for p in touchables]
    found += [f"{key} stands twice" for key in set(keys) if keys.count(key) > 1]
    return found


def _large_enough(part: Touchable) -> bool:
    least = look().px(LEAST_KEY if isinstance(part, Key) else LEAST_TARGET) - 1
    return bool(part.width >= least and part.height >= least)


def _outside(part: Part) -> list[str]:
    found = []
    for child in part.children:
        beyond = max(part.x - child.x, part.y - child.y, child.right - part.right, child.top - part.top)
        if beyond > TOLERANCE:
            found.append(f"{_name(child)} stands {beyond:.0f} px out of {_name(part)}")
        found += _outside(child)
    return found


def _texts(screen: Screen[Any]) -> list[str]:
    found = []
    for part in screen.parts():
        if isinstance(part, Words) and part.text:
            texture = part.texture(part.width)
            if texture.width > part.width + TOLERANCE or texture.height > part.height + TOLERANCE:
                found.append(f"«{part.text[:30]}» is {texture.size} in a box of {part.size}")
            if part.longest_word() > part.width + TOLERANCE:
                found.append(f"a word of «{part.text[:30]}» is broken")
    return found


def _name(part: Part) -> str:
    text = next((p.text for p in part.parts() if isinstance(p, Words)), "")
    return f"{type(part).__name__}({text[:24]})"
