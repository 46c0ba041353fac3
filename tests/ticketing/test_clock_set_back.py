"""The server's clock is set back while people wait: whoever came first is still called first."""

from dataclasses import replace

import pytest

from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import change_settings
from kiosk_queue.model import Rule

CENTRE = "centre"
WHO = Officer("session", "1", "lan")


@pytest.fixture
def do(desk):
    def work(deed):
        return desk.do(CENTRE, deed).result()

    work(lambda floor: counter.open_counter(floor, WHO))
    return work


def come(do, service: str = "khai-sinh", group: str = "") -> str:
    return do(lambda floor: line.issue(floor, service, group))["id"]


def call_all(do) -> list[str]:
    called = []
    while (ticket := do(lambda floor: counter.call_next(floor, WHO))["ticket"]) is not None:
        called.append(ticket)
    return called


@pytest.mark.parametrize("rule", ["aging", "head_start", "strict", "ratio"])
def test_nobody_overtakes_because_the_clock_was_set_back(do, hands, rule) -> None:
    changed = {"rule": Rule(name=rule)}
    do(lambda f: change_settings(f, replace(f.centre, **changed), "test", f.centre.version))
    came = [come(do)]
    hands.turn(minutes=10)
    came.append(come(do, "so-do"))
    for minutes in (-40, 1, 1, -20):
        hands.turn(minutes=minutes)
        came.append(come(do, ("khai-sinh", "so-do", "khai-tu")[len(came) % 3]))
    assert call_all(do) == came


def test_the_order_holds_when_the_clock_has_caught_up(do, hands) -> None:
    first = come(do)
    hands.turn(minutes=-30)
    second = come(do, "so-do")
    hands.turn(minutes=50)
    third = come(do)
    assert call_all(do) == [first, second, third]


def test_an_appointment_does_not_hold_up_those_who_come_without_one(do, hands) -> None:
    do(lambda floor: line.issue(floor, "khai-sinh", appointment="2026-11-23T01:08:00.000Z"))
    walk_in = come(do)
    hands.turn(minutes=8, seconds=30)
    assert call_all(do)[0] == walk_in


def test_the_end_of_the_line_is_behind_everybody_though_the_clock_was_set_back(do, hands) -> None:
    first, second = come(do), come(do)
    hands.turn(minutes=-30)
    do(lambda floor: counter.call_next(floor, WHO))
    do(lambda floor: counter.transfer(floor, WHO, first, position="last"))
    hands.turn(minutes=-1)
    third = come(do)
    assert call_all(do) == [second, first, third]
