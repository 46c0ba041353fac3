"""`card read` as a technician runs it."""

import argparse
import asyncio
import json
from pathlib import Path

import pytest

from hardware.card.bench import read_command
from hardware.card.pcsc import Pcsc
from hardware.simulators.card import CardSimulator


def arguments(csca: Path | None = None, **changes: object) -> argparse.Namespace:
    given = {"number": "001199000123", "birth": "990102", "expiry": "390102", "mrz": None, "can": None}
    return argparse.Namespace(**(given | {"csca": csca, "reader": "", "dump": None, "json": True} | changes))


async def lay(card: CardSimulator, name: str = "mau") -> None:
    def lies_there() -> bool:
        with Pcsc() as pcsc:
            return pcsc.is_card_on(pcsc.reader(""))

    await card.act("lay", card=name)
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(lies_there):
            await asyncio.sleep(0.05)


async def test_it_prints_holder_grade_and_cost(card: CardSimulator, csca: Path, capsys):
    await lay(card)
    assert await asyncio.to_thread(read_command, arguments(csca)) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["grade"] == "issuer_verified"
    assert report["holder"]["full_name"] == "NGUYỄN THỊ MẪU"
    assert report["files"]["EF.DG2"] > 12_000
    # One command asks for PACE, three open the chip, every file is read in blocks of 231 bytes.
    assert report["apdus"] == 4 + sum(-(-size // 231) for size in report["files"].values())
    assert list(report["protocols"]) == ["bac", "pace", "pa", "ca", "aa"]
    assert 0 < report["seconds"] < 10


async def test_the_last_nine_digits_do_and_lines_are_for_people(card: CardSimulator, csca: Path, capsys):
    await lay(card)
    assert await asyncio.to_thread(read_command, arguments(csca, number="199000123", json=False)) == 0
    assert "holder full_name" in capsys.readouterr().out


async def test_a_failure_is_one_line_and_an_exit_code(card: CardSimulator, capsys):
    assert await asyncio.to_thread(read_command, arguments()) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "no_card"
    await lay(card)
    assert await asyncio.to_thread(read_command, arguments(expiry="390103", json=False)) == 1
    captured = capsys.readouterr()
    assert "access_key_refused" in captured.err
    assert len(captured.err.splitlines()) == 1


async def test_the_printed_zone_opens_the_card(card: CardSimulator, csca: Path, capsys):
    await lay(card)
    zone = list(card.people["mau"].mrz.lines())
    by_zone = arguments(csca, number=None, birth=None, expiry=None, mrz=zone)
    assert await asyncio.to_thread(read_command, by_zone) == 0
    assert json.loads(capsys.readouterr().out)["holder"]["birth"] == "1999-01-02"


async def test_the_access_number_opens_a_card_with_pace(card: CardSimulator, csca: Path, capsys):
    await lay(card, "du")
    by_number = arguments(csca, number=None, birth=None, expiry=None, can=card.people["du"].personal_id[-6:])
    assert await asyncio.to_thread(read_command, by_number) == 0
    assert json.loads(capsys.readouterr().out)["protocols"]["pace"]["status"] == "passed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"can": "123456"},
        {"expiry": None},
        {"mrz": ["IDVNM"], "number": None},
        {"number": "12"},
        {"birth": "1999-01-02"},
        {"expiry": "391340"},
    ],
)
def test_a_mistyped_argument_is_explained(wrong: dict[str, str], capsys):
    assert read_command(arguments(**wrong)) == 2
    assert "allowed" in capsys.readouterr().err
