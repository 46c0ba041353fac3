"""What opens the chip is read by the camera: chosen instead of the scanner, or by itself where there is no scanner."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from kiosk.citizen import AccessKey, IdentityGrade
from kiosk.health import Failure, Level, Reason
from kiosk.journeys.identify import identify
from kiosk.journeys.printed import from_card
from kiosk.ports import Frame
from kiosk.questions import (
    ConfirmHolder,
    Control,
    KeyMethod,
    PlaceCard,
    PlaceCardAnswer,
    Settings,
    ShowCardQr,
    ShowCardToCamera,
    TakeCard,
    TypeAccessKey,
)
from kiosk.shutter import Prompt
from kiosk.visit import Outcome, Visit
from person import LEAVES, WAITS, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, PlainCamera, plain_equipment
from waiting import until

ZONE = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
END = [(ConfirmHolder, True), (TakeCard, WAITS)]
UNREAD = Failure(Reason.CODE_UNREADABLE)


@pytest.fixture
def equipment():
    return plain_equipment()


@pytest.fixture
def no_scanner(equipment):
    equipment.scanner.publish(Level.ABSENT, Reason.NO_SCANNER)
    return equipment


async def known(visit):
    await identify(visit)


async def be_known(equipment, *script):
    person = ScriptedPerson(*script)
    assert await Visit(equipment, person, Settings()).run(known) is Outcome.COMPLETED
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    return person


def then_scanned(equipment, answer):
    """An answer; the card is held to the scanner after it."""

    def given(_):
        equipment.scanner.codes = [CARD_QR]
        return answer

    return given


async def test_the_zone_on_the_back_opens_the_chip_with_the_one_key_it_spells(no_scanner):
    no_scanner.camera.codes = [ZONE]
    await be_known(no_scanner, (PlaceCard, WAITS), (ShowCardToCamera, WAITS), *END)
    assert no_scanner.card.keys == [[ZONE]]
    assert no_scanner.camera.asked == ["card"]


async def test_the_qr_code_on_the_front_opens_it_as_well(no_scanner):
    no_scanner.camera.codes = [CARD_QR]
    await be_known(no_scanner, (PlaceCard, WAITS), (ShowCardToCamera, WAITS), *END)
    assert no_scanner.card.keys[0][0].personal_id == HOLDER.personal_id


async def test_beside_a_scanner_the_camera_is_a_choice_and_there_is_a_way_back(equipment):
    to_and_fro = [(ShowCardQr, KeyMethod.CAMERA), (ShowCardToCamera, then_scanned(equipment, KeyMethod.SCANNER))]
    to_and_fro += [(ShowCardQr, WAITS)]
    person = await be_known(equipment, (PlaceCard, WAITS), *to_and_fro, *END)
    assert person.last(ShowCardQr).camera
    assert person.last(ShowCardToCamera).scanner


async def test_back_leads_from_the_camera_to_the_scanner(equipment):
    script = [(ShowCardQr, KeyMethod.CAMERA), (ShowCardToCamera, then_scanned(equipment, Control.BACK))]
    script += [(ShowCardQr, WAITS)]
    await be_known(equipment, (PlaceCard, WAITS), *script, *END)


async def test_without_a_camera_nobody_is_offered_one(equipment):
    equipment.camera.publish(Level.FAULT, Reason.CAMERA_STALLED)
    equipment.scanner.codes = [CARD_QR]
    person = await be_known(equipment, (PlaceCard, WAITS), (ShowCardQr, WAITS), *END)
    assert not person.last(ShowCardQr).camera


async def test_who_would_rather_type_types(no_scanner):
    script = [(PlaceCard, WAITS), (ShowCardToCamera, KeyMethod.TYPE), (TypeAccessKey, ZONE)]
    await be_known(no_scanner, *script, *END)
    assert no_scanner.card.keys == [[ZONE]]


async def test_a_camera_that_goes_leads_to_the_way_that_is_left(no_scanner):
    no_scanner.camera.codes = [Failure(Reason.CAMERA_STALLED)]
    await be_known(no_scanner, (PlaceCard, WAITS), (ShowCardToCamera, WAITS), (TypeAccessKey, ZONE), *END)


async def test_without_the_chip_only_the_qr_code_counts_and_is_graded_as_such(no_scanner):
    no_scanner.camera.codes = [CARD_QR]
    no_scanner.card.present = False
    script = [(PlaceCard, PlaceCardAnswer.NO_CARD), (ShowCardToCamera, WAITS)]
    person = await be_known(no_scanner, *script, (ConfirmHolder, True))
    assert person.last(ShowCardToCamera).qr_only
    assert no_scanner.camera.asked == ["qr"]
    assert person.last(ConfirmHolder).citizen.grade is IdentityGrade.QR_ONLY


async def test_a_code_that_is_no_card_s_is_passed_over(no_scanner):
    no_scanner.camera.codes = ["https://example.invalid", UNREAD, CARD_QR]
    person = await be_known(no_scanner, (PlaceCard, WAITS), (ShowCardToCamera, WAITS), *END)
    assert [type(q) for q in person.seen].count(ShowCardToCamera) == 1


async def test_the_camera_for_cards_is_preferred(no_scanner):
    near = PlainCamera()
    near.codes = [ZONE]
    await be_known(replace(no_scanner, card_camera=near), (PlaceCard, WAITS), (ShowCardToCamera, WAITS), *END)
    assert no_scanner.camera.asked == []


@pytest.mark.parametrize(
    ("advice", "before", "after"),
    [
        (None, Prompt.HOLD, Prompt.UNREAD),
        (Reason.PAGE_TOO_SMALL, Prompt.HOLD, Prompt.UNREAD),
        (Reason.PAGE_HAND, Prompt.HAND, Prompt.HAND),
        (Reason.PAGE_NOT_FOUND, Prompt.LAY, Prompt.LAY),
    ],
)
async def test_a_card_that_is_not_read_gets_another_instruction(no_scanner, advice, before, after):
    outline = None if advice is Reason.PAGE_NOT_FOUND else ((0.3, 0.4), (0.6, 0.4), (0.6, 0.5), (0.3, 0.5))

    async def said(*codes):
        no_scanner.camera.codes = list(codes)
        person = ScriptedPerson((ShowCardToCamera, LEAVES))
        running = asyncio.create_task(Visit(no_scanner, person, Settings()).run(reading))
        await until(lambda: person.seen and not no_scanner.camera.codes)
        for number in range(2):
            no_scanner.camera.frame = Frame(2, 2, bytes(12), outline, number, advice)
            no_scanner.clock.seconds += 1  # an instruction stands for a while
            sight = person.last(ShowCardToCamera).watch()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sight.prompt

    assert await said() is before
    assert await said(UNREAD) is after


async def reading(visit):
    await from_card(visit)
