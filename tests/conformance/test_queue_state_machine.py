"""Any sequence of actions against a model in plain Python: both engines must agree with it after every step."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kiosk_queue import counter, line
from kiosk_queue.floor import Refused

SERVICES = {"khai-sinh": "HT", "khai-tu": "HT", "so-do": "ĐĐ"}
SKILLS = {"1": tuple(SERVICES), "2": tuple(SERVICES), "3": ("so-do",)}
OPEN = ("reserved", "waiting", "called", "serving", "held")
NAMES = itertools.count()


@dataclass
class Ticket:
    number: tuple
    service: str
    urgent: bool
    since: float
    place: int
    state: str = "waiting"
    counter: str = ""
    calls: int = 0
    announced: float = 0
    first: bool = False
    only_at: str = ""
    further: tuple = ()
    day: int = 0
    before: tuple = ()
    """What an undo of its last transfer restores."""
    moved: float = 0.0


@dataclass
class Model:
    tickets: dict = field(default_factory=dict)
    desks: dict = field(default_factory=dict)
    """Counter → (session, paused)."""
    last: dict = field(default_factory=dict)
    events: int = 0
    now: float = 0
    day: int = 0
    opened: bool = False

    def at(self, name):
        return next((one for one, t in self.tickets.items() if t.counter == name), None)

    def next_for(self, name):
        """Aging 2:1 over those whom this counter may call; the oldest, then the first to come, among equals."""
        mine = [
            (not t.first, -(self.now - t.since) * (2 if t.urgent else 1), t.since, t.place, one)
            for one, t in self.tickets.items()
            if t.state in ("reserved", "waiting") and t.service in SKILLS[name] and t.only_at in ("", name)
        ]
        return min(mine)[-1] if mine else None


MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def machine(hall):  # noqa: C901  # a class made for one hall, not a function of many branches
    """A state machine on a centre of its own in the hall's database."""

    class Queue(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            self.hall = hall.another(f"machine-{next(NAMES)}")
            hall.hands.time = MORNING  # no waiting of this run, or of those before, comes to midnight
            self.model = Model(now=hall.hands.monotonic())
            self.answered = []
            self.steps = 0

        def act(self, allowed, events, deed, *arguments, **named):
            """Do it; it must succeed just if the model allows it, and write that many events."""
            model = self.model
            self.steps += 1
            key = f"step-{self.steps:06}"
            try:
                answer = self.hall.do(deed, *arguments, key=key, **named)
            except Refused:
                assert not allowed, f"{deed.__name__} was refused"
                return None
            assert allowed, f"{deed.__name__} was not refused"
            if not model.opened:
                model.opened, events = True, events + 1
            model.events += events
            self.answered.append((key, answer, deed, arguments, named))
            return answer

        def some(self, data, *states):
            """A ticket, preferably in one of the states."""
            ids = [one for one, t in self.model.tickets.items() if t.state in states and t.day == self.model.day]
            everybody = list(self.model.tickets)
            return data.draw(st.sampled_from(ids or everybody))

        def who(self, name):
            return counter.Officer(f"session-{name}", name, f"officer-{name}")

        def leased(self, name):
            return name in self.model.desks

        def holds(self, name, one, *states):
            ticket = self.model.tickets[one]
            return self.leased(name) and ticket.counter == name and ticket.state in states

        @rule(service=st.sampled_from(list(SERVICES)), urgent=st.booleans(), kiosk=st.booleans(), more=st.booleans())
        def issue(self, service, urgent, kiosk, more):
            model, further = self.model, ("so-do",) if more else ()
            place = model.events + 1 + (not model.opened)
            answer = self.act(
                True, 1, line.issue, service, "elderly" if urgent else "", "kiosk" if kiosk else "web", further
            )
            series = SERVICES[service]
            model.last[series] = model.last.get(series, 0) + 1
            assert answer["number"] == f"{series}-{model.last[series]:03d}"
            state = "reserved" if kiosk else "waiting"
            number = (model.day, series, model.last[series])
            model.tickets[answer["id"]] = Ticket(
                number, service, urgent, model.now, place, state, further=further, day=model.day
            )

        @rule(name=st.sampled_from(list(SKILLS)))
        def open(self, name):
            known = self.leased(name)
            self.act(True, 0 if known else 1, counter.open_counter, self.who(name))
            self.model.desks.setdefault(name, False)

        @rule(name=st.sampled_from(list(SKILLS)))
        def close(self, name):
            allowed = self.leased(name) and self.model.at(name) is None
            self.act(allowed, 1, counter.close_counter, self.who(name))
            if allowed:
                del self.model.desks[name]

        @rule(name=st.sampled_from(list(SKILLS)), reason=st.sampled_from(["", "", "lunch"]))
        def pause(self, name, reason):
            allowed = self.leased(name)
            self.act(allowed, 1, counter.pause, self.who(name), reason)
            if allowed:
                self.model.desks[name] = bool(reason)

        @rule(name=st.sampled_from(list(SKILLS)))
        def call(self, name):
            model = self.model
            allowed = self.leased(name) and not model.desks[name]
            expected, held = model.next_for(name), model.at(name)
            events = (1 if held is None else 2) if expected else 0
            answer = self.act(allowed, events, counter.call_next, self.who(name))
            if allowed:
                assert answer["ticket"] == expected
                if expected:
                    self.finish(held)
                    self.called(name, expected)

        def called(self, name, one):
            ticket = self.model.tickets[one]
            ticket.state, ticket.counter, ticket.calls, ticket.first = "called", name, 1, False
            ticket.announced, ticket.before = self.model.now, ()

        def finish(self, one):
            if one is None:
                return
            ticket = self.model.tickets[one]
            ticket.counter = ""
            if ticket.further:
                ticket.state, ticket.service, ticket.further = "waiting", ticket.further[0], ticket.further[1:]
                ticket.only_at = ""
            else:
                ticket.state = "completed"

        @precondition(lambda self: self.model.tickets)
        @rule(name=st.sampled_from(list(SKILLS)), data=st.data())
        def call_chosen(self, name, data):
            model = self.model
            one = self.some(data, "waiting", "held", "no_show")
            ticket = model.tickets[one]
            allowed = (
                self.leased(name) and not model.desks[name] and model.at(name) is None and ticket.day == model.day
                and ticket.state in ("reserved", "waiting", "held", "no_show")
            )  # fmt: skip
            self.act(allowed, 1, counter.call_chosen, self.who(name), one)
            if allowed:
                self.called(name, one)

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def serve(self, data, name):
            one = self.some(data, "called")
            name = self.model.tickets[one].counter or name
            allowed = self.holds(name, one, "called")
            self.act(allowed, 1, counter.serve, self.who(name), one)
            if allowed:
                self.model.tickets[one].state = "serving"

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def complete(self, data, name):
            one = self.some(data, "called", "serving")
            name = self.model.tickets[one].counter or name
            allowed = self.holds(name, one, "called", "serving")
            self.act(allowed, 1, counter.complete, self.who(name), one)
            if allowed:
                self.finish(one)

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def recall(self, data, name):
            one = self.some(data, "called")
            ticket = self.model.tickets[one]
            name = ticket.counter or name
            allowed = self.holds(name, one, "called") and ticket.calls <= 2 and self.model.now >= ticket.announced + 20
            self.act(allowed, 1, counter.recall, self.who(name), one)
            if allowed:
                ticket.calls, ticket.announced = ticket.calls + 1, self.model.now

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def no_show(self, data, name):
            one = self.some(data, "called")
            ticket = self.model.tickets[one]
            name = ticket.counter or name
            allowed = self.holds(name, one, "called") and ticket.calls >= 2
            self.act(allowed, 1, counter.no_show, self.who(name), one)
            if allowed:
                ticket.state, ticket.counter = "no_show", ""

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def hold(self, data, name):
            one = self.some(data, "called", "serving")
            name = self.model.tickets[one].counter or name
            allowed = self.holds(name, one, "called", "serving")
            self.act(allowed, 1, counter.hold, self.who(name), one)
            if allowed:
                self.model.tickets[one].state, self.model.tickets[one].counter = "held", ""

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def unhold(self, data, name):
            one = self.some(data, "held")
            allowed = self.leased(name) and self.model.tickets[one].state == "held"
            self.act(allowed, 1, counter.unhold, self.who(name), one)
            if allowed:
                self.model.tickets[one].state = "waiting"

        @precondition(lambda self: self.model.tickets)
        @rule(
            data=st.data(), name=st.sampled_from(list(SKILLS)), service=st.sampled_from(list(SERVICES)),
            to=st.sampled_from(["", *SKILLS]), position=st.sampled_from(counter.POSITIONS),
        )  # fmt: skip
        def transfer(self, data, name, service, to, position):
            model = self.model
            one = self.some(data, "called", "serving")
            ticket = model.tickets[one]
            name = ticket.counter or name
            allowed = self.holds(name, one, "called", "serving") and (not to or service in SKILLS[to])
            self.act(allowed, 1, counter.transfer, self.who(name), one, service, to, "", position)
            if allowed:
                ticket.before = (
                    name,
                    ticket.state,
                    ticket.service,
                    ticket.only_at,
                    ticket.since,
                    ticket.calls,
                    ticket.first,
                )
                ticket.state, ticket.counter, ticket.service, ticket.only_at = "waiting", "", service, to
                ticket.first, ticket.moved = position == "first", model.now
                ticket.since = model.now if position == "last" else ticket.since

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data(), name=st.sampled_from(list(SKILLS)))
        def undo_transfer(self, data, name):
            model = self.model
            fresh = [one for one, t in model.tickets.items() if t.before and t.state == "waiting"]
            one = data.draw(st.sampled_from(fresh or list(model.tickets)))
            ticket = model.tickets[one]
            name = ticket.before[0] if ticket.before else name
            allowed = (
                self.leased(name) and bool(ticket.before) and ticket.state == "waiting" and not model.at(name)
                and model.now <= ticket.moved + counter.UNDO_SECONDS
            )  # fmt: skip
            self.act(allowed, 1, counter.undo_transfer, self.who(name), one)
            if allowed:
                (
                    ticket.counter, ticket.state, ticket.service, ticket.only_at, ticket.since, ticket.calls,
                    ticket.first,
                ) = ticket.before  # fmt: skip
                ticket.before = ()

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data())
        def void(self, data):
            one = self.some(data, *OPEN)
            allowed = self.model.tickets[one].state in OPEN
            self.act(allowed, 1, counter.void, "supervisor", one, "left")
            if allowed:
                self.model.tickets[one].state, self.model.tickets[one].counter = "void", ""

        @precondition(lambda self: self.model.tickets)
        @rule(data=st.data())
        def printed(self, data):
            one = self.some(data, "reserved")
            fresh = self.model.tickets[one].state == "reserved"
            if fresh:
                self.act(True, 1, line.paper, one, printed=True)
                self.model.tickets[one].state = "waiting"

        @rule(size=st.integers(1, 5))
        def lease(self, size):
            first = self.model.last.get("leased", line.RESERVE.start - 1) + 1
            answer = self.act(True, 1, line.lease_block, "K01", "HT", size)
            self.model.last["leased"] = first + size - 1
            assert (answer["first"], answer["last"]) == (first, first + size - 1)

        @precondition(lambda self: self.answered)
        @rule(data=st.data())
        def repeat(self, data):
            """A lost answer is asked for again: it is the same, and nothing happens."""
            key, answer, deed, arguments, named = data.draw(st.sampled_from(self.answered))
            assert self.hall.do(deed, *arguments, key=key, **named) == answer

        @rule(seconds=st.sampled_from([1, 10, 30, 600]))
        def wait(self, seconds):
            hall.hands.turn(seconds=seconds)
            self.model.now += seconds

        @precondition(lambda self: self.model.opened)
        @rule()
        def next_day(self):
            """Whatever was left open ends with the first deed of the new day."""
            model = self.model
            hall.hands.turn(days=1)
            model.now += 86400
            model.day += 1
            left = [t for t in model.tickets.values() if t.state in OPEN]
            for ticket in left:
                ticket.state, ticket.counter = "void", ""
            model.desks.clear()
            model.last.clear()
            self.answered.clear()  # answers are kept for two days only
            self.act(True, len(left) + 2, counter.open_counter, self.who("1"))
            model.desks["1"] = False

        @invariant()
        def the_database_agrees(self):
            if not hasattr(self, "hall"):
                return
            one, model = self.hall.id, self.model
            rows = self.hall.rows("SELECT * FROM ticket WHERE centre = :centre ORDER BY place", centre=one)
            assert {row["id"]: (row["state"], row["counter"] or "", row["service"]) for row in rows} == {
                key: (t.state, t.counter, t.service) for key, t in model.tickets.items()
            }
            days = sorted({row["day"] for row in rows})
            assert len({(row["day"], row["series"], row["n"]) for row in rows}) == len(rows)
            assert len(days) == len({t.day for t in model.tickets.values()})
            assert [event["seq"] for event in self.hall.events()] == list(range(1, model.events + 1))
            desks = self.hall.rows("SELECT counter, paused FROM desk WHERE centre = :centre", centre=one)
            assert {desk["counter"]: bool(desk["paused"]) for desk in desks} == model.desks
            if model.opened:
                waiting = sum(t.state in ("reserved", "waiting") for t in model.tickets.values())
                look = self.hall.desk.see(one, lambda v: line.count_ahead(
                    v.tx, v.centre, v.day, "so-do", urgent=False, now="9999-01-01T00:00:00.000Z"))  # fmt: skip
                assert look.result() == waiting

    return Queue


@pytest.mark.timeout(300)
def test_every_sequence_of_actions_keeps_to_the_model(hall):
    steps = settings(
        max_examples=80 if hall.engine == "sqlite" else 15, stateful_step_count=40, deadline=None,
        suppress_health_check=list(HealthCheck), database=None, report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(lambda: machine(hall)(), settings=steps)
