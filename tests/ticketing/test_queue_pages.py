"""The pages in a real browser: what officer, hall and phone see."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "Chromium is missing: apt install chromium chromium-driver"
    options = Options()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "autoplay-policy=no-user-gesture-required", "mute-audio",
        f"user-data-dir={tmp_path / 'browser'}", "window-size=1920,1080",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    problems = [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]
    chrome.quit()
    assert [p for p in problems if "ERR_CONNECTION" not in p and "ERR_INCOMPLETE" not in p] == []


def shown(browser: webdriver.Chrome, element: str) -> str:
    return browser.find_element(By.ID, element).text


def press(browser: webdriver.Chrome, key: str) -> None:
    browser.switch_to.active_element.send_keys(key)


def test_officer_calls_by_keyboard_and_the_hall_sees_and_hears_it(running, helpers, browser) -> None:
    running.issue()
    running.issue("so-do", "elderly")
    browser.get(running.url + "/display")
    hall = browser.current_window_handle
    helpers.until(lambda: shown(browser, "total") == "2")
    assert "Kính chào" in shown(browser, "welcome")

    browser.switch_to.new_window("window")
    officer = browser.current_window_handle
    browser.get(running.url + "/console")
    browser.find_element(By.ID, "password").send_keys(helpers.PASSWORD + "\n")
    helpers.until(lambda: browser.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    press(browser, "3")
    helpers.until(lambda: shown(browser, "counter") == "3")
    expected = shown(browser, "next-number")
    press(browser, " ")
    helpers.until(lambda: shown(browser, "number") == expected)
    press(browser, " ")  # pressed twice in a hurry: no second call
    assert shown(browser, "number") == expected

    browser.switch_to.window(hall)
    helpers.until(lambda: (shown(browser, "number"), shown(browser, "counter")) == (expected, "3"), 2)
    called = helpers.until(lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-speaking"))
    assert helpers.until(lambda: browser.find_element(By.TAG_NAME, "body").get_attribute("data-spoken"), 20) == called

    browser.switch_to.window(officer)
    press(browser, "r")
    helpers.until(lambda: shown(browser, "recalls") == "1 lần")
    browser.refresh()
    helpers.until(lambda: shown(browser, "number") == expected)
    press(browser, "f")
    helpers.until(lambda: "Quầy đang trống" in shown(browser, "idle"))
    assert shown(browser, "completed") == "1"


def test_console_and_display_live_through_a_restart(running, helpers, browser) -> None:
    running.issue()
    browser.get(running.url + "/console")
    browser.find_element(By.ID, "password").send_keys(helpers.PASSWORD + "\n")
    helpers.until(lambda: browser.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    press(browser, "1")
    helpers.until(lambda: shown(browser, "counter") == "1")
    running.stop()
    helpers.until(lambda: "Mất kết nối" in shown(browser, "lost"))
    press(browser, " ")  # pressed while the line is down: done once when it is back
    running.start()
    helpers.until(lambda: shown(browser, "number") == "HT-001", 20)
    assert shown(browser, "lost") == ""
    tickets = running.post("/api/staff-calls", {"kiosk": "K01"})
    assert tickets.status_code == 201
    helpers.until(lambda: "K01" in shown(browser, "staff-calls"))


def test_phone_page_updates_itself(running, helpers, browser) -> None:
    running.issue()
    ticket = running.issue()
    browser.get(f"{running.url}/t/{ticket['id']}")
    assert shown(browser, "ahead") == "1"
    officer = helpers.Officer(running.url).at("5")
    current = officer.do("call").json()["ticket"]
    officer.do("call", current=current)
    helpers.until(lambda: shown(browser, "counter") == "5")
