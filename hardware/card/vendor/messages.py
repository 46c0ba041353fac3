"""The language of network readers of the HN212 / 3T-E4 class (domain reference §8).

Known from the public description: HTTPS and Socket.IO on port 8000, the names `/info`, `/event` and `/get_aa`, the
event ids, the field names of personalInfo and rawData, {clientId, challenge} and {idCode, dob, expiry}.
Assumed here, as it says no more; a reader that differs needs a change in this module only:

* the names are events of the default namespace, Socket.IO protocol 5, which may go over long polling;
* `/info` comes on connection and whenever a card is laid down or lifted: {clientId, cardPresent};
* `/event` is {id, data}; files, avatar, challenge and response are base64; rawData may also hold dg14;
* a read is asked for with `/read` and answered with ids 2 and 4 or with 3, whose `code` is as in `ERRORS`;
* dates are yymmdd towards the reader, dd/mm/yyyy from it; aaResponse is {response}.

Id 5, the document signer's certificate, is left alone: EF.SOD holds it, and ours is the one that is verified.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardware.card.lds import SOD, Ef, data_group
from hardware.card.mrz import yymmdd
from hardware.card.vendor.claims import Claims, decoded
from kiosk.citizen import AccessKey
from kiosk.health import Reason

INFO, EVENT, READ, GET_AA = "/info", "/event", "/read", "/get_aa"
PERSONAL_INFO, CARD_ERROR, RAW_DATA, AA_RESPONSE = 2, 3, 4, 7
ERRORS = {
    1: Reason.CARD_REMOVED,
    2: Reason.ACCESS_KEY_REFUSED,
    3: Reason.NOT_AN_ID_CARD,
    4: Reason.NO_CARD,
    5: Reason.CARD_MUTE,
}
FILES: Mapping[str, Ef] = {"sod": SOD} | {f"dg{n}": data_group(n) for n in (1, 2, 13, 14, 15)}
MOST_AVATAR = 65_536
MOST_RESPONSE = 1024


@dataclass(frozen=True, slots=True)
class Info:
    """The reader's own state."""

    client_id: str
    present: bool


@dataclass(frozen=True, slots=True, repr=False)
class Personal:
    """Id 2: what the reader says of the holder."""

    claims: Claims


@dataclass(frozen=True, slots=True)
class Refused:
    """Id 3: the read came to nothing."""

    reason: Reason


@dataclass(frozen=True, slots=True, repr=False)
class Raw:
    """Id 4: the chip's files by their names, and the picture on its own."""

    files: Mapping[str, bytes]
    avatar: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """Id 7: the chip's answer to the challenge."""

    response: bytes


Message = Info | Personal | Refused | Raw | Proof


def info(raw: Any) -> Info | None:
    """What `/info` says, None if it is nothing of the kind."""
    fields = _fields(raw)
    return None if "cardPresent" not in fields else Info(_text(fields, "clientId"), fields.get("cardPresent") is True)


def event(raw: Any) -> Message | None:
    """What `/event` says, None if it is nothing of the kind or of no interest; BadData if it is broken."""
    fields = _fields(raw)
    data = _fields(fields.get("data"))
    number = fields.get("id")
    if number == PERSONAL_INFO:
        return Personal(_claims(data))
    if number == CARD_ERROR:
        return Refused(_reason(data.get("code")))
    if number == RAW_DATA:
        return Raw(_files(_fields(data.get("rawData"))), _bytes(data, "avatar", MOST_AVATAR))
    if number == AA_RESPONSE:
        return Proof(_bytes(data, "response", MOST_RESPONSE))
    return None


def read_request(key: AccessKey) -> dict[str, str]:
    """What opens the chip, as the reader wants it."""
    return {"idCode": key.personal_id, "dob": yymmdd(key.birth), "expiry": yymmdd(key.expiry)}


def challenge_request(client_id: str, challenge: bytes) -> dict[str, str]:
    """What has the chip sign a challenge."""
    return {"clientId": client_id, "challenge": b64encode(challenge).decode("ascii")}


def _reason(code: Any) -> Reason:
    """Why a read came to nothing; a code that is not known leaves the likeliest."""
    return ERRORS.get(code, Reason.CARD_MUTE) if isinstance(code, int) else Reason.CARD_MUTE


def _claims(data: Mapping[str, Any]) -> Claims:
    names = ("idCode", "personName", "dateOfBirth", "gender", "residencePlace")
    return Claims(*(_text(data, name) for name in names))


def _files(data: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that came; an empty one counts as missing."""
    files = {ef.name: _bytes(data, name, ef.limit) for name, ef in FILES.items()}
    return {name: content for name, content in files.items() if content}


def _fields(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _bytes(fields: Mapping[str, Any], name: str, most: int) -> bytes:
    return decoded(_text(fields, name), most, name)
