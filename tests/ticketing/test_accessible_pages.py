"""axe-core on the pages of citizens, of the hall and of the door for staff; console and supervisor have theirs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import time

import pytest
from playwright.sync_api import Page, expect

from accessibility import barriers
from kiosk.text import Text
from kiosk_queue import appointments, counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import change_settings
from kiosk_queue.model import Appointments, Hall, Window

CENTRE = "centre"
PHONE, SCREEN = {"width": 360, "height": 740}, {"width": 1920, "height": 1080}
WHO = Officer("session", "1", "Cán bộ")


@pytest.fixture
def page(chromium) -> Iterator[Page]:
    opened = chromium.new_page(viewport=PHONE)
    yield opened
    opened.close()


@pytest.fixture
def site(running_by_hand):
    """A server at eight in the morning with appointments and something to read in the hall."""
    allowed = {
        "appointments": Appointments(15, 2, 10),
        "windows": (Window(time(7), time(17)),),
        "hall": Hall(ticker=(Text("Thông báo", "News"),), idle=(Text("Mời quý khách chờ", "Please wait"),)),
    }
    do(running_by_hand, lambda f: change_settings(f, replace(f.centre, **allowed), "test", f.centre.version))
    return running_by_hand


def do(site, deed) -> dict:
    return site.desk.do(CENTRE, deed).result()


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_ticket_on_the_phone_has_no_barriers_while_it_waits_is_called_and_is_over(site, page, language) -> None:
    ticket = do(site, lambda floor: line.issue(floor, "khai-sinh", "elderly"))
    do(site, lambda floor: counter.open_counter(floor, WHO))
    page.goto(f"{site.url}/t/{ticket['id']}?lang={language}")
    expect(page.get_by_text(ticket["number"]).first).to_be_visible()
    assert barriers(page) == []
    do(site, lambda floor: counter.call_next(floor, WHO))
    expect(page.locator("body")).to_have_attribute("data-state", "called")
    assert barriers(page) == []
    do(site, lambda floor: counter.complete(floor, WHO, ticket["id"]))
    expect(page.locator("body")).to_have_attribute("data-state", "completed")
    assert barriers(page) == []
    page.goto(f"{site.url}/t/nothing-like-that?lang={language}")
    assert barriers(page) == []


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_pages_of_appointments_have_no_barriers(site, page, language) -> None:
    for query in ("", "&service=khai-sinh"):
        page.goto(f"{site.url}/appointments?lang={language}{query}")
        assert barriers(page) == [], query
    slot = "2026-11-23T02:00:00.000Z"
    token = do(site, lambda floor: appointments.book(floor, "khai-sinh", slot))["id"]
    for query in ("", "&cancel"):
        page.goto(f"{site.url}/a/{token}?lang={language}{query}")
        assert barriers(page) == [], query
    do(site, lambda floor: appointments.cancel(floor, token))
    for path in (token, "x" * 22):
        page.goto(f"{site.url}/a/{path}?lang={language}")
        assert barriers(page) == [], path


def test_the_hall_display_has_no_barriers_idle_and_with_calls(site, page) -> None:
    page.set_viewport_size(SCREEN)
    page.goto(f"{site.url}/display?sound=off")
    expect(page.locator("main")).to_be_visible()
    assert barriers(page) == []
    do(site, lambda floor: counter.open_counter(floor, WHO))
    for service in ("khai-sinh", "so-do", "so-do"):
        do(site, lambda floor, wanted=service: line.issue(floor, wanted))
    called = [do(site, lambda floor: counter.call_next(floor, WHO))["number"] for _ in range(2)]
    expect(page.get_by_text(called[-1]).first).to_be_visible()
    assert barriers(page) == []


def test_the_door_for_staff_has_no_barriers(site, page) -> None:
    for width in (360, 1366):
        page.set_viewport_size({"width": width, "height": 768})
        page.goto(f"{site.url}/sign-in")
        assert barriers(page) == []
    page.fill("[name=name]", "nobody")
    page.fill("[name=password]", "wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("không đúng")).to_be_visible()
    assert barriers(page) == []
