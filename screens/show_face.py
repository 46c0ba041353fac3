"""Look into the camera: oneself as in a mirror, and one instruction."""

from kiosk.questions import FaceAnswer, ShowFace
from kiosk.shutter import Prompt, Sight
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.live import LivePreview
from screens.widgets.part import Part
from screens.widgets.shutter import Prompter

SAID = (Prompt.WAITING, Prompt.LAY, Prompt.HOLD)


class ShowFaceScreen(Screen[ShowFace]):
    """Ends by itself; whoever would rather not skips it."""

    steps = ("file_dossier", 0)

    def work(self) -> list[Part]:
        """The picture and the instruction."""
        self._prompter = Prompter(f"screen.{self.name}", SAID)
        return [LivePreview(self.question.watch, self._tell, self.words("no_picture")), self._prompter]

    def actions(self) -> list[Part]:
        """The way out."""
        return [Button("answer:skip", self.words("skip"), self.answering(FaceAnswer.SKIP), icon="forward")]

    def _tell(self, sight: Sight) -> None:
        self._prompter.show(sight.prompt)
