"""Requests made up from the queue's own OpenAPI document: whatever comes, a documented answer and never a 5xx."""

import pytest
import requests

from openapi_storm import storm


@pytest.mark.parametrize("role", ["kiosk", "counter"])
def test_no_request_made_up_from_the_document_breaks_the_queue(running, role: str) -> None:
    document = requests.get(f"{running.url}/api/v1/openapi.json", timeout=30).json()
    del document["paths"]["/events"]  # a stream without end
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(running.headers(role, ""))
        assert storm(document, f"{running.url}/api/v1", session, examples=6) > 100
    assert running.api("GET", "/services").status_code == 200
