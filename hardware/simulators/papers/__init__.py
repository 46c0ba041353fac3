"""What can be laid on the simulated desk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from hardware.simulators.papers import cards, forms
from hardware.simulators.personalisation.person import Personalisation


@dataclass(frozen=True, slots=True)
class Paper:
    """One side of one sheet: its title and how it is drawn, at 300 dpi."""

    title: str
    draw: Callable[[], Image.Image]


PAPERS = {
    "birth-form-1": Paper("Tờ khai đăng ký khai sinh, trang 1", forms.birth_form_1),
    "birth-form-2": Paper("Tờ khai đăng ký khai sinh, trang 2", forms.birth_form_2),
    "birth-notification-1": Paper("Giấy chứng sinh (A5)", forms.birth_notification_1),
    "marriage-certificate-1": Paper("Giấy chứng nhận kết hôn", forms.marriage_certificate_1),
    "petition-1": Paper("Đơn đề nghị viết tay", forms.petition_1),
    "household-book-1": Paper("Sổ hộ khẩu, trang chủ hộ (A5)", forms.household_book_1),
    "household-book-2": Paper("Sổ hộ khẩu, trang 2 (A5)", forms.household_book_2),
    "household-book-3": Paper("Sổ hộ khẩu, trang 3 (A5)", forms.household_book_3),
}


def cards_of(people: Mapping[str, Personalisation]) -> dict[str, Paper]:
    """Both sides of the ID cards of these people: `card-front-<name>` and `card-back-<name>`."""
    return {name: Paper(title, draw) for name, (title, draw) in cards.sides(people).items()}


@lru_cache(maxsize=2)
def drawn(paper: str | Paper) -> npt.NDArray[np.uint8]:
    """The flat original as RGB rows, 300 dpi; raises KeyError for an unknown name."""
    return np.asarray((PAPERS[paper] if isinstance(paper, str) else paper).draw())
