"""When a page takes its own picture."""

import asyncio

import pytest

from kiosk.health import Reason
from kiosk.ports import Frame
from kiosk.shutter import PROMPTS, Prompt, Shutter

PAGE = ((0.2, 0.1), (0.8, 0.1), (0.8, 0.9), (0.2, 0.9))
FRAME_SECONDS = 1 / 15


def shifted(by, outline=PAGE):
    return tuple((x + by, y) for x, y in outline)


class Tray:
    """What the camera sees, a frame at a time, with a clock of its own."""

    def __init__(self):
        self.now = 100.0
        self.frame = None
        self.shutter = Shutter(lambda: self.frame, lambda: self.now)

    def see(self, outline, seconds=FRAME_SECONDS, advice=None):
        """Frames of one sight for so long; the last thing the shutter says."""
        for _ in range(max(1, round(seconds / FRAME_SECONDS))):
            self.now += FRAME_SECONDS
            number = self.frame.number + 1 if self.frame else 1
            self.frame = Frame(720, 960, b"", outline, number, advice)
            sight = self.shutter.look()
        return sight


@pytest.fixture
def tray():
    return Tray()


def test_a_page_at_rest_for_half_a_second_is_taken(tray):
    tray.see(None, 1.0, Reason.PAGE_NOT_FOUND)
    assert tray.see(PAGE, 0.3).filled < 1
    sight = tray.see(PAGE, 0.4)
    assert (sight.prompt, sight.filled) == (Prompt.HOLD, 1.0)


def test_the_ring_fills_while_the_page_rests(tray):
    shares = [tray.see(PAGE).filled for _ in range(9)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_a_page_that_slides_is_not_taken(tray):
    for n in range(30):
        assert tray.see(shifted(n * 0.006)).filled < 0.3


def test_a_page_that_creeps_is_not_taken_for_resting(tray):
    # each step is under the limit of movement, the whole way is not
    for n in range(40):
        assert tray.see(shifted(n * 0.002)).filled < 1


def test_a_finder_that_trembles_or_blinks_does_not_hold_the_shutter_up(tray):
    tray.see(PAGE, 0.3)
    tray.see(shifted(0.002))
    tray.see(None)
    assert tray.see(PAGE, 0.4).filled == 1


@pytest.mark.parametrize("reason", [reason for reason in PROMPTS if reason is not Reason.PAGE_MOVING])
def test_what_is_in_the_way_is_said_and_nothing_is_taken(tray, reason):
    tray.see(PAGE, 0.2)
    sight = tray.see(PAGE, 2.0, reason)
    assert sight.prompt is PROMPTS[reason]
    assert sight.filled == 0


def test_the_page_just_taken_is_not_taken_again(tray):
    tray.see(PAGE, 1.0)
    tray.shutter.took()
    sight = tray.see(shifted(0.004), 3.0)
    assert (sight.prompt, sight.filled) == (Prompt.TAKEN, 0.0)


def test_the_next_page_in_the_same_place_is_taken_after_the_tray_was_empty(tray):
    tray.see(PAGE, 1.0)
    tray.shutter.took()
    tray.see(None, 0.5, Reason.PAGE_NOT_FOUND)
    assert tray.see(PAGE, 1.0).filled == 1


def test_the_same_page_laid_down_elsewhere_is_taken(tray):
    tray.see(PAGE, 1.0)
    tray.shutter.took()
    assert tray.see(shifted(0.1), 1.0).filled == 1


def test_instructions_do_not_flicker(tray):
    tray.see(PAGE, 1.0)
    said = [tray.see(PAGE, advice=Reason.PAGE_HAND if n % 2 else None).prompt for n in range(20)]
    assert set(said) == {Prompt.HOLD}


def test_without_pictures_nothing_happens(tray):
    tray.see(PAGE, 1.0)
    tray.frame = None
    sight = tray.shutter.look()
    assert (sight.frame, sight.prompt, sight.filled) == (None, Prompt.WAITING, 0.0)


def test_a_picture_that_stands_still_fills_nothing(tray):
    tray.see(PAGE, 0.2)
    tray.now += 10
    assert tray.shutter.look().filled < 1


async def test_it_fires_once_the_page_rests(tray):
    firing = asyncio.create_task(tray.shutter.fires())
    await asyncio.sleep(0)
    tray.see(PAGE, 0.2)
    await asyncio.sleep(0.1)
    assert not firing.done()
    tray.see(PAGE, 0.6)
    await asyncio.wait_for(firing, 30)
