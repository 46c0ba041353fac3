"""What a card has printed: read by the scanner, or by a camera that the card is put under.

The QR code and the machine readable zone both lead to the chip's access key; the zone spells it, the code nearly does.
"""

from collections.abc import Callable
from dataclasses import replace

from kiosk.citizen import AccessKey, CardQr, parse_card_qr
from kiosk.health import Failure, Reason
from kiosk.ports import Camera, CodeKind
from kiosk.questions import KeyMethod, ShowCardQr, ShowCardToCamera
from kiosk.shutter import Prompt, Shutter, Sight
from kiosk.visit import Visit

TRY_SECONDS = 8.0
"""A card that lies well is read in two; after this time the citizen hears what else there is to do."""

Printed = CardQr | AccessKey

_OF_SHEETS = frozenset({Prompt.SMALL, Prompt.SEVERAL, Prompt.SHADOW, Prompt.TAKEN, Prompt.CUT_OFF})
"""Said of a sheet of paper; of a card it is no hindrance."""


async def from_card(visit: Visit, *, in_passing: bool = False, kind: CodeKind = "card") -> Printed | KeyMethod:
    """What was read, TYPE or SKIP. `kind`: what a camera may read; the scanner reads QR codes only."""
    way = visit.once(lambda: KeyMethod.CAMERA if _camera(visit) and not _scans(visit) else KeyMethod.SCANNER)
    while True:
        by = _by_camera if way is KeyMethod.CAMERA else _by_scanner
        answer = await by(visit, in_passing, kind)
        if not isinstance(answer, KeyMethod) or answer not in (KeyMethod.CAMERA, KeyMethod.SCANNER):
            return answer
        way = answer


def can_read(visit: Visit) -> bool:
    """Whether something here reads what is printed on cards."""
    return _scans(visit) or _camera(visit) is not None


async def _by_scanner(visit: Visit, in_passing: bool, _: CodeKind) -> Printed | KeyMethod:
    unreadable = False
    while True:
        question = ShowCardQr(unreadable, in_passing, camera=_camera(visit) is not None)
        code = await visit.race(question, visit.equipment.scanner.next_code)
        if isinstance(code, KeyMethod):
            return code
        parsed = parse_card_qr(code)
        if parsed is not None:
            return parsed
        unreadable = True


async def _by_camera(visit: Visit, in_passing: bool, kind: CodeKind) -> Printed | KeyMethod:
    camera = _camera(visit)
    if camera is not None:
        watch = visit.once(lambda: _Watch(camera, visit.equipment.clock.monotonic))
        question = ShowCardToCamera(watch.look, in_passing, qr_only=kind == "qr", scanner=_scans(visit))
        answer = await visit.race(question, lambda: watch.read(kind))
        if not isinstance(answer, Failure):
            return answer
    # The camera has gone: the way that is left.
    if _scans(visit):
        return KeyMethod.SCANNER
    return KeyMethod.SKIP if in_passing else KeyMethod.TYPE


def _scans(visit: Visit) -> bool:
    return visit.equipment.scanner.status.usable


def _camera(visit: Visit) -> Camera | None:
    """The one that sees cards from near, else the document camera; None if neither serves now."""
    both = (visit.equipment.card_camera, visit.equipment.camera)
    return next((camera for camera in both if camera is not None and camera.status.usable), None)


class _Watch:
    """A card under the camera: what is shown of it, and what is read."""

    def __init__(self, camera: Camera, monotonic: Callable[[], float]) -> None:
        self._camera = camera
        self._shutter = Shutter(camera.preview, monotonic)
        self._in_vain = False
        self._seen: tuple[Sight, bool] | None = None
        self._told = Sight()

    def look(self) -> Sight:
        """The newest frame, and the one thing to be said of a card in it."""
        seen = (self._shutter.look(), self._in_vain)
        if seen != self._seen:
            self._seen, self._told = seen, replace(seen[0], prompt=self._prompt(seen[0]), filled=0.0)
        return self._told

    async def read(self, kind: CodeKind) -> Printed | Failure:
        """Look until a card's code or zone was read, or the camera is lost."""
        while True:
            code = await self._camera.read_code(kind, TRY_SECONDS)
            if isinstance(code, str):
                parsed = parse_card_qr(code)
                if parsed is not None:
                    return parsed
            elif not isinstance(code, Failure) or code.reason is not Reason.CODE_UNREADABLE:
                return code
            self._in_vain = True

    def _prompt(self, sight: Sight) -> Prompt:
        if sight.prompt in _OF_SHEETS:
            sight = replace(sight, prompt=Prompt.HOLD)
        return Prompt.UNREAD if sight.prompt is Prompt.HOLD and self._in_vain else sight.prompt
