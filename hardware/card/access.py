"""Opening a chip: PACE where it is offered, else BAC (Doc 9303-11 §4.2). What was done stays visible."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardware.card.apdu import END_OF_FILE, OK, Channel, Command
from hardware.card.bac import authenticate
from hardware.card.card_access import CARD_ACCESS, Offer, parse_card_access
from hardware.card.checks import Check, failed, not_supported, passed, undetermined
from hardware.card.errors import BadData, CardError
from hardware.card.lds import APPLICATION
from hardware.card.pace import ChipProof, Password, establish
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.tlv import total_length
from kiosk.citizen import AccessKey
from kiosk.health import Reason

BAC_AFTER_PACE = True
"""Policy: whether a chip whose PACE breaks may still be opened by BAC. A refused key never falls back."""
MAX_KEYS = 6
"""Keys tried on one card; chips slow down under guessing."""
CHIP_FAULTS = frozenset({Reason.CARD_MUTE, Reason.CARD_DATA_BAD})
SELECT_APPLICATION = Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION)

Key = AccessKey | Password
"""The printed data opens by PACE and BAC, a card access number (`Password.from_can`) by PACE only."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How the chip was opened."""

    pace: Check
    bac: Check
    card_access: bytes = b""
    """EF.CardAccess as read, to be compared with EF.DG14: nobody signed it."""
    proof: ChipProof | None = None


def open_chip(channel: Channel, keys: Sequence[Key]) -> tuple[SecureMessaging, Access]:
    """A session inside the eMRTD application with the first key that fits. Raises CardError."""
    card_access = _card_access(channel)
    offers, pace = _offers(card_access)
    for key in keys[:MAX_KEYS]:
        if offers:
            try:
                session, proof = _by_pace(channel, offers, key)
            except CardError as error:
                if error.failure.reason not in CHIP_FAULTS or not BAC_AFTER_PACE:
                    raise
                offers, pace = (), failed(error.failure.detail)
            else:
                if session is None:
                    continue
                return session, Access(passed(), undetermined("opened by PACE"), card_access, proof)
        session = _by_bac(channel, key)
        if session is not None:
            return session, Access(pace, passed("after PACE had failed" if pace.failed else ""), card_access)
    raise CardError(Reason.ACCESS_KEY_REFUSED, f"{len(keys[:MAX_KEYS])} keys tried")


def _by_pace(
    channel: Channel, offers: Sequence[Offer], key: Key
) -> tuple[SecureMessaging, ChipProof | None] | tuple[None, None]:
    """The application under a session that PACE opened; nothing if the chip refuses the key."""
    password = Password.from_key(key) if isinstance(key, AccessKey) else key
    ambiguous = len({offer.parameters for offer in offers}) > 1
    opened = establish(channel, offers[0], password, ambiguous=ambiguous)
    if opened is None:
        return None, None
    session = opened.session
    answer = session.unprotect(channel.send(session.protect(SELECT_APPLICATION)))
    _selected(answer.sw)
    return session, opened.proof


def _by_bac(channel: Channel, key: Key) -> SecureMessaging | None:
    if not isinstance(key, AccessKey):
        return None
    _selected(channel.send(SELECT_APPLICATION).sw)
    return authenticate(channel, key)


def _selected(sw: int) -> None:
    if sw != OK:
        raise CardError(Reason.NOT_AN_ID_CARD, f"SELECT eMRTD {sw:04X}")


def _card_access(channel: Channel) -> bytes:
    """EF.CardAccess, empty if the chip does not show it: 6D00, 6982 and 6986 are normal (chip-card reference §2.1)."""
    channel.send(Command(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00"))  # the master file; advisory, many chips refuse
    content, p1, p2 = b"", 0x80 | CARD_ACCESS.sfi, 0
    while True:
        answer = channel.send(Command(0x00, 0xB0, p1, p2, le=256))
        if answer.sw not in (OK, END_OF_FILE) or not answer.data:
            return b""
        content += answer.data
        if not _goes_on(content):
            return content
        p1, p2 = len(content) >> 8, len(content) & 0xFF


def _goes_on(content: bytes) -> bool:
    """Whether more of the file is to come; one that is too long or no TLV ends here."""
    try:
        return len(content) < min(total_length(content), CARD_ACCESS.limit)
    except BadData:
        return False


def _offers(card_access: bytes) -> tuple[tuple[Offer, ...], Check]:
    """What of PACE we can do with this chip; if nothing, why."""
    if not card_access:
        return (), not_supported("no EF.CardAccess")
    try:
        size = total_length(card_access)
        if len(card_access) < size:
            raise BadData("EF.CardAccess: longer than we hold")
        offers = parse_card_access(card_access[:size])
    except BadData as error:
        return (), failed(error.failure.detail)
    return offers, not_supported("no kind of PACE that we know")
