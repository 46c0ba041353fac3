"""Choosing out of two levels, with search: what the screens of services and procedures have in common."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from kiosk.catalogue import Group, Procedure, Service, search
from kiosk.questions import ChooseProcedure, ChooseService
from screens.keyboard.letters import LetterKeyboard
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import Button
from screens.widgets.field import TextField
from screens.widgets.pages import Pages
from screens.widgets.part import Column, Part
from screens.widgets.text import Words, lead, title
from screens.widgets.tile import upright_tile, wide_tile

Q = TypeVar("Q", ChooseService, ChooseProcedure)
Choice = Service | Procedure


class ChooseEntryScreen(Screen[Q], Generic[Q]):
    """The draft keeps the open group (`group`), the text searched for (`query`) and the page."""

    @abstractmethod
    def entries(self, group: Group) -> Sequence[Choice]:
        """The second level."""

    @abstractmethod
    def key(self, entry: Any) -> str:
        """The key of an entry's card."""

    def _group(self) -> Group | None:
        return next((g for g in self._groups() if g.id == self.draft.get("group")), None)

    def _groups(self) -> list[Group]:
        return [g for g in self.question.groups if self.entries(g)]

    # --- what is shown ---

    def intro(self) -> list[Part]:
        """What is asked, or the group that is open."""
        group = self._group()
        if "query" in self.draft:
            return self._search_intro()
        if group:
            return [title(words(group.name)), lead(self.words("heading_group"))]
        return [title(self.words("heading"))]

    def work(self) -> list[Part]:
        """Groups as a grid, entries as a list, or the search."""
        if "query" in self.draft:
            return [LetterKeyboard(self.draft["query"], self._typed)]
        group = self._group()
        if group:
            return [self._list(self.entries(group))]
        makers = [partial(self._group_tile, g) for g in self._groups()]
        columns = 1 if look().large and not look().portrait else 2
        return [Pages(makers, columns, self.draft.get("page", 0), self._turned, gap=26)]

    def actions(self) -> list[Part]:
        """The way to the search."""
        if "query" in self.draft:
            return []
        return [Button("search", self.words("search"), partial(self._open, query=""), icon="search")]

    def _group_tile(self, group: Group) -> Part:
        key, name, detail = f"group:{group.id}", words(group.name), self.words("services", n=len(self.entries(group)))
        opening = partial(self._open, group=group.id)
        if look().portrait:
            return upright_tile(key, name, opening, group.icon, detail)
        return wide_tile(key, name, opening, group.icon, detail, arrow=False)

    def _list(self, entries: Sequence[Choice]) -> Pages:
        makers: list[Callable[[], Part]] = [partial(self._entry_tile, e) for e in entries]
        return Pages(makers, 1, self.draft.get("page", 0), self._turned)

    def _entry_tile(self, entry: Choice) -> Part:
        return wide_tile(self.key(entry), words(entry.name), self.answering(entry))

    def _turned(self, page: int) -> None:
        self.draft["page"] = page

    def _open(self, **draft: Any) -> None:
        self.draft.clear()
        self.draft.update(draft)
        self.refresh()

    # --- search ---

    def _search_intro(self) -> list[Part]:
        self._field = TextField(self.draft["query"], self.words("search_hint"), icon="search")
        self._hits = Column([self._results()], stretch=1)
        return [self._field, self._hits]

    def _results(self) -> Part:
        query = self.draft["query"]
        found = search(query, self._everything()) if query.strip() else []
        if query.strip() and not found:
            return Words(words("screen.choosing.none"), "lead", look().colours.soft_ink)
        return self._list(found)

    def _everything(self) -> list[Any]:
        return [entry for group in self._groups() for entry in self.entries(group)]

    def _typed(self, text: str) -> None:
        self.draft.update(query=text, page=0)
        self._field.show(text)
        self._hits.swap(self._results())

    # --- back ---

    def inner_back(self) -> bool:
        """Within a group or the search, back leads to the groups."""
        return "group" in self.draft or "query" in self.draft

    def go_back(self) -> None:
        """To the groups."""
        self._open()
