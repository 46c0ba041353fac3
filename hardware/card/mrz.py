"""The machine readable zone of a TD1 card (Doc 9303-5; local habits: chip-card reference §2.2)."""

from dataclasses import dataclass
from datetime import date

from hardware.card.errors import BadData

VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}


def check_digit(text: str) -> str:
    """Weights 7-3-1 over the characters' values, modulo ten."""
    return str(sum(VALUES[c] * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def yymmdd(day: date) -> str:
    """A date as the zone writes it."""
    return day.strftime("%y%m%d")


@dataclass(frozen=True, slots=True, repr=False)
class Mrz:
    """What a card's zone says. `birth` and `expiry` are YYMMDD as printed; `names` has spaces for fillers."""

    issuer: str
    document_number: str
    optional: str
    birth: str
    sex: str
    expiry: str
    nationality: str
    names: str

    def lines(self) -> tuple[str, str, str]:
        """Three lines of thirty characters with their check digits."""
        number = self.document_number.ljust(9, "<")
        optional = self.optional.ljust(14, "<")
        first = f"ID{self.issuer}{number}{check_digit(number)}{optional}{check_digit(optional)}"
        birth, expiry = self.birth + check_digit(self.birth), self.expiry + check_digit(self.expiry)
        second = f"{birth}{self.sex}{expiry}{self.nationality}{'<' * 11}"
        composite = check_digit(first[5:] + birth + expiry + second[18:29])
        return first, second + composite, self.names.replace("  ", "<<").replace(" ", "<").ljust(30, "<")[:30]


def parse_td1(text: str) -> Mrz:
    """The zone of ninety characters; BadData if the shape or a check digit is wrong.

    Column 30 of line 1 (a local habit over the optional number) is left unjudged.
    """
    if len(text) != 90 or not set(text) <= set(VALUES):
        raise BadData("MRZ: not ninety characters of the zone's alphabet")
    first, second, third = text[:30], text[30:60], text[60:]
    checked = (
        (first[5:14], first[14]),
        (second[:6], second[6]),
        (second[8:14], second[14]),
        (first[5:] + second[:7] + second[8:15] + second[18:29], second[29]),
    )
    if any(check_digit(part) != digit for part, digit in checked):
        raise BadData("MRZ: wrong check digit")
    return Mrz(
        issuer=first[2:5].rstrip("<"),
        document_number=first[5:14].rstrip("<"),
        optional=first[15:29].rstrip("<"),
        birth=second[:6],
        sex=second[7],
        expiry=second[8:14],
        nationality=second[15:18].rstrip("<"),
        names=third.rstrip("<").replace("<", " "),
    )
