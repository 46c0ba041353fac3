"""The face beside the chip's portrait: only where it is switched on, only with consent, and never in anybody's way."""

import json
from dataclasses import replace
from datetime import date

import pytest

from kiosk.citizen import Citizen, IdentityGrade
from kiosk.health import Failure, Level, Reason
from kiosk.journeys.face import EVIDENCE
from kiosk.journeys.identify import identify
from kiosk.ports import FaceMatch, Frame
from kiosk.questions import (
    ConfirmHolder,
    ConsentToFace,
    Control,
    FaceAnswer,
    FaceCompared,
    PlaceCard,
    Settings,
    ShowCardQr,
    ShowFace,
    TakeCard,
)
from kiosk.shutter import Prompt
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import CARD_QR, HOLDER, PlainFace, plain_equipment

ALIKE = FaceMatch(0.71, 0.363, 5, "networks")
READ = [(PlaceCard, WAITS), (ShowCardQr, WAITS), (ConfirmHolder, True)]
TAKEN = (TakeCard, WAITS)


@pytest.fixture
def equipment():
    equipment = replace(plain_equipment(), face=PlainFace())
    equipment.scanner.codes = [CARD_QR]
    return equipment


async def be_known(equipment, *script):
    known = []
    person = ScriptedPerson(*READ, *script)

    async def journey(visit):
        known.append(await identify(visit))

    assert await Visit(equipment, person, Settings()).run(journey) is Outcome.COMPLETED
    assert not person.script, f"the journey ended before {person.script[0][0].__name__}"
    return known[0], person


async def test_by_default_nobody_is_asked(equipment):
    citizen, _ = await be_known(replace(equipment, face=None), TAKEN)
    assert citizen == HOLDER


async def test_with_consent_score_and_threshold_go_along_with_the_evidence(equipment):
    equipment.face.results = [ALIKE]
    script = [(ConsentToFace, True), (ShowFace, WAITS), (FaceCompared, None), TAKEN]
    citizen, person = await be_known(equipment, *script)
    assert equipment.face.portraits == [HOLDER.portrait]
    assert person.last(FaceCompared).agrees
    result = json.loads(citizen.evidence[EVIDENCE])
    assert (result["score"], result["threshold"], result["agrees"], result["frames"]) == (0.71, 0.363, True, 5)
    assert (result["liveness"], result["live"]) == ("", None)
    assert result["compared_at"] == "2026-11-23T01:05:00.000Z"
    assert {name: raw for name, raw in citizen.evidence.items() if name != EVIDENCE} == HOLDER.evidence
    assert citizen.grade is HOLDER.grade


async def test_the_result_is_a_score_and_holds_no_picture_and_no_template(equipment):
    equipment.face.results = [ALIKE]
    citizen, _ = await be_known(equipment, (ConsentToFace, True), (ShowFace, WAITS), (FaceCompared, None), TAKEN)
    assert len(citizen.evidence[EVIDENCE]) < 300
    assert set(json.loads(citizen.evidence[EVIDENCE])) == {
        *("score", "threshold", "frames", "models", "agrees", "compared_at", "liveness", "live", "liveness_score")
    }


async def test_a_face_that_does_not_look_like_it_stops_nobody(equipment):
    equipment.face.results = [replace(ALIKE, score=0.1)]
    script = [(ConsentToFace, True), (ShowFace, WAITS), (FaceCompared, None), TAKEN]
    citizen, person = await be_known(equipment, *script)
    assert person.last(FaceCompared).agrees is False
    assert json.loads(citizen.evidence[EVIDENCE])["agrees"] is False


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.CAMERA_STALLED])
async def test_where_no_face_is_seen_it_goes_on_without(equipment, reason):
    equipment.face.results = [Failure(reason)]
    script = [(ConsentToFace, True), (ShowFace, WAITS), (FaceCompared, None), TAKEN]
    citizen, person = await be_known(equipment, *script)
    assert person.last(FaceCompared).agrees is None
    assert citizen == HOLDER


async def test_no_is_as_good_as_yes(equipment):
    citizen, _ = await be_known(equipment, (ConsentToFace, False), TAKEN)
    assert equipment.face.portraits == []
    assert citizen == HOLDER


async def test_a_change_of_mind_before_the_camera_skips_it(equipment):
    citizen, _ = await be_known(equipment, (ConsentToFace, True), (ShowFace, FaceAnswer.SKIP), TAKEN)
    assert citizen == HOLDER


async def test_back_from_the_camera_asks_for_consent_again(equipment):
    script = [(ConsentToFace, True), (ShowFace, Control.BACK), (ConsentToFace, False), TAKEN]
    await be_known(equipment, *script)


async def test_a_plug_in_that_does_not_work_is_not_offered(equipment):
    equipment.face.publish(Level.FAULT, Reason.NOT_CONFIGURED)
    await be_known(equipment, TAKEN)


async def test_without_the_chip_s_portrait_there_is_nothing_to_compare_with(equipment):
    equipment.card.results = [Citizen("001199000123", "", date(1999, 1, 2), "", "", IdentityGrade.CHIP_READ)]
    await be_known(equipment, TAKEN)


async def test_the_mirror_says_whether_the_kiosk_sees_the_face(equipment):
    def looked(question):
        said = [question.watch().prompt]
        for number, outline in enumerate((None, ((0.4, 0.3), (0.6, 0.3), (0.6, 0.6), (0.4, 0.6)))):
            equipment.face.frame = Frame(2, 2, bytes(12), outline, number)
            said.append(question.watch().prompt)
        assert said == [Prompt.WAITING, Prompt.LAY, Prompt.HOLD]
        return FaceAnswer.SKIP

    await be_known(equipment, (ConsentToFace, True), (ShowFace, looked), TAKEN)
