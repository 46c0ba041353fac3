"""An optional step: the citizen's face beside the chip's portrait. It needs consent, and it never stops anybody."""

import json
from dataclasses import asdict, replace

from kiosk.citizen import Citizen
from kiosk.clock import utc_iso
from kiosk.health import Failure
from kiosk.ports import FaceComparer, FaceMatch
from kiosk.questions import ConsentToFace, FaceAnswer, FaceCompared, ShowFace
from kiosk.shutter import Prompt, Sight
from kiosk.visit import Visit

SECONDS = 20.0
EVIDENCE = "face-match"
"""The name of the result among the evidence of an identity: JSON of `FaceMatch`, and when."""


async def with_face(visit: Visit, citizen: Citizen) -> Citizen:
    """The citizen with the result among the evidence; as before if there is no plug-in, no portrait or no consent."""
    face = visit.equipment.face
    if face is None or not visit.once(lambda: bool(citizen.portrait) and face.status.usable):
        return citizen
    if not await visit.ask(ConsentToFace()):
        return citizen
    match = await visit.race(ShowFace(_Mirror(face).look), lambda: face.compare(citizen.portrait, SECONDS))
    if isinstance(match, FaceAnswer):
        return citizen
    await visit.ask(FaceCompared(None if isinstance(match, Failure) else match.agrees))
    return citizen if isinstance(match, Failure) else replace(citizen, evidence=_evidence(visit, citizen, match))


def _evidence(visit: Visit, citizen: Citizen, match: FaceMatch) -> dict[str, bytes]:
    at = visit.once(visit.equipment.clock.now)
    result = asdict(match) | {"agrees": match.agrees, "compared_at": utc_iso(at)}
    return citizen.evidence | {EVIDENCE: json.dumps(result).encode()}


class _Mirror:
    """What the citizen sees: themselves, and whether the kiosk sees their face."""

    def __init__(self, face: FaceComparer) -> None:
        self._face = face
        self._sight = Sight()

    def look(self) -> Sight:
        """The newest frame; the same sight while there is no newer one."""
        frame = self._face.preview()
        if frame is not self._sight.frame:
            prompt = Prompt.WAITING if frame is None else Prompt.LAY if frame.outline is None else Prompt.HOLD
            self._sight = Sight(frame, prompt)
        return self._sight
