"""Pages in order while they are taken."""

from kiosk.dossier import Page
from kiosk.leaves import Leaves


def page(name):
    return Page(name.encode(), 100, 140, 200)


def names(leaves):
    return " ".join(page.jpeg.decode() for page in leaves.pages)


def of(*letters):
    leaves = Leaves()
    for letter in letters:
        leaves = leaves.inserted(len(leaves), page(letter))
    return leaves


def test_a_page_with_a_slip_counts_once_and_keeps_both_pictures_in_order():
    leaves = of("a", "b", "c").lifted(1, page("b-lifted"))
    assert names(leaves) == "a b b-lifted c"
    assert len(leaves) == 3


def test_both_pictures_move_and_go_together():
    leaves = of("a", "b", "c").lifted(1, page("b-lifted"))
    assert names(leaves.moved(1, 0)) == "b b-lifted a c"
    assert names(leaves.moved(1, 2)) == "a c b b-lifted"
    assert names(leaves.without(1)) == "a c"


def test_no_page_moves_beyond_the_ends():
    assert names(of("a", "b").moved(0, -1)) == "a b"
    assert names(of("a", "b").moved(1, 5)) == "a b"


def test_a_page_taken_again_stands_where_the_old_one_stood():
    assert names(of("a", "b", "c").without(1).inserted(1, page("new"))) == "a new c"
