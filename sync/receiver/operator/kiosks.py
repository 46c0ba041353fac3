"""How every kiosk does, judged: what is red stands still or will, what is yellow wants a look within days."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from kiosk.clock import from_iso, shown
from sync.receiver.database import Row, Tx
from sync.receiver.operator import words
from sync.receiver.watch import CERTIFICATE_DAYS, CLOCK_SECONDS, LONGEST_UNSENT, SPACE_DAYS, office_hours

# Beside the thresholds of alarms (watch): earlier ones that want a look, later ones that cannot wait.
SILENT = timedelta(minutes=5)
UNSENT_SECONDS, DRIFT_SECONDS = 600.0, 60.0
NO_SPACE_DAYS, CERTIFICATE_LAST_DAYS = 2.0, 7
RECONCILED = timedelta(days=2)


class Level(IntEnum):
    """How bad."""

    OK = 0
    WARN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell: what is shown, what stands small below it, how bad it is."""

    text: str
    more: str = ""
    level: Level = Level.OK


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One kiosk; `figures` by column."""

    id: str
    figures: Mapping[str, Figure]
    problems: tuple[str, ...]
    """In a few words each, the worst first."""

    @property
    def level(self) -> Level:
        """The worst of its figures."""
        return max(figure.level for figure in self.figures.values())


COLUMNS = {
    "contact": ("Liên lạc", "last contact"),
    "waiting": ("Chờ gửi", "waiting"),
    "oldest": ("Chờ lâu nhất", "oldest unsent"),
    "sequence": ("Số đã cấp / nhận", "issued / received"),
    "gap": ("Thiếu số", "gaps"),
    "aside": ("Cách ly máy / tỉnh", "quarantine there / here"),
    "space": ("Chỗ còn", "days free"),
    "certificate": ("Chứng thư", "certificate"),
    "clock": ("Đồng hồ", "clock"),
    "reconciled": ("Đối soát", "reconciliation"),
    "program": ("Phiên bản", "version"),
}
_TROUBLES = {
    "contact": "mất liên lạc",
    "oldest": "chờ gửi lâu",
    "sequence": "trùng số",
    "gap": "thiếu số",
    "aside": "có hồ sơ cách ly",
    "space": "sắp hết chỗ",
    "certificate": "chứng thư sắp hết hạn",
    "clock": "đồng hồ sai",
    "reconciled": "đối soát",
}
_NONE = Figure("–")


def kiosks(tx: Tx, now: datetime, only: str = "") -> list[Kiosk]:
    """Every kiosk that is not retired (or `only` this one, retired or not), the worst first."""
    rows = tx.all(_KIOSKS, only=only)
    aside = tx.all("SELECT kiosk, count(*) AS number FROM submission WHERE state = 'quarantined' GROUP BY kiosk")
    ends = tx.all("SELECT kiosk, max(not_after) AS ends FROM certificate WHERE revoked_at IS NULL GROUP BY kiosk")
    alarms: dict[str, set[str]] = defaultdict(set)
    details: dict[tuple[str, str], str] = {}
    for row in tx.all("SELECT kiosk, kind, detail FROM alarm WHERE ended_at IS NULL"):
        alarms[row["kiosk"]].add(row["kind"])
        details[row["kiosk"], row["kind"]] = row["detail"]
    here = {row["kiosk"]: row["number"] for row in aside}
    until = {row["kiosk"]: row["ends"] for row in ends}
    found = []
    for row in rows:
        known = alarms[row["id"]]
        figures = _figures(row, known, here.get(row["id"], 0), until.get(row["id"]), now)
        figures["gap"] = _gap(details.get((row["id"], "gap"), ""))
        found.append(Kiosk(row["id"], {name: figures[name] for name in COLUMNS}, _problems(figures)))
    return sorted(found, key=_badness)


_KIOSKS = (
    "SELECT k.*, (SELECT s.sequence FROM submission s WHERE s.kiosk = k.id AND s.receipt_number IS NOT NULL"
    " ORDER BY s.sequence DESC LIMIT 1) AS received FROM kiosk k"
    " WHERE (:only = '' AND k.retired_at IS NULL) OR k.id = :only"
)


def retired(tx: Tx) -> list[str]:
    """Ids of kiosks that are gone for good, the last one first: their breach packages may still be wanted."""
    return [row["id"] for row in tx.all("SELECT id FROM kiosk WHERE retired_at IS NOT NULL ORDER BY retired_at DESC")]


def _badness(kiosk: Kiosk) -> tuple[int, int, str]:
    levels = [figure.level for figure in kiosk.figures.values()]
    return -kiosk.level, -sum(level == kiosk.level for level in levels if level), kiosk.id


def _problems(figures: Mapping[str, Figure]) -> tuple[str, ...]:
    named = sorted(_TROUBLES, key=lambda name: -figures[name].level)
    return tuple(_TROUBLES[name] for name in named if figures[name].level)


def _figures(row: Row, alarms: set[str], here: int, ends: str | None, now: datetime) -> dict[str, Figure]:
    report: dict[str, Any] = json.loads(row["report"]) if row["report"] else {}
    since = (now - from_iso(row["reported_at"])).total_seconds() if report else 0.0
    return {
        "contact": _contact(row["last_contact"], alarms, now),
        "waiting": Figure(words.number(report["waiting"])) if report else _NONE,
        "oldest": _oldest(report, since, alarms),
        "sequence": _sequence(report, row, alarms),
        "aside": _aside(report.get("quarantined_count"), here),
        "space": _space(report),
        "certificate": _certificate(report, since, ends, now),
        "clock": _clock(report, row),
        "reconciled": _reconciled(row, now),
        "program": Figure(report["program"]) if report else _NONE,
    }


def _contact(last: str | None, alarms: set[str], now: datetime) -> Figure:
    if last is None:
        return Figure("chưa từng", "", Level.BAD if "silent" in alarms else Level.WARN)
    quiet = now - from_iso(last)
    level = Level.OK
    if "silent" in alarms or quiet > SILENT:
        level = Level.BAD if "silent" in alarms or office_hours(now) else Level.WARN
    return Figure(words.ago(from_iso(last), now), shown(from_iso(last)), level)


def _oldest(report: Mapping[str, Any], since: float, alarms: set[str]) -> Figure:
    if not report or report["oldest_seconds"] is None:
        return _NONE
    age = report["oldest_seconds"] + max(0.0, since)
    level = (
        Level.BAD if "unsent" in alarms or age > LONGEST_UNSENT else Level.WARN if age > UNSENT_SECONDS else Level.OK
    )
    return Figure(words.lasting(age), "", level)


def _sequence(report: Mapping[str, Any], row: Row, alarms: set[str]) -> Figure:
    issued = words.number(report["last_sequence"]) if report else "?"
    more, level = ("trùng số", Level.BAD) if "conflict" in alarms else ("", Level.OK)
    return Figure(f"{issued} / {words.number(row['received'] or 0)}", more, level)


def _gap(detail: str) -> Figure:
    return Figure(detail.removeprefix("thiếu số "), "", Level.BAD) if detail else _NONE


def _aside(there: int | None, here: int) -> Figure:
    level = Level.BAD if there or here else Level.OK
    return Figure(f"{'?' if there is None else there} / {here}", "", level)


def _space(report: Mapping[str, Any]) -> Figure:
    days = report.get("days_free")
    if days is None:
        return _NONE
    level = Level.BAD if days < NO_SPACE_DAYS else Level.WARN if days < SPACE_DAYS else Level.OK
    return Figure(f"{words.decimal(days)} ngày", f"{words.decimal(report['bytes_free'] / 1e9)} GB", level)


def _certificate(report: Mapping[str, Any], since: float, ends: str | None, now: datetime) -> Figure:
    """What the kiosk has, or what the register has given it, whichever ends first."""
    known = [report["certificate_days"] - since / words.DAY] if report else []
    known += [(from_iso(ends) - now).total_seconds() / words.DAY] if ends else []
    if not known:
        return _NONE
    days = int(min(known))
    if days < 0:
        return Figure("đã hết hạn", "", Level.BAD)
    ended = Level.BAD if days < CERTIFICATE_LAST_DAYS else Level.WARN if days < CERTIFICATE_DAYS else Level.OK
    return Figure(f"{days} ngày", "", ended)


def _clock(report: Mapping[str, Any], row: Row) -> Figure:
    if not report:
        return _NONE
    off = (from_iso(report["utc"]) - from_iso(row["reported_at"])).total_seconds()
    if abs(off) < DRIFT_SECONDS:
        return Figure("đúng")
    text = f"{'nhanh' if off > 0 else 'chậm'} {words.lasting(abs(off))}"
    return Figure(text, "", Level.BAD if abs(off) > CLOCK_SECONDS else Level.WARN)


def _reconciled(row: Row, now: datetime) -> Figure:
    if not row["reconciliation"]:
        return Figure("chưa")
    when, found = from_iso(row["reconciled_at"]), json.loads(row["reconciliation"])
    if not found["agrees"]:
        return Figure("không khớp", shown(when), Level.BAD)
    late = Level.WARN if now - when > RECONCILED else Level.OK
    return Figure("khớp", words.ago(when, now), late)


def judgement(found: Sequence[Kiosk], now: datetime) -> Figure:
    """All kiosks in one sentence."""
    bad = [kiosk for kiosk in found if kiosk.level is Level.BAD]
    warned = sum(kiosk.level is Level.WARN for kiosk in found)
    if not found:
        return Figure("Chưa có kiosk nào được đăng ký.", "No kiosk is enrolled yet.", Level.WARN)
    if len(found) > 1 and all(kiosk.figures["contact"].level for kiosk in found) and office_hours(now):
        return Figure(
            "Không kiosk nào liên lạc được: có thể máy tiếp nhận đã dừng.", "The receiver may be down.", Level.BAD
        )
    if bad:
        named = ", ".join(f"{kiosk.id} ({kiosk.problems[0]})" for kiosk in bad[:3])
        rest = f" và {len(bad) - 3} kiosk khác" if len(bad) > 3 else ""
        return Figure(f"{len(bad)} kiosk cần xử lý ngay: {named}{rest}.", "", Level.BAD)
    if warned:
        return Figure(
            f"Không kiosk nào bị tắc; {warned} kiosk cần để ý.", "Nothing stands still; some want a look.", Level.WARN
        )
    return Figure("Mọi kiosk đều gửi được.", "All kiosks deliver.")
