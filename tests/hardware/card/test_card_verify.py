"""`card verify` as a technician runs it: the files of a card are judged without the card."""

import argparse
import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import documents as make
from documents import GROUPS, csca, ec_key, signed_data, signer
from hardware.card.bench import read_command, verify_command
from hardware.card.errors import BadData
from hardware.card.passive import judge, load_anchors, parse_sod
from hardware.card.pcsc import Pcsc
from hardware.card.tlv import encode
from hardware.simulators.card import CardSimulator
from kiosk.citizen import IdentityGrade
from kiosk.cli import main

AA_INFO = "0.4.0.127.0.7.1.1.4.1.3"
ASKED = bytes(range(8))


def write(folder: Path, groups: dict[int, bytes], **options) -> Path:
    """What `card read --dump` leaves behind."""
    folder.mkdir(exist_ok=True)
    cms = signed_data(make.security_object(groups), signer(), **options)
    (folder / "EF.SOD").write_bytes(encode(0x77, cms))
    for number, raw in groups.items():
        (folder / f"EF.DG{number}.bin").write_bytes(raw)
    return folder


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    (tmp_path / "csca").mkdir()
    (tmp_path / "csca" / "csca.cer").write_bytes(csca().der)
    return tmp_path / "csca"


def run(folder: Path, trust: Path | None, capsys) -> tuple[int, dict]:
    code = main(["card", "verify", str(folder), "--json", *(["--csca", str(trust)] if trust else [])])
    return code, json.loads(capsys.readouterr().out)


def statuses(checks: dict) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items()}


def test_a_whole_card_is_verified(tmp_path: Path, trust: Path, capsys):
    code, report = run(write(tmp_path / "card", GROUPS), trust, capsys)
    assert code == 0
    assert report["grade"] == "issuer_verified"
    assert statuses(report["passive"]) == {
        "signature": "passed", "chain": "passed", "hashes": "passed", "revocation": "undetermined", "country": "passed",
    }  # fmt: skip
    assert statuses(report["protocols"]) == {
        "bac": "undetermined", "pace": "undetermined", "pa": "passed", "ca": "not_supported", "aa": "not_supported",
    }  # fmt: skip
    assert report["seconds"] < 15


def test_the_security_object_alone_is_judged(tmp_path: Path, trust: Path, capsys):
    folder = write(tmp_path / "card", GROUPS)
    for path in folder.glob("EF.DG*"):
        path.unlink()
    code, report = run(folder, trust, capsys)
    assert code == 0
    assert report["grade"] is None
    assert report["holder"] is None
    found = statuses(report["passive"])
    assert (found["signature"], found["chain"], found["hashes"]) == ("passed", "passed", "undetermined")


def test_without_trusted_issuers_nothing_is_wrong_but_little_is_proven(tmp_path: Path, capsys):
    code, report = run(write(tmp_path / "card", GROUPS), None, capsys)
    assert code == 0
    assert report["grade"] == "integrity_only"
    assert statuses(report["passive"])["chain"] == "undetermined"
    assert report["protocols"]["pa"]["status"] == "undetermined"


def test_an_altered_group_shows(tmp_path: Path, trust: Path, capsys):
    folder = write(tmp_path / "card", GROUPS)
    (folder / "EF.DG2.bin").write_bytes(b"altered")
    code, report = run(folder, trust, capsys)
    assert code == 1
    assert report["grade"] == "chip_read"
    assert report["passive"]["hashes"] == {"status": "failed", "reason": "EF.DG2: not what was signed"}
    assert statuses(report["passive"])["signature"] == "passed"


def test_a_security_object_that_is_none_has_no_signature(tmp_path: Path, trust: Path, capsys):
    folder = write(tmp_path / "card", GROUPS)
    (folder / "EF.SOD").write_bytes(b"\x77\x03\x30\x01\x00")
    code, report = run(folder, trust, capsys)
    assert code == 1
    assert report["grade"] == "chip_read"
    assert statuses(report["passive"])["signature"] == "failed"


def test_a_folder_without_security_object_is_explained(tmp_path: Path, capsys):
    assert main(["card", "verify", str(tmp_path)]) == 2
    assert "EF.SOD" in capsys.readouterr().err


def with_chip_key(folder: Path, response: bytes, **options) -> Path:
    """A card with Active Authentication over P-256 and its kept answer."""
    info = make.core.ObjectIdentifier
    active = encode(0x30, info("2.23.136.1.1.5").dump() + b"\x02\x01\x01" + info(AA_INFO).dump())
    keys = {14: encode(0x6E, encode(0x31, active)), 15: encode(0x6F, make.public_info(ec_key(nth=400)).dump())}
    write(folder, GROUPS | keys, **options)
    (folder / "AA.challenge.bin").write_bytes(ASKED)
    (folder / "AA.response.bin").write_bytes(response)
    return folder


def answered(nth: int = 400) -> bytes:
    return make.Scheme().sign(ec_key(nth=nth), ASKED)


def test_the_kept_answer_of_the_chip_is_judged_again(tmp_path: Path, trust: Path, capsys):
    code, report = run(with_chip_key(tmp_path / "card", answered()), trust, capsys)
    assert code == 0
    assert statuses(report["protocols"])["aa"] == "passed"


def test_a_clone_shows(tmp_path: Path, trust: Path, capsys):
    code, report = run(with_chip_key(tmp_path / "card", answered(nth=401)), trust, capsys)
    assert code == 1
    assert statuses(report["protocols"]) | {"aa": "failed", "pa": "passed"} == statuses(report["protocols"])


def test_a_chip_key_that_nobody_trusted_signed_proves_nothing(tmp_path: Path, capsys):
    code, report = run(with_chip_key(tmp_path / "card", answered()), None, capsys)
    assert code == 0
    assert statuses(report["protocols"])["aa"] == "undetermined"


def test_a_chip_key_under_a_broken_signature_proves_nothing(tmp_path: Path, trust: Path, capsys):
    folder = with_chip_key(tmp_path / "card", answered(), digest_of=b"other content")
    assert statuses(run(folder, trust, capsys)[1]["protocols"])["aa"] == "undetermined"


def test_a_chip_key_that_was_not_tried_is_not_proven(tmp_path: Path, trust: Path, capsys):
    folder = with_chip_key(tmp_path / "card", answered())
    (folder / "AA.response.bin").unlink()
    assert statuses(run(folder, trust, capsys)[1]["protocols"])["aa"] == "undetermined"


async def test_what_a_read_dumps_can_be_verified(card: CardSimulator, csca: Path, tmp_path: Path, capsys):
    def lies_there() -> bool:
        with Pcsc() as pcsc:
            return pcsc.is_card_on(pcsc.reader(""))

    await card.act("lay", card="mau")
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(lies_there):
            await asyncio.sleep(0.05)
    key = {"number": "001199000123", "birth": "990102", "expiry": "390102", "mrz": None, "can": None}
    known = key | {"reader": "", "json": True, "csca": csca}
    dump = tmp_path / "dump"
    args = argparse.Namespace(**known, dump=dump)
    assert await asyncio.to_thread(read_command, args) == 0
    read = json.loads(capsys.readouterr().out)
    assert {"EF.SOD", "EF.DG1.bin", "EF.DG2.bin", "EF.DG13.bin"} <= {path.name for path in dump.iterdir()}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [dump, *dump.iterdir()])
    assert verify_command(argparse.Namespace(folder=dump, csca=csca, json=True)) == 0
    verified = json.loads(capsys.readouterr().out)
    assert verified["grade"] == read["grade"] == "issuer_verified"
    assert verified["holder"] == read["holder"]
    assert verified["passive"] == read["passive"]
    assert read["protocols"]["pa"]["status"] == "passed"
    assert "passed" in (read["protocols"]["bac"]["status"], read["protocols"]["pace"]["status"])


SIGNERS = [signer(), signer(key=ec_key("BrainpoolP256R1"), explicit={}), signer(key=make.rsa_key(2048))]
SEEDS = [encode(0x77, signed_data(make.security_object(GROUPS), who)) for who in SIGNERS]
SEEDS.append(encode(0x77, make.indefinite(signed_data(make.security_object(GROUPS), signer()))))


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_damaged_document_breaks_us_or_is_taken_for_good(data):
    original = data.draw(st.sampled_from(SEEDS))
    raw = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        found = judge(parse_sod(bytes(raw)), GROUPS, load_anchors(None), make.NOW)
        assert found.grade in (IdentityGrade.CHIP_READ, IdentityGrade.INTEGRITY_ONLY)
        if found.grade is IdentityGrade.INTEGRITY_ONLY:
            assert parse_sod(bytes(raw)).content == parse_sod(original).content


TRUSTED = [csca().der, make.revocation_list(csca(), [5, 6]), make.master_list([csca("UT")], signer())]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_damaged_trust_file_breaks_us_or_makes_another_anchor(tmp_path_factory, data):
    raw = bytearray(data.draw(st.sampled_from(TRUSTED)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    folder = tmp_path_factory.mktemp("trust")
    (folder / "one").write_bytes(raw)
    anchors = load_anchors(folder).anchors
    body = csca().certificate["tbs_certificate"].dump()
    assert all(anchor["tbs_certificate"].dump() == body for anchor in anchors)
    found = judge(parse_sod(SEEDS[0]), GROUPS, load_anchors(folder), make.NOW)
    assert found.grade is not IdentityGrade.CHIP_READ
