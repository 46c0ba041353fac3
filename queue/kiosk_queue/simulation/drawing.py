"""The comparison of rules as one SVG picture, for officers: a row for each rule, its bars and its distribution."""

from bisect import bisect_right
from collections.abc import Mapping
from html import escape
from math import ceil

from kiosk_queue.simulation.report import Figures, Outcome

TITLES = {
    "first_come": "Ai đến trước gọi trước",
    "strict": "Ưu tiên tuyệt đối",
    "ratio": "Xen kẽ 2 ưu tiên, 1 thường",
    "head_start": "Ưu tiên tính sớm hơn 15 phút",
    "aging": "Thời gian chờ của ưu tiên tính gấp đôi",
    "now": "Quy tắc đang dùng",
    "wanted": "Quy tắc định chọn",
}
CLASSES = {"ordinary": ("Thường", "#1f5fa8"), "priority": ("Ưu tiên", "#c75b00"), "appointment": ("Có hẹn", "#2b7a4b")}
WIDTH, ROW, TOP = 1280, 150, 132
LEFT, MIDDLE = 330, 880
BARS, CURVES = MIDDLE - LEFT - 70, WIDTH - MIDDLE - 40


def svg(title: str, outcomes: Mapping[str, Outcome]) -> str:
    """The picture; what it shows is told in words for screen readers too."""
    longest = max((f.max for o in outcomes.values() for f in o.classes.values()), default=0.0)
    scale = max(30, ceil(longest * 1.2 / 15) * 15)
    height = TOP + ROW * len(outcomes) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"',
        ' role="img" aria-labelledby="t d" font-family="Be Vietnam Pro, Noto Sans, sans-serif" lang="vi">',
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(_words(outcomes))}</desc>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(40, 46, title, 24, "#14213d", bold=True),
        _legend(outcomes),
        _axis(height, scale),
    ]
    for n, (name, outcome) in enumerate(outcomes.items()):
        parts.append(_row(TITLES.get(name, name), outcome, TOP + n * ROW, scale))
    return "\n".join([*parts, "</svg>\n"])


def _legend(outcomes: Mapping[str, Outcome]) -> str:
    parts, x = [], 40
    for name, (title, colour) in CLASSES.items():
        if any(name in outcome.classes for outcome in outcomes.values()):
            parts.append(f'<rect x="{x}" y="70" width="16" height="16" rx="3" fill="{colour}"/>')
            parts.append(_text(x + 24, 83, title, 15))
            x += 94
    parts.append(_text(LEFT, 83, "Phút chờ: đậm là trung bình, nhạt là 95 % số người, vạch là lâu nhất", 15))
    parts.append(_text(MIDDLE, 83, "Bao nhiêu người còn chờ sau từng ấy phút", 15))
    return "".join(parts)


def _axis(height: int, scale: int) -> str:
    parts = []
    step = 15 if scale <= 90 else 30 if scale <= 240 else 60
    for x0, width in ((LEFT, BARS), (MIDDLE, CURVES)):
        for minute in range(0, scale + 1, step):
            x = x0 + width * minute / scale
            parts.append(f'<path d="M{x:.1f} {TOP - 14}V{height - 30}" stroke="#e3e7ee"/>')
            parts.append(_text(x, height - 10, f"{minute}", 13, "#55607a", anchor="middle"))
    parts.append(_text(40, height - 10, "phút", 13, "#55607a"))
    return "".join(parts)


def _row(title: str, outcome: Outcome, y: int, scale: int) -> str:
    shown = [(name, outcome.classes[name]) for name in CLASSES if name in outcome.classes]
    parts = [f'<path d="M40 {y + ROW - 14}H{WIDTH - 40}" stroke="#c8cfdb"/>']
    for share, word in ((1.0, "100 %"), (0.5, "50 %")):
        parts.append(_text(MIDDLE - 6, y + ROW - 14 - (ROW - 34) * share + 4, word, 11, "#55607a", anchor="end"))
    parts += [_text(40, y + 24 + 21 * n, line, 17, "#14213d", bold=True) for n, line in enumerate(_wrapped(title, 28))]
    parts.append(_text(40, y + 74, f"Chờ quá 60 phút: {_percent(outcome.classes['all'].over_hour)}", 14, "#55607a"))
    parts.append(_text(40, y + 95, f"Quá mức đã hứa: {_percent(outcome.classes['all'].over_target)}", 14, "#55607a"))
    thick = 112 // len(shown)
    for n, (name, found) in enumerate(shown):
        parts.append(_bar(found, y + 6 + n * thick, thick - 12, scale, CLASSES[name][1]))
        parts.append(_curve(outcome.waits.get(name, []), y, scale, CLASSES[name][1]))
    return "".join(parts)


def _bar(found: Figures, y: int, thick: int, scale: int, colour: str) -> str:
    mean, p95, most = (BARS * value / scale for value in (found.mean, found.p95, found.max))
    label = f"{_minutes(found.mean)} · {_minutes(found.p95)} · {_minutes(found.max)}"
    return (
        f'<rect x="{LEFT}" y="{y}" width="{p95:.1f}" height="{thick}" fill="{colour}" opacity="0.3"/>'
        f'<rect x="{LEFT}" y="{y}" width="{mean:.1f}" height="{thick}" fill="{colour}"/>'
        f'<path d="M{LEFT + most:.1f} {y - 2}v{thick + 4}" stroke="{colour}" stroke-width="3"/>'
        + _text(LEFT + most + 8, y + thick / 2 + 5, label, 14, "#14213d")
    )


def _curve(waits: list[float], y: int, scale: int, colour: str) -> str:
    """The share of people who wait longer than so many minutes: from everybody down to nobody."""
    line = sorted(waits)
    base, high = y + ROW - 14, ROW - 34
    points = []
    for minute in range(scale + 1):
        longer = (len(line) - bisect_right(line, minute)) / len(line) if line else 0.0
        points.append(f"{MIDDLE + CURVES * minute / scale:.1f},{base - high * longer:.1f}")
        if not longer:
            break
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2.5"/>'


def _words(outcomes: Mapping[str, Outcome]) -> str:
    lines = []
    for name, outcome in outcomes.items():
        found = (
            f"{CLASSES[c][0]} trung bình {_minutes(f.mean)}, 95 % dưới {_minutes(f.p95)}, lâu nhất {_minutes(f.max)}"
            for c, f in outcome.classes.items()
            if c in CLASSES
        )
        lines.append(f"{TITLES.get(name, name)}: {'; '.join(found)} phút.")
    return " ".join(lines)


def _text(
    x: float, y: float, text: str, size: int, colour: str = "#2b3448", *, bold: bool = False, anchor: str = "start"
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _minutes(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".replace(".", ",")


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %".replace(".", ",")
