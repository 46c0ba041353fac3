"""Opening a chip: PACE where it is offered, else BAC (Doc 9303-11 §4.2). What was done stays visible."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hardware.card.apdu import END_OF_FILE, OK, Channel, Command, Response
from hardware.card.bac import PrintedKey, authenticate
from hardware.card.block_sizes import LARGEST_SHORT, BlockSize
from hardware.card.card_access import CARD_ACCESS, Offer, parse_card_access
from hardware.card.checks import Check, failed, not_supported, passed, undetermined
from hardware.card.errors import BadData, CardError
from hardware.card.files import Files
from hardware.card.lds import APPLICATION, Ef
from hardware.card.pace import ChipProof, Opened, Password, establish
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.tlv import total_length
from kiosk.citizen import AccessKey
from kiosk.health import Reason

BAC_AFTER_PACE = True
"""Policy: whether a chip whose PACE breaks may still be opened by BAC. A refused key never falls back."""
MAX_KEYS = 6
"""Keys tried on one card; chips slow down under guessing."""
CHIP_FAULTS = frozenset({Reason.CARD_MUTE, Reason.CARD_DATA_BAD})
NOT_SATISFIED = 0x6982
SELECT_APPLICATION = Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION)
SELECT_MASTER_FILE = Command(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00")
CARD_SECURITY = Ef("EF.CardSecurity", 0x1D, 0x30, 16_384)

Key = AccessKey | PrintedKey | Password
"""The printed data opens by PACE and BAC, a card access number (`Password.from_can`) by PACE only."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How the chip was opened."""

    pace: Check
    bac: Check
    card_access: bytes = b""
    """EF.CardAccess as read, to be compared with EF.DG14: nobody signed it."""
    proof: ChipProof | None = None
    card_security: bytes = b""
    """EF.CardSecurity, read where `proof` needs it."""
    key: Key | None = None
    """The one that fitted."""


def open_chip(channel: Channel, keys: Sequence[Key], size: BlockSize = LARGEST_SHORT) -> tuple[SecureMessaging, Access]:
    """A session inside the eMRTD application with the first key that fits. Raises CardError, BlockRefused."""
    card_access = _card_access(channel)
    offers, pace = _offers(card_access)
    for key in keys[:MAX_KEYS]:
        if offers:
            try:
                opened = _by_pace(channel, offers, key)
            except CardError as error:
                if error.failure.reason not in CHIP_FAULTS or not BAC_AFTER_PACE:
                    raise
                offers, pace = (), failed(error.failure.detail)
            else:
                if opened is None:
                    continue
                by_pace = Access(passed(), undetermined("opened by PACE"), card_access, opened.proof, key=key)
                return opened.session, replace(by_pace, card_security=_enter(channel, opened, size))
        session = _by_bac(channel, key)
        if session is not None:
            return session, Access(pace, passed("after PACE had failed" if pace.failed else ""), card_access, key=key)
    raise CardError(Reason.ACCESS_KEY_REFUSED, f"{len(keys[:MAX_KEYS])} keys tried")


def _by_pace(channel: Channel, offers: Sequence[Offer], key: Key) -> Opened | None:
    """A session that PACE opened; nothing if the chip refuses the key."""
    password = key if isinstance(key, Password) else Password.from_key(key)
    ambiguous = len({offer.parameters for offer in offers}) > 1
    return establish(channel, offers[0], password, ambiguous=ambiguous)


def _enter(channel: Channel, opened: Opened, size: BlockSize) -> bytes:
    """Into the application; first what shows the chip's mapping key to be signed, which lies outside of it."""
    content = None
    if opened.proof is not None:
        content = Files(channel, opened.session, size).read(CARD_SECURITY, lambda *_: None)
    answer = opened.session.unprotect(channel.send(opened.session.protect(SELECT_APPLICATION)))
    _selected(answer.sw)
    return content or b""


def _by_bac(channel: Channel, key: Key) -> SecureMessaging | None:
    if isinstance(key, Password):
        return None
    _selected(channel.send(SELECT_APPLICATION).sw)
    return authenticate(channel, key)


def _selected(sw: int) -> None:
    if sw != OK:
        raise CardError(Reason.NOT_AN_ID_CARD, f"SELECT eMRTD {sw:04X}")


def _card_access(channel: Channel) -> bytes:
    """EF.CardAccess, empty if the chip does not show it: 6D00, 6982 and 6986 are normal (chip-card reference §2.1).

    After a reset the master file is there without being selected; only a chip that says otherwise is told so.
    """
    first = _block_of_card_access(channel, 0)
    if first.sw not in (OK, END_OF_FILE, NOT_SATISFIED) and channel.send(SELECT_MASTER_FILE).sw == OK:
        first = _block_of_card_access(channel, 0)
    content, answer = b"", first
    while answer.sw in (OK, END_OF_FILE) and answer.data:
        content += answer.data
        if not _goes_on(content):
            return content
        answer = _block_of_card_access(channel, len(content))
    return b""


def _block_of_card_access(channel: Channel, offset: int) -> Response:
    p1 = offset >> 8 if offset else 0x80 | CARD_ACCESS.sfi
    return channel.send(Command(0x00, 0xB0, p1, offset & 0xFF, le=256))


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
