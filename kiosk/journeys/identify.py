"""Who stands here: the chip card, opened by what is printed on it or typed; QR or typing alone as a last resort.

`identify` for those who must be known, `greet` for those who laid a card down of their own accord.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from kiosk.citizen import AccessKey, CardQr, Citizen, IdentityGrade, expiry_candidates
from kiosk.clock import business_day
from kiosk.health import Failure, Reason
from kiosk.journeys.face import with_face
from kiosk.journeys.printed import Printed, can_read, from_card
from kiosk.journeys.remedies import mend
from kiosk.ports import Progress
from kiosk.questions import (
    ConfirmHolder,
    KeyMethod,
    Mend,
    PlaceCard,
    PlaceCardAnswer,
    TakeCard,
    TypeAccessKey,
)
from kiosk.visit import Visit

TYPED_ATTEMPTS = 3
"""Wrong keys slow a chip down and may be somebody else's card: few tries, then people."""

LIFTS = 3
"""A card that moves so often in a row does not lie well: the remedy screen explains."""

WAITING = {Reason.CARD_REMOVED: "card_lifted", Reason.NO_CARD: "card_missing", Reason.CARD_MUTE: "card_mute"}
"""What a hand can put right: said while reading waits for it."""

LIFT_SEEN = 1.0
"""Seconds in which a reader has noticed that a card is gone; one that still lies there then was only moved."""

WITHOUT_CARD = (Mend.RETRY, Mend.WITHOUT, Mend.LEAVE)


async def identify(visit: Visit) -> Citizen:
    """A citizen who has confirmed the data shown, with its grade, and the face's likeness where that is switched on."""
    while True:
        citizen = await _from_chip(visit) or await _from_qr_or_keys(visit)
        if await visit.ask(ConfirmHolder(citizen, expired=_expired(visit, citizen))):
            break
    citizen = await with_face(visit, citizen)
    await take_back(visit)
    return citizen


async def greet(visit: Visit) -> None:
    """Whoever has laid a card down is read and greeted by name; every grade will do, and one touch skips it."""
    readable = visit.once(lambda: can_read(visit))
    citizen = await _if_willing(visit) if readable and await _lies_there(visit) else None
    if citizen is None:
        return
    if await visit.ask(ConfirmHolder(citizen, in_passing=True, expired=_expired(visit, citizen))):
        await take_back(visit, in_passing=True)


async def take_back(visit: Visit, *, in_passing: bool = False) -> None:
    """Ask for the card to be taken, if one lies there."""
    if await _lies_there(visit):
        await visit.race(TakeCard(in_passing), visit.equipment.card.wait_for_removal)


def _expired(visit: Visit, citizen: Citizen) -> bool:
    return citizen.card_expired(business_day(visit.equipment.clock.now()))


async def _lies_there(visit: Visit) -> bool:
    """Whether a card lies on the reader now: waiting for one would end at once."""
    try:
        async with asyncio.timeout(0):
            failure = await visit.equipment.card.wait_for_card()
    except TimeoutError:
        failure = Failure(Reason.NO_CARD)
    return visit.once(lambda: failure is None)


# --- the chip ---


async def _from_chip(visit: Visit) -> Citizen | None:
    """The chip's data; None if the citizen goes on without the chip."""
    if not await _place(visit):
        return None
    keys: Sequence[AccessKey] = await _first_keys(visit)
    typed = 0
    while True:
        result = await _read(visit, keys)
        if not isinstance(result, Failure):
            return result
        if result.reason is Reason.ACCESS_KEY_REFUSED and typed < TYPED_ATTEMPTS:
            typed += 1
            keys = [await visit.ask(TypeAccessKey(refused=True, known_id=keys[0].personal_id), back=False)]
        elif await mend(visit, result.reason, WITHOUT_CARD) is Mend.WITHOUT or not await _place(visit):
            return None


async def _if_willing(visit: Visit) -> Citizen | None:
    """The chip's data by what the card has printed; None if the citizen would rather not."""
    while True:
        printed = await from_card(visit, in_passing=True)
        if isinstance(printed, KeyMethod):
            return None
        result = await _read(visit, _keys_of(visit, printed))
        if not isinstance(result, Failure):
            return result
        if await mend(visit, result.reason, WITHOUT_CARD) is Mend.WITHOUT:
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


async def _read(visit: Visit, keys: Sequence[AccessKey]) -> Citizen | Failure | None:
    """Read, and go on by itself whenever the card lies there again; None if the citizen goes on without the chip."""
    reading = _Reading(visit, keys)
    lifts = 0
    reason = Reason.OK if await _lies_there(visit) else Reason.NO_CARD  # its QR code is on the card: it was lifted
    while True:
        if reason in WAITING:
            laid = await visit.work(WAITING[reason], partial(reading.wait, reason), can_cancel=True)
            if not isinstance(laid, bool):
                return laid
        result = await visit.work("reading_card", reading.read, can_cancel=True)
        if not isinstance(result, Failure) or result.reason not in WAITING:
            return result
        reason, lifts = result.reason, lifts + 1
        if lifts == LIFTS:
            return result


class _Reading:
    """One card being read, perhaps in several goes; what was reached stays on screen in between."""

    def __init__(self, visit: Visit, keys: Sequence[AccessKey]) -> None:
        self._visit, self._card, self._keys = visit, visit.equipment.card, keys
        self._share: float | None = None

    async def read(self, progress: Progress) -> Citizen | Failure:
        """One go, with the same keys as the last."""

        def further(share: float) -> None:
            self._share = max(share, self._share or 0.0)
            progress(self._share)

        if self._share is not None:
            progress(self._share)
        return await self._card.read(self._keys, further)

    async def wait(self, reason: Reason, progress: Progress) -> bool | Failure:
        """True as soon as the card lies there again. Meanwhile it is the citizen's turn: the idle clock goes on."""
        if self._share is not None:
            progress(self._share)
        self._visit.idle.release()
        try:
            return await self._laid_again(reason)
        finally:
            self._visit.idle.hold()

    async def _laid_again(self, reason: Reason) -> bool | Failure:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if reason is Reason.CARD_MUTE else LIFT_SEEN):
                await self._card.wait_for_removal()
        return await self._card.wait_for_card() or True


# --- keys ---


async def _first_keys(visit: Visit) -> list[AccessKey]:
    printed = await from_card(visit)
    return [await visit.ask(TypeAccessKey())] if isinstance(printed, KeyMethod) else _keys_of(visit, printed)


def _keys_of(visit: Visit, printed: Printed) -> list[AccessKey]:
    """The zone spells the key; the QR code leaves the expiry to be reckoned."""
    if isinstance(printed, AccessKey):
        return [printed]
    ends = expiry_candidates(printed.birth, printed.issued, business_day(visit.equipment.clock.now()))
    return [AccessKey(printed.personal_id, printed.birth, end) for end in ends]


async def _from_qr_or_keys(visit: Visit) -> Citizen:
    """Without the chip: the unsigned QR code, or what the citizen types. Both are graded as such."""
    qr = await from_card(visit, kind="qr")
    if isinstance(qr, CardQr):
        return Citizen(qr.personal_id, qr.full_name, qr.birth, qr.sex, qr.address, IdentityGrade.QR_ONLY)
    key = await visit.ask(TypeAccessKey())
    return Citizen(key.personal_id, "", key.birth, "", "", IdentityGrade.TYPED, expiry=key.expiry)
