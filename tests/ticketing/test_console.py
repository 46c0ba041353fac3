"""The officer's console in a real browser: by keyboard, on a bad line, beside colleagues."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from accessibility import barriers, contrast
from kiosk.text import Text
from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import Refused, change_settings
from kiosk_queue.model import Counter
from kiosk_queue.staff import accounts, console

CENTRE = "centre"
PASSWORD = "mật khẩu của cán bộ"
PROBES = (Path(__file__).parents[1] / "support" / "page_probes.js").read_text("utf-8")
SIZES = ((1366, 768), (1920, 1080))


@dataclass
class Hall:
    """A running centre with officers, and their browsers."""

    server: object
    browser: Browser
    errors: list[str]

    def do(self, deed):
        return self.server.desk.do(CENTRE, deed).result()

    def number(self, service: str = "khai-sinh", group: str = "", further: tuple[str, ...] = ()) -> str:
        return self.do(lambda floor: line.issue(floor, service, group, "web", further))["number"]

    def count(self, kind: str) -> int:
        sql = "SELECT count(*) AS n FROM event WHERE centre = :c AND kind = :kind"
        return self.server.desk.store.read(lambda tx: tx.one(sql, c=CENTRE, kind=kind)["n"]).result()

    def browser_of(self, name: str, size: tuple[int, int] = SIZES[0]) -> Page:
        """Signed in by keyboard; the counter is still to be chosen."""
        page = self.browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{self.server.url}/console")
        expect(page.locator("#name")).to_be_focused()
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.insert_text(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("#choose")).to_be_visible()
        return page

    def at(self, desk: str, name: str = "lan", size: tuple[int, int] = SIZES[0]) -> Page:
        page = self.browser_of(name, size)
        page.keyboard.press(desk)
        shows(page, "#counter", desk)
        expect(page.locator("#next")).to_be_enabled()
        return page


@pytest.fixture
def hall(helpers, settings, chromium) -> Iterator[Hall]:
    server = helpers.Running(settings).start()
    here = Hall(server, chromium, [])
    accounts.add_first_administrator(server.desk.store, CENTRE, "admin", PASSWORD)
    stored = accounts._hash(PASSWORD, "")
    for name, shown in (("lan", "Nguyễn Thị Lan"), ("minh", "Trần Văn Minh")):
        here.do(lambda floor, n=name, s=shown: accounts.add_account(floor, "admin", n, s, "officer", stored))
    yield here
    for context in chromium.contexts:
        context.close()
    server.stop()
    assert here.errors == []


def shows(page: Page, where: str, words: str) -> None:
    expect(page.locator(where)).to_contain_text(words)
    expect(page.locator(where)).to_be_visible()


def test_an_officer_works_a_whole_visit_by_keyboard(hall: Hall) -> None:
    first, second = hall.number("khai-sinh", "elderly", ("so-do",)), hall.number("so-do")
    page = hall.at("3")
    shows(page, "#next-number", first)
    page.keyboard.press("n")
    shows(page, "#number", first)
    shows(page, "#why", "Ưu tiên")
    shows(page, "#further", "Cấp giấy chứng nhận")
    expect(page.locator("#no-show")).to_be_disabled()
    page.keyboard.press("u")
    expect(page.locator("#group-dialog")).to_be_visible()
    page.keyboard.press("Enter")
    shows(page, "#group-text", "✓ Ưu tiên: Người cao tuổi")
    page.keyboard.press("Enter")
    shows(page, "#current-title", "Đang phục vụ")
    page.keyboard.press("d")
    page.keyboard.type("H26.12-0031")
    page.keyboard.press("Tab")
    page.keyboard.insert_text("thiếu bản sao")
    page.keyboard.press("Control+Enter")
    shows(page, "#reference", "H26.12-0031")
    shows(page, "#note", "thiếu bản sao")
    page.keyboard.press("c")
    shows(page, "#idle-text", "Quầy đang trống")
    shows(page, "#served", "1")
    page.keyboard.press("Space")
    expect(page.locator("#serving")).to_be_visible()
    shows(page, "#number", first)  # its second service, by time of arrival
    page.wait_for_timeout(1600)
    page.keyboard.press("Space")
    shows(page, "#number", second)
    shows(page, "#served", "2")


def test_next_pressed_twice_in_a_hurry_calls_once(hall: Hall) -> None:
    first, _ = hall.number(), hall.number()
    page = hall.at("1")
    for _ in range(4):
        page.keyboard.press("n")
    shows(page, "#number", first)
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert hall.count("called") == 1


def test_a_vietnamese_input_method_does_not_hide_the_keys(hall: Hall) -> None:
    first = hall.number()
    page = hall.at("1")
    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: 'Process', code: 'KeyN' }))")
    shows(page, "#number", first)


def test_a_lost_answer_is_asked_for_again_and_the_deed_done_once(hall: Hall) -> None:
    first, _ = hall.number(), hall.number()
    page = hall.at("1")
    keys: list[str] = []

    def lose_two(route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) <= 2:
            route.fetch()  # the server does it, the answer is lost
            route.abort()
        else:
            route.continue_()

    page.route("**/console/api/next", lose_two)
    page.keyboard.press("n")
    shows(page, "#strip-text", "Gọi số tiếp theo")
    expect(page.locator("#complete")).to_be_disabled()
    page.keyboard.press("c")  # nothing is queued behind it
    expect(page.locator("#strip")).to_be_hidden()
    shows(page, "#number", first)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert hall.count("called") == 1
    assert hall.count("completed") == 0


def test_a_deed_in_flight_outlives_the_page_being_loaded_anew(hall: Hall) -> None:
    first, _ = hall.number(), hall.number()
    page = hall.at("1")
    keys: list[str] = []

    def lose(route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    page.route("**/console/api/next", lose)
    page.keyboard.press("n")
    shows(page, "#strip-text", "Gọi số tiếp theo")
    page.unroute("**/console/api/next")
    seen: list[str] = []
    page.on("request", lambda r: seen.append(r.headers.get("idempotency-key", "")) if "/api/next" in r.url else None)
    page.reload()
    shows(page, "#number", first)
    expect(page.locator("#strip")).to_be_hidden()
    page.wait_for_timeout(300)
    assert set(seen) == set(keys)
    assert hall.count("called") == 1


def test_the_console_lives_through_a_restart_of_the_server(hall: Hall) -> None:
    first, _ = hall.number(), hall.number()
    page = hall.at("1")
    hall.server.stop()
    shows(page, "#line", "Mất kết nối")
    shows(page, "#strip-text", "Mất kết nối")
    page.keyboard.press("n")
    shows(page, "#strip-text", "chưa có trả lời")
    hall.server.start()
    shows(page, "#number", first)
    shows(page, "#line", "Đã kết nối")
    expect(page.locator("#strip")).to_be_hidden()
    assert hall.count("called") == 1
    third = hall.number("so-do")
    shows(page, "#lines tr:nth-child(3) .num >> nth=0", "1")
    assert third


def test_two_officers_cannot_hold_one_counter_and_taking_over_says_from_whom(hall: Hall) -> None:
    first = hall.number()
    lan = hall.at("2", "lan")
    lan.keyboard.press("n")
    shows(lan, "#number", first)
    minh = hall.browser_of("minh")
    expect(minh.get_by_role("button", name="Quầy 2, Nguyễn Thị Lan")).to_be_visible()
    minh.keyboard.press("2")
    shows(minh, "#take-over-text", f"Quầy 2 đang do Nguyễn Thị Lan giữ, đang có số {first}")
    minh.keyboard.press("Enter")
    shows(minh, "#number", first)
    shows(lan, "#choose-lead", "Quầy 2 không còn ở máy này")
    assert hall.count("counter_closed") == 1


def test_a_transfer_is_taken_back_with_control_z(hall: Hall) -> None:
    first = hall.number()
    page = hall.at("1")
    page.keyboard.press("n")
    shows(page, "#number", first)
    page.keyboard.press("s")
    shows(page, "#current-title", "Đang phục vụ")
    page.keyboard.press("t")
    expect(page.locator("#transfer-dialog")).to_be_visible()
    page.locator("#target").select_option("so-do")
    page.get_by_label("Lên đầu").check()
    page.get_by_role("button", name="Chuyển Enter").click()
    shows(page, "#undo-text", f"Đã chuyển {first} đến Cấp giấy chứng nhận")
    page.keyboard.press("Control+z")
    shows(page, "#number", first)
    shows(page, "#service", "Đăng ký khai sinh")
    shows(page, "#current-title", "Đang phục vụ")


def test_a_citizen_is_sent_to_a_person_and_only_that_person_calls_them(hall: Hall) -> None:
    first = hall.number()
    minh, page = hall.at("4", "minh"), hall.at("1")
    page.keyboard.press("n")
    shows(page, "#number", first)
    page.keyboard.press("t")
    page.get_by_label("Cán bộ", exact=True).check()
    page.locator("#target").select_option(label="Trần Văn Minh · quầy 4")
    page.get_by_role("button", name="Chuyển Enter").click()
    shows(minh, "#next-number", first)
    shows(page, "#no-next", "Không có người chờ")


def test_held_and_missed_numbers_come_back_and_a_number_is_found_by_typing(hall: Hall) -> None:
    hall.do(lambda f: change_settings(f, replace(f.centre, calling=_quick(f.centre.calling)), "x", f.centre.version))
    held, missed, third = hall.number(), hall.number(), hall.number()
    page = hall.at("1")
    page.keyboard.press("n")
    shows(page, "#number", held)
    page.keyboard.press("h")
    shows(page, "#held", held)
    page.wait_for_timeout(1600)
    page.keyboard.press("n")
    shows(page, "#number", missed)
    page.keyboard.press("r")
    shows(page, "#calls", "2 lần")
    page.keyboard.press("v")
    shows(page, "#missed", missed)
    page.keyboard.press("/")
    expect(page.locator("#wanted")).to_be_focused()
    page.keyboard.type("3")
    expect(page.locator("#found [aria-selected=true]")).to_contain_text(third)
    page.keyboard.press("F2")
    shows(page, "#unprinted", third)
    page.keyboard.press("/")
    page.keyboard.type(third)
    page.keyboard.press("Enter")
    shows(page, "#number", third)
    page.keyboard.press("c")
    page.get_by_role("button", name=f"Gọi {held}").click()
    shows(page, "#number", held)
    page.keyboard.press("c")
    page.get_by_role("button", name=f"Gọi {missed}").click()
    shows(page, "#number", missed)


def test_what_is_typed_before_the_line_has_come_is_for_the_dialog_and_no_deed(hall: Hall) -> None:
    first, wanted = hall.number(), hall.number()
    page = hall.at("1")
    page.keyboard.press("n")
    shows(page, "#number", first)
    page.route("**/console/targets", lambda route: (page.wait_for_timeout(500), route.continue_()))
    page.keyboard.press("t")
    expect(page.locator("#target")).to_contain_text("Đang lấy danh sách")
    page.keyboard.press("c")
    expect(page.locator("#target")).to_contain_text("Cấp giấy chứng nhận")
    page.keyboard.press("Escape")
    shows(page, "#number", first)
    page.keyboard.press("c")
    shows(page, "#idle-text", "Quầy đang trống")
    page.route("**/console/line", lambda route: (page.wait_for_timeout(500), route.continue_()))
    page.keyboard.press("/")
    page.keyboard.type(wanted)
    page.keyboard.press("Enter")
    shows(page, "#pick-hint", "Đang lấy hàng chờ")
    shows(page, "#number", wanted)


def _quick(calling):
    return replace(calling, recall_seconds=0)


def test_a_pause_has_a_reason_and_nobody_is_called_in_it(hall: Hall) -> None:
    first = hall.number()
    page, minh = hall.at("1"), hall.at("4", "minh")
    page.keyboard.press("p")
    page.keyboard.press("3")
    shows(page, "#paused", "Đang tạm nghỉ: Họp")
    shows(minh, "#counters", "tạm nghỉ")
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert hall.count("called") == 0
    page.keyboard.press("p")
    expect(page.locator("#next")).to_be_visible()
    page.keyboard.press("n")
    shows(page, "#number", first)


def test_the_own_services_are_shown_and_the_others_on_demand(hall: Hall) -> None:
    skilled = (Counter("1", ("so-do",)), Counter("2", ("khai-sinh", "khai-tu")))
    hall.do(lambda f: change_settings(f, replace(f.centre, counters=skilled), "x", f.centre.version))
    hall.number("khai-sinh")
    page = hall.at("1")
    expect(page.locator("#lines tr")).to_have_count(1)
    shows(page, "#lines", "Cấp giấy chứng nhận")
    shows(page, "#all", "Dịch vụ khác: 1 người chờ")
    page.keyboard.press("a")
    expect(page.locator("#lines tr")).to_have_count(3)


def test_a_kiosks_call_for_staff_is_seen_and_answered(hall: Hall) -> None:
    page = hall.at("1")
    hall.do(lambda floor: counter.call_staff(floor, "K01"))
    shows(page, "#toast", "Kiosk K01 gọi cán bộ")
    page.get_by_role("button", name="Đến ngay K01").click()
    expect(page.locator("#staff")).to_be_hidden()
    assert hall.count("staff_answered") == 1


def test_a_disabled_officer_is_back_at_the_sign_in_page_at_once(hall: Hall) -> None:
    page = hall.at("1")
    hall.do(lambda floor: accounts.set_disabled(floor, "admin", "lan", disabled=True))
    expect(page.locator("#password")).to_be_visible()


def test_an_officer_changes_the_own_password_knowing_the_old_one(hall: Hall) -> None:
    page = hall.at("1")
    page.get_by_role("button", name="Nguyễn Thị Lan").click()
    page.locator("#old-password").fill("not the password")
    page.locator("#new-password").fill("một câu mới để nhớ")
    page.keyboard.press("Enter")
    shows(page, "#password-problem", "mật khẩu không đúng")
    page.locator("#old-password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_be_focused()
    page.locator("#name").fill("lan")
    page.locator("#password").fill("một câu mới để nhớ")
    page.keyboard.press("Enter")
    expect(page.locator("#choose")).to_be_visible()
    assert hall.count("account_password") == 1


def test_signing_out_waits_for_the_citizen_at_the_counter(hall: Hall) -> None:
    first = hall.number()
    page = hall.at("1")
    page.keyboard.press("n")
    shows(page, "#number", first)
    page.get_by_role("button", name="Đăng xuất").click()
    shows(page, "#toast", "Hãy kết thúc hoặc chuyển số")
    page.keyboard.press("c")
    shows(page, "#idle-text", "Quầy đang trống")
    page.get_by_role("button", name="Đăng xuất").click()
    expect(page.locator("#password")).to_be_visible()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_state_is_legible_named_and_within_the_screen(hall: Hall, size: tuple[int, int]) -> None:
    hall.do(
        lambda f: change_settings(
            f, replace(f.centre, name=Text("Trung tâm Phục vụ hành chính công phường Nghĩa Đô")), "x", f.centre.version
        )
    )
    for group in ("", "elderly", "", ""):
        hall.number("khai-sinh", group, ("so-do",))
    ghost = hall.do(lambda floor: line.issue(floor, "so-do", "", "kiosk"))
    hall.do(lambda floor: line.paper(floor, ghost["id"], printed=False))
    hall.do(lambda floor: counter.call_staff(floor, "K01"))
    page = hall.browser_of("lan", size)
    _looks_right(page)
    page.keyboard.press("1")
    shows(page, "#counter", "1")
    _looks_right(page)
    page.keyboard.press("n")
    expect(page.locator("#serving")).to_be_visible()
    assert contrast(page, "#number") >= 7
    _looks_right(page)
    for key, dialog in (("t", "transfer"), ("/", "pick"), ("u", "group"), ("g", "note"), ("p", "pause"), ("?", "help")):
        page.keyboard.press(key)
        expect(page.locator(f"#{dialog}-dialog")).to_be_visible()
        _looks_right(page)
        page.keyboard.press("Escape")
    page.locator("#who").click()
    expect(page.locator("#password-dialog")).to_be_visible()
    _looks_right(page)
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page.locator("#idle")).to_be_visible()
    page.keyboard.press("p")
    page.keyboard.press("1")
    expect(page.locator("#resume")).to_be_visible()
    _looks_right(page)


def _looks_right(page: Page) -> None:
    assert barriers(page) == []
    for wrong in ("outside", "spilling"):
        assert page.evaluate(f"({PROBES.rstrip().removesuffix(';')}).{wrong}()") == [], wrong


def test_focus_can_be_seen_on_every_control_reached_by_tab(hall: Hall) -> None:
    page = hall.at("1")
    reached = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const n = document.activeElement; const s = getComputedStyle(n);"
            " return [n.id, s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        if outline[0]:
            reached.add(outline[0])
            assert outline[1] == "solid", outline
            assert outline[2] >= 2, outline
    assert {"change-counter", "help", "sign-out", "next", "pick", "pause"} <= reached


def test_what_the_page_never_sends_is_refused_with_a_reason(hall: Hall) -> None:
    hall.number()
    page = hall.at("1")
    page.keyboard.press("n")
    expect(page.locator("#serving")).to_be_visible()
    refused = page.evaluate(
        """async () => {
          const send = async (deed, body, headers) => {
            const sent = JSON.stringify({ counter: "1", ...body });
            const answer = await fetch(`/console/api/${deed}`, { method: "POST", headers, body: sent });
            return [answer.status, (await answer.json()).reason];
          };
          const ticket = current().ticket, csrf = { "x-csrf-token": document.body.dataset.csrf };
          const keyed = (key) => ({ ...csrf, "idempotency-key": key });
          return [
            await send("complete", { ticket }, { "idempotency-key": "key-number-1" }),
            await send("complete", { ticket }, csrf),
            await send("transfer", { ticket, to_officer: "ghost" }, keyed("key-number-2")),
            await send("answer-staff", { call: true }, keyed("key-number-3")),
            await send("recall", { ticket: "unknown" }, keyed("key-number-4")),
          ];
        }"""
    )
    assert refused == [
        [403, "forbidden"], [400, "bad_request"], [400, "bad_request"], [400, "bad_request"], [404, "not_found"],
    ]  # fmt: skip


def test_a_transfer_cannot_be_taken_back_after_a_minute(hands, desk) -> None:
    lan = Officer("session-of-lan", "1", "lan")
    run = lambda deed: desk.do(CENTRE, deed).result()  # noqa: E731
    run(lambda floor: line.issue(floor, "khai-sinh"))
    run(lambda floor: counter.open_counter(floor, lan))
    ticket = run(lambda floor: counter.call_next(floor, lan))["ticket"]
    run(lambda floor: counter.transfer(floor, lan, ticket, "so-do"))
    hands.turn(seconds=61)
    with pytest.raises(Refused, match="too_late"):
        run(lambda floor: console.DEEDS["undo-transfer"](floor, lan, {"ticket": ticket}))
