"""The machine readable zone of every size (Doc 9303-4, -5, -6; local habits: chip-card reference §2.2)."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from hardware.card.errors import BadData

VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
HOME = "VNM"
LOCAL_DIGIT_WRONG = "MRZ: the local check digit in column 30 is wrong"

Size = Literal["TD1", "TD2", "TD3"]
_SIZES: Final[dict[int, tuple[Size, int]]] = {90: ("TD1", 30), 72: ("TD2", 36), 88: ("TD3", 44)}
"""Size and line length by the number of characters."""
NAMES_ROOM: Final[dict[Size, int]] = {"TD1": 30, "TD2": 31, "TD3": 39}
"""Characters for the names; longer ones are cut."""


def check_digit(text: str) -> str:
    """Weights 7-3-1 over the characters' values, modulo ten."""
    return str(sum(VALUES[c] * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def yymmdd(day: date) -> str:
    """A date as the zone writes it."""
    return day.strftime("%y%m%d")


@dataclass(frozen=True, slots=True, repr=False)
class Mrz:
    """What a zone says. `birth` and `expiry` are YYMMDD as printed; `names` has spaces for fillers.

    `document_number` is whole, however long. `warnings` are for technicians, with nothing of the holder's in them.
    """

    issuer: str
    document_number: str
    optional: str
    birth: str
    sex: str
    expiry: str
    nationality: str
    names: str
    document_code: str = "ID"
    size: Size = "TD1"
    optional_2: str = ""
    """The optional data of a TD1's second line."""
    warnings: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The lines as printed, with their check digits."""
        number, optional = self._number_and_optional()
        birth, expiry = self.birth + check_digit(self.birth), self.expiry + check_digit(self.expiry)
        names = f"{self.names.replace(' ', '<'):<<39}"[: NAMES_ROOM[self.size]]
        head = f"{self.document_code:<<2}{self.issuer:<<3}"
        if self.size == "TD1":
            below = f"{self.optional_2:<<11}"
            composite = check_digit(number + optional + birth + expiry + below)
            second = f"{birth}{self.sex}{expiry}{self.nationality:<<3}{below}{composite}"
            return head + number + optional, second, names
        composite = check_digit(number + birth + expiry + optional)
        return head + names, f"{number}{self.nationality:<<3}{birth}{self.sex}{expiry}{optional}{composite}"

    def _number_and_optional(self) -> tuple[str, str]:
        """The number with its check digit, ten characters, and the optional data, both as printed."""
        room = {"TD1": 15, "TD2": 7, "TD3": 14}[self.size]
        digit = check_digit(self.document_number.ljust(9, "<"))
        if len(self.document_number) > 9:
            return self.document_number[:9] + "<", f"{self.document_number[9:] + digit + '<' + self.optional:<<{room}}"
        optional = f"{self.optional:<<{room}}"
        if self.size == "TD3":
            optional += check_digit(optional)
        elif _has_local_digit(self.size, self.issuer):
            optional = optional[:14] + check_digit(optional[:14])
        return self.document_number.ljust(9, "<") + digit, optional


def parse_mrz(text: str) -> Mrz:
    """The zone of 90, 72 or 88 characters, in lines or in one; BadData if the shape or a check digit is wrong."""
    zone = "".join(text.split())
    if len(zone) not in _SIZES or not set(zone) <= set(VALUES):
        raise BadData("MRZ: not 90, 72 or 88 characters of the zone's alphabet")
    size, width = _SIZES[len(zone)]
    return _mrz_of_td1(zone) if size == "TD1" else _mrz_of_two_lines(size, zone[:width], zone[width:])


def _mrz_of_td1(zone: str) -> Mrz:
    first, second, third = zone[:30], zone[30:60], zone[60:]
    number, optional, birth, expiry, below = first[5:15], first[15:], second[:7], second[8:15], second[18:29]
    _check(number + optional + birth + expiry + below, second[29])
    warnings: tuple[str, ...] = ()
    if number[9] != "<" and _has_local_digit("TD1", _bare(first[2:5])):
        if check_digit(optional[:14]) != optional[14]:
            warnings = (LOCAL_DIGIT_WRONG,)
        optional = optional[:14]
    document_number, optional = _whole_number(number, optional)
    return Mrz(
        issuer=_bare(first[2:5]),
        document_number=document_number,
        optional=_bare(optional),
        birth=_date(birth),
        sex=second[7],
        expiry=_date(expiry),
        nationality=_bare(second[15:18]),
        names=_names(third),
        document_code=_bare(first[:2]),
        optional_2=_bare(below),
        warnings=warnings,
    )


def _mrz_of_two_lines(size: Size, first: str, second: str) -> Mrz:
    number, birth, expiry, optional = second[:10], second[13:20], second[21:28], second[28:-1]
    _check(number + birth + expiry + optional, second[-1])
    if size == "TD3":
        optional, digit = optional[:14], optional[14]
        if not (digit == "<" and not _bare(optional)):
            _check(optional, digit)
        document_number = _checked(number)
    else:
        document_number, optional = _whole_number(number, optional)
    return Mrz(
        issuer=_bare(first[2:5]),
        document_number=_bare(document_number),
        optional=_bare(optional),
        birth=_date(birth),
        sex=second[20],
        expiry=_date(expiry),
        nationality=_bare(second[10:13]),
        names=_names(first[5:]),
        document_code=_bare(first[:2]),
        size=size,
    )


def _whole_number(number: str, optional: str) -> tuple[str, str]:
    """The document number and what is left of the optional data.

    A number of more than nine characters has a filler for its check digit, and goes on at the start of the optional
    data with the check digit last (Doc 9303-5 and -6).
    """
    if number[9] != "<":
        return _bare(_checked(number)), optional
    rest, _, optional = optional.partition("<")
    return _checked(number[:9] + rest) if rest else _checked(number), optional


def _checked(field: str) -> str:
    """A field without its last character, which must be its check digit."""
    _check(field[:-1], field[-1])
    return field[:-1]


def _check(text: str, digit: str) -> None:
    if check_digit(text) != digit:
        raise BadData("MRZ: wrong check digit")


def _date(field: str) -> str:
    """YYMMDD; fillers stand for what is not known."""
    digits = _checked(field)
    if not set(digits) <= set("0123456789<"):
        raise BadData("MRZ: a date has letters")
    return digits


def _bare(field: str) -> str:
    return field.rstrip("<")


def _names(field: str) -> str:
    return _bare(field).replace("<", " ")


def _has_local_digit(size: Size, issuer: str) -> bool:
    """Vietnamese cards have a check digit of their own over the optional number, in column 30."""
    return size == "TD1" and issuer == HOME
