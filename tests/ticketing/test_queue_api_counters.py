"""What the programs of counters do by `/api/v1`."""

from concurrent.futures import ThreadPoolExecutor


def test_a_counter_calls_by_the_rule_until_nobody_waits(running) -> None:
    tickets = [running.issue() for _ in range(3)]
    counter = running.counter("1", "Lan")
    called = [counter.next() for _ in range(4)]
    assert [one["number"] if one else None for one in called] == ["HT-001", "HT-002", "HT-003", None]
    assert called[0]["id"] == tickets[0]["id"]
    assert called[0].items() >= {"state": "called", "counter": "1", "service": "khai-sinh"}.items()
    assert called[0]["why"]
    answer = counter.post("next")
    assert (answer.status_code, answer.content) == (204, b"")
    assert running.api("GET", f"/tickets/{tickets[2]['id']}").json()["counter"] == "1", "nobody waits: it stays"
    assert running.api("GET", f"/tickets/{tickets[0]['id']}").json()["state"] == "completed"


def test_a_visit_at_the_counter_step_by_step(running) -> None:
    ticket = running.issue(group="elderly")["id"]
    counter = running.counter("1", "Lan")
    counter.next()
    early = counter.do(ticket, "recall")
    assert (early.status_code, early.json()["reason"]) == (429, "too_soon")
    assert counter.do(ticket, "no-show").json()["reason"] == "call_again"
    assert counter.do(ticket, "group", {"group": ""}).json() == {"id": ticket, "group": ""}
    assert counter.do(ticket, "serve").json() == {"id": ticket, "state": "serving"}
    assert counter.do(ticket, "note", {"note": "thiếu bản sao", "reference": "H55.1"}).json()["reference"] == "H55.1"
    assert counter.do(ticket, "hold", {"reason": "đi lấy bản sao"}).json()["state"] == "held"
    assert counter.do(ticket, "unhold").json()["state"] == "waiting"
    assert counter.do(ticket, "call").json()["counter"] == "1"
    assert counter.do(ticket, "complete").json() == {"id": ticket, "state": "completed"}
    assert counter.do(ticket, "complete").json()["reason"] == "changed"
    events = running.desk.see("centre", lambda view: view.tx.all("SELECT kind, actor, body FROM event")).result()
    assert {event["actor"] for event in events if event["kind"] in ("called", "serving", "held")} == {"Lan"}
    assert not any("bản sao" in event["body"] for event in events if event["kind"] == "annotated")


def test_a_visit_of_two_services_goes_on_with_the_same_number(running) -> None:
    ticket = running.issue("khai-sinh", further=["so-do"])
    counter = running.counter("1")
    counter.next()
    moved = counter.do(ticket["id"], "complete").json()
    assert moved == {"id": ticket["id"], "state": "waiting", "service": "so-do"}
    again = counter.next()
    assert (again["number"], again["service"]) == (ticket["number"], "so-do")


def test_a_transfer_goes_to_another_counter_and_can_be_taken_back(running) -> None:
    ticket = running.issue()["id"]
    one, two = running.counter("1"), running.counter("2")
    one.next()
    assert one.do(ticket, "transfer", {}).status_code == 400
    assert one.do(ticket, "transfer", {"counter": "2", "position": "first"}).json()["state"] == "waiting"
    assert two.do(ticket, "undo-transfer").status_code == 409
    assert one.do(ticket, "undo-transfer").json()["state"] == "called"
    one.do(ticket, "transfer", {"counter": "2"})
    assert one.next() is None
    assert two.next()["id"] == ticket


def test_two_machines_cannot_hold_one_counter_unless_it_is_taken_over(running, helpers) -> None:
    one = running.counter("1", "Lan")
    other = helpers.AtCounter(running, "1", "counter-2")
    refused = other.post("open", {"officer": "Minh"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "counter_taken")
    assert other.post("next").json()["reason"] == "counter_taken"
    assert other.post("open", {"officer": "Minh", "take_over": True}).json()["officer"] == "Minh"
    assert one.post("next").json()["reason"] == "counter_taken"
    assert helpers.AtCounter(running, "77", "counter-2").post("open", {}).status_code == 404


def test_a_device_with_several_counters_says_which_one_acts(running, helpers) -> None:
    tickets = [running.issue()["id"] for _ in range(2)]
    one, two = running.counter("1"), running.counter("2")
    assert (one.next()["id"], two.next()["id"]) == (tickets[0], tickets[1])
    silent = running.api("POST", f"/tickets/{tickets[1]}/serve", role="counter")
    assert silent.json() == {"id": tickets[1], "state": "serving"}, "the number tells its counter"
    one.do(tickets[0], "hold")
    unclear = running.api("POST", f"/tickets/{tickets[0]}/unhold", role="counter")
    assert (unclear.status_code, unclear.json()["reason"]) == (400, "counter_needed")
    wrong = helpers.AtCounter(running, "1").do(tickets[1], "complete")
    assert (wrong.status_code, wrong.json()["reason"]) == (409, "changed")
    two.do(tickets[1], "complete")
    two.post("close")
    assert running.api("POST", f"/tickets/{tickets[0]}/unhold", role="counter").json()["state"] == "waiting"
    stranger = running.api("POST", f"/tickets/{tickets[0]}/unhold", role="counter", name="counter-9")
    assert stranger.json()["reason"] == "counter_taken"


def test_a_pause_with_its_reason_stops_the_calls(running) -> None:
    running.issue()
    counter = running.counter("1")
    assert counter.post("pause", {"reason": "Nghỉ giữa giờ"}).json()["paused"] == "Nghỉ giữa giờ"
    assert counter.post("next").json()["reason"] == "paused"
    assert counter.post("pause", {"reason": ""}).json()["paused"] == ""
    assert counter.next()["number"] == "HT-001"
    assert counter.post("close").json()["reason"] == "busy"


def test_the_same_key_is_one_call(running) -> None:
    for _ in range(3):
        running.issue()
    counter = running.counter("1")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: counter.post("next", key="press-0001").json(), range(8)))
    assert {answer["number"] for answer in answers} == {"HT-001"}
    assert counter.post("next", key="press-0002").json()["number"] == "HT-002"
    assert counter.post("next", key="bad key").status_code == 400


def test_a_press_on_an_outdated_screen_does_nothing(running) -> None:
    first, _ = running.issue(), running.issue()
    counter = running.counter("1")
    assert counter.post("next", {"current": None}).status_code == 200
    stale = counter.post("next", {"current": None})
    assert (stale.status_code, stale.json()["reason"]) == (409, "changed")
    assert counter.post("next", {"current": first["id"]}).json()["number"] == "HT-002"


def test_a_void_number_is_not_called(running) -> None:
    ticket = running.issue()["id"]
    counter = running.counter("1")
    assert counter.do(ticket, "void", {}).status_code == 400
    assert counter.do(ticket, "void", {"reason": "lấy nhầm"}).json() == {"id": ticket, "state": "void"}
    assert counter.next() is None


def test_many_counters_at_once_never_call_the_same_number(running) -> None:
    for _ in range(60):
        running.issue()
    counters = [running.counter(str(n)) for n in range(1, 9)]

    def work(counter) -> list[str]:
        found = []
        while (called := counter.next()) is not None:
            found.append(called["number"])
        return found

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for part in pool.map(work, counters) for number in part]
    assert sorted(numbers) == [f"HT-{n:03d}" for n in range(1, 61)]


def test_a_number_of_nobody_is_not_found(running) -> None:
    counter = running.counter("1")
    for deed in ("serve", "call", "unhold", "reprint"):
        assert counter.do("x" * 16, deed).status_code == 404, deed
