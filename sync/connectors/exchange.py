"""One request to a TTHC system and its verdict: nothing was done, nobody knows, or this dossier is bad."""

import json
from dataclasses import dataclass
from typing import Any

from sync.connectors.contract import Refused, Unclear, Unreachable
from sync.web import NoAnswer, Reply, fetch, new_session

_NOT_NOW = frozenset({401, 403, 425, 429})
_INTERFACE_CHANGED = frozenset({404, 405, 406, 410, 415})
"""Of a fixed address: every dossier would meet it, so it is not this dossier's fault."""


@dataclass(frozen=True, slots=True)
class Site:
    """The interface of a TTHC system at `url`; `timeout` is the seconds for a whole exchange."""

    url: str
    timeout: float

    def call(
        self, step: str, method: str, path: str, *, allowed: frozenset[int] = frozenset(), **request: Any
    ) -> Reply:
        """The answer, if it is one to this dossier or `allowed`. Raises Unreachable or Unclear."""
        with new_session() as session:
            session.auth = request.pop("auth", None)
            session.headers["Accept"] = "application/json"
            try:
                reply = fetch(session, method, self.url.rstrip("/") + path, self.timeout, **request)
            except NoAnswer as error:
                raise (Unclear if error.sent else Unreachable)(f"{step}: {error}") from None
        if reply.status in allowed:
            return reply
        if reply.status in _NOT_NOW or 300 <= reply.status < 400:
            raise Unreachable(f"{step}: HTTP {reply.status}")
        if reply.status in (408, 409) or reply.status >= 500:
            raise Unclear(f"{step}: HTTP {reply.status}")
        return reply


def json_object(step: str, reply: Reply) -> dict[str, Any]:
    """The JSON object in an answer. Raises Unreachable, Unclear or Refused."""
    if reply.status in _INTERFACE_CHANGED:
        raise Unreachable(f"{step}: HTTP {reply.status}: the interface is not the awaited one")
    if reply.status >= 400:
        raise Refused(f"{step}: HTTP {reply.status}")
    try:
        raw = json.loads(reply.body)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise Unclear(f"{step}: the answer is not a JSON object")
    return raw
