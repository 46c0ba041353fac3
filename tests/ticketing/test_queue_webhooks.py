"""Signed webhooks, with a real receiver."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator

import pytest

from kiosk_queue.api import webhooks


class Receiver:
    """Takes what is posted; `answer` decides the status of each request."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes, float]] = []
        self.answer = lambda _: 204
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.answer(json.loads(body))
                receiver.taken.append(
                    ({k.lower(): v for k, v in self.headers.items()}, body, time.monotonic(), status, self.path)
                )
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def events(self) -> list[dict]:
        """What was accepted."""
        return [json.loads(body) for _, body, _, status, _ in list(self.taken) if status < 300]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.1)


def test_every_event_is_told_in_order_and_signed(settings, receiver, helpers) -> None:
    running = helpers.Running(settings).start()
    try:
        hook = webhooks.add_webhook(running.desk.store, "centre", receiver.url)
        for _ in range(5):
            running.issue()
        running.counter("1").next()
        helpers.until(lambda: any(event["kind"] == "called" for event in receiver.events()))
        events = receiver.events()
        assert [event["seq"] for event in events] == list(range(hook.sent + 1, hook.sent + 1 + len(events)))
        assert {event["centre"] for event in events} == {"centre"}
        headers, body, *_ = receiver.taken[0]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(hook.secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
        assert len({headers["webhook-id"] for headers, *_ in receiver.taken}) == len(events)
    finally:
        running.stop()


def test_a_receiver_that_fails_gets_the_same_event_again_and_nothing_is_left_out(settings, receiver, helpers) -> None:
    failed: list[int] = []

    def moody(event: dict) -> int:
        if event["kind"] == "issued" and failed.count(event["seq"]) < 2:
            failed.append(event["seq"])
            return 500
        return 200

    receiver.answer = moody
    running = helpers.Running(settings).start()
    try:
        hook = webhooks.add_webhook(running.desk.store, "centre", receiver.url)
        tickets = [running.issue() for _ in range(3)]
        helpers.until(lambda: len([e for e in receiver.events() if e["kind"] == "issued"]) >= 3)
        numbers = [event["seq"] for event in receiver.events()]
        assert numbers == list(range(hook.sent + 1, hook.sent + 1 + len(numbers))), "in order, none left out"
        assert [e["number"] for e in receiver.events() if e["kind"] == "issued"] == [t["number"] for t in tickets]
        assert len(failed) == 6
    finally:
        running.stop()


def test_an_address_that_takes_something_between_its_failures_is_not_left_ever_longer(
    settings, receiver, helpers
) -> None:
    seen: set[int] = set()

    def every_second(event: dict) -> int:
        known = event["seq"] in seen
        seen.add(event["seq"])
        return 200 if known else 500

    receiver.answer = every_second
    running = helpers.Running(settings).start()
    try:
        webhooks.add_webhook(running.desk.store, "centre", receiver.url)
        store = running.desk.store
        most = 0
        for _ in range(6):
            running.issue()

        def told() -> bool:
            nonlocal most
            row = store.read(lambda tx: webhooks.list_webhooks(tx, "centre")).result()[0]
            most = max(most, row["failures"])
            return row["behind"] == 0

        helpers.until(told)
        assert most == 1
    finally:
        running.stop()


def test_what_happened_while_the_receiver_was_away_follows_after_a_restart(settings, helpers) -> None:
    away = Receiver()
    away.close()
    running = helpers.Running(settings).start()
    hook = webhooks.add_webhook(running.desk.store, "centre", away.url, ["issued"])
    running.issue()
    running.counter("1")
    store = running.desk.store
    helpers.until(lambda: store.read(lambda tx: webhooks.list_webhooks(tx, "centre")).result()[0]["failures"])
    running.stop()
    back = Receiver()
    running.start()
    try:
        running.desk.store.write(
            "centre", lambda tx: tx.run("UPDATE webhook SET url = :url WHERE id = :id", url=back.url, id=hook.id)
        ).result()
        running.issue()
        helpers.until(lambda: len(back.events()) == 2)
        assert [event["number"] for event in back.events()] == ["HT-001", "HT-002"], "only the wanted kinds"
        helpers.until(
            lambda: running.desk.store.read(lambda tx: webhooks.list_webhooks(tx, "centre")).result()[0]["behind"] == 0
        )
    finally:
        running.stop()
        back.close()


def test_a_redirection_is_not_followed(settings, receiver, helpers) -> None:
    receiver.answer = lambda _: 302
    running = helpers.Running(settings).start()
    try:
        webhooks.add_webhook(running.desk.store, "centre", receiver.url)
        running.issue()
        helpers.until(lambda: len(receiver.taken) >= 2)
        assert {path for *_, path in receiver.taken} == {"/hook"}
    finally:
        running.stop()


def test_the_waits_grow_and_are_spread() -> None:
    for failures in range(1, 60):
        waits = [webhooks._pause(failures) for _ in range(200)]
        assert max(waits) <= min(webhooks.LONGEST_WAIT, webhooks.FIRST_WAIT * 2.0 ** min(failures, 20))
        assert len(set(waits)) > 150


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "http://u:p@h/", "nothing", "http://h/a b"])
def test_an_address_that_cannot_be_posted_to_is_refused(store, url: str) -> None:
    with pytest.raises(webhooks.WebhookError):
        webhooks.add_webhook(store, "centre", url)
    with pytest.raises(webhooks.WebhookError):
        webhooks.remove_webhook(store, "centre", url)
