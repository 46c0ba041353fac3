"""Four eyes on what stands still, on both databases: two people, once, and nothing that has moved meanwhile."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.config import ReceiverSettings
from sync.connectors.ledger import Ledger
from sync.receiver import replay
from sync.receiver.database import Conflict, Database, open_database
from sync.receiver.replay import Act, Reason, Refused, Verdict, ask, decide
from tests.sync.operator_page import QUARANTINED, UNKNOWN, add_submission, envelope, hold, moment, rows

WHY = "Đã nạp lại khóa cũ"
UID = "5e" * 16
CODE = "000.00.00.H15-261123-0001"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    settings = ReceiverSettings(state=tmp_path / "receiver")
    if request.param == "postgres":
        settings = replace(settings, database=request.getfixturevalue("cluster").new_database())
    with contextlib.closing(open_database(settings)) as built:
        with built.write() as tx:
            for name in ("lan", "hai", "minh"):
                tx.run("INSERT INTO operator VALUES (:name, '', :now, NULL)", name=name, now=moment())
        yield built


@pytest.fixture
def aside(database, sealer) -> str:
    """A quarantined submission."""
    return add_submission(database, envelope(sealer, 1), state="quarantined", problem=QUARANTINED, tries=4)


@pytest.fixture
def held(database, sealer) -> str:
    """A submission whose fate at the TTHC system nobody knows."""
    submission = add_submission(database, envelope(sealer, 2), reference_uid=UID, due_at=moment(hours=-1), tries=9)
    hold(database, UID, UNKNOWN, handle=UID)
    return submission


def standing(database: Database) -> list[tuple[object, ...]]:
    found = rows(database, "SELECT state, problem, tries FROM submission ORDER BY sequence")
    return [(row["state"], row["problem"], row["tries"]) for row in found]


def refusal(call, *arguments, **named) -> Reason:
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.reason


def test_a_quarantined_dossier_is_handed_on_again_once_a_second_person_agrees(database, aside):
    number = ask(database, "K01", aside, Act.REPLAY, WHY, "lan")
    assert standing(database) == [("quarantined", QUARANTINED, 4)]
    assert decide(database, number, "hai", agree=True) is Verdict.DONE
    assert standing(database) == [("committed", None, 0)]
    [kept] = rows(database, "SELECT asked_by, decided_by, why, verdict FROM request")
    assert kept == {"asked_by": "lan", "decided_by": "hai", "why": WHY, "verdict": "done"}


def test_whoever_asked_cannot_agree_and_the_database_itself_refuses_it(database, aside):
    number = ask(database, "K01", aside, Act.REPLAY, WHY, "lan")
    for agree in (True, False):
        assert refusal(decide, database, number, "lan", agree=agree) is Reason.SAME_PERSON
    for change in (
        "UPDATE request SET decided_by = asked_by, decided_at = asked_at, verdict = 'done'",
        "UPDATE request SET asked_by = 'minh', decided_by = 'lan', decided_at = asked_at, verdict = 'done'",
        "UPDATE request SET verdict = 'done'",
        "UPDATE request SET decided_by = 'nobody', decided_at = asked_at, verdict = 'done'",
    ):
        with pytest.raises(Conflict), database.write() as tx:
            tx.run(change)
    assert standing(database) == [("quarantined", QUARANTINED, 4)]


def test_what_was_asked_and_decided_is_never_changed_or_deleted(database, aside):
    decide(database, ask(database, "K01", aside, Act.REPLAY, WHY, "lan"), "hai", agree=False)
    number = ask(database, "K01", aside, Act.REPLAY, WHY, "lan")
    for change in (
        "UPDATE request SET why = 'another reason'",
        "UPDATE request SET submission = 'another' WHERE verdict IS NULL",
        "UPDATE request SET verdict = 'done' WHERE verdict = 'declined'",
        "DELETE FROM request",
    ):
        with pytest.raises(Conflict), database.write() as tx:
            tx.run(change)
    assert decide(database, number, "minh", agree=True) is Verdict.DONE


def test_declined_means_nothing_moves_and_it_may_be_asked_again(database, aside):
    number = ask(database, "K01", aside, Act.REPLAY, WHY, "lan")
    assert decide(database, number, "hai", agree=False) is Verdict.DECLINED
    assert standing(database) == [("quarantined", QUARANTINED, 4)]
    assert ask(database, "K01", aside, Act.REPLAY, WHY, "hai") > number


def test_of_many_who_ask_at_once_one_request_stands(database, aside):
    def wish(name: str) -> object:
        try:
            return ask(database, "K01", aside, Act.REPLAY, WHY, name)
        except Refused as refused:
            return refused.reason

    with ThreadPoolExecutor(6) as hands:
        answers = list(hands.map(wish, ["lan", "hai", "minh"] * 4))
    assert answers.count(Reason.PENDING) == 11
    assert len(rows(database, "SELECT number FROM request")) == 1


def test_two_who_decide_at_once_move_it_once(database, held):
    number = ask(database, "K01", held, Act.RESEND, WHY, "lan")

    def word(name: str) -> object:
        try:
            return decide(database, number, name, agree=True)
        except Refused as refused:
            return refused.reason

    with ThreadPoolExecutor(4) as hands:
        answers = list(hands.map(word, ["hai", "minh"] * 4))
    assert sorted(set(answers)) == sorted({Verdict.DONE, Reason.DECIDED})
    assert len(rows(database, "SELECT number FROM decision")) == 1
    [kept] = rows(database, "SELECT decided_by FROM request")
    assert decide(database, number, str(kept["decided_by"]), agree=True) is Verdict.DONE  # pressed twice: no harm
    assert refusal(decide, database, number, str(kept["decided_by"]), agree=False) is Reason.DECIDED


@pytest.mark.parametrize(("act", "code"), [(Act.RESEND, None), (Act.FILED_AS, CODE)])
def test_a_held_dossier_goes_on_as_two_people_decided(database, held, act, code):
    assert decide(database, ask(database, "K01", held, act, WHY, "lan", code), "hai", agree=True) is Verdict.DONE
    ledger = Ledger(database)
    assert ledger.held() == []
    assert ledger.filed_as(UID) is (code is not None)
    assert ledger.of(UID).handle == (code or UID)
    [decision] = rows(database, "SELECT decided_by, act, code FROM decision")
    assert decision == {"decided_by": "lan, hai", "act": act, "code": code}
    assert rows(database, "SELECT due_at, tries FROM submission") == [{"due_at": None, "tries": 0}]


def test_what_moved_meanwhile_is_left_alone_and_the_request_ends_saying_so(database, aside, held):
    first = ask(database, "K01", aside, Act.REPLAY, WHY, "lan")
    second = ask(database, "K01", held, Act.RESEND, WHY, "lan")
    with database.write() as tx:
        tx.run("UPDATE submission SET state = 'committed', problem = NULL WHERE submission = :one", one=aside)
        tx.run("UPDATE submission SET state = 'filed' WHERE submission = :one", one=aside)
    Ledger(database).decide(UID, "bench", CODE)
    for number in (first, second):
        assert decide(database, number, "hai", agree=True) is Verdict.MOVED
    assert [state for state, *_ in standing(database)] == ["filed", "committed"]
    assert Ledger(database).of(UID).handle == CODE
    for submission, act in ((aside, Act.REPLAY), (held, Act.RESEND)):
        assert refusal(ask, database, "K01", submission, act, WHY, "lan") is Reason.MOVED


def test_what_makes_no_sense_is_not_asked(database, aside, held):
    assert refusal(ask, database, "K01", aside, Act.RESEND, WHY, "lan") is Reason.MOVED
    assert refusal(ask, database, "K02", aside, Act.REPLAY, WHY, "lan") is Reason.MOVED
    assert refusal(ask, database, "K01", held, Act.REPLAY, WHY, "lan") is Reason.MOVED
    assert refusal(ask, database, "K01", aside, Act.REPLAY, "ngắn", "lan") is Reason.WHY
    for code in (None, "", "a/../b", "x" * 80):
        assert refusal(ask, database, "K01", held, Act.FILED_AS, WHY, "lan", code) is Reason.CODE
    assert refusal(ask, database, "K01", held, Act.RESEND, WHY, "lan", CODE) is Reason.CODE
    assert refusal(decide, database, 12345, "hai", agree=True) is Reason.UNKNOWN
    assert rows(database, "SELECT number FROM request") == []


def test_if_the_move_fails_the_verdict_is_not_written_either(database, held, monkeypatch):
    number = ask(database, "K01", held, Act.RESEND, WHY, "lan")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(replay.ledger, "_update", broken)
        decide(database, number, "hai", agree=True)
    assert rows(database, "SELECT verdict FROM request") == [{"verdict": None}]
    assert rows(database, "SELECT number FROM decision") == []
    assert decide(database, number, "hai", agree=True) is Verdict.DONE
