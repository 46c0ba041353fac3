"""The rules of a form's answers: what is wrong with a value, in words."""

import re
from datetime import date, datetime

from kiosk.catalogue import FormField
from kiosk.clock import HANOI
from kiosk.i18n import say
from kiosk.text import Text

PHONE = re.compile(r"0\d{9}")
MOST_CHARACTERS = 300


def problem(field: FormField, value: str) -> Text | None:
    """Why `value` cannot stand, or None. Dates are dd/mm/yyyy, phones ten digits from 0, choices their values."""
    if not value.strip():
        return say("field.required") if field.required else None
    if len(value) > MOST_CHARACTERS:
        return say("field.too_long", n=MOST_CHARACTERS)
    match field.kind:
        case "phone" if not PHONE.fullmatch(value.replace(" ", "")):
            return say("field.phone")
        case "date" if parse_date(value) is None:
            return say("field.date")
        case "number" if not value.isdecimal():
            return say("field.number")
        case "choice" if value not in {choice for choice, _ in field.choices}:
            return say("field.choice")
    return None


def parse_date(text: str) -> date | None:
    """A dd/mm/yyyy date, None if there is no such day."""
    try:
        return datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=HANOI).date()
    except ValueError:
        return None
