"""What the TTHC system said of a dossier, as JSON: between receiver, forwarder and kiosk."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kiosk.clock import from_iso, utc_iso
from kiosk.dossier import DossierState

RECEIVED = frozenset({2, 4, 5, 6, 7, 8, 9, 10})
"""Portal statuses of a dossier that an office has accepted (domain reference §5)."""

_ENDED_WITHOUT_CODE = frozenset({3, 7, 8})


def answered(state: DossierState) -> bool:
    """Whether an office has decided on intake: a code was minted, or the dossier refused or ended without one."""
    return state.dossier_code is not None or state.status in _ENDED_WITHOUT_CODE


def to_json(state: DossierState) -> dict[str, Any]:
    """Times as UTC ISO 8601; `received` is left out, since it follows from the status."""
    return {
        "provisional_ref": state.provisional_ref,
        "dossier_code": state.dossier_code,
        "status": state.status,
        "procedure": state.procedure,
        "owner": state.owner,
        "note": state.note,
        "fee": state.fee,
        "collect_at": state.collect_at,
        "submitted_at": _iso(state.submitted_at),
        "received_at": _iso(state.received_at),
        "due_at": _iso(state.due_at),
    }


def from_json(raw: Mapping[str, Any]) -> DossierState:
    """The state that `to_json` wrote; raises ValueError if it is anything else."""
    try:
        code = None if raw["dossier_code"] is None else _text(raw["dossier_code"])
        return DossierState(
            provisional_ref=_text(raw["provisional_ref"]),
            dossier_code=code,
            status=int(raw["status"]),
            procedure=_text(raw["procedure"]),
            owner=_text(raw["owner"]),
            submitted_at=_moment(raw["submitted_at"]),
            received_at=_moment(raw["received_at"]),
            due_at=_moment(raw["due_at"]),
            note=_text(raw["note"]),
            fee=_text(raw.get("fee", "")),
            collect_at=_text(raw.get("collect_at", "")),
            received=code is not None and int(raw["status"]) in RECEIVED,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the state of a dossier: {type(error).__name__}") from None


def _iso(moment: datetime | None) -> str | None:
    return utc_iso(moment) if moment else None


def _moment(raw: str | None) -> datetime | None:
    return from_iso(raw) if raw else None


def _text(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > 2000:
        raise ValueError("a text is missing or too long")
    return raw
