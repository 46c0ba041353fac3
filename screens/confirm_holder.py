"""What was read from the card, with its grade: is that you?"""

from kiosk.citizen import IdentityGrade
from kiosk.questions import ConfirmHolder
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.facts import lined, pair
from screens.widgets.notice import notice
from screens.widgets.part import Padded, Part, Row
from screens.widgets.picture import Picture
from screens.widgets.text import small

PROVEN = (IdentityGrade.ISSUER_VERIFIED, IdentityGrade.INTEGRITY_ONLY)


class ConfirmHolderScreen(Screen[ConfirmHolder]):
    """The portrait beside the name, everything else below."""

    steps = ("file_dossier", 0)

    def intro(self) -> list[Part]:
        """Abreast, portrait and grade stand on the left, to leave the whole column to what was read."""
        if look().portrait:
            return super().intro()
        portrait = self.question.citizen.portrait
        return [*super().intro(), *([Picture(portrait, least=220, mat=True)] if portrait else []), self._grade()]

    def work(self) -> list[Part]:
        """A card with what was read, and how far it is proven."""
        colours, portrait = look().colours, self.question.citizen.portrait
        content = self._read()
        if look().portrait and portrait:
            content = Row([Picture(portrait, wide=270), content], gap=36, middle=True)
        card = Padded(content, 26, colours.surface, colours.line)
        if not look().portrait:
            return [card]
        detail = small(words(f"grade.{self.question.citizen.grade.value}.detail"))
        detail.optional = True
        return [card, self._grade(), detail]

    def _read(self) -> Part:
        citizen = self.question.citizen
        birth = f"{citizen.birth:%d/%m/%Y}" if citizen.birth else ""
        pairs = [("name", citizen.full_name), ("number", citizen.personal_id), ("birth", birth), ("sex", citizen.sex),
                 ("address", citizen.address)]  # fmt: skip
        read: dict[str, Part] = {key: pair(self.words(key), value) for key, value in pairs if value}
        if "birth" in read and "sex" in read:
            sex = read.pop("sex")
            sex.share = 0.6
            read["birth"] = Row([read["birth"], sex], gap=20)
        return lined(read.values())

    def _grade(self) -> Part:
        grade = self.question.citizen.grade
        text, proven = words(f"grade.{grade.value}.title"), grade in PROVEN
        return notice("shield" if proven else "info", text, "good" if proven else "info")

    def actions(self) -> list[Part]:
        """No, yes."""
        no = Button("answer:no", self.words("no"), self.answering(False), icon="close")
        yes = Button("answer:yes", self.words("yes"), self.answering(True), PRIMARY, icon="check")
        no.share, yes.share = 0.75, 1.0
        return [Row([no, yes])]
