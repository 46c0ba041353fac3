"""The pages of one component while the citizen takes and arranges them."""

from dataclasses import dataclass, replace

from kiosk.dossier import Page


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """One page of the paper. `lifted`: the same page again with its stuck-on slip lifted (TT 01/2023 Art. 8(2))."""

    page: Page
    lifted: Page | None = None

    @property
    def pages(self) -> tuple[Page, ...]:
        """The pictures of it, with the slip first."""
        return (self.page,) if self.lifted is None else (self.page, self.lifted)


@dataclass(frozen=True, slots=True, repr=False)
class Leaves:
    """Leaves in the order of the paper; every change makes another one. Indices count from 0."""

    leaves: tuple[Leaf, ...] = ()

    def __len__(self) -> int:
        return len(self.leaves)

    @property
    def pages(self) -> tuple[Page, ...]:
        """All pictures in order."""
        return tuple(page for leaf in self.leaves for page in leaf.pages)

    def inserted(self, at: int, page: Page) -> "Leaves":
        """With a new leaf at `at`."""
        return Leaves((*self.leaves[:at], Leaf(page), *self.leaves[at:]))

    def replaced(self, at: int, leaf: Leaf) -> "Leaves":
        """With another leaf at `at`."""
        return Leaves((*self.leaves[:at], leaf, *self.leaves[at + 1 :]))

    def lifted(self, at: int, page: Page) -> "Leaves":
        """With the second picture of the leaf at `at`."""
        return self.replaced(at, replace(self.leaves[at], lifted=page))

    def without(self, at: int) -> "Leaves":
        """Without the leaf at `at`."""
        return Leaves((*self.leaves[:at], *self.leaves[at + 1 :]))

    def moved(self, at: int, to: int) -> "Leaves":
        """With the leaf at `at` standing at `to`, or at the nearest end."""
        rest = self.without(at).leaves
        to = min(max(to, 0), len(rest))
        return Leaves((*rest[:to], self.leaves[at], *rest[to:]))
