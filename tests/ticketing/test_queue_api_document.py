"""The OpenAPI document is true and complete."""

import re

import msgspec
import pytest
import requests

from kiosk_queue.api import shapes as api_shapes
from kiosk_queue.api.table import table


@pytest.fixture
def document(running) -> dict:
    answer = requests.get(running.url + "/api/v1/openapi.json", timeout=30)
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(document: dict) -> list[tuple[str, str, dict]]:
    return [(method, path, one) for path, item in document["paths"].items() for method, one in item.items()]


def test_every_documented_address_answers_with_a_documented_status(running, document) -> None:
    assert document["openapi"] == "3.1.0"
    assert len(operations(document)) >= 25
    for method, path, operation in operations(document):
        if path == "/events":
            continue
        for role in ("kiosk", "counter", "display"):
            answer = running.api(method.upper(), path.replace("{id}", "x" * 16), {}, role, key="walker-0001")
            documented = operation["responses"]
            assert str(answer.status_code) in documented, (method, path, answer.status_code, answer.text)
            kinds = documented[str(answer.status_code)].get("content", {})
            assert answer.headers.get("content-type", "").partition(";")[0] in kinds or not kinds, (path, answer.text)
            if answer.status_code >= 400:
                problem = answer.json()
                assert problem["status"] == answer.status_code
                assert problem.keys() == {"type", "title", "status", "reason"}


def test_what_is_not_documented_is_absent(running, document) -> None:
    verbs = ("get", "post", "put", "patch", "delete")
    for path, item in document["paths"].items():
        for method in set(verbs) - item.keys():
            answer = running.api(method.upper(), path.replace("{id}", "x" * 16))
            assert answer.status_code in (404, 405), (method, path, answer.status_code)
            if answer.status_code == 405:
                assert set(answer.headers["allow"].lower().replace(",", " ").split()) <= {*item, "head"}
    for path in ("/", "/nothing", "/tickets/x/y/z", "/tickets/xxxxxxxxxxxxxxxx/sell", "/counters/1", "/ticketss"):
        answer = running.api("GET", path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_reference_leads_somewhere_and_names_are_unique(document) -> None:
    schemas = document["components"]["schemas"]
    found = re.findall(r"#/components/schemas/(\w+)", msgspec.json.encode(document).decode())
    assert set(found) == set(schemas)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_answers_have_exactly_the_documented_members(running) -> None:
    ticket = running.issue(group="elderly", channel="kiosk")
    counter = running.counter("1", "Lan")
    seen = {
        "Ticket": ticket,
        "TicketNow": running.api("GET", f"/tickets/{ticket['id']}").json(),
        "PaperState": running.api("POST", f"/tickets/{ticket['id']}/paper", {"printed": True}).json(),
        "Services": running.api("GET", "/services").json(),
        "Counters": running.api("GET", "/counters").json(),
        "Centre": running.api("GET", "/centre").json(),
        "Lease": running.api("POST", "/blocks", {"series": "DD", "size": 3}).json(),
        "StaffCalled": running.api("POST", "/staff-calls", {}).json(),
        "Called": counter.next(),
        "Counter": counter.post("open", {}).json(),
        "Moved": counter.do(ticket["id"], "serve").json(),
        "Noted": counter.do(ticket["id"], "note", {"note": "x"}).json(),
        "Grouped": counter.do(ticket["id"], "group", {"group": "elderly"}).json(),
    }
    counter.do(ticket["id"], "complete")
    seen["Rated"] = running.api("POST", f"/tickets/{ticket['id']}/rate", {"score": 4}).json()
    seen["Closed"] = counter.post("close").json()
    seen["Reprint"] = running.api("POST", "/reprints").json()
    seen["StaffCallNow"] = running.api("GET", f"/staff-calls/{seen['StaffCalled']['call']}").json()
    for name, answer in seen.items():
        shape = getattr(api_shapes, name)
        known = msgspec.to_builtins(msgspec.convert(answer, shape))
        assert known == answer, name
    shapes = {s.__name__ for e in table() for s in e.answers.values() if s is not None}
    assert shapes - set(seen) == {"Recalled", "CheckedIn", "Appointment"}
