"""A kiosk's question for digitised papers that may be re-used, and its answer, as JSON (`POST /api/v1/reusable`).

    asked  {"consent": true, "owner_id", "requester_id", "requester_name", "procedure_code", "components": [code, …]}
    told   {"results": [{"component", "result_code", "name", "number", "issuer"}]}

Without the citizen's consent nothing is asked of anybody (domain reference §10.3). Nothing of it is logged or kept.
"""

import json
from dataclasses import asdict, fields

from kiosk.catalogue import PROCEDURE_CODE
from kiosk.citizen import valid_personal_id
from kiosk.text import nfc
from sync.connectors.contract import Reusable, Wish

MOST_COMPONENTS = 100
MOST_RESULTS = 100
_TEXTS = ("owner_id", "requester_id", "requester_name", "procedure_code")
_RESULT = tuple(field.name for field in fields(Reusable))


class NoConsent(ValueError):
    """The citizen has not agreed to the search."""


def read_wish(body: bytes) -> Wish:
    """The wish in a request; raises NoConsent, or ValueError if it is malformed."""
    try:
        raw = json.loads(body)
        if raw["consent"] is not True:
            raise NoConsent
        owner, requester, name, procedure = (raw[key] for key in _TEXTS)
        components = raw["components"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a wish: {type(error).__name__}") from None
    texts = (owner, requester, name, procedure, *components) if isinstance(components, list) else ()
    if not texts or not all(isinstance(text, str) and 0 < len(text) <= 200 for text in texts):
        raise ValueError("not a wish: a text is missing or too long")
    wish = Wish(owner, requester, name, procedure, tuple(components))
    if not valid_personal_id(wish.owner_id) or not valid_personal_id(wish.requester_id):
        raise ValueError("not a wish: not a personal number")
    if not PROCEDURE_CODE.fullmatch(wish.procedure_code) or len(wish.components) > MOST_COMPONENTS:
        raise ValueError("not a wish: not a procedure code, or too many components")
    return wish


def told(results: list[Reusable]) -> bytes:
    """The answer to the kiosk."""
    return json.dumps({"results": [asdict(one) for one in results]}, ensure_ascii=False).encode()


# --- the kiosk's side ---


def asked(wish: Wish) -> bytes:
    """The request for a wish that its citizen has agreed to."""
    return json.dumps({"consent": True, **asdict(wish)}, ensure_ascii=False).encode()


def read_told(body: bytes, wish: Wish) -> tuple[Reusable, ...]:
    """What an answer offers for the components of the wish; raises ValueError if it is malformed."""
    try:
        found = [Reusable(**{name: nfc(raw[name]) for name in _RESULT}) for raw in json.loads(body)["results"]]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an answer: {type(error).__name__}") from None
    if len(found) > MOST_RESULTS or any(len(text) > 300 for one in found for text in asdict(one).values()):
        raise ValueError("not an answer: too much")
    return tuple(one for one in found if one.component in wish.components and one.result_code)
