"""A number on the phone, in a real browser with a phone's screen, and its stream over HTTP."""

import json
import os
import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from kiosk_queue.forecast import Range
from kiosk_queue.phone import view as phone_view
from kiosk_queue.phone.view import shown_range

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@pytest.fixture
def phone(chromium) -> Iterator[Page]:
    """A Vietnamese phone; an error of a script fails the test."""
    context = chromium.new_context(**PHONE, locale="vi-VN")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def address(running, ticket: dict) -> str:
    return f"{running.url}/t/{ticket['id']}"


def test_the_holder_follows_the_number_from_the_line_to_the_rating(running, phone) -> None:
    at = running.counter("3")
    first, mine = running.issue("khai-sinh", "elderly"), running.issue()
    phone.goto(address(running, mine))
    expect(phone.get_by_role("heading", name=mine["number"])).to_be_visible()
    expect(phone.locator("#ahead")).to_have_text("1")
    expect(phone.get_by_text("Chuẩn bị sẵn thẻ căn cước")).to_be_visible()
    expect(phone.get_by_text("Ưu tiên", exact=True)).to_be_hidden()
    while at.next()["number"] != mine["number"]:
        pass
    expect(phone.get_by_text("Mời bạn đến quầy")).to_be_visible()
    expect(phone.locator("#counter")).to_have_text("3")
    expect(phone).to_have_title("▶ Mời bạn đến quầy 3")
    assert at.do(mine["id"], "serve").ok
    expect(phone.get_by_text("Đang được phục vụ tại quầy")).to_be_visible()
    assert at.do(mine["id"], "complete").ok
    phone.get_by_role("button", name="4: Hài lòng").click()
    expect(phone.get_by_text("Cảm ơn bạn đã đánh giá.")).to_be_visible()
    phone.reload()
    expect(phone.get_by_role("button", name="4: Hài lòng")).to_have_attribute("aria-pressed", "true")
    rated = running.desk.see("centre", lambda view: view.tx.one("SELECT score FROM rating")).result()
    assert rated["score"] == 4
    assert first["number"] not in phone.content()


def test_a_number_is_given_back_only_after_the_question(running, phone) -> None:
    mine, other = running.issue(), running.issue()
    phone.goto(address(running, mine))
    phone.get_by_role("button", name="Tôi không cần số này nữa").click()
    expect(phone.get_by_role("dialog")).to_contain_text(f"Trả lại số {mine['number']}?")
    phone.get_by_role("button", name="Giữ số").click()
    expect(phone.locator("#ahead")).to_have_count(1)
    assert running.api("GET", f"/tickets/{mine['id']}").json()["state"] == "waiting"
    phone.get_by_role("button", name="Tôi không cần số này nữa").click()
    phone.get_by_role("dialog").get_by_role("button", name="Trả lại số").click()
    expect(phone.get_by_text("Bạn đã trả lại số này")).to_be_visible()
    expect(phone.get_by_role("dialog")).to_be_hidden()
    called = running.counter("1").next()
    assert called["number"] == other["number"]


def test_a_number_that_is_already_called_cannot_be_given_back(running) -> None:
    mine = running.issue()
    running.counter("1").next()
    answer = requests.post(address(running, mine) + "/give-back", headers={"idempotency-key": os.urandom(8).hex()})
    assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
    assert requests.post(address(running, mine) + "/give-back").status_code == 400


def test_the_holder_is_told_what_to_do_when_missed_or_on_hold(running, phone) -> None:
    at, mine = running.counter("1"), running.issue()
    phone.goto(address(running, mine))
    at.next()
    assert at.do(mine["id"], "hold").ok
    expect(phone.get_by_text("Số của bạn đang được giữ")).to_be_visible()
    expect(phone.get_by_text("mời báo lại tại quầy")).to_be_visible()
    running.desk.do("centre", lambda floor: floor.change(mine["id"], state="no_show", ended_at=floor.at)
                    or {"seq": floor.event("no_show", mine["id"])}).result()  # fmt: skip
    expect(phone.get_by_text("Đã gọi nhưng bạn vắng mặt")).to_be_visible()
    expect(phone.get_by_text("mời đến bàn hướng dẫn")).to_be_visible()


def test_the_page_speaks_the_browsers_language_and_can_be_switched(running, chromium) -> None:
    mine = running.issue()
    context = chromium.new_context(**PHONE, locale="en-GB")
    page = context.new_page()
    page.goto(address(running, mine))
    expect(page.get_by_text("Your number", exact=True)).to_be_visible()
    expect(page.get_by_text("Birth registration")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("link", name="Tiếng Việt").click()
    expect(page.get_by_text("Số của bạn", exact=True)).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_cut_off_on_a_narrow_screen_with_large_text(running, chromium, width) -> None:
    mine = running.issue()
    context = chromium.new_context(viewport={"width": width, "height": 640}, locale="en-GB")
    page = context.new_page()
    page.goto(address(running, mine))
    page.evaluate("document.documentElement.style.fontSize = '24px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in page.get_by_role("button").all():
        assert box.bounding_box()["height"] >= 44
    context.close()


def test_without_the_server_the_last_state_stays_with_its_time(running, phone) -> None:
    running.issue()
    mine = running.issue()
    phone.goto(address(running, mine))
    expect(phone.locator("#ahead")).to_have_text("1")
    at = phone.locator("#at").inner_text()
    running.stop()
    expect(phone.get_by_text(f"Mất kết nối. Thông tin lúc {at}")).to_be_visible()
    expect(phone.locator("#ahead")).to_have_text("1")
    running.start()
    expect(phone.locator("#lost")).to_be_hidden()


def test_a_range_is_told_in_steps_that_can_be_kept() -> None:
    assert shown_range(Range(12, 15, 19, 9, 25)) == {"low": 10, "high": 20, "soon": False, "hours": 0}
    assert shown_range(Range(2.4, 4, 6.2, 1, 9)) == {"low": 2, "high": 7, "soon": False, "hours": 0}
    assert shown_range(Range(0, 0.2, 0.9, 0, 2)) == {"low": 0, "high": 1, "soon": True, "hours": 0}
    assert shown_range(Range(150, 170, 190, 120, 240))["hours"] == 2, "nobody can tell so long a wait in minutes"
    assert shown_range(None) is None


def test_the_page_tells_the_range_of_the_forecast_and_none_without_a_counter(running, phone) -> None:
    for _ in range(4):
        running.issue()
    mine = running.issue()
    phone.goto(address(running, mine))
    expect(phone.get_by_text("Chưa ước được giờ gọi")).to_be_visible()
    running.counter("1").next()
    expect(phone.locator("#wait")).to_have_text(re.compile(r"Còn khoảng \d+–\d+ phút"))


def test_the_address_of_a_number_is_listed_nowhere_and_holds_no_person(running) -> None:
    mine = running.issue("khai-sinh", "elderly")
    answer = requests.get(address(running, mine))
    assert "noindex" in answer.headers["x-robots-tag"] and 'name="robots"' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert set(requests.get(address(running, mine) + "/state").json()) == {
        "number", "state", "service", "further", "urgent", "ahead", "wait", "appointment", "counter", "zone",
        "announced", "issued", "score", "given_back", "at",
    }  # fmt: skip


def test_an_unknown_number_is_explained(running, phone) -> None:
    assert phone.goto(f"{running.url}/t/abcdefghijklmnop").status == 404
    expect(phone.get_by_text("Hãy quét lại mã QR trên phiếu")).to_be_visible()
    assert requests.get(f"{running.url}/t/abcdefghijklmnop/events").status_code == 404


def test_yesterdays_number_is_no_longer_valid(running_by_hand, hands, phone) -> None:
    mine = running_by_hand.issue()
    hands.turn(days=1)
    phone.goto(address(running_by_hand, mine))
    expect(phone.get_by_text("Số này của ngày trước, không còn hiệu lực")).to_be_visible()


def test_a_further_service_of_the_same_visit_is_announced(running, phone) -> None:
    at = running.counter("1")
    mine = running.issue(further=["so-do"])
    phone.goto(address(running, mine))
    expect(phone.get_by_text("Sau đó, cùng số này: Cấp giấy chứng nhận")).to_be_visible()
    at.next()
    assert at.do(mine["id"], "complete").ok
    expect(phone.locator("#service")).to_have_text("Cấp giấy chứng nhận")
    expect(phone.get_by_text("Sau đó, cùng số này")).to_be_hidden()


def frames(answer: requests.Response) -> Iterator[dict]:
    for text in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if text.startswith("data: {"):
            yield json.loads(text[6:])


def test_a_stream_tells_only_what_changed_and_ends_with_the_number(running) -> None:
    at, mine = running.counter("1"), running.issue()
    with requests.get(address(running, mine) + "/events", stream=True, timeout=30) as answer:
        told = frames(answer)
        assert next(told)["state"] == "waiting"
        for _ in range(3):
            running.issue("so-do")  # who comes later changes nothing
        at.next()
        assert next(state for state in told if state["state"] != "waiting")["state"] == "called"
        assert at.do(mine["id"], "complete").ok
        assert [state["state"] for state in told] == ["completed"]


def test_one_reading_of_the_line_serves_every_phone(running, monkeypatch, helpers) -> None:
    readings = []
    read = phone_view.read_board
    monkeypatch.setattr(phone_view, "read_board", lambda view: readings.append(view.seq) or read(view))
    at = running.counter("1")
    tickets = [running.issue() for _ in range(25)]
    streams = [requests.get(address(running, t) + "/events", stream=True, timeout=30) for t in tickets]
    told = [frames(stream) for stream in streams]
    assert [next(f)["ahead"] for f in told] == list(range(25))
    readings.clear()
    at.next()
    helpers.until(lambda: readings)
    for n, each in enumerate(told[1:], 1):
        while (state := next(each))["ahead"] != n - 1:
            assert state["state"] == "waiting"
    assert len(readings) <= 3
    for stream in streams:
        stream.close()
