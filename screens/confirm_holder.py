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
from screens.widgets.text import small, title

SIGNS = {
    IdentityGrade.ISSUER_VERIFIED: ("shield", "good"),
    IdentityGrade.INTEGRITY_ONLY: ("shield", "info"),
    IdentityGrade.CHIP_READ: ("staff", "info"),
    IdentityGrade.QR_ONLY: ("qr", "info"),
    IdentityGrade.TYPED: ("keyboard", "info"),
}
"""The symbol and tone of each grade. None is a warning: no grade says that anything is wrong with the card."""


class ConfirmHolderScreen(Screen[ConfirmHolder]):
    """The portrait beside the name, everything else below; a greeting in passing shows no more than it needs."""

    steps = ("file_dossier", 0)

    def _steps(self) -> tuple[tuple[str, ...], int] | None:
        return None if self.question.in_passing else super()._steps()

    def intro(self) -> list[Part]:
        """Abreast, portrait and grade stand on the left, to leave the whole column to what was read."""
        heading: Part = title(self._heading())
        if look().portrait:
            return [heading]
        return [heading, *self._portrait(), self._grade(), *self._over()]

    def _portrait(self) -> list[Part]:
        """Words come first where not everything has room."""
        portrait = self.question.citizen.portrait
        if not portrait:
            return []
        picture = Picture(portrait, least=220, mat=True)
        picture.optional = self.question.expired
        return [picture]

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
        return [card, self._grade(), detail, *self._over()]

    def _read(self) -> Part:
        citizen = self.question.citizen
        number = pair(self.words("number"), citizen.masked_id)
        size = "title" if self.question.in_passing else "heading"
        name = [pair(self.words("name"), citizen.full_name, size)] if citizen.full_name else []
        return lined([*name, number, *([] if self.question.in_passing else self._particulars())])

    def _particulars(self) -> list[Part]:
        """Birth and sex abreast, address."""
        citizen = self.question.citizen
        birth = f"{citizen.birth:%d/%m/%Y}" if citizen.birth else ""
        pairs = [("birth", birth), ("sex", citizen.sex), ("address", citizen.address)]
        read: dict[str, Part] = {key: pair(self.words(key), value) for key, value in pairs if value}
        if "birth" in read and "sex" in read:
            sex = read.pop("sex")
            sex.share = 0.6
            read["birth"] = Row([read["birth"], sex], gap=20)
        return list(read.values())

    def _heading(self) -> str:
        return self.words("welcome" if self.question.in_passing else "heading")

    def _grade(self) -> Part:
        """How far it is proven, in a sentence and a symbol."""
        grade = self.question.citizen.grade
        icon, tone = SIGNS[grade]
        return notice(icon, words(f"grade.{grade.value}.title"), tone)

    def _over(self) -> list[Part]:
        """That the card is over its time."""
        if not self.question.expired:
            return []
        detail = small(self.words("expired_detail"))
        detail.optional = True
        return [notice("calendar", self.words("expired"), "warn"), detail]

    @property
    def spoken(self) -> str:
        """Heading, grade, and that the card is over its time. Never who it is: others hear it too."""
        told = [self._heading(), words(f"grade.{self.question.citizen.grade.value}.title")]
        over = [self.words("expired"), self.words("expired_detail")] if self.question.expired else []
        return "\n".join([*told, *over])

    def actions(self) -> list[Part]:
        """No, yes."""
        no = Button("answer:no", self.words("no"), self.answering(False), icon="close")
        yes = Button("answer:yes", self.words("yes"), self.answering(True), PRIMARY, icon="check")
        no.share, yes.share = 0.75, 1.0
        return [Row([no, yes])]
