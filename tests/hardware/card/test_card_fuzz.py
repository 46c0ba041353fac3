"""No bytes whatever break the chip reader: every fuzzing target briefly, from good files made wrong."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import documents as make
from hardware.card.errors import BadData
from kiosk.citizen import IdentityGrade
from tests.fuzz.fixed import ec_key
from tests.fuzz.guard import Guard
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.targets_documents import authority, trust_signed
from tests.fuzz.targets_sessions import ForgedError, vouched

ROOT = Path(__file__).parents[3]
BRIEFLY = settings(
    max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
GOOD = ("answer", "certificate", "com", "dg1", "dg13", "dg14", "dg15", "holder", "read", "sod", "sod-content")
"""Targets whose first seed is what an honest card says, so that fuzzing begins behind the first check."""


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_input_breaks_its_promise(name: str):
    target = TARGETS[name]
    seeds = list(target.seeds())

    @BRIEFLY
    @given(st.sampled_from(seeds), st.randoms(use_true_random=False))
    def feed(seed: bytes, rng: random.Random) -> None:
        finding = guard.run(target, mutate(seed, rng, seeds))
        assert finding is None, f"{finding.data.hex()}\n{finding.story}"

    with Guard() as guard:
        feed()


@pytest.mark.parametrize("name", GOOD)
def test_fuzzing_begins_at_files_that_are_accepted(name: str):
    target = TARGETS[name]
    target.run(target.seeds()[0])


def test_mutations_keep_the_lengths_of_a_structure_right_often_enough():
    rng, good = random.Random(1), TARGETS["dg13"].seeds()[0]
    accepted = 0
    for _ in range(300):
        try:
            TARGETS["dg13"].run(mutate(good, rng))
        except BadData:
            continue
        accepted += 1
    assert accepted > 30


def never_ends(_: bytes) -> None:
    while True:
        pass


def refuses(_: bytes) -> None:
    raise BadData("no")


def stumbles(data: bytes) -> None:
    raise IndexError(data[0])


def hoards(_: bytes) -> None:
    bytearray(96 << 20)[:] = b"x" * (96 << 20)


@pytest.mark.parametrize(("run", "place"), [(never_ends, "time"), (stumbles, "IndexError"), (hoards, "memory")])
def test_a_broken_promise_is_found(run, place: str):
    with Guard(patience=0.2) as guard:
        finding = guard.run(Target("bad", run, list), b"\x01")
    assert finding is not None
    assert finding.place.startswith(place)


def test_a_refusal_keeps_the_promise():
    with Guard() as guard:
        assert guard.run(Target("good", refuses, list), b"") is None


def test_a_forged_group_that_is_called_verified_is_found():
    honest, read = {1: b"one", 2: b"two", 13: b"thirteen"}, {"EF.SOD": b"any", "EF.DG1": b"one", "EF.DG2": b"two"}
    vouched(read, honest)
    for forged in (read | {"EF.DG2": b"other"}, {"EF.DG1": b"one"}, read | {"EF.DG15": b"more"}):
        with pytest.raises(ForgedError):
            vouched(forged, honest)


def test_the_program_runs_a_target_and_says_how_often(tmp_path: Path):
    command = [sys.executable, ROOT / "scripts" / "fuzz", "--inputs", "20", "--by-chance", "--out", tmp_path, "com"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["com", "20"]


def link(common: str) -> bytes:
    issued = make.issue(make.name("VN", common), ec_key(105), authority(), ca=True)
    return bytes(issued.certificate["tbs_certificate"].dump())


BROKEN = {
    "authority key": link("CSCA 2").replace(b"\x30\x16\x80\x14", b"\x30\x16\xa0\x14"),
    "authority key cut": link("CSCA 2").replace(b"\x30\x16\x80\x14", b"\x30\x16\x80\x44"),
    "version": link("CSCA 2").replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x01\x01\x02"),
    "name": link("CSCA \ue000"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_certificate_that_is_broken_inside_leaves_the_rest_of_the_trust_folder_in_force(kind: str):
    assert BROKEN[kind] != link("CSCA 2")
    assert trust_signed(BROKEN[kind]).grade is IdentityGrade.ISSUER_VERIFIED


def test_a_chip_cannot_make_the_reader_compute_for_seconds():
    moderate, large = TARGETS["dg14"].seeds()[-2:]
    with Guard() as guard:
        assert guard.run(TARGETS["dg14"], moderate) is None
    with pytest.raises(BadData, match="weak"):
        TARGETS["dg14"].run(large)
