import asyncio
import contextlib
import json
import socket
import time

import pytest
import requests

from hardware.simulators.dock import Dock
from waiting import until


def lying(desk):
    return desk["card"].state()["card"]


async def call(method, dock, path, **options):
    return await asyncio.to_thread(requests.request, method, dock.url + path, timeout=30, **options)


async def get(dock, path, **options):
    return await call("GET", dock, path, **options)


async def post(dock, path, **options):
    return await call("POST", dock, path, **options)


async def test_an_action_moves_the_simulator_and_answers_with_its_new_state(dock, desk):
    answer = await post(dock, "/api/card/lay", json={"card": "mau"})
    assert (answer.status_code, answer.json()["card"]) == (200, "mau")
    assert lying(desk) == "mau"
    assert (await post(dock, "/api/card/lift")).json()["card"] is None


async def test_a_card_is_laid_with_something_wrong_about_it_if_that_is_asked_for(dock, desk):
    answer = await post(dock, "/api/card/lay", json={"card": "du", "quirk": "cloned"})
    assert (answer.status_code, answer.json()["quirk"]) == (200, "cloned")
    refused = await post(dock, "/api/card/lay", json={"card": "du", "quirk": "bewitched"})
    assert refused.status_code == 400
    assert "cloned" in refused.json()["error"]
    assert (await post(dock, "/api/card/lay", json={"card": "du"})).json()["quirk"] == ""


async def test_state_and_actions_of_every_simulator_are_listed(dock):
    state = (await get(dock, "/api/state")).json()
    assert "NGUYỄN THỊ MẪU" in [card["holder"] for card in state["card"]["cards"]]
    assert (state["printer"]["paper"], state["wire-queue"]["connected"]) == ("ok", True)
    assert (await get(dock, "/api/actions")).json()["card"]["lay"] == "lay down {card}, with {quirk} if given"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/api/toaster/lay", b"", "there is no simulator 'toaster'; there are: card, printer, scanner, wire-queue"),
        ("/api/card/fly", b"", "card cannot 'fly'; it can: lay, lift, lift_after, mute"),
        ("/api/card/lay", b'{"card": "gold"}', "lay {'card': 'gold'}: allowed are "),
        ("/api/card/lay", b'{"crad": "mau"}', "'crad' is no parameter of this action; it takes: card, quirk"),
        ("/api/card/lift", b'{"self": 1}', "'self' is no parameter of this action; it takes: none"),
        ("/api/card/lay", b"card=mau", "the parameters must be a JSON object"),
        ("/api/card/lay", b"[" * 4000, "the parameters must be a JSON object"),
        ("/api/card/lay", b"\xff", "the parameters must be a JSON object"),
        (
            "/api/card/lay",
            b'{"card": ["mau"]}',
            "the parameters must be an object of texts, numbers, true or false",
        ),
        ("/api/card/lay", b"[]", "the parameters must be an object of texts, numbers, true or false"),
    ],
)
async def test_what_the_dock_does_not_know_is_refused_with_what_it_does(dock, desk, path, body, says):
    answer = await post(dock, path, data=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(says)
    assert lying(desk) is None


async def test_an_oversized_body_is_refused(dock):
    answer = await post(dock, "/api/card/lay", data=b" " * 5000)
    assert answer.status_code == 413


async def test_unknown_pages_and_methods_answer_in_json(dock):
    assert (await get(dock, "/nothing")).json() == {"error": "Not Found"}
    assert (await get(dock, "/api/card/lift")).status_code == 405


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_another_web_page_can_neither_act_nor_listen(dock, desk, origin):
    headers = {"Origin": origin}
    assert (await post(dock, "/api/card/lay", json={"card": "mau"}, headers=headers)).status_code == 403
    assert (await get(dock, "/events", headers=headers)).status_code == 403
    assert lying(desk) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1]:80"])
async def test_a_rebound_name_is_refused(dock, host):
    answer = await get(dock, "/api/state", headers={"Host": host})
    assert answer.status_code in (400, 403)
    assert "MẪU" not in answer.text


async def test_our_own_page_is_welcome_under_both_loopback_names(dock, desk):
    for name in ("127.0.0.1", "localhost"):
        own = f"{name}:{dock.port}"
        headers = {"Host": own, "Origin": f"http://{own}"}
        assert (await post(dock, "/api/card/lay", json={"card": "mau"}, headers=headers)).status_code == 200


async def test_the_page_may_load_nothing_from_elsewhere(dock):
    answer = await get(dock, "/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "NGUYỄN THỊ MẪU" in answer.text
    assert 'href="http://127.0.0.1:9/console"' in answer.text


async def test_only_loopback_is_listened_on(dock):
    with contextlib.closing(socket.socket()) as elsewhere:
        # 127.0.0.2 is this machine too, but not the address the dock is bound to
        assert elsewhere.connect_ex(("127.0.0.2", dock.port)) != 0


async def test_slips_are_served_and_nothing_else_of_the_disk(dock, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "slip-01.png").write_bytes(b"\x89PNG picture")
    (papers / "notes.txt").write_text("private")
    (tmp_path / "outside.png").write_bytes(b"\x89PNG private")
    slip = await get(dock, "/papers/slip-01.png")
    assert (slip.headers["content-type"], slip.content) == ("image/png", b"\x89PNG picture")
    for name in (
        "slip-02.png",
        "notes.txt",
        "..%2Foutside.png",
        "%2e%2e/outside.png",
        "%2e%2e/%2e%2e/etc/passwd",
        ".png",
    ):
        assert (await get(dock, f"/papers/{name}")).status_code == 404, name


def events(dock, count, found):
    """Put the first `count` states from /events into `found`, with the time of arrival of each."""
    with requests.get(f"{dock.url}/events", stream=True, timeout=30) as stream:
        for line in stream.iter_lines():
            if line.startswith(b"data: "):
                found.append((time.monotonic(), json.loads(line[6:])))
                if len(found) == count:
                    break


async def test_a_change_arrives_at_once_even_if_no_page_caused_it(dock, desk):
    found: list = []
    listening = asyncio.create_task(asyncio.to_thread(events, dock, 2, found))
    await until(lambda: found)
    changed = time.monotonic()
    await desk["card"].act("lay", card="mau")
    await listening
    (_, before), (arrived, after) = found
    assert (before["card"]["card"], after["card"]["card"]) == (None, "mau")
    assert 0 < arrived - changed < 5


async def test_the_dock_stops_promptly_while_someone_listens_and_can_start_again(desk):
    dock = Dock([*desk.values()])
    await dock.start()
    found: list = []
    listening = asyncio.create_task(asyncio.to_thread(events, dock, 99, found))
    await until(lambda: found)
    began = time.monotonic()
    await dock.stop()
    assert time.monotonic() - began < 10
    await listening
    await dock.start()
    assert (await get(dock, "/api/state")).status_code == 200
    await dock.stop()
    await dock.stop()


async def test_a_taken_port_is_an_error_at_start(dock, desk):
    with pytest.raises(OSError, match="in use"):
        await Dock([*desk.values()], port=dock.port).start()


async def test_the_camera_s_picture_is_shown_as_long_as_it_sends_one(whole_dock):
    assert (await get(whole_dock, "/camera.jpg")).content.startswith(b"\xff\xd8")
    for fault, end in (("stall", "resume"), ("unplug", "plug")):
        await post(whole_dock, f"/api/camera/{fault}")
        assert (await get(whole_dock, "/camera.jpg")).status_code == 503
        await post(whole_dock, f"/api/camera/{end}")
    assert (await get(whole_dock, "/camera.jpg")).headers["content-type"] == "image/jpeg"


async def test_every_action_with_impossible_values_is_refused_and_never_breaks_the_dock(whole_dock, whole_desk):
    for name, simulator in whole_desk.items():
        for action, line in simulator.actions.items():
            for value in ({"x": 1}, None, -1, "", "?", 1e999):
                body = {"card": value, "paper": value, "on": value, "bytes": value, "lines": value, "data": value}
                body["quirk"] = value
                wanted = {key: body[key] for key in body if f"{{{key}}}" in line}
                if wanted:
                    answer = await post(whole_dock, f"/api/{name}/{action}", data=json.dumps(wanted))
                    assert answer.status_code in (200, 400), (name, action, value)
    assert (await get(whole_dock, "/api/state")).status_code == 200
