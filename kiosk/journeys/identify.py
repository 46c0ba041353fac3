"""Who is filing: the chip card, opened with the key from its QR code or typed; QR or typing alone as a last resort."""

from collections.abc import Sequence
from functools import partial

from kiosk.citizen import AccessKey, CardQr, Citizen, IdentityGrade, expiry_candidates, parse_card_qr
from kiosk.health import Failure, Reason
from kiosk.journeys.remedies import mend
from kiosk.questions import (
    ConfirmHolder,
    KeyMethod,
    Mend,
    PlaceCard,
    PlaceCardAnswer,
    ShowCardQr,
    TakeCard,
    TypeAccessKey,
)
from kiosk.visit import Visit

TYPED_ATTEMPTS = 3
"""Wrong keys slow a chip down and may be somebody else's card: few tries, then people."""

WITHOUT_CARD = (Mend.RETRY, Mend.WITHOUT, Mend.LEAVE)


async def identify(visit: Visit) -> Citizen:
    """A citizen who has confirmed the data shown, with its grade."""
    while True:
        citizen = await _from_chip(visit) or await _from_qr_or_keys(visit)
        if await visit.ask(ConfirmHolder(citizen)):
            break
    if citizen.evidence:
        await visit.race(TakeCard(), visit.equipment.card.wait_for_removal)
    return citizen


async def _from_chip(visit: Visit) -> Citizen | None:
    """The chip's data; None if the citizen goes on without the chip."""
    if not await _place(visit):
        return None
    keys: Sequence[AccessKey] = await _first_keys(visit)
    typed = 0
    while True:
        result = await visit.work("reading_card", partial(visit.equipment.card.read, keys))
        if isinstance(result, Citizen):
            return result
        reason = result.reason if isinstance(result, Failure) else Reason.KIOSK_FAULT
        if reason is Reason.ACCESS_KEY_REFUSED and typed < TYPED_ATTEMPTS:
            typed += 1
            keys = [await visit.ask(TypeAccessKey(refused=True, known_id=keys[0].personal_id), back=False)]
        elif await mend(visit, reason, WITHOUT_CARD) is Mend.WITHOUT or not await _place(visit):
            return None


async def _place(visit: Visit) -> bool:
    """Wait for the card; False if the citizen has none or there is no reader."""
    while True:
        placed = await visit.race(PlaceCard(), visit.equipment.card.wait_for_card)
        if isinstance(placed, PlaceCardAnswer):
            return False
        if placed is None:
            return True
        if await mend(visit, placed.reason, WITHOUT_CARD) is Mend.WITHOUT:
            return False


async def _first_keys(visit: Visit) -> list[AccessKey]:
    qr = await _card_qr(visit)
    if isinstance(qr, KeyMethod):
        return [await visit.ask(TypeAccessKey())]
    return [AccessKey(qr.personal_id, qr.birth, expiry) for expiry in expiry_candidates(qr.birth, qr.issued)]


async def _card_qr(visit: Visit) -> CardQr | KeyMethod:
    unreadable = False
    while True:
        code = await visit.race(ShowCardQr(unreadable), visit.equipment.scanner.next_code)
        if isinstance(code, KeyMethod):
            return code
        parsed = parse_card_qr(code)
        if parsed is not None:
            return parsed
        unreadable = True


async def _from_qr_or_keys(visit: Visit) -> Citizen:
    """Without the chip: the unsigned QR code, or what the citizen types. Both are graded as such."""
    qr = await _card_qr(visit)
    if isinstance(qr, CardQr):
        return Citizen(qr.personal_id, qr.full_name, qr.birth, qr.sex, qr.address, IdentityGrade.QR_ONLY)
    key = await visit.ask(TypeAccessKey())
    return Citizen(key.personal_id, "", key.birth, "", "", IdentityGrade.TYPED)
