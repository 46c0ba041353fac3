"""The operator's page in Chromium: two people and a dossier, live without disturbing, by keyboard and for everybody."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page, expect

from accessibility import barriers
from kiosk.config import ReceiverSettings
from sync.outbox_schema import State
from sync.receiver.database import Database, open_database
from tests.sync.operator_page import (
    OperatorPage,
    add_alarm,
    add_kiosk,
    add_operators,
    add_submission,
    envelope,
    fill,
    hold,
    moment,
    rows,
)
from tests.sync.province import CANARY, CANARY_ID, Province, expected, make_dossier, until

TEN_SECONDS = 10_500


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(open_database(ReceiverSettings(state=tmp_path / "receiver"))) as built:
        yield built


@pytest.fixture
def lan(chromium, database, page) -> Iterator[Page]:
    """Signed in, with a clock that the test turns; no error reaches the browser's console but those of a lost line."""
    add_operators(database, "lan")
    browser = page.signed_in(chromium, "lan")
    browser.clock.install()
    problems: list[str] = []
    browser.on("pageerror", lambda error: problems.append(str(error)))
    browser.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield browser
    browser.context.close()
    assert [text for text in problems if "Failed to load resource" not in text] == []


def ten_seconds_later(browser: Page) -> None:
    """The page has fetched itself anew."""
    with browser.expect_response(lambda answer: "x-live" in answer.request.headers):
        browser.clock.fast_forward(TEN_SECONDS)


# --- two people and a dossier ---


def test_two_operators_take_a_dossier_out_of_quarantine_and_it_arrives(chromium, province: Province):
    """The receiver was started with a wrong key; it is mended, and the dossier goes on as if nothing had been."""
    wrong = province.root / "wrong.key"
    wrong.touch(0o600)
    key = X25519PrivateKey.generate()
    wrong.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    right = province.config.read_text()
    province.config.write_text(right.replace("[receiver]", '[receiver]\nhpke_key_file = "wrong.key"'))
    province.start("tthc-model")
    province.start("receiver")
    dossier = make_dossier()
    assert province.outbox.put(dossier, province.sealer) is None
    state = province.settings.receiver.state
    with contextlib.closing(open_database(ReceiverSettings(state=state))) as database:
        until(
            lambda: province.forward() == 0 and rows(database, "SELECT 1 FROM submission WHERE state = 'quarantined'")
        )
        province.kill("receiver")
        province.config.write_text(right)
        province.start("receiver")
        add_operators(database, "lan", "hai")
    page = OperatorPage(province.root, receiver=f'state = "{state}"').start()
    try:
        lan, hai = page.signed_in(chromium, "lan", "/standing"), page.signed_in(chromium, "hai", "/standing")
        item = lan.get_by_role("article", name=dossier.provisional_ref)
        expect(item).to_contain_text("Niêm phong bằng khóa mà máy tiếp nhận không có")
        for personal in (CANARY, CANARY_ID, dossier.procedure.name.vi):
            assert personal not in lan.content()
        item.get_by_text("Yêu cầu xử lý").click()
        item.get_by_label("Lý do").fill("Máy tiếp nhận chạy nhầm khóa, nay đã đúng")
        item.get_by_role("button", name="Gửi yêu cầu").click()
        expect(lan.get_by_role("article", name=dossier.provisional_ref)).to_contain_text("Đang chờ một cán bộ khác")
        expect(lan.get_by_role("button", name="Xác nhận")).to_have_count(0)
        assert province.arrived() == {}

        hai.reload()
        asked = hai.get_by_role("article", name=dossier.provisional_ref)
        expect(asked).to_contain_text("Máy tiếp nhận chạy nhầm khóa, nay đã đúng")
        asked.get_by_role("button", name="Xác nhận").click()
        expect(hai.get_by_role("status")).to_contain_text("Đã xác nhận")
        until(lambda: province.arrived() == expected(dossier))
        hai.reload()
        expect(hai.get_by_text("Không có hồ sơ nào đứng yên.")).to_be_visible()
        hai.get_by_role("link", name="Nhật ký").click()
        expect(hai.get_by_role("row", name="Mở và chuyển lại")).to_contain_text("Đã thực hiện")
        lan.context.close()
        hai.context.close()
    finally:
        page.stop()
    until(lambda: province.forward() == 0 and not province.outbox.entries(State.DELIVERED))
    assert province.states() == ["answered"]


# --- live ---


def test_new_figures_come_by_themselves_and_typed_text_focus_and_open_details_stay(lan, page, database, sealer):
    uid = "5e" * 16
    add_submission(database, envelope(sealer, 7), reference_uid=uid, provisional_ref="TAM-7777-AAAA")
    hold(database, uid, "unknown outcome: find: HTTP 500")
    lan.goto(f"{page.url}/standing")
    lan.get_by_text("Yêu cầu xử lý").click()
    lan.get_by_label("Chưa có: gửi lại").check()
    why = lan.get_by_label("Lý do")
    why.press_sequentially("Đã tra cứu, chưa")
    earlier = "c0" * 16
    add_submission(database, envelope(sealer, 8), reference_uid=earlier, provisional_ref="TAM-0000-BBBB")
    hold(database, earlier, "unknown outcome: find: HTTP 500", moment(hours=9))  # it will stand above
    ten_seconds_later(lan)
    expect(lan.get_by_role("article")).to_have_count(2)
    expect(lan.get_by_role("article").first).to_contain_text("TAM-0000-BBBB")
    expect(lan.get_by_role("link", name="Hồ sơ đứng yên")).to_contain_text("2")
    lan.keyboard.type(" có ở đó")
    expect(lan.get_by_role("article", name="TAM-7777-AAAA").get_by_label("Lý do")).to_have_value(
        "Đã tra cứu, chưa có ở đó"
    )
    expect(lan.get_by_label("Chưa có: gửi lại").last).to_be_checked()
    lan.keyboard.press("Tab")
    lan.keyboard.press("Enter")
    expect(lan.get_by_role("status")).to_contain_text("Một cán bộ khác phải xác nhận")


@pytest.mark.parametrize("at", ["K01", "K02"])
def test_the_overview_follows_the_province_and_keeps_the_place_of_the_keyboard(lan, page, database, at):
    add_kiosk(database, "K01")
    add_kiosk(database, "K02")
    lan.goto(page.url)
    expect(lan.locator(".judgement")).to_contain_text("Mọi kiosk đều gửi được.")
    lan.get_by_role("link", name=at).focus()
    add_alarm(database, "K02", "gap", "thiếu số 811", moment())
    ten_seconds_later(lan)
    expect(lan.locator(".judgement")).to_contain_text("1 kiosk cần xử lý ngay: K02 (thiếu số)")
    expect(lan.locator("tbody tr").first).to_contain_text("K02")
    expect(lan.locator(".kiosks").get_by_role("link", name=at)).to_be_focused()
    lan.keyboard.press("Enter")
    lan.wait_for_url(f"**/kiosks/{at}")


def test_it_says_when_it_could_not_and_when_it_can_again(lan, page, database):
    lan.goto(page.url)
    page.stop()
    lan.clock.fast_forward(TEN_SECONDS)
    expect(lan.get_by_role("alert")).to_contain_text("Không cập nhật được từ")
    page.start()
    lan.clock.fast_forward(TEN_SECONDS)
    expect(lan.locator("#lost")).to_be_hidden()
    with database.write() as tx:
        tx.run("DELETE FROM operator_session")
    lan.clock.fast_forward(TEN_SECONDS)
    expect(lan.get_by_role("alert")).to_contain_text("Phiên làm việc đã hết")


def test_a_page_nobody_touches_lets_the_session_end(lan, page, database):
    lan.goto(page.url)
    ten_seconds_later(lan)  # what was done before counts
    with database.write() as tx:
        tx.run("UPDATE operator_session SET ends_at = :soon", soon=moment(minutes=-5))
    ends = "SELECT ends_at FROM operator_session"
    [before] = rows(database, ends)
    ten_seconds_later(lan)
    assert rows(database, ends) == [before]
    lan.keyboard.press("ArrowDown")
    ten_seconds_later(lan)
    assert rows(database, ends) != [before]


# --- for everybody ---


@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("kiosks", [30, 0])
def test_every_page_has_no_barriers_and_fits_the_screen(chromium, page, database, sealer, width, kiosks):
    if kiosks:
        fill(database, sealer, kiosks, long="-Trung-tam-Phuc-vu-hanh-chinh-cong-xa-Tan-Binh")
    else:
        add_operators(database, "hai.kythuat")
    kiosk = rows(database, "SELECT id FROM kiosk ORDER BY id")[6]["id"] if kiosks else ""
    browser = page.signed_in(chromium, "hai.kythuat", width=width, height=844)
    for path in ("/", "/standing", "/history", *((f"/kiosks/{kiosk}", f"/kiosks/{kiosk}/breach") if kiosks else ())):
        browser.goto(page.url + path)
        for details in browser.locator("main > * details").all():
            details.locator("summary").first.click()
        assert barriers(browser) == [], path
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, path
    browser.get_by_role("button", name="Đăng xuất").click()
    browser.wait_for_url("**/sign-in")
    assert barriers(browser) == []
    browser.goto(page.url)
    expect(browser.get_by_role("heading", name="Đăng nhập")).to_be_visible()
    browser.context.close()


def test_the_breach_package_is_downloaded_as_json(lan, page, database):
    add_kiosk(database, "K01")
    lan.goto(f"{page.url}/kiosks/K01")
    lan.get_by_role("link", name="Hồ sơ sự cố").click()
    with lan.expect_download() as download:
        lan.get_by_role("link", name="Tải JSON").click()
    assert download.value.suggested_filename.startswith("breach-K01-")
