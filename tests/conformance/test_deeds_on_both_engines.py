"""Every deed of line.py and counter.py, and every edge that is refused."""

from dataclasses import replace

import pytest

from kiosk_queue import counter, line
from kiosk_queue.floor import Refused, change_settings
from kiosk_queue.model import Appointments


def refused(hall, reason, deed, *arguments, **named):
    """The deed is refused for that reason and leaves no event."""
    before = len(hall.events())
    with pytest.raises(Refused) as caught:
        hall.do(deed, *arguments, **named)
    assert caught.value.reason == reason
    assert len(hall.events()) == before


def calling_at(hall, name="1", **issued):
    """A counter with a called number."""
    who = hall.open(name)
    ticket = hall.issue(**issued)
    assert hall.call(who) == ticket
    return who, ticket


def test_a_number_from_the_kiosk_waits_for_its_paper_and_counts_the_people_before_it(hall):
    hall.issue()
    answer = hall.do(line.issue, "khai-tu", "elderly", "kiosk", key="issue-by-kiosk")
    assert (answer["number"], answer["ahead"], answer["state"]) == ("HT-002", 1, "reserved")
    assert answer["group_name"]["vi"] == "Người cao tuổi"
    assert hall.do(line.paper, answer["id"], printed=False) == {"paper": "failed"}
    assert hall.ticket(answer["id"])["state"] == "waiting"
    hall.do(line.paper, answer["id"], printed=False)
    hall.do(line.paper, answer["id"], printed=True)
    assert hall.kinds(answer["id"]) == ["issued", "print_failed", "printed"]


def test_a_number_is_refused_for_what_the_centre_does_not_offer(hall):
    refused(hall, "service_closed", line.issue, "no-such-service")
    refused(hall, "bad_request", line.issue, "khai-sinh", "no-such-group")
    refused(hall, "bad_request", line.issue, "khai-sinh", "", "by-pigeon")
    refused(hall, "service_closed", line.issue, "khai-sinh", further=["no-such-service"])
    refused(hall, "bad_request", line.issue, "khai-sinh", further=["so-do"] * 6)
    for _ in range(3):
        hall.issue("tach-thua")
    refused(hall, "service_closed", line.issue, "tach-thua")


def test_the_paper_is_printed_again_by_one_kiosk_only(hall):
    ticket = hall.issue(channel="kiosk")
    hall.do(line.request_reprint, ticket, "officer")
    assert hall.do(line.claim_reprint)["ticket"]["id"] == ticket
    assert hall.do(line.claim_reprint) == {"ticket": None}
    hall.do(counter.void, "supervisor", ticket, "duplicate")
    refused(hall, "changed", line.request_reprint, ticket, "officer")
    refused(hall, "not_found", line.request_reprint, "no-such-ticket-at-all", "officer")


def test_a_visit_runs_from_call_to_completion(hall):
    who, ticket = calling_at(hall)
    hall.hands.turn(seconds=60)
    assert hall.do(counter.serve, who, ticket)["state"] == "serving"
    hall.hands.turn(seconds=300)
    assert hall.do(counter.complete, who, ticket)["state"] == "completed"
    assert hall.kinds(ticket) == ["issued", "called", "serving", "completed"]
    (stint,) = hall.rows("SELECT * FROM stint WHERE ticket = :ticket", ticket=ticket)
    assert (stint["outcome"], stint["served"], stint["counter"]) == ("completed", 300.0, "1")
    for deed in (counter.serve, counter.complete, counter.recall, counter.no_show, counter.hold, counter.transfer):
        refused(hall, "changed", deed, who, ticket)


def test_calling_the_next_completes_the_number_at_the_counter(hall):
    who, first = calling_at(hall)
    second = hall.issue()
    refused(hall, "changed", counter.call_next, who, "another-number", check_current=True)
    assert hall.call(who, current=first, check_current=True) == second
    assert hall.ticket(first)["state"] == "completed"
    assert hall.call(who) is None
    assert hall.ticket(second)["state"] == "called", "nobody waits, so the number at the counter stays"


def test_recalls_are_limited_in_number_and_spacing_and_come_before_a_no_show(hall):
    who, ticket = calling_at(hall)
    refused(hall, "call_again", counter.no_show, who, ticket)
    refused(hall, "too_soon", counter.recall, who, ticket)
    for _ in range(2):
        hall.hands.turn(seconds=21)
        hall.do(counter.recall, who, ticket)
    hall.hands.turn(seconds=21)
    refused(hall, "recall_limit", counter.recall, who, ticket)
    assert hall.do(counter.no_show, who, ticket)["state"] == "no_show"
    assert hall.kinds(ticket) == ["issued", "called", "recalled", "recalled", "no_show"]
    assert hall.do(counter.call_chosen, who, ticket)["ticket"] == ticket, "who comes back after all is called again"


def test_a_held_number_returns_to_its_place(hall):
    who, ticket = calling_at(hall)
    hall.do(counter.hold, who, ticket, "form")
    hall.hands.turn(minutes=5)
    later = hall.issue()
    hall.do(counter.unhold, who, ticket)
    refused(hall, "changed", counter.unhold, who, ticket)
    assert hall.call(who) == ticket
    assert hall.call(who) == later


def test_a_chosen_number_is_called_out_of_turn_but_not_twice(hall):
    one, two = hall.open("1"), hall.open("2")
    hall.issue()
    chosen = hall.issue(channel="kiosk")
    hall.do(counter.call_chosen, one, chosen)
    refused(hall, "changed", counter.call_chosen, two, chosen)
    refused(hall, "busy", counter.call_chosen, one, hall.issue())


@pytest.mark.parametrize("position", ["keep", "first", "last"])
def test_a_transferred_number_waits_where_the_officer_said(hall, position):
    who, ticket = calling_at(hall)
    hall.hands.turn(minutes=5)
    others = [hall.issue("so-do"), hall.issue("so-do")]
    hall.hands.turn(minutes=5)
    hall.do(counter.transfer, who, ticket, "so-do", "3", "", position)
    three = hall.open("3")
    expected = [*others, ticket] if position == "last" else [ticket, *others]
    assert [hall.call(three) for _ in expected] == expected


def test_a_transfer_to_a_counter_or_a_person_is_called_by_nobody_else(hall):
    who, ticket = calling_at(hall)
    two = hall.open("2")
    hall.do(counter.transfer, who, ticket, counter="2")
    assert hall.call(who) is None
    assert hall.call(two) == ticket
    hall.do(counter.transfer, two, ticket, officer="officer-1")
    assert hall.call(two) is None
    assert hall.call(who) == ticket


def test_a_transfer_is_refused_to_where_nobody_serves(hall):
    who, ticket = calling_at(hall)
    refused(hall, "bad_request", counter.transfer, who, ticket, "no-such-service")
    refused(hall, "bad_request", counter.transfer, who, ticket, "khai-sinh", "3")
    refused(hall, "bad_request", counter.transfer, who, ticket, "so-do", "9")
    refused(hall, "bad_request", counter.transfer, who, ticket, position="middle")


def test_a_transfer_is_undone_only_until_somebody_calls(hall):
    who, ticket = calling_at(hall)
    hall.do(counter.serve, who, ticket)
    hall.do(counter.transfer, who, ticket, "so-do", position="last")
    assert hall.do(counter.undo_transfer, who, ticket)["state"] == "serving"
    row = hall.ticket(ticket)
    assert (row["service"], row["counter"], row["state"]) == ("khai-sinh", "1", "serving")
    hall.do(counter.transfer, who, ticket, "so-do")
    three = hall.open("3")
    refused(hall, "changed", counter.undo_transfer, three, ticket)
    hall.call(three)
    refused(hall, "changed", counter.undo_transfer, who, ticket)


def test_a_visit_with_further_services_goes_on_with_the_same_number(hall):
    who, ticket = calling_at(hall, further=["khai-tu", "so-do"])
    assert hall.do(counter.complete, who, ticket)["service"] == "khai-tu"
    assert hall.call(who) == ticket
    hall.do(counter.complete, who, ticket)
    assert hall.call(hall.open("3")) == ticket
    assert hall.do(counter.complete, counter.Officer("session-3", "3", "officer-3"), ticket)["state"] == "completed"
    assert hall.kinds(ticket).count("moved_on") == 2
    assert len({event["seq"] for event in hall.events(ticket)}) == len(hall.events(ticket))


def test_one_session_holds_a_counter_until_it_falls_silent(hall):
    one = hall.open("1")
    stranger = counter.Officer("session-x", "1", "stranger")
    refused(hall, "counter_taken", counter.open_counter, stranger)
    for deed in (counter.call_next, counter.close_counter, counter.beat):
        refused(hall, "counter_taken", deed, stranger)
    hall.do(counter.open_counter, stranger, take_over=True)
    refused(hall, "counter_taken", counter.call_next, one)
    hall.hands.turn(seconds=61)
    hall.do(counter.open_counter, one)
    assert [kind for kind in hall.kinds() if kind.startswith("counter")] == [
        "counter_opened", "counter_closed", "counter_opened", "counter_closed", "counter_opened",
    ]  # fmt: skip
    refused(hall, "not_found", counter.open_counter, counter.Officer("session-1", "99", ""))


def test_a_session_that_opens_a_second_counter_leaves_the_first(hall):
    hall.open("1")
    hall.do(counter.open_counter, counter.Officer("session-1", "2", "officer-1"))
    assert [row["counter"] for row in hall.rows("SELECT counter FROM desk")] == ["2"]


def test_a_counter_is_not_left_with_a_citizen_at_it_and_a_paused_one_calls_nobody(hall):
    who, ticket = calling_at(hall)
    refused(hall, "busy", counter.close_counter, who)
    hall.do(counter.complete, who, ticket)
    hall.do(counter.pause, who, "lunch")
    hall.issue()
    refused(hall, "paused", counter.call_next, who)
    hall.do(counter.pause, who, "")
    assert hall.call(who) is not None
    hall.do(counter.hold, who, hall.rows("SELECT id FROM ticket WHERE state = 'called'")[0]["id"])
    hall.do(counter.close_counter, who)
    refused(hall, "counter_taken", counter.call_next, who)


def test_a_number_of_another_counter_is_out_of_reach(hall):
    _, ticket = calling_at(hall)
    two = hall.open("2")
    for deed in (counter.serve, counter.complete, counter.recall, counter.hold, counter.transfer):
        refused(hall, "changed", deed, two, ticket)
    refused(hall, "not_found", counter.serve, two, "no-such-ticket-at-all")


def test_void_is_for_good(hall):
    who, ticket = calling_at(hall)
    hall.do(counter.void, "supervisor", ticket, "left")
    refused(hall, "changed", counter.void, "supervisor", ticket, "left")
    refused(hall, "changed", counter.call_chosen, who, ticket)
    assert hall.rows("SELECT outcome FROM stint") == [{"outcome": "void"}]


def test_the_officer_decides_about_the_group_and_leaves_notes_outside_the_stream(hall):
    who, ticket = calling_at(hall, group="elderly")
    hall.do(counter.confirm_group, who, ticket, "")
    assert (hall.ticket(ticket)["urgent"], hall.ticket(ticket)["confirmed"]) == (0, 1)
    refused(hall, "bad_request", counter.confirm_group, who, ticket, "no-such-group")
    hall.do(counter.annotate, who, ticket, "thiếu bản sao", "H24-7")
    assert (hall.ticket(ticket)["note"], hall.ticket(ticket)["reference"]) == ("thiếu bản sao", "H24-7")
    assert not any("bản sao" in event["body"] or "H24-7" in event["body"] for event in hall.events())


def test_a_staff_call_is_one_until_it_is_answered(hall):
    who = hall.open("1")
    call = hall.do(counter.call_staff, "K01")["call"]
    assert hall.do(counter.call_staff, "K01")["call"] == call
    hall.do(counter.answer_staff, who, call)
    hall.do(counter.answer_staff, who, call)
    assert hall.do(counter.call_staff, "K01")["call"] != call
    assert hall.kinds().count("staff_answered") == 1
    refused(hall, "not_found", counter.answer_staff, who, 999)


def test_a_rating_is_one_per_number_and_the_last_word_counts(hall):
    who, ticket = calling_at(hall)
    refused(hall, "bad_request", counter.rate, ticket, 5)
    hall.do(counter.complete, who, ticket)
    hall.do(counter.rate, ticket, 2)
    hall.do(counter.rate, ticket, 5)
    assert hall.rows("SELECT score FROM rating") == [{"score": 5}]
    refused(hall, "bad_request", counter.rate, ticket, 6)


def test_numbers_of_a_leased_block_are_nobody_elses_and_come_in_at_their_time(hall):
    hall.issue()
    block = hall.do(line.lease_block, "K01", "HT", 10)
    assert (block["first"], block["last"]) == (501, 510)
    given_at = "2026-11-23T01:02:00.000Z"
    hall.hands.turn(minutes=10)
    ordinary = hall.issue()
    assert hall.ticket(ordinary)["n"] == 2
    given = {
        "id": "offline-ticket-0001", "block": block["block"], "n": 504, "service": "khai-sinh", "group": "elderly",
        "issued_at": given_at, "printed": True,
    }  # fmt: skip
    answer = hall.do(line.reconcile, "K01", given)
    assert hall.do(line.reconcile, "K01", given)["id"] == answer["id"]
    row = hall.ticket("offline-ticket-0001")
    assert (row["n"], row["since"], row["state"], row["urgent"]) == (504, given_at, "waiting", 1)
    assert hall.kinds("offline-ticket-0001") == ["issued"]
    for wrong in ({"n": 511}, {"n": 1}, {"service": "so-do"}, {"block": "no-such-block"}):
        refused(hall, "bad_request", line.reconcile, "K01", given | {"id": "offline-ticket-0002"} | wrong)
    refused(hall, "bad_request", line.reconcile, "K02", given | {"id": "offline-ticket-0002", "n": 505})
    refused(hall, "bad_request", line.lease_block, "K01", "XX", 10)
    refused(hall, "bad_request", line.lease_block, "K01", "HT", 51)


def test_settings_change_at_once_for_whoever_saw_the_newest(hall):
    now = hall.desk.see("hall", lambda view: view.centre).result()
    wanted = replace(now, appointments=Appointments(capacity=4))
    assert hall.do(change_settings, wanted, "admin", now.version) == {"version": now.version + 1}
    refused(hall, "changed", change_settings, wanted, "admin", now.version)
    refused(hall, "bad_request", change_settings, replace(wanted, id="other"), "admin", now.version + 1)
    assert hall.desk.see("hall", lambda view: view.centre.appointments.capacity).result() == 4
    assert hall.events()[-1]["kind"] == "settings_changed"
    assert hall.reopened().desk.see("hall", lambda view: view.centre.version).result() == now.version + 1


def test_a_centre_that_is_not_there_is_not_found(hall):
    for future in (hall.desk.do("nowhere", lambda floor: {}), hall.desk.see("nowhere", lambda view: 1)):
        with pytest.raises(Refused, match="not_found"):
            future.result()
