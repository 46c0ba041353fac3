"""What a vendor's reader claims of a holder: text and a picture without proof. Cleaned here, graded CHIP_READ."""

from base64 import b64decode
from dataclasses import dataclass

from hardware.card.errors import BadData
from hardware.card.face import CODESTREAM, JP2, JPEG
from hardware.card.holder_groups import vietnamese_date
from kiosk.citizen import NO_EXPIRY, AccessKey, Citizen, IdentityGrade, valid_personal_id
from kiosk.text import nfc

LONGEST = 200
"""Characters of a name or an address."""
SEXES = {"nam": "Nam", "male": "Nam", "m": "Nam", "nữ": "Nữ", "female": "Nữ", "f": "Nữ"}


@dataclass(frozen=True, slots=True, repr=False)
class Claims:
    """The fields as they came; empty where the reader says nothing. `birth` is dd/mm/yyyy."""

    personal_id: str
    full_name: str
    birth: str = ""
    sex: str = ""
    address: str = ""


def claimed_citizen(claims: Claims, key: AccessKey, portrait: bytes) -> Citizen:
    """The holder on the reader's word alone; BadData if it is not the holder of the card that `key` opens.

    The chip let the reader in with the key's birth date, so a date in another notation is no loss.
    """
    number, name = nfc(claims.personal_id), nfc(claims.full_name.replace("<", " "))
    require_number(number, key)
    born = vietnamese_date(nfc(claims.birth))
    if born is not None and born != key.birth:
        raise BadData("the reader names another birth date than the key's")
    if not any(c.isalpha() for c in name) or len(name) > LONGEST:
        raise BadData("the reader names nobody")
    return Citizen(
        personal_id=number,
        full_name=name,
        birth=key.birth,
        sex=SEXES.get(nfc(claims.sex).casefold(), ""),
        address=nfc(claims.address)[:LONGEST],
        expiry=key.expiry if key.expiry != NO_EXPIRY else None,
        grade=IdentityGrade.CHIP_READ,
        portrait=portrait,
    )


def require_number(number: str, key: AccessKey) -> None:
    """BadData unless the number is that of the card the citizen named."""
    if not valid_personal_id(number) or number != key.personal_id:
        raise BadData("the reader names another personal number than the key's")


def decoded(text: str, most: int, what: str) -> bytes:
    """Bytes out of base64; BadData if it is none or holds more than `most` bytes."""
    if len(text) > most * 4 // 3 + 4:
        raise BadData(f"{what}: more than {most} bytes")
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise BadData(f"{what}: not base64") from None


def picture_in(raw: bytes) -> bytes:
    """The image file in what may be the bare picture or a whole EF.DG2; BadData if there is none."""
    starts = [at for magic in (JPEG, JP2, CODESTREAM) if (at := raw.find(magic)) >= 0]
    if not starts:
        raise BadData("portrait: no JPEG or JPEG 2000 in it")
    return raw[min(starts) :]
