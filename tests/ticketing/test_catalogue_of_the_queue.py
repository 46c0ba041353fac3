"""What the queue server takes from a catalogue: services with their numbers, counters with their skills."""

from pathlib import Path

import pytest

from kiosk.catalogue import CatalogueError, load
from kiosk_queue.model import from_catalogue

SAMPLE = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"

BEGINNING = """
version = "1"
[centre]
vi = "Trung tâm thử nghiệm"
[[group]]
id = "hotich"
vi = "Hộ tịch"
"""
SERVICE = """
[[group.service]]
id = "khai-sinh"
vi = "Đăng ký khai sinh"
series = "HT"
"""


def of(folder: Path, text: str):
    (folder / "catalogue.toml").write_text(text, "utf-8")
    return load(folder / "catalogue.toml")


def test_the_sample_centre_has_counters_with_skills_and_services_with_minutes() -> None:
    centre = from_catalogue(load(SAMPLE))
    assert [counter.zone for counter in centre.counters] == ["A", "A", "A", "B", "B"]
    assert "khai-sinh" in centre.skills_of("1")
    assert "so-do" not in centre.skills_of("1")
    assert set(centre.skills_of("5")) == set(centre.services), "a counter without skills serves everything"
    assert (centre.services["sao-y"].mean_minutes, centre.services["sao-y"].target_minutes) == (4, 20)
    assert centre.services["khai-sinh"].procedures == ("1.001193.000.00.00.H15",)
    served = {skill for counter in centre.counters if counter.name != "5" for skill in counter.skills}
    assert {"tro-cap", "bao-hiem-y-te"} == set(centre.services) - served


def test_what_a_catalogue_does_not_say_has_the_usual_value(tmp_path) -> None:
    centre = from_catalogue(of(tmp_path, 'counters = ["1", "2"]' + BEGINNING + SERVICE))
    service = centre.services["khai-sinh"]
    assert (service.mean_minutes, service.target_minutes, service.daily_cap, service.procedures) == (8, 30, 0, ())
    assert [(counter.name, counter.skills, counter.zone) for counter in centre.counters] == [
        ("1", (), ""),
        ("2", (), ""),
    ]


def test_a_daily_limit_and_no_promised_wait_are_taken_over(tmp_path) -> None:
    said = BEGINNING + SERVICE + "daily_cap = 40\ntarget_minutes = 0\n"
    service = from_catalogue(of(tmp_path, 'counters = ["1"]' + said)).services["khai-sinh"]
    assert (service.daily_cap, service.target_minutes) == (40, 0)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[[counter]]\nname = "1"\nskills = ["khai-sinh", "bay"]', "counter 1 has unknown services bay"),
        ('[[counter]]\nzone = "A"', "lacks 'name'"),
        ("", "lacks 'counters'"),
    ],
)
def test_a_counter_that_cannot_be_is_named(tmp_path, more, told) -> None:
    with pytest.raises(CatalogueError, match=told):
        of(tmp_path, BEGINNING + SERVICE + more)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("mean_minutes = -1", "mean_minutes is -1"),
        ('daily_cap = "many"', "daily_cap is 'many'"),
        ('procedures = ["1.001193"]', "unknown procedures 1.001193"),
    ],
)
def test_a_service_that_cannot_be_is_named(tmp_path, more, told) -> None:
    with pytest.raises(CatalogueError, match=told):
        of(tmp_path, 'counters = ["1"]' + BEGINNING + SERVICE + more)
