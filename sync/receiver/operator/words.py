"""What the operator reads: Vietnamese, with an English gloss where there is room for one."""

import re
from datetime import datetime

from kiosk.clock import from_iso, shown
from kiosk.text import Text
from sync.receiver.replay import LONGEST_WHY, SHORTEST_WHY, Act, Reason, Verdict

MINUTE, HOUR, DAY = 60, 3600, 86400

ALARMS = {
    "gap": Text("Thiếu số", "sequence gap"),
    "silent": Text("Không liên lạc", "silent"),
    "unsent": Text("Chưa gửi được", "unsent"),
    "conflict": Text("Trùng số", "conflict"),
    "disagreement": Text("Đối soát", "disagreement"),
    "quarantine": Text("Cách ly", "quarantine"),
    "clock": Text("Đồng hồ", "clock"),
    "space": Text("Chỗ lưu", "disk space"),
    "certificate": Text("Chứng thư", "certificate"),
    "held": Text("Chờ quyết định", "held"),
}
STATES = {
    "announced": Text("Mới báo, chưa đủ tệp", "announced"),
    "committed": Text("Đã nhận, chờ chuyển", "received"),
    "filed": Text("Đã chuyển, chờ trả lời", "filed"),
    "answered": Text("Đã có trả lời", "answered"),
    "quarantined": Text("Bị cách ly", "quarantined"),
}
ACTS = {
    Act.REPLAY: Text("Mở và chuyển lại", "replay"),
    Act.RESEND: Text("Gửi lại: hệ thống TTHC chưa có", "resend"),
    Act.FILED_AS: Text("Không gửi lại: hệ thống TTHC đã có mã", "filed as"),
}
VERDICTS = {
    Verdict.DONE: Text("Đã thực hiện", "done"),
    Verdict.DECLINED: Text("Bị từ chối", "declined"),
    Verdict.MOVED: Text("Không còn cần: hồ sơ đã tự chuyển trước đó", "moved meanwhile"),
}
REFUSALS = {
    Reason.MOVED: Text("Hồ sơ không còn đứng yên: nó đã được chuyển đi trước đó.", "It has moved meanwhile."),
    Reason.PENDING: Text("Đã có yêu cầu đang chờ xác nhận cho hồ sơ này.", "A request is already pending."),
    Reason.SAME_PERSON: Text(
        "Người yêu cầu không được tự xác nhận. Cần một cán bộ khác.", "Another person must decide."
    ),
    Reason.DECIDED: Text("Yêu cầu này đã được người khác quyết định.", "Somebody else has decided it."),
    Reason.UNKNOWN: Text("Không có yêu cầu này.", "There is no such request."),
    Reason.WHY: Text(f"Hãy ghi lý do, từ {SHORTEST_WHY} đến {LONGEST_WHY} ký tự.", "A reason is needed."),
    Reason.CODE: Text("Mã hồ sơ không đúng dạng (chữ không dấu, số, chấm, gạch).", "The code is not well formed."),
}
NOTES = {
    "asked": Text("Đã ghi yêu cầu. Một cán bộ khác phải xác nhận.", "Asked; somebody else must confirm."),
    "done": Text("Đã xác nhận. Hồ sơ đang được chuyển tiếp.", "Confirmed; it goes on now."),
    "declined": Text("Đã từ chối yêu cầu. Hồ sơ giữ nguyên.", "Declined; nothing was changed."),
    "moved": Text("Hồ sơ đã tự chuyển trước đó; không có gì phải làm thêm.", "It had moved; nothing was done."),
}

_PROBLEMS = (
    ("sealed to the keys", Text("Niêm phong bằng khóa mà máy tiếp nhận không có. Nạp đúng khóa rồi chuyển lại.")),
    ("the content key does not open", Text("Khóa niêm phong không mở được: bị sửa hoặc không phải của hồ sơ này.")),
    ("a blob is missing", Text("Thiếu một tệp trong kho của máy tiếp nhận. Khôi phục kho rồi chuyển lại.")),
    ("blob ", Text("Một tệp đã bị thay đổi sau khi niêm phong.")),
    ("a part ", Text("Một phần hồ sơ không đúng với bản kê.")),
    ("manifest refused", Text("Bản kê của hồ sơ không đọc được.")),
    ("the index does not fit", Text("Mục lục không khớp với các tệp.")),
    ("the payload lacks", Text("Nội dung thiếu một trường bắt buộc: phiên bản máy kiosk hoặc máy tiếp nhận quá cũ.")),
    ("a defect", Text("Lỗi chương trình khi xử lý hồ sơ này. Cập nhật chương trình rồi chuyển lại.")),
    ("unknown outcome", Text("Không rõ hệ thống TTHC đã nhận hay chưa. Tra cứu ở đó trước khi quyết định.")),
    ("find: another dossier", Text("Hệ thống TTHC có hồ sơ khác dưới cùng mã.")),
)
_OTHER = Text("Hệ thống TTHC từ chối hồ sơ này.")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def problem(said: str) -> str:
    """A technical problem in words; the technical text is shown beside it."""
    return next((text.vi for start, text in _PROBLEMS if said.startswith(start)), _OTHER.vi)


def local_times(text: str) -> str:
    """Moments within a text as Vietnamese papers write them."""
    return _ISO.sub(lambda found: shown(from_iso(found[0])), text)


def lasting(seconds: float) -> str:
    """«45 giây», «12 phút», «3 giờ 20 phút», «2 ngày 4 giờ»."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} giây"
    if whole < HOUR:
        return f"{whole // MINUTE} phút"
    if whole < DAY:
        return _two(whole // HOUR, "giờ", whole % HOUR // MINUTE, "phút")
    return _two(whole // DAY, "ngày", whole % DAY // HOUR, "giờ")


def _two(many: int, unit: str, rest: int, smaller: str) -> str:
    return f"{many} {unit} {rest} {smaller}" if rest and many < 10 else f"{many} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """«12 phút trước»."""
    return f"{lasting((now - moment).total_seconds())} trước"


def number(value: float) -> str:
    """Thousands apart by a dot: 12.345."""
    return f"{value:,.0f}".replace(",", ".")


def decimal(value: float) -> str:
    """One decimal behind a comma, none from ten on."""
    return number(value) if value >= 10 else f"{value:.1f}".replace(".", ",")
