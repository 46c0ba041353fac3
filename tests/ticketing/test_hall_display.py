"""The hall display in a real browser: read from 10 m, every call announced in full, alive for days."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kiosk.text import Text
from kiosk_queue import counter, line
from kiosk_queue.floor import change_settings
from kiosk_queue.hall import pages as hall

AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
WATCH_AUDIO = """
window.heard = [];
addEventListener("DOMContentLoaded", () => {
  const audio = document.getElementById("voice");
  if (!audio) return;
  const seq = () => audio.src.match(/(\\d+)\\.wav/)[1];
  const note = (what) => () => heard.push([what, seq(), performance.now(), audio.duration, audio.currentTime]);
  for (const what of ["playing", "ended", "pause"]) audio.addEventListener(what, note(what));
});
"""
CONTRASTS = """
() => {
  const light = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = (rgb) => 0.2126 * light(rgb[0]) + 0.7152 * light(rgb[1]) + 0.0722 * light(rgb[2]);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    let ground = node, colour;
    do {
      colour = parse(getComputedStyle(ground).backgroundColor);
      ground = ground.parentElement;
    } while (colour[3] === 0 && ground);
    const [a, b] = [luminance(parse(getComputedStyle(node).color)), luminance(colour)];
    found.push([node.textContent.trim().slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}
"""
STILL = """
() => Promise.allSettled(
  document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime)).map((a) => a.finished))
"""
"""Wait until nothing flashes or fades; what runs for ever does not count."""
OVERFLOWS = """
() => [...document.querySelectorAll("header, main, .hero, .recent, .waiting li, .total, .slide.shown, .recent li")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true }))
  .filter((node) => node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1)
  .map((node) => node.className || node.tagName)
"""
OFFICERS = {str(n): counter.Officer(f"session-{n}", str(n), "Cán bộ") for n in range(1, 9)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[dict[str, Browser]]:
    path = shutil.which("chromium")
    assert path, "Chromium is missing: apt install chromium"
    with sync_playwright() as playwright:
        common = ["--no-sandbox", "--mute-audio", "--disable-gpu"]
        browsers = {
            "speaks": playwright.chromium.launch(executable_path=path, args=[*common, AUTOPLAY]),
            "asks": playwright.chromium.launch(executable_path=path, args=common),
        }
        yield browsers
        for browser in browsers.values():
            browser.close()


class Hall:
    """A centre, its officers and its displays."""

    def __init__(self, running, centre_id, chromium) -> None:
        self.running, self.id, self.chromium = running, centre_id, chromium
        self.opened: list[Page] = []
        self.faults: list[str] = []

    def do(self, deed):
        return self.running.desk.do(self.id, deed).result(30)

    def hall(self, **changes) -> None:
        known = self.running.desk.see(self.id, lambda view: view.centre).result(30)
        wanted = replace(known, hall=replace(known.hall, **changes), calling=replace(known.calling, recall_seconds=0))
        self.do(lambda floor: change_settings(floor, wanted, "test", floor.centre.version))

    def call(self, at="1", service="khai-sinh") -> dict:
        """A number, issued and called at once."""
        self.do(lambda floor: line.issue(floor, service))
        self.do(lambda floor: counter.open_counter(floor, OFFICERS[at]))
        return self.do(lambda floor: counter.call_next(floor, OFFICERS[at]))

    def display(self, query="", width=1920, height=1080, browser="speaks") -> Page:
        page = self.chromium[browser].new_page(viewport={"width": width, "height": height})
        self.opened.append(page)
        page.add_init_script(WATCH_AUDIO)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda m: self.faults.append(m.text) if "Content Security" in m.text else None)
        page.goto(f"{self.running.url}/display{query}")
        page.wait_for_selector("body[data-seq]")
        page.wait_for_selector(".slide.shown", state="attached")
        return page


@pytest.fixture
def the_hall(running_by_hand, helpers, chromium) -> Iterator[Hall]:
    """By a clock that the test turns: it stands still between."""
    opened = Hall(running_by_hand, helpers.CENTRE, chromium)
    yield opened
    for page in opened.opened:
        page.close()
    assert opened.faults == []


def number(page: Page, expected: str, seconds: float = 60) -> None:
    page.wait_for_function(
        "n => document.getElementById('number').textContent === n", arg=expected, timeout=seconds * 1000
    )


def ended(page: Page, count: int) -> list[tuple]:
    page.wait_for_function("n => heard.filter((h) => h[0] === 'ended').length >= n", arg=count, timeout=60000)
    return page.evaluate("heard")


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160), (1080, 1920)])
def test_a_call_is_read_from_ten_metres(the_hall, hands, width, height) -> None:
    for n in range(9):
        the_hall.do(lambda floor, n=n: line.issue(floor, ("khai-sinh", "khai-tu", "so-do")[n % 3]))
    for at in ("1", "2"):
        the_hall.call(at)
    hands.turn(seconds=61)  # those two are in the list and not announced any more
    page = the_hall.display("?sound=off", width, height)
    called = the_hall.call("3")["number"]
    page.wait_for_selector("#call:not([hidden])")
    number(page, called)
    tall = page.evaluate(
        "() => { const g = document.createElement('canvas').getContext('2d');"
        " const n = document.querySelector('#number .series');"
        " const s = getComputedStyle(n); g.font = `${s.fontWeight} ${s.fontSize} ${s.fontFamily}`;"
        " const cap = g.measureText('H').actualBoundingBoxAscent, d = document.querySelector('#number .digits');"
        " return cap + d.getBoundingClientRect().top - n.getBoundingClientRect().top; }"
    )
    assert tall >= 0.2 * height
    page.evaluate(STILL)
    assert page.evaluate(OVERFLOWS) == []
    weak = [entry for entry in page.evaluate(CONTRASTS) if entry[1] < 7]
    assert weak == []
    expect(page.locator("#counter")).to_have_text("3")
    expect(page.locator("#recent li")).to_have_count(2)


def test_every_idle_slide_is_readable_and_they_take_turns(the_hall) -> None:
    the_hall.hall(idle=(Text("Thông báo của trung tâm", "A notice of the centre"),), ticker=(Text("Dòng chữ chạy"),))
    page = the_hall.display()
    expect(page.get_by_text("Kính chào quý công dân")).to_be_visible()
    expect(page.locator("#ticker")).to_have_text("Dòng chữ chạy")
    for n in range(page.locator(".slide").count()):
        page.evaluate(
            "n => document.querySelectorAll('.slide').forEach((s, k) => s.classList.toggle('shown', k === n))", n
        )
        page.evaluate(STILL)
        assert page.evaluate(OVERFLOWS) == []
        assert [entry for entry in page.evaluate(CONTRASTS) if entry[1] < 7] == []
    assert page.is_visible("text=Thông báo của trung tâm")
    first = page.locator(".dots .shown").evaluate("dot => [...dot.parentNode.children].indexOf(dot)")
    page.wait_for_function(
        "n => [...document.querySelectorAll('.dots b')].findIndex((d) => d.classList.contains('shown')) !== n",
        arg=first,
    )


def test_a_new_call_draws_the_eye_but_flashes_less_than_three_times_a_second(the_hall) -> None:
    page = the_hall.display("?sound=off")
    the_hall.call("1")
    page.wait_for_selector("#hero.fresh")
    beats = page.evaluate(
        "() => document.getAnimations().filter((a) => ['flash', 'row', 'wave'].includes(a.animationName))"
        ".map((a) => [a.animationName, a.effect.getComputedTiming().duration])"
    )
    assert "flash" in [name for name, _ in beats]
    assert all(milliseconds >= 1000 / 3 for _, milliseconds in beats)


def test_a_long_number_and_a_named_counter_still_fit(the_hall) -> None:
    page = the_hall.display("?sound=off")
    page.evaluate(
        "async () => { const { Calls } = await import('/static/display-calls.js');"
        " const c = new Calls(), at = '2026-11-23T01:00:00Z';"
        " const call = { number: 'KDTM-1005', counter: 'TIEPNHAN-HOTICH', at, called: true };"
        " c.show({ calls: [call], waiting: [], total: 0, open: true }); c.announce(call); }"
    )
    boxes = page.evaluate(
        "['hero', 'number', 'counter'].map((id) => document.getElementById(id).getBoundingClientRect().toJSON())"
    )
    for box in boxes[1:]:
        assert boxes[0]["left"] < box["left"]
        assert box["right"] < boxes[0]["right"]
    assert page.inner_text("#to") == "đến quầy"


def test_calls_close_together_are_announced_in_full_in_order_and_never_over_each_other(the_hall) -> None:
    the_hall.hall(languages=("vi",))
    page = the_hall.display()
    called = [the_hall.call(at) for at in ("1", "2", "3")]
    the_hall.do(lambda floor: counter.recall(floor, OFFICERS["3"], called[2]["ticket"]))
    number(page, "HT-001")
    expect(page.locator("#recent li")).to_contain_text(["HT-003", "HT-002"])
    heard = ended(page, 3)
    number(page, "HT-003")
    page.wait_for_function("() => !document.querySelector('#hero .speaker:not([hidden])')")
    page.wait_for_timeout(1500)
    heard = page.evaluate("heard")
    played = {}  # a browser that had to wait for sound or processor says «playing» again when it goes on
    for what, seq, at, _, _ in heard:
        if what == "playing":
            played.setdefault(seq, at)
    starts = list(played.items())
    ends = [(seq, at, long, place) for what, seq, at, long, place in heard if what == "ended"]
    assert len(starts) == len(ends) == 3, "a recall of a number that is still to be said is not said twice"
    assert [seq for seq, _ in starts] == [seq for seq, *_ in ends] == sorted((seq for seq, _ in starts), key=int)
    for (_, start), (_, end, long, place) in zip(starts, ends, strict=True):
        assert place == pytest.approx(long, abs=0.1), "said to its end"
        assert end - start > 900 * long
    for (_, end, _, _), (_, start) in zip(ends, starts[1:], strict=False):
        assert start > end


def test_a_recall_after_its_announcement_is_announced_again(the_hall) -> None:
    the_hall.hall(languages=("vi",))
    page = the_hall.display()
    ticket = the_hall.call("1")["ticket"]
    ended(page, 1)
    the_hall.do(lambda floor: counter.recall(floor, OFFICERS["1"], ticket))
    ended(page, 2)


def test_a_call_older_than_a_minute_is_shown_in_the_list_but_not_announced(the_hall, hands) -> None:
    the_hall.hall(languages=("vi",))
    page = the_hall.display()
    page.goto("about:blank")
    the_hall.call("1")
    hands.turn(seconds=61)
    called = the_hall.call("2")
    page.goto(the_hall.running.url + "/display")
    heard = ended(page, 1)
    page.wait_for_timeout(1500)
    assert len({seq for _, seq, *_ in page.evaluate("heard")}) == 1
    expect(page.locator("#number")).to_have_text(called["number"])
    assert page.locator("#recent li").all_inner_texts() == ["HT-001\n1"]
    assert heard[0][0] == "playing"


def test_a_browser_that_may_not_play_sound_offers_a_button_and_shows_calls_meanwhile(the_hall) -> None:
    the_hall.hall(languages=("vi",))
    page = the_hall.display(browser="asks")
    page.wait_for_selector("#sound:not([hidden])")
    the_hall.call("1")
    number(page, "HT-001")
    page.click("text=Bấm để bật tiếng gọi số")
    the_hall.call("2")
    ended(page, 1)
    expect(page.locator("#sound")).to_be_hidden()
    silent = the_hall.display("?sound=off", browser="asks")
    assert silent.is_hidden("#sound")


def test_without_a_voice_calls_are_shown_one_after_the_other(the_hall, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    page = the_hall.display()
    the_hall.call("1")
    the_hall.call("2")
    number(page, "HT-001")
    number(page, "HT-002")
    expect(page.locator("#counter")).to_have_text("2")


def test_settings_reach_the_display_without_a_reload(the_hall) -> None:
    page = the_hall.display()
    page.evaluate("document.body.dataset.mark = 'same page'")
    the_hall.hall(ticker=(Text("Nghỉ lễ ngày 02/9", "Closed on 2 September"),), languages=("vi",), volume=0.4)
    page.wait_for_function("() => document.getElementById('ticker').textContent.includes('Nghỉ lễ')")
    assert page.locator("#ticker .en").is_hidden()
    the_hall.call("1")
    page.wait_for_function("() => heard.length > 0")
    assert page.evaluate("document.getElementById('voice').volume") == pytest.approx(0.4)
    assert page.evaluate("document.body.dataset.mark") == "same page"


def test_a_newer_server_makes_its_displays_load_anew(the_hall, monkeypatch) -> None:
    page = the_hall.display("?sound=off")
    the_hall.running.stop()
    monkeypatch.setattr(hall, "page_build", lambda: "newer")
    the_hall.running.start()
    page.wait_for_selector("body[data-build=newer][data-seq]")
    expect(page.get_by_text("Kính chào quý công dân")).to_be_visible()


def test_days_of_running_leave_the_display_full_and_small(the_hall, hands) -> None:
    page = the_hall.display("?sound=off")
    watch = page.context.new_cdp_session(page)
    watch.send("Performance.enable")

    def size() -> dict[str, float]:
        watch.send("HeapProfiler.collectGarbage")
        metrics = watch.send("Performance.getMetrics")["metrics"]
        return {m["name"]: m["value"] for m in metrics if m["name"] in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}

    def day_of_calls(count: int) -> list[str]:
        numbers = []
        for n in range(count):
            hands.turn(seconds=20)
            numbers.append(the_hall.call(str(n % 8 + 1), ("khai-sinh", "so-do")[n % 2])["number"])
            page.wait_for_timeout(40)
        page.wait_for_function("n => document.body.textContent.includes(n)", arg=numbers[-1])
        return numbers

    day_of_calls(40)
    early = size()
    for day in ("24/11/2026", "25/11/2026"):
        hands.turn(hours=24 - (hands.now().hour - 1))
        page.wait_for_function("d => document.getElementById('date').textContent.includes(d)", arg=day)
        page.wait_for_function("() => !document.querySelector('#idle').hidden && !document.querySelector('#recent li')")
        expect(page.locator("#total")).to_have_text("0")
        expect(page.locator(".slide.shown")).to_have_count(1)
        numbers = day_of_calls(70)
        hands.turn(seconds=70)  # what is still to be shown is stale now
        last = the_hall.call("1")["number"]
        number(page, last, 30)
        expect(page.locator("#recent li")).to_contain_text(numbers[-5:][::-1])
        the_hall.running.stop()
        page.wait_for_selector("#lost:not([hidden])")
        assert page.inner_text("#number") == last, "the last state stays"
        the_hall.running.start()
        page.wait_for_selector("#lost", state="hidden")
        hands.turn(seconds=70)
        number(page, the_hall.call("2")["number"], 30)
    late = size()
    assert page.locator("body *").count() < 200
    assert late["JSEventListeners"] <= early["JSEventListeners"] + 10
    assert late["Nodes"] < early["Nodes"] * 1.5 + 200
    assert late["JSHeapUsedSize"] < early["JSHeapUsedSize"] * 1.5 + 1_000_000
