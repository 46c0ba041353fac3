"""Requests made up by schemathesis from an OpenAPI document, good and bad ones, against a running server."""

import contextlib
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/vnd.motcua.signed", "application/octet-stream")
def _as_it_is(_: object, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def storm(document: dict[str, Any], base_url: str, session: requests.Session, examples: int) -> int:
    """Send `examples` of each kind for each operation; how many there were.

    Raises schemathesis' failure group if one is answered by a 5xx or by what the document does not say.
    """
    count = 0
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: schemathesis.Case) -> None:
                nonlocal count
                count += 1
                case.call_and_validate(
                    base_url=base_url,
                    session=session,
                    checks=_CHECKS,
                    timeout=30,
                    verify=session.verify,
                    cert=session.cert,
                )

            with contextlib.suppress(Unsatisfiable):  # nothing of it can be wrong
                send()
    return count
