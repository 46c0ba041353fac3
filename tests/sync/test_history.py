"""The checker of histories: a good one passes, and each broken promise is seen."""

import pytest

from tests.sync.history import Event, violations


def good(number: int = 1) -> list[Event]:
    """The story of one dossier, and of the one before it."""
    story = []
    for n in range(1, number + 1):
        ids = {"submission": f"{n:032x}", "sequence": n}
        story += [Event("outbox", "sealed", **ids), Event("kiosk", "printed", **ids, sha256="a" * 64, uid=f"u{n}")]
        story += [Event("outbox", what, **ids) for what in ("manifest_sent", "delivered")]
        story += [Event("receiver", "received", **ids, sha256="a" * 64), Event("tthc", "filed", uid=f"u{n}")]
        story += [Event("outbox", what, **ids) for what in ("answered", "purged")]
    return [*story, Event("kiosk", "drained", seconds=3, bound=10)]


def without(story: list[Event], side: str, what: str) -> list[Event]:
    return [event for event in story if (event.side, event.what) != (side, what)]


def only(story: list[Event], side: str, what: str) -> Event:
    return next(event for event in story if (event.side, event.what) == (side, what))


def changed(story: list[Event], side: str, what: str, **values) -> list[Event]:
    return [Event(**{**vars(e), **values}) if (e.side, e.what) == (side, what) else e for e in story]


def test_a_good_history_passes():
    assert violations(good(3)) == []


def test_a_quarantined_one_that_was_released_passes():
    story = good()
    ids = {"submission": f"{1:032x}", "sequence": 1}
    story[1:1] = [Event("outbox", "quarantined", **ids), Event("outbox", "released", **ids)]
    assert violations(story) == []


STRANGER = Event("receiver", "received", submission="f" * 32, sequence=9, sha256="b" * 64)
BAD = {
    "a record is missing": ("I1", without(good(), "receiver", "received")),
    "a record is doubled": ("I1", [*good(), only(good(), "receiver", "received")]),
    "a record of another hash": ("I1", changed(good(), "receiver", "received", sha256="c" * 64)),
    "a record of another number": ("I1", changed(good(), "receiver", "received", sequence=2)),
    "a record of nobody": ("I2", [*good(), STRANGER]),
    "filed twice": ("I3", [*good(), only(good(), "tthc", "filed")]),
    "filed by nobody": ("I3", [*good(), Event("tthc", "filed", uid="u7")]),
    "a number is missing": ("I4", [event for event in good(3) if event.sequence != 2 and event.uid != "u2"]),
    "purged before the receipt": ("I5", [good()[0], only(good(), "outbox", "purged"), *good()[1:]]),
    "the audit chain is broken": ("I6", [*good(), Event("outbox", "problem", text="audit line 3 …")]),
    "the queue empties too late": ("I7", changed(good(), "kiosk", "drained", seconds=11)),
    "the queue never empties": ("I7", without(good(), "kiosk", "drained")),
    "plaintext on the disk": ("I8", [*good(), Event("disk", "plaintext", text="outbox.db")]),
    "delivered without a manifest": ("I9", without(good(), "outbox", "manifest_sent")),
    "answered twice": ("I9", [*good(), only(good(), "outbox", "answered")]),
}


@pytest.mark.parametrize("name", BAD)
def test_each_broken_promise_is_seen(name: str):
    promise, story = BAD[name]
    assert {found[:2] for found in violations(story)} == {promise}
