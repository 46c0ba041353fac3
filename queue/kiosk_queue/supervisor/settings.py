"""The settings that a supervisor may change, as a draft that a page edits: checked field by field, told in words.

A draft has the shape of `draft_of`; what it leaves out stays as it is. Nothing takes effect before `save`.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from typing import Any, get_args

from kiosk.text import Text, nfc
from kiosk_queue import simulation
from kiosk_queue.floor import Floor, Refused, View, change_settings
from kiosk_queue.model import IDENTIFIER, Centre, Json, Rule, RuleName, SettingsError, Window, from_json

MOST_TEXTS, MOST_COUNTERS, MOST_WINDOWS, LONGEST_TEXT = 20, 200, 8, 300
HISTORY_DAYS, HISTORY_STINTS = 28, 20_000
"""What the effect of a rule is tried on."""
TOLD = 200
"""Letters of a value that the audit keeps."""

WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")

RULES: Mapping[RuleName, tuple[str, str]] = {
    "aging": (
        "Tích điểm theo thời gian chờ",
        "Ai chờ lâu hơn được gọi trước; thời gian chờ của người ưu tiên được nhân hệ số. Không ai bị bỏ quên.",
    ),
    "head_start": (
        "Cộng trước cho người ưu tiên",
        "Người ưu tiên được tính như đến sớm hơn một số phút; sau đó gọi theo thứ tự đến.",
    ),
    "ratio": (
        "Xen kẽ theo tỉ lệ",
        "Gọi một số người ưu tiên rồi một người thường, nhưng không vượt người ưu tiên đã đến sớm hơn.",
    ),
    "strict": (
        "Ưu tiên tuyệt đối",
        "Luôn gọi hết người ưu tiên trước. Khi đông, người thường có thể phải chờ rất lâu.",
    ),
}
"""What each calling rule does, in words for who chooses it."""


@dataclass(frozen=True)
class Number:
    """A number that can be edited, and what is allowed."""

    label: str
    low: float
    high: float
    whole: bool = True


NUMBERS: Mapping[str, Number] = {
    "rule.rate": Number("Hệ số chờ của người ưu tiên", 1, 10, whole=False),
    "rule.head_start_minutes": Number("Số phút cộng trước", 0, 240, whole=False),
    "rule.ratio": Number("Số người ưu tiên cho mỗi người thường", 1, 10),
    "rule.early_minutes": Number("Người có hẹn: đến sớm tối đa (phút)", 0, 240, whole=False),
    "rule.late_minutes": Number("Người có hẹn: đến muộn tối đa (phút)", 0, 240, whole=False),
    "calling.recalls": Number("Số lần gọi lại tối đa", 0, 20),
    "calling.recall_seconds": Number("Cách nhau giữa hai lần gọi (giây)", 0, 600),
    "calling.calls_before_no_show": Number("Số lần gọi trước khi báo vắng", 1, 20),
    "stop_issuing_minutes": Number("Ngừng cấp số trước khi hết giờ (phút)", 0, 480),
    "paper_patience_seconds": Number("Chờ kiosk báo in phiếu (giây)", 5, 600),
    "hall.volume": Number("Âm lượng loa (0 đến 1)", 0, 1, whole=False),
    "appointments.slot_minutes": Number("Độ dài một khung hẹn (phút)", 5, 240),
    "appointments.capacity": Number("Số chỗ mỗi khung cho một dịch vụ (0: không nhận hẹn)", 0, 100),
    "appointments.days_ahead": Number("Đặt hẹn trước tối đa (ngày)", 1, 90),
}
"""By their path in the settings."""

SERVICE_NUMBERS: Mapping[str, Number] = {
    "mean_minutes": Number("Thời gian giải quyết trung bình (phút)", 0.1, 480, whole=False),
    "target_minutes": Number("Cam kết chờ tối đa (phút, 0: không)", 0, 1440, whole=False),
    "daily_cap": Number("Số lượt tối đa một ngày (0: không giới hạn)", 0, 100_000),
}


class FieldErrors(ValueError):
    """A draft that cannot be taken: path of the field → what is wrong with it, Vietnamese."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in errors.items()))
        self.errors = dict(errors)


# --- from settings to a draft and back ---


def draft_of(centre: Centre) -> Json:
    """What the page edits."""
    whole = json.loads(centre.as_json())
    for windows in (whole["windows"], whole["hall"]["quiet"]):
        for window in windows:
            window.update({edge: window[edge][:5] for edge in ("start", "end")})
    names = ("counters", "rule", "calling", "windows", "weekdays", "stop_issuing_minutes", "paper_patience_seconds",
             "hall", "appointments")  # fmt: skip
    services = {
        service.id: {"open": service.open, **{name: getattr(service, name) for name in SERVICE_NUMBERS}}
        for service in centre.services.values()
    }
    return {"services": services, **{name: whole[name] for name in names}}


def wanted(centre: Centre, draft: Json) -> Centre:
    """The settings with the draft in them; raises FieldErrors for every field that is wrong."""
    whole = json.loads(centre.as_json())
    reader = _Reader(draft)
    for group in whole["groups"]:
        for service in group["services"]:
            reader.service(service)
    for path in NUMBERS:
        reader.number(path, whole)
    reader.rule_name(whole)
    reader.hours(whole)
    reader.counters(whole, centre)
    reader.hall(whole)
    if reader.errors:
        raise FieldErrors(reader.errors)
    try:
        return from_json(json.dumps(whole), centre.version)
    except SettingsError as error:
        raise FieldErrors({"": f"Cấu hình không hợp lệ: {error}"}) from None


class _Reader:
    """Takes fields out of a draft into the settings, and notes what is wrong with them."""

    def __init__(self, draft: Json) -> None:
        self._draft = draft
        self.errors: dict[str, str] = {}

    def service(self, service: Json) -> None:
        given = self._at("services", service["id"])
        if not isinstance(given, dict):
            return
        if isinstance(given.get("open"), bool):
            service["open"] = given["open"]
        for name, about in SERVICE_NUMBERS.items():
            if name in given:
                service[name] = self._checked(f"services.{service['id']}.{name}", given[name], about, service[name])

    def number(self, path: str, whole: Json) -> None:
        *parents, name = path.split(".")
        place = whole[parents[0]] if parents else whole
        given = self._at(*parents, name)
        if given is not None:
            place[name] = self._checked(path, given, NUMBERS[path], place[name])

    def rule_name(self, whole: Json) -> None:
        name = self._at("rule", "name")
        if name in get_args(RuleName):
            whole["rule"]["name"] = name
        elif name is not None:
            self.errors["rule.name"] = "Quy tắc gọi không có trong danh sách."

    def hours(self, whole: Json) -> None:
        days = self._at("weekdays")
        if days is not None:
            if isinstance(days, list) and days and all(type(day) is int and 0 <= day <= 6 for day in days):
                whole["weekdays"] = sorted(set(days))
            else:
                self.errors["weekdays"] = "Chọn ít nhất một ngày làm việc."
        whole["windows"] = self._windows("windows", whole["windows"])

    def hall(self, whole: Json) -> None:
        hall = whole["hall"]
        for name in ("ticker", "idle"):
            hall[name] = self._texts(f"hall.{name}", hall[name])
        hall["quiet"] = self._windows("hall.quiet", hall["quiet"])
        languages = self._at("hall", "languages")
        if languages is not None:
            if isinstance(languages, list) and languages and set(map(str, languages)) <= {"vi", "en"}:
                hall["languages"] = [name for name in ("vi", "en") if name in languages]
            else:
                self.errors["hall.languages"] = "Chọn ít nhất một ngôn ngữ đọc."

    def counters(self, whole: Json, centre: Centre) -> None:
        given = self._at("counters")
        if given is None:
            return
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_COUNTERS:
            self.errors["counters"] = f"Cần từ 1 đến {MOST_COUNTERS} quầy."
            return
        names: set[str] = set()
        whole["counters"] = [self._counter(n, entry, names, centre) for n, entry in enumerate(given)]

    def _counter(self, n: int, entry: Any, names: set[str], centre: Centre) -> Json:
        entry = entry if isinstance(entry, dict) else {}
        name, zone, skills = (entry.get(field) for field in ("name", "zone", "skills"))
        if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
            self.errors[f"counters.{n}.name"] = "Tên quầy: chữ không dấu, số, chấm, gạch; tối đa 40 ký tự."
        elif name in names:
            self.errors[f"counters.{n}.name"] = f"Đã có quầy {name}."
        else:
            names.add(name)
        if not isinstance(zone, str) or len(zone) > 40:
            self.errors[f"counters.{n}.zone"] = "Khu vực: tối đa 40 ký tự."
        if not isinstance(skills, list) or not all(skill in centre.services for skill in map(str, skills)):
            self.errors[f"counters.{n}.skills"] = "Có dịch vụ không còn trong danh mục."
        known = centre.desks.get(str(name))
        if known is not None and isinstance(skills, list) and sorted(map(str, skills)) == sorted(known.skills):
            skills = list(known.skills)  # the page has no order
        return {"name": name, "zone": nfc(str(zone)), "skills": skills}

    def _windows(self, path: str, otherwise: list[Json]) -> list[Json]:
        given = self._at(*path.split("."))
        if given is None:
            return otherwise
        if not isinstance(given, list) or len(given) > MOST_WINDOWS:
            self.errors[path] = f"Tối đa {MOST_WINDOWS} khung giờ."
            return otherwise
        found = []
        for n, entry in enumerate(given):
            start, end = (str(entry.get(edge, "")) if isinstance(entry, dict) else "" for edge in ("start", "end"))
            if not (_is_hour(start) and _is_hour(end)):
                self.errors[f"{path}.{n}"] = "Nhập giờ bắt đầu và giờ kết thúc, chẳng hạn 07:30."
            elif start >= end:
                self.errors[f"{path}.{n}"] = "Giờ kết thúc phải sau giờ bắt đầu."
            found.append({"start": f"{start}:00", "end": f"{end}:00"})
        return found

    def _texts(self, path: str, otherwise: list[Json]) -> list[Json]:
        given = self._at(*path.split("."))
        if given is None:
            return otherwise
        if not isinstance(given, list) or len(given) > MOST_TEXTS:
            self.errors[path] = f"Tối đa {MOST_TEXTS} dòng."
            return otherwise
        found = []
        for n, entry in enumerate(given):
            vi, en = (nfc(str(entry.get(name, ""))) if isinstance(entry, dict) else "" for name in ("vi", "en"))
            if not vi:
                self.errors[f"{path}.{n}"] = "Thiếu nội dung tiếng Việt."
            elif max(len(vi), len(en)) > LONGEST_TEXT:
                self.errors[f"{path}.{n}"] = f"Tối đa {LONGEST_TEXT} ký tự."
            found.append({"vi": vi, "en": en})
        return found

    def _checked(self, path: str, given: Any, about: Number, otherwise: Any) -> Any:
        right = isinstance(given, int | float) and not isinstance(given, bool) and about.low <= given <= about.high
        if right and not (about.whole and given != int(given)):
            return int(given) if about.whole else float(given)
        kind = "số nguyên" if about.whole else "số"
        self.errors[path] = f"{about.label}: cần {kind} từ {about.low:g} đến {about.high:g}."
        return otherwise

    def _at(self, *names: str) -> Any:
        found: Any = self._draft
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def _is_hour(text: str) -> bool:
    hour, _, minute = text.partition(":")
    digits = text.isascii() and hour.isdigit() and minute.isdigit()
    return digits and len(text) == 5 and int(hour) < 24 and int(minute) < 60


# --- what changes, in words ---


def changes(before: Centre, after: Centre) -> list[Json]:
    """Every field that differs: `field` (path), `label`, `before`, `after` as people read them."""
    old, new = described(before), described(after)
    return [
        {
            "field": path,
            "label": (new.get(path) or old[path])[0],
            "before": old.get(path, ("", "–"))[1][:TOLD],
            "after": new.get(path, ("", "–"))[1][:TOLD],
        }
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    ]


def described(centre: Centre) -> dict[str, tuple[str, str]]:
    """Every editable field by path: its label and its value, Vietnamese."""
    found: dict[str, tuple[str, str]] = {}
    for service in centre.services.values():
        found[f"services.{service.id}.open"] = f"{service.name.vi}: nhận số", "Mở" if service.open else "Đóng"
        for name, about in SERVICE_NUMBERS.items():
            value = f"{getattr(service, name):g}"
            found[f"services.{service.id}.{name}"] = f"{service.name.vi}: {about.label}", value
    for desk in centre.counters:
        known = [centre.services[skill].name.vi for skill in desk.skills]
        found[f"counters.{desk.name}.skills"] = f"Quầy {desk.name}: dịch vụ", ", ".join(known) or "Mọi dịch vụ"
        found[f"counters.{desk.name}.zone"] = f"Quầy {desk.name}: khu vực", desk.zone or "(không)"
    found["rule.name"] = "Quy tắc gọi", RULES[centre.rule.name][0]
    whole = json.loads(centre.as_json())
    for path, about in NUMBERS.items():
        *parents, name = path.split(".")
        found[path] = about.label, f"{(whole[parents[0]] if parents else whole)[name]:g}"
    found["weekdays"] = "Ngày làm việc", ", ".join(WEEKDAYS[day] for day in centre.weekdays)
    found["windows"] = "Giờ làm việc", _windows_text(centre.windows) or "Cả ngày"
    found["hall.quiet"] = "Giờ không đọc loa", _windows_text(centre.hall.quiet) or "(không)"
    found["hall.languages"] = "Ngôn ngữ đọc", ", ".join(centre.hall.languages)
    found["hall.ticker"] = "Dòng chữ chạy", _texts_text(centre.hall.ticker)
    found["hall.idle"] = "Nội dung lúc vắng", _texts_text(centre.hall.idle)
    return found


def _windows_text(windows: tuple[Window, ...]) -> str:
    return ", ".join(f"{window.start:%H:%M}–{window.end:%H:%M}" for window in windows)


def _texts_text(texts: tuple[Text, ...]) -> str:
    return " | ".join(f"{text.vi} / {text.en}" if text.en else text.vi for text in texts) or "(không)"


# --- taking it over ---


def save(floor: Floor, draft: Json, actor: str, version: int) -> Json:
    """Take over a draft; raises FieldErrors, or Refused if the settings changed since the editor saw `version`."""
    if version != floor.centre.version:
        raise Refused("changed", "Cấu hình vừa được người khác thay đổi. Hãy tải lại trang rồi sửa.")
    after = wanted(floor.centre, draft)
    told = changes(floor.centre, after)
    if not told:
        return {"version": version, "changes": []}
    open_counters = {
        row["counter"] for row in floor.tx.all("SELECT counter FROM desk WHERE centre = :centre", centre=after.id)
    }
    gone = sorted(open_counters & set(floor.centre.desks) - set(after.desks))
    if gone:
        raise FieldErrors({"counters": f"Quầy {', '.join(gone)} đang mở: hãy đóng quầy trước khi bỏ."})
    return change_settings(floor, after, actor, version, told) | {"changes": told}


# --- what a rule would do ---


def recent_stays(view: View) -> list[Json]:
    """The newest stays of the last weeks, plain: for another process."""
    since = (view.now - timedelta(days=HISTORY_DAYS)).astimezone(view.centre.tz).date().isoformat()
    rows = view.tx.all(
        "SELECT day, service, urgent, appointment, outcome, waiting_since, served FROM stint"
        " WHERE centre = :centre AND day >= :since ORDER BY seq DESC LIMIT :most",
        centre=view.centre.id, since=since, most=HISTORY_STINTS,
    )  # fmt: skip
    return [dict(row) for row in rows]


def effect(centre: Centre, stays: list[Json], rule: Rule) -> Json:
    """`simulation.compare` in a process of its own: it computes for seconds, and calls must not wait for it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(_compare, centre.as_json(), stays, rule).result()
    return {name: found[name] for name in ("days", "citizens", "text")}


def _compare(settings: str, stays: list[Json], rule: Rule) -> Json:
    return simulation.compare(from_json(settings), stays, rule)
