"""Tables to take away: CSV that Excel reads (UTF-8 with BOM) and XLSX, day by day, without personal data.

A ticket's id is the secret address of its holder's page: it never leaves; the number and the day say which it was.
"""

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO, Any, Protocol

import msgspec
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from kiosk.clock import from_iso
from kiosk_queue.floor import View, number_of
from kiosk_queue.model import Centre
from kiosk_queue.supervisor.statistics import Book, Tally, first_of_day

Cell = str | int | float | None
MOST_ROWS = 1_000_000
"""What a sheet of Excel holds."""
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""

OUTCOMES = {
    "completed": "Hoàn thành",
    "no_show": "Vắng mặt",
    "held": "Giữ số",
    "transferred": "Chuyển",
    "void": "Hủy",
}
"""How a stay at a counter ended."""

KINDS = {
    "issued": "Cấp số",
    "printed": "Đã in phiếu",
    "print_failed": "In phiếu hỏng",
    "reprint_requested": "Yêu cầu in lại",
    "block_leased": "Cấp dải số dự phòng",
    "called": "Gọi số",
    "recalled": "Gọi lại",
    "serving": "Bắt đầu phục vụ",
    "completed": "Hoàn thành",
    "no_show": "Vắng mặt",
    "held": "Giữ số",
    "returned": "Trở lại hàng chờ",
    "transferred": "Chuyển số",
    "transfer_undone": "Hoàn tác chuyển",
    "moved_on": "Sang dịch vụ kế tiếp",
    "void": "Hủy số",
    "group_confirmed": "Xác nhận ưu tiên",
    "annotated": "Ghi chú",
    "counter_opened": "Mở quầy",
    "counter_closed": "Đóng quầy",
    "paused": "Tạm nghỉ",
    "resumed": "Mở lại quầy",
    "staff_called": "Kiosk gọi cán bộ",
    "staff_answered": "Cán bộ nhận lời gọi",
    "rated": "Đánh giá",
    "appointment_booked": "Đặt hẹn",
    "appointment_moved": "Đổi hẹn",
    "appointment_cancelled": "Hủy hẹn",
    "appointment_kept": "Đến theo hẹn",
    "settings_changed": "Đổi cấu hình",
    "day_opened": "Mở ngày làm việc",
    "signed_in": "Đăng nhập",
    "signed_out": "Đăng xuất",
    "account_added": "Thêm tài khoản",
    "account_role": "Đổi vai trò",
    "account_password": "Đổi mật khẩu",
    "account_disabled": "Khóa tài khoản",
    "account_enabled": "Mở khóa tài khoản",
    "device_added": "Cấp mã thiết bị",
    "device_revoked": "Thu hồi mã thiết bị",
    "webhook_added": "Thêm webhook",
    "webhook_removed": "Xóa webhook",
}
"""Events as supervisors read them."""


class Rows(Protocol):
    """Reads the rows of one business day."""

    def __call__(self, view: View, book: Book, day: str) -> list[Sequence[Cell]]:
        """The rows."""


@dataclass(frozen=True)
class Table:
    """What is taken away: its title, its columns, and the rows of one business day."""

    title: str
    columns: tuple[str, ...]
    rows: Rows


# --- the rows ---


def _stints(view: View, book: Book, day: str) -> list[Sequence[Cell]]:  # noqa: ARG001
    rows = view.tx.all(
        "SELECT s.*, t.series, t.n, t.channel FROM stint s JOIN ticket t ON t.id = s.ticket"
        " WHERE s.centre = :centre AND s.day = :day ORDER BY s.seq",
        centre=view.centre.id, day=day,
    )  # fmt: skip
    return [
        (
            day,
            number_of(row),
            _service(view.centre, row["service"]),
            "Có" if row["urgent"] else "Không",
            "Có" if row["appointment"] else "Không",
            row["channel"],
            row["counter"],
            _local(view.centre, row["waiting_since"]),
            _local(view.centre, row["called_at"]),
            _local(view.centre, row["serving_at"]),
            _local(view.centre, row["ended_at"]),
            OUTCOMES.get(row["outcome"], row["outcome"]),
            round(row["waited"]),
            round(row["served"]),
            *(None if row[name] is None else round(row[name], 1) for name in ("wait_low", "wait_likely", "wait_high")),
        )
        for row in rows
    ]


def _days(view: View, book: Book, day: str) -> list[Sequence[Cell]]:
    numbers = book.numbers(view, day)
    if not numbers.issued and not numbers.total.waits:
        return []
    return [(day, numbers.issued, numbers.left, *_figures(numbers.total))]


def _counters(view: View, book: Book, day: str) -> list[Sequence[Cell]]:
    return [(day, name, *_figures(tally)) for name, tally in book.numbers(view, day).counters.items()]


def _ratings(view: View, book: Book, day: str) -> list[Sequence[Cell]]:  # noqa: ARG001
    rows = view.tx.all(
        "SELECT t.series, t.n, t.service, r.at, r.score FROM ticket t CROSS JOIN rating r WHERE t.centre = :centre"
        " AND t.day = :day AND r.centre = t.centre AND r.ticket = t.id ORDER BY r.at",
        centre=view.centre.id, day=day,
    )  # fmt: skip
    return [
        (day, number_of(row), _service(view.centre, row["service"]), _local(view.centre, row["at"]), row["score"])
        for row in rows
    ]


def _audit(view: View, book: Book, day: str) -> list[Sequence[Cell]]:  # noqa: ARG001
    rows = view.tx.all(
        "SELECT seq, at, kind, counter, actor, body FROM event WHERE centre = :centre AND seq >= :first AND day = :day"
        " AND seq < :after ORDER BY seq",
        centre=view.centre.id, day=day, first=first_of_day(view, day), after=first_of_day(view, day + "~"),
    )  # fmt: skip
    return [
        (
            row["seq"], day, _local(view.centre, row["at"]), KINDS.get(row["kind"], row["kind"]), row["actor"],
            row["counter"], msgspec.json.decode(row["body"]).get("number"), row["body"],
        )
        for row in rows
    ]  # fmt: skip


_FIGURES = (
    "Lượt gọi", "Hoàn thành", "Vắng mặt", "Chờ trung bình (phút)", "90 % chờ dưới (phút)", "Đúng hạn (%)",
    "Phục vụ trung bình (phút)", "Hài lòng (1–5)", "Lượt đánh giá",
)  # fmt: skip

TABLES = {
    "stints": Table(
        "Lượt phục vụ",
        (
            "Ngày", "Số", "Dịch vụ", "Ưu tiên", "Có hẹn", "Kênh", "Quầy", "Chờ từ", "Gọi lúc", "Phục vụ từ",
            "Kết thúc", "Kết quả", "Chờ (giây)", "Phục vụ (giây)", "Dự kiến ít nhất (phút)", "Dự kiến (phút)",
            "Dự kiến nhiều nhất (phút)",
        ),
        _stints,
    ),
    "days": Table("Tổng theo ngày", ("Ngày", "Số đã cấp", "Không phục vụ", *_FIGURES), _days),
    "counters": Table("Theo quầy", ("Ngày", "Quầy", *_FIGURES), _counters),
    "ratings": Table("Đánh giá", ("Ngày", "Số", "Dịch vụ", "Đánh giá lúc", "Điểm"), _ratings),
    "audit": Table("Nhật ký", ("Thứ tự", "Ngày", "Lúc", "Sự kiện", "Ai", "Quầy", "Số", "Chi tiết"), _audit),
}  # fmt: skip


def _figures(tally: Tally) -> tuple[Cell, ...]:
    found = tally.as_json()
    within = found["within"]
    return (
        found["called"], found["completed"], found["missed"], found["mean_wait"], found["p90_wait"],
        None if within is None else round(within * 100, 1), found["mean_served"], found["rating"], found["rated"],
    )  # fmt: skip


def _service(centre: Centre, service: str) -> str:
    known = centre.services.get(service)
    return known.name.vi if known else service


def _local(centre: Centre, at: str | None) -> str | None:
    """«2026-11-23 08:05:09», in the centre's zone."""
    return None if at is None else from_iso(at).astimezone(centre.tz).strftime("%Y-%m-%d %H:%M:%S")


# --- the files ---


def guarded(value: Cell) -> Cell:
    """A text that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(_DANGEROUS) else value


async def csv_parts(table: Table, days: AsyncIterator[list[Sequence[Cell]]]) -> AsyncIterator[bytes]:
    """The file in pieces, one for each day; the byte order mark tells Excel that it is UTF-8."""
    yield b"\xef\xbb\xbf" + _csv([table.columns])
    async for rows in days:
        if rows:
            yield _csv(rows)


def _csv(rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[guarded(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


class Sheet:
    """An XLSX file that is written row by row; every text is stored as text, whatever it begins with."""

    def __init__(self, table: Table) -> None:
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(table.title)
        self._sheet.freeze_panes = "A2"
        for n, column in enumerate(table.columns, 1):
            self._sheet.column_dimensions[get_column_letter(n)].width = max(11, min(34, len(column) + 3))
        self._sheet.append([self._heading(column) for column in table.columns])
        self.rows = 0

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows."""
        for row in rows:
            self._sheet.append([self._cell(value) for value in row])
            self.rows += 1

    def finish(self) -> IO[bytes]:
        """The file, rewound; gone when it is closed."""
        file = tempfile.TemporaryFile()  # noqa: SIM115  # the answer closes it
        self._book.save(file)
        file.seek(0)
        return file

    def _heading(self, text: str) -> Any:
        cell = WriteOnlyCell(self._sheet, text)
        cell.font = Font(bold=True, color="FFFFFFFF")
        cell.fill = PatternFill("solid", fgColor="FF14213D")
        return cell

    def _cell(self, value: Cell) -> Any:
        if not isinstance(value, str):
            return value
        cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
        cell.data_type = "s"
        if value.startswith(_DANGEROUS):
            cell.quotePrefix = True
        return cell


def file_name(centre: Centre, what: str, first: date, last: date, ending: str) -> str:
    """«centre-stints-2026-11-01--2026-11-23.csv»."""
    return f"{centre.id}-{what}-{first.isoformat()}--{last.isoformat()}.{ending}"
