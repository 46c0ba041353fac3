"""Dossiers given as JSON and files, for technicians and load tests: made complete as the kiosk makes them.

The JSON is the payload of an envelope (kiosk.dossier.Dossier.payload); required are `procedure_code`, `procedure_name`,
`sector`, `receiving_unit`, `owner` and `components`. A component's `file` names one of the files given. Ids are always
new; what else lacks is filled in.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk.clock import utc_iso
from kiosk.config import ConfigError
from kiosk.dossier import new_provisional_ref
from sync.outbox import Parcel

_TEXTS = ("procedure_code", "procedure_name", "sector", "receiving_unit")


def load(paths: Sequence[Path], support_place: str) -> Callable[[], Parcel]:
    """Read one JSON and the files it names; each call is a new dossier of them. Raises ConfigError or OSError."""
    sources = [path for path in paths if path.suffix == ".json"]
    if len(sources) != 1:
        raise ConfigError("name exactly one FILE that ends in .json, and the files that it names")
    source = sources[0]
    given = {path.name: path.read_bytes() for path in paths if path != source}
    try:
        raw = json.loads(source.read_bytes())
        _check(raw)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{source}: is no dossier ({type(error).__name__}: {error})") from None
    named = {component["file"] for component in raw["components"] if component.get("file")}
    if named != set(given):
        raise ConfigError(f"{source}: names the files {sorted(named)}; given: {sorted(given)}")
    return lambda: _parcel(raw, given, support_place)


def _check(raw: dict[str, Any]) -> None:
    """Raises KeyError, TypeError or ValueError; never with a value in it: it could be personal."""
    for name in _TEXTS:
        if not isinstance(raw[name], str):
            raise TypeError(f"{name} must be text")
    for name in ("personal_id", "full_name"):
        if not isinstance(raw["owner"][name], str):
            raise TypeError(f"owner.{name} must be text")
    for component in raw["components"]:
        if not isinstance(component["code"], str) or not isinstance(component["name"], str):
            raise TypeError("code and name of a component must be text")


def _parcel(raw: dict[str, Any], given: dict[str, bytes], support_place: str) -> Parcel:
    reference, answers = new_provisional_ref(), raw.get("answers", {})
    named = [_component(c, n, reference, given) for n, c in enumerate(raw["components"], start=1)]
    filled = {
        "schema": 1,
        "form_version": "",
        "support_place": support_place,
        "channel": "direct",
        "answers": answers,
        "answers_shown": answers,
    }
    owner = {"birth": None, "sex": "", "address": "", "identity_grade": "typed"} | raw["owner"]
    payload = filled | raw
    payload |= {"reference_uid": str(uuid.uuid4()), "provisional_ref": reference}
    payload |= {"submitted_at": raw.get("submitted_at") or utc_iso(datetime.now(UTC)), "owner": owner}
    payload["components"] = [component for component, _ in named]
    return Parcel(
        payload["reference_uid"],
        reference,
        payload["procedure_code"],
        payload["form_version"],
        payload,
        {component["file"]: content for component, content in named if content is not None},
    )


def _component(raw: dict[str, Any], number: int, reference: str, given: dict[str, bytes]) -> tuple[Any, bytes | None]:
    content = given.get(raw.get("file") or "")
    own = {
        "paper_only": content is None and not raw.get("reused"),
        "pages": raw.get("pages", 0 if content is None else 1),
        "dpi": raw.get("dpi", []),
        "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
        "file": None if content is None else f"{reference}_{raw['code']}_{number:02}.pdf",
    }
    return {**raw, **own}, content
