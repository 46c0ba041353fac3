"""What the kiosk prints, as plain data: Vietnamese first, then English. Printers turn it into dots."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from kiosk.appointment import Appointment, Standing
from kiosk.clock import shown
from kiosk.dossier import Dossier, DossierState, Papers
from kiosk.i18n import say
from kiosk.text import Text
from kiosk.ticket import LONG, Ticket


class Size(StrEnum):
    """Type sizes of a slip; the printer decides the dots."""

    SMALL = "small"
    NORMAL = "normal"
    LARGE = "large"
    HUGE = "huge"


@dataclass(frozen=True, slots=True)
class Line:
    """A centred paragraph."""

    text: str
    size: Size = Size.NORMAL
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A label on the left, its value on the right; wraps when long."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Banner:
    """White on black over the whole width: what nobody may overlook."""

    text: str


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code, error level M."""

    data: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin line across."""


Element: TypeAlias = Line | Pair | Banner | Qr | Rule


@dataclass(frozen=True, slots=True, repr=False)
class Slip:
    """One paper. `kind` (ticket, interim, status) names it in logs: contents never go there."""

    kind: str
    elements: tuple[Element, ...]


def _both(text: Text) -> tuple[Line, Line]:
    return Line(text.vi, bold=True), Line(text.in_("en"), Size.SMALL)


def _range(low: int, high: int) -> str:
    """Numbers only, so that both languages read it."""
    if low >= LONG:
        return f"> {low // 60} h"
    return f"{low}–{high} min" if low else f"< {high} min"


def ticket_slip(ticket: Ticket) -> Slip:
    """The queue number with centre, service, time, people ahead and expected wait (if known), QR."""
    priority = _both(ticket.priority) if ticket.priority else ()
    ahead = () if ticket.ahead is None else (Pair(_label("slip.ahead"), str(ticket.ahead)),)
    wait = () if ticket.wait is None else (Pair(_label("slip.wait"), _range(*ticket.wait)),)
    appointment = _appointment(ticket.appointment) if ticket.appointment else ()
    return Slip(
        "ticket",
        (
            Line(ticket.centre.vi, Size.NORMAL, bold=True),
            Line(ticket.centre.in_("en"), Size.SMALL),
            Rule(),
            Line(say("slip.your_number").vi, Size.SMALL),
            Line(ticket.number, Size.HUGE, bold=True),
            *_both(ticket.service),
            *priority,
            Rule(),
            *appointment,
            *ahead,
            *wait,
            Pair(_label("slip.time"), shown(ticket.issued_at)),
            Qr(ticket.url),
            Line(say("slip.scan_to_follow").vi, Size.SMALL),
            Line(say("slip.scan_to_follow").en, Size.SMALL),
        ),
    )


def _appointment(kept: Appointment) -> tuple[Element, ...]:
    late = say("slip.appointment_late")
    explained = (Line(late.vi, Size.SMALL), Line(late.en, Size.SMALL)) if kept.standing is Standing.LATE else ()
    return (Pair(_label("slip.appointment"), shown(kept.at)), *explained)


def interim_slip(dossier: Dossier, centre: Text, status_url: str) -> Slip:
    """The provisional receipt: it says that the dossier is not yet received (domain reference §4, rule)."""
    given = [Pair(f"{n}. {p.component.name.vi}", _given(p)) for n, p in enumerate(dossier.papers, start=1)]
    return Slip(
        "interim",
        (
            Line(centre.vi, Size.NORMAL, bold=True),
            Line(centre.in_("en"), Size.SMALL),
            Rule(),
            Line(say("slip.interim_title").vi, Size.LARGE, bold=True),
            Line(say("slip.interim_title").en, Size.SMALL),
            Banner(say("slip.not_received").vi),
            Line(say("slip.not_received_explained").vi, Size.SMALL),
            Line(say("slip.not_received_explained").en, Size.SMALL),
            Line(dossier.provisional_ref, Size.LARGE, bold=True),
            Rule(),
            Pair(_label("slip.owner"), dossier.owner.full_name),
            Pair(_label("slip.procedure"), dossier.procedure.name.vi),
            Pair(_label("slip.time"), shown(dossier.submitted_at)),
            *given,
            Rule(),
            Qr(status_url),
            Line(say("slip.look_up_how").vi, Size.SMALL),
            Line(say("slip.look_up_how").en, Size.SMALL),
        ),
    )


def _given(papers: Papers) -> str:
    if papers.reused:
        return say("slip.reused", number=papers.reused.shown_number).vi
    return say("slip.paper_only" if papers.paper_only else "slip.pages", n=len(papers.pages)).vi


def status_slip(state: DossierState, centre: Text) -> Slip:
    """What the TTHC system answered: the official code and status, as an information slip (not Mẫu 01)."""
    advice = advice_text(state.status)
    facts = [Pair(_label(f"screen.show_status.{key}"), value) for key, value in what_matters(state)]
    return Slip(
        "status",
        (
            Line(centre.vi, Size.NORMAL, bold=True),
            Line(centre.in_("en"), Size.SMALL),
            Rule(),
            Line(say("slip.status_title").vi, Size.LARGE, bold=True),
            Line(say("slip.status_title").en, Size.SMALL),
            Line(state.dossier_code or state.provisional_ref, Size.LARGE, bold=True),
            *_both(status_text(state.status)),
            Line(advice.vi),
            Line(advice.en, Size.SMALL),
            Rule(),
            *facts,
            Pair(_label("slip.provisional_ref"), state.provisional_ref),
            Pair(_label("slip.procedure"), state.procedure),
            Qr(state.dossier_code or state.provisional_ref),
            Line(say("slip.information_only").vi, Size.SMALL),
            Line(say("slip.information_only").en, Size.SMALL),
        ),
    )


def status_text(status: int) -> Text:
    """A portal status 0–10 in plain words; any other number is shown as undetermined, never hidden."""
    if 0 <= status <= 10:
        return say(f"status.{status}")
    return say("status.unknown", code=status)


def advice_text(status: int) -> Text:
    """What the citizen has to do now, for every status."""
    return say(f"screen.show_status.next_{status if 0 <= status <= 10 else 'unknown'}")


_NOTES = {3: "reason", 5: "missing", 7: "reason", 8: "reason"}
"""What an officer's note is, where a status says so."""
_WITHOUT_RESULT = (3, 7, 8, 10)
"""There is nothing to collect, or it was collected."""


def what_matters(state: DossierState) -> list[tuple[str, str]]:
    """Note, fee, due time and place as far as there are: keys under `screen.show_status.` and values."""
    facts = [
        (_NOTES.get(state.status, "note"), state.note),
        ("fee", state.fee),
        ("due", shown(state.due_at) if state.due_at else ""),
        ("collect", "" if state.status in _WITHOUT_RESULT else state.collect_at),
    ]
    return [(key, value) for key, value in facts if value]


def _label(key: str) -> str:
    text = say(key)
    return f"{text.vi} / {text.en}"
