"""The supervisor's pages in Chromium: live, by keyboard, with names for screen readers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accessibility import barriers
from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.staff import accounts

CENTRE, PASSWORD = "centre", "mật khẩu dài của Hoa"
ONE = Officer("s1", "1", "lan")


@pytest.fixture
def server(running):
    accounts.add_first_administrator(running.desk.store, CENTRE, "admin", PASSWORD)
    running.desk.do(CENTRE, lambda floor: counter.open_counter(floor, ONE)).result()
    return running


@pytest.fixture
def page(chromium, server) -> Iterator[Page]:
    """Signed in as administrator; no error reaches the browser's console, and nothing breaks the page's policy."""
    opened = chromium.new_page(viewport={"width": 1366, "height": 768})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.goto(f"{server.url}/supervisor")
    opened.fill("[name=name]", "admin")
    opened.fill("[name=password]", PASSWORD)
    opened.keyboard.press("Enter")
    opened.wait_for_url("**/supervisor")
    yield opened
    opened.close()
    assert [text for text in problems if "422" not in text] == []


def do(server, deed):
    return server.desk.do(CENTRE, deed).result()


def test_the_board_follows_the_hall_without_a_reload(server, page) -> None:
    expect(page.locator("#line")).to_have_text("Đang cập nhật")
    ticket = do(server, lambda floor: line.issue(floor, "so-do", group="elderly"))
    row = page.get_by_role("row", name="Cấp giấy chứng nhận")
    expect(row).to_contain_text("Trong hạn")
    expect(row).to_contain_text("1 ưu tiên")
    do(server, lambda floor: counter.call_chosen(floor, ONE, ticket["id"]))
    card = page.locator("#counters li").first
    expect(card).to_contain_text("DD-001")
    expect(card).to_contain_text("Đang gọi")
    do(server, lambda floor: counter.complete(floor, ONE, ticket["id"]))
    do(server, lambda floor: counter.pause(floor, ONE, "Họp"))
    expect(card).to_contain_text("Tạm nghỉ")
    expect(card).to_contain_text("Họp")
    do(server, lambda floor: line.issue(floor, "so-do"))
    expect(page.locator("#alarm-list")).to_contain_text("không quầy nào đang nhận")
    expect(page).to_have_title("(1) Bảng giám sát · Trung tâm thử nghiệm")


def test_a_number_without_paper_is_voided_with_a_reason(server, page) -> None:
    ticket = do(server, lambda floor: line.issue(floor, "so-do", channel="kiosk"))
    do(server, lambda floor: line.paper(floor, ticket["id"], printed=False))
    page.get_by_role("button", name="Hủy số").first.click()
    page.get_by_label("Lý do").fill("Người dân đã về")
    page.keyboard.press("Enter")
    expect(page.locator("#no-unprinted")).to_be_visible()
    page.goto(f"{server.url}/supervisor/audit")
    expect(page.locator("#events tr").first).to_contain_text("lý do: Người dân đã về")


def test_the_board_says_when_the_line_is_lost_and_comes_back(server, page) -> None:
    expect(page.locator("#line")).to_have_text("Đang cập nhật")
    server.stop()
    expect(page.locator("#line")).to_contain_text("Mất kết nối")
    server.start()
    expect(page.locator("#line")).to_have_text("Đang cập nhật")
    page.evaluate("console.clear()")


def test_charts_are_drawn_with_a_table_of_the_same_numbers(server, page) -> None:
    for _ in range(3):
        do(server, lambda floor: line.issue(floor, "so-do"))
    ticket = do(server, lambda floor: counter.call_next(floor, ONE))["ticket"]
    do(server, lambda floor: counter.complete(floor, ONE, ticket))
    page.get_by_role("link", name="Thống kê").click()
    drawing = page.get_by_role("img", name="Hôm nay theo từng 15 phút")
    expect(drawing).to_be_visible()
    assert "Số cấp: 3" in (drawing.text_content() or "")
    page.locator("#today summary").click()
    expect(page.locator("#today tbody tr").last).to_contain_text("3")
    expect(page.locator("#totals")).to_contain_text("3số đã cấp")
    expect(page.locator("#by-service tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV Lượt phục vụ").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\xef\xbb\xbf")


def test_settings_are_previewed_in_words_then_saved(server, page) -> None:
    page.get_by_role("link", name="Cấu hình").click()
    expect(page.locator("#settings:not([inert])")).to_be_visible()
    expect(page.get_by_role("button", name="Xem thay đổi rồi lưu")).to_be_disabled()
    page.get_by_label("Cấp giấy chứng nhận: nhận số").uncheck()
    page.get_by_role("radio", name="Xen kẽ theo tỉ lệ").check()
    page.get_by_role("button", name="Thêm khung giờ").first.click()
    page.get_by_label("Khung 1: từ").fill("07:30")
    page.get_by_label("Khung 1: đến").fill("17:00")
    page.get_by_role("button", name="Xem thay đổi rồi lưu").click()
    dialog = page.get_by_role("dialog", name="Những gì sẽ thay đổi")
    expect(dialog.get_by_role("row")).to_have_count(4)
    expect(dialog).to_contain_text("07:30–17:00")
    expect(dialog).to_contain_text("chờ trung bình", timeout=60000)
    dialog.get_by_role("button", name="Lưu").click()
    expect(page.get_by_role("alert").last).to_have_text("Đã lưu, có hiệu lực ngay.")
    centre = server.desk.see(CENTRE, lambda view: view.centre).result()
    assert centre.rule.name == "ratio"
    assert not centre.services["so-do"].open
    assert f"{centre.windows[0].end:%H:%M}" == "17:00"


def test_a_wrong_field_is_named_marked_and_one_press_away(server, page) -> None:
    page.goto(f"{server.url}/supervisor/settings")
    expect(page.locator("#settings:not([inert])")).to_be_visible()
    field = page.get_by_label("Số lần gọi lại tối đa")
    field.fill("99")
    page.get_by_role("button", name="Xem thay đổi rồi lưu").click()
    expect(page.locator("#wrong")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field-problem")).to_have_text("Số lần gọi lại tối đa: cần số nguyên từ 0 đến 20.")
    page.get_by_role("button", name="Bỏ thay đổi").click()
    expect(field).to_have_value("3")


def test_a_counter_gets_its_services_and_another_is_added(server, page) -> None:
    page.goto(f"{server.url}/supervisor/settings")
    expect(page.locator("#settings:not([inert])")).to_be_visible()
    page.locator("#counters summary").first.click()
    page.locator("#counters .entry").first.get_by_label("Cấp giấy chứng nhận").check()
    page.get_by_role("button", name="Thêm quầy").click()
    page.keyboard.type("9")
    page.get_by_label("Khu vực của quầy thứ 9").fill("B")
    page.get_by_role("button", name="Xem thay đổi rồi lưu").click()
    page.get_by_role("dialog").get_by_role("button", name="Lưu").click()
    expect(page.get_by_role("alert").last).to_have_text("Đã lưu, có hiệu lực ngay.")
    centre = server.desk.see(CENTRE, lambda view: view.centre).result()
    assert centre.desks["1"].skills == ("so-do",)
    assert centre.desks["9"].zone == "B"


def test_an_administrator_adds_and_disables_an_account_and_gives_a_device_its_token(server, page) -> None:
    page.get_by_role("link", name="Tài khoản").click()
    page.get_by_label("Tên đăng nhập").fill("nga")
    page.get_by_label("Tên hiển thị").fill("Vũ Hằng Nga")
    page.get_by_label("Mật khẩu", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Thêm").first.click()
    row = page.get_by_role("row", name="Vũ Hằng Nga")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Khóa: nga").click()
    page.get_by_role("dialog").get_by_role("button", name="Khóa").click()
    expect(row).to_contain_text("Đã khóa")
    page.get_by_label("Tên thiết bị").fill("sanh-1")
    page.get_by_role("button", name="Cấp mã").click()
    secret = page.get_by_role("dialog").get_by_label("Mã").input_value()
    assert len(secret) >= 40
    page.keyboard.press("Escape")
    expect(page.locator("#devices")).to_contain_text("sanh-1")


@pytest.mark.parametrize(
    ("where", "loaded"),
    [
        ("", "#services tr"),
        ("/statistics", "#totals p"),
        ("/settings", "#settings:not([inert])"),
        ("/audit", "#events tr"),
        ("/accounts", "#accounts tr"),
    ],
)
def test_every_control_has_a_name_every_text_is_legible_and_nothing_is_too_wide(server, page, where, loaded) -> None:
    do(server, lambda floor: line.issue(floor, "so-do", channel="kiosk"))
    for width in (1366, 1920):
        page.set_viewport_size({"width": width, "height": 768})
        page.goto(f"{server.url}/supervisor{where}")
        expect(page.locator(loaded).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert barriers(page) == []
