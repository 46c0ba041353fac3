import asyncio
import os

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

CHROMEDRIVER = "/usr/bin/chromedriver"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,1000",
)
LAY = "li[data-name=mau] button[data-act='card/lay']"
LIFT = "button[data-act='card/lift']"
READER = "[data-summary=card]"


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ARGUMENTS:
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield browser
    browser.quit()


def element(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def until_text(browser, selector, text):
    WebDriverWait(browser, 5).until(lambda b: element(b, selector).text == text)


async def in_browser(steps, *arguments):
    """Run blocking browser `steps` beside the event loop that serves the page."""
    return await asyncio.to_thread(steps, *arguments)


async def test_a_click_lays_the_card_down_and_the_page_shows_it(dock, desk, browser):
    def steps():
        browser.get(dock.url)
        until_text(browser, "#live", "live")
        assert element(browser, READER).text == "no card"
        element(browser, LAY).click()
        until_text(browser, READER, "card on the reader")
        assert "NGUYỄN THỊ MẪU" in element(browser, "#on-reader").text

    await in_browser(steps)
    assert desk["card"].state()["card"] == "mau"


async def test_a_quirk_chosen_on_the_page_goes_along_with_the_card(dock, desk, browser):
    def steps():
        browser.get(dock.url)
        until_text(browser, "#live", "live")
        Select(element(browser, "select[name=quirk]")).select_by_value("issuer_unknown")
        element(browser, LAY).click()
        until_text(browser, READER, "card on the reader: issuer unknown")
        Select(element(browser, "select[name=quirk]")).select_by_index(0)
        element(browser, LAY).click()
        until_text(browser, READER, "card on the reader")

    await in_browser(steps)
    assert desk["card"].state()["quirk"] == ""


async def test_a_change_by_someone_else_shows_without_a_reload(dock, desk, browser):
    await in_browser(browser.get, dock.url)
    await in_browser(until_text, browser, READER, "no card")
    await desk["card"].act("lay", card="mau")
    await in_browser(until_text, browser, READER, "card on the reader")
    await desk["card"].act("lift")
    await in_browser(until_text, browser, READER, "no card")
    assert not element(browser, "#on-reader").text


async def test_a_fault_button_says_what_the_next_click_does(dock, desk, browser):
    fault = "button[data-watch='card/mute']"

    def steps():
        browser.get(dock.url)
        until_text(browser, fault, "Mute the chip\nChip im lặng")
        element(browser, fault).click()
        until_text(browser, fault, "Unmute chip\nChip trả lời")
        assert desk["card"].state()["mute"]
        element(browser, fault).click()
        until_text(browser, fault, "Mute the chip\nChip im lặng")

    await in_browser(steps)
    assert not desk["card"].state()["mute"]


async def test_the_keyboard_alone_is_enough(dock, desk, browser):
    def steps():
        browser.get(dock.url)
        until_text(browser, "#live", "live")
        for _ in range(30):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            if browser.switch_to.active_element == element(browser, LAY):
                break
        browser.switch_to.active_element.send_keys(Keys.ENTER)
        until_text(browser, READER, "card on the reader")

    await in_browser(steps)
    assert desk["card"].state()["card"] == "mau"


async def test_a_refusal_is_shown_to_the_person(whole_dock, browser):
    def steps():
        browser.get(whole_dock.url)
        until_text(browser, "#live", "live")
        button = element(browser, "button[data-act='camera/lay']")
        browser.execute_script('arguments[0].dataset.parameters = \'{"paper": "gold"}\'', button)
        button.click()
        WebDriverWait(browser, 5).until(lambda b: "there is no paper 'gold'" in element(b, "#toast").text)

    await in_browser(steps)


async def test_everything_fits_and_every_control_is_large_enough(whole_dock, browser):
    def steps():
        browser.get("about:blank")  # a page of an earlier test may still ask its own dock, which has gone
        browser.get_log("browser")
        browser.get(whole_dock.url)
        until_text(browser, "#live", "live")
        for width in (500, 1000, 1440):
            browser.set_window_size(width, 1000)
            sizes = browser.execute_script(
                "return [...document.querySelectorAll('a, button, input, select')]"
                ".map(e => [e.innerText, e.offsetWidth, e.offsetHeight])"
            )
            assert len(sizes) > 40
            assert [size for size in sizes if min(size[1:]) < 40] == []
            assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        ours = [entry for entry in browser.get_log("browser") if whole_dock.url in entry["message"]]
        assert [entry for entry in ours if entry["level"] == "SEVERE"] == []

    await in_browser(steps)


async def test_every_action_of_every_simulator_can_be_reached_on_the_page(whole_dock, whole_desk, browser):
    def steps():
        browser.get(whole_dock.url)
        return browser.execute_script(
            "return [...document.querySelectorAll('button, form')]"
            ".flatMap(e => [e.dataset.act, e.dataset.on, e.dataset.off]).filter(Boolean)"
        )

    actions = {f"{name}/{action}" for name, simulator in whole_desk.items() for action in simulator.actions}
    assert actions - set(await in_browser(steps)) == set()


async def test_a_value_is_typed_and_sent(dock, desk, tmp_path, browser):
    terminal = os.open(tmp_path / "scanner", os.O_RDONLY | os.O_NOCTTY)

    def steps():
        browser.get(dock.url)
        until_text(browser, "#live", "live")
        element(browser, "form[data-act='scanner/scan'] input").send_keys("T-0042", Keys.ENTER)
        return os.read(terminal, 100)

    try:
        assert await in_browser(steps) == b"T-0042\r\n"
    finally:
        os.close(terminal)


async def test_a_paper_dragged_under_the_camera_lies_there(whole_dock, whole_desk, browser):
    def steps():
        browser.set_window_size(1440, 1000)
        browser.get(whole_dock.url)
        until_text(browser, "#live", "live")
        sheet = element(browser, "li[data-name=birth-form-2] .sheet")
        ActionChains(browser).drag_and_drop(sheet, element(browser, ".view")).perform()
        until_text(browser, "[data-summary=camera]", "paper on the desk")

    await in_browser(steps)
    assert whole_desk["camera"].state()["paper"] == "birth-form-2"


async def test_a_new_slip_and_the_camera_s_picture_appear_by_themselves(whole_dock, whole_desk, browser):
    await in_browser(browser.get, whole_dock.url)
    await in_browser(until_text, browser, "#no-slips", "Nothing printed yet\nChưa in phiếu nào")
    _, writer = await asyncio.open_connection("127.0.0.1", whole_desk["printer"].port)
    writer.write(b"\x1dv0\x00\x48\x00\x10\x00" + b"\xff" * 0x48 * 0x10 + b"\x1dV\x42\x00")
    await writer.drain()

    def shown(selector):
        return WebDriverWait(browser, 8).until(
            lambda b: b.execute_script(f"return (document.querySelector({selector!r}) || {{}}).naturalWidth")
        )

    assert await in_browser(shown, "#strip img") > 500
    assert await in_browser(shown, "#view") > 500
    writer.close()
    await writer.wait_closed()
