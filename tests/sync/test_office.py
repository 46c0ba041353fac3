"""The office as the kiosk's core uses it: submit, await the answer, look up, and say how it stands."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import memory
from kiosk.config import ConfigError, OutboxSettings
from kiosk.dossier import DossierState
from kiosk.health import Failure, Level, Reason
from sync.envelope import read_manifest
from sync.office import OutboxOffice
from sync.outbox import Road, Room
from sync.outbox_schema import SCHEMA, State
from tests.sync.province import CANARY_ID, Province, expected, make_dossier
from tests.sync.test_outbox import largest_file

OUTBOX = OutboxSettings(ballast_mb=0, warn_days=0)


@pytest.fixture
async def office(province: Province):
    province.outbox.close()
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as opened:
        yield opened


async def becomes(office: OutboxOffice, level: Level, reason: Reason) -> None:
    async with asyncio.timeout(30):
        while (office.status.level, office.status.reason) != (level, reason):
            await asyncio.sleep(0.05)


async def test_submit_answer_and_look_up(province: Province, office: OutboxOffice):
    for program in ("tthc-model", "receiver", "forward"):
        province.start(program)
    await becomes(office, Level.READY, Reason.OK)
    dossier = make_dossier()
    assert await office.submit(dossier) is None
    async with asyncio.timeout(30):
        answer = await office.answer(dossier.provisional_ref)
    assert answer.received
    assert answer.dossier_code is not None
    assert answer.procedure == "Đăng ký khai sinh"
    for code in (answer.dossier_code, dossier.provisional_ref):
        state = await office.look_up(code, CANARY_ID)
        assert isinstance(state, DossierState)
        assert (state.status, state.dossier_code, state.due_at) == (2, answer.dossier_code, answer.due_at)
        assert state.owner == "N••••• T•• C••••••"
    assert await office.look_up(dossier.provisional_ref, "001199000124") == Failure(Reason.NOT_FOUND)
    assert province.arrived() == expected(dossier)


async def test_offline_a_dossier_is_still_accepted_and_the_state_says_so(province: Province, office: OutboxOffice):
    await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)
    dossier = make_dossier()
    assert await office.submit(dossier) is None
    assert office.status.usable
    failure = await office.look_up(dossier.provisional_ref, CANARY_ID)
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.RECEIVER_UNREACHABLE
    answer = asyncio.create_task(office.answer(dossier.provisional_ref))
    for program in ("tthc-model", "receiver", "forward"):
        province.start(program)
    async with asyncio.timeout(30):
        assert (await answer).received
    await becomes(office, Level.READY, Reason.OK)
    province.kill("receiver")
    assert await office.submit(make_dossier()) is None
    await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)


async def test_a_full_disk_is_a_failure_then_a_fault_until_there_is_room(province: Province, office: OutboxOffice):
    with largest_file(1000):
        failure = await office.submit(make_dossier())
        assert isinstance(failure, Failure)
        assert failure.reason is Reason.DISK_FULL
        assert (office.status.level, office.status.reason) == (Level.FAULT, Reason.DISK_FULL)
        await asyncio.sleep(1.2)
        assert office.status.level is Level.FAULT
    await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)
    assert await office.submit(make_dossier()) is None


async def test_an_outbox_in_other_hands_is_a_fault_and_nothing_is_promised(province: Province):
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as office:
        assert (office.status.level, office.status.reason) == (Level.FAULT, Reason.STORAGE_ERROR)
        assert await office.submit(make_dossier()) == Failure(Reason.STORAGE_ERROR, "the outbox is not open")
        province.outbox.close()
        await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)
        assert await office.submit(make_dossier()) is None


async def test_a_ruined_index_is_said_by_the_forwarder_and_rebuilt_by_the_application(province: Province):
    kept, folder = make_dossier(), province.settings.kiosk.state / "outbox"
    assert province.outbox.put(kept, province.sealer) is None
    province.outbox.close()
    for path in folder.glob("outbox.db*"):
        path.write_bytes(b"rubbish" * 1000)
    assert province.forward() == 1
    assert "outbox.db: cannot be used (SQLITE_NOTADB)" in province.log("forward-once")
    assert "Traceback" not in province.log("forward-once")
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as office:
        assert (office.status.level, office.status.reason) == (Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)
        assert await office.submit(make_dossier()) is None
    assert province.states() == ["sealed", "sealed"]
    assert (folder / "outbox.db").read_bytes().startswith(b"rubbish"), "the ruined one is kept"


async def test_an_index_of_a_newer_program_is_a_fault_and_stays_as_it_is(province: Province):
    province.outbox._database.execute("PRAGMA user_version=99")
    province.outbox.close()
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as office:
        assert (office.status.level, office.status.reason) == (Level.FAULT, Reason.STORAGE_ERROR)
        assert f"written by a newer program (schema 99, known {len(SCHEMA)})" in office.status.detail
        assert "install that program again" in office.status.detail
        assert isinstance(await office.submit(make_dossier()), Failure)


async def test_technicians_read_that_only_the_receiver_can_open(province: Province, caplog):
    province.outbox.note_road(Road(time.monotonic(), ""))
    province.outbox.close()
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as office:
        assert (office.status.level, office.status.reason) == (Level.READY, Reason.OK)
        assert office.status.detail.startswith("no offline recovery key is configured")
        assert "no offline recovery key is configured" in caplog.text


async def test_technicians_read_that_swap_is_on(province: Province, monkeypatch, tmp_path: Path):
    (tmp_path / "swaps").write_text("Filename Type Size Used Priority\n/dev/sda2 partition 999 0 -2\n")
    monkeypatch.setattr(memory, "_SWAPS", tmp_path / "swaps")
    province.outbox.note_road(Road(time.monotonic(), ""))
    province.outbox.close()
    async with OutboxOffice(province.settings.office, province.settings.kiosk, OUTBOX) as office:
        assert (office.status.level, office.status.reason) == (Level.READY, Reason.OK)
        assert "swap is on" in office.status.detail


async def test_before_the_disk_is_full_the_kiosk_is_degraded_and_still_takes_dossiers(province: Province):
    tight = OutboxSettings(ballast_mb=0, daily_mb=10**9)
    province.outbox.close()
    async with OutboxOffice(province.settings.office, province.settings.kiosk, tight) as office:
        assert (office.status.level, office.status.reason) == (Level.DEGRADED, Reason.DISK_LOW)
        assert office.status.detail == "space for 0 days is left; the forwarder has not reported"
        assert await office.submit(make_dossier()) is None
        with largest_file(1000):
            await office.submit(make_dossier())
            assert (office.status.level, office.status.reason) == (Level.FAULT, Reason.DISK_FULL)
        await becomes(office, Level.DEGRADED, Reason.DISK_LOW)


async def test_what_diagnose_tells_of_the_room_follows_the_disk(province: Province, monkeypatch):
    province.outbox.close()
    monkeypatch.setattr("sync.office.PROBE", 0.1)
    days = [6.0]
    monkeypatch.setattr(Room, "days", lambda *_: days[0])
    watched = OutboxSettings(ballast_mb=0)
    async with OutboxOffice(province.settings.office, province.settings.kiosk, watched) as office:
        assert office.status.detail.startswith("space for 6 days is left")
        since = office.status.since
        days[0] = 2.0
        async with asyncio.timeout(30):
            while not office.status.detail.startswith("space for 2 days is left"):
                await asyncio.sleep(0.05)
        assert office.status.since == since
        days[0] = 30.0
        await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)


async def test_a_submit_survives_the_end_of_the_visit(office: OutboxOffice):
    dossier = make_dossier(evidence=20_000_000)
    visit = asyncio.create_task(office.submit(dossier))
    await asyncio.sleep(0.01)
    visit.cancel()
    await asyncio.gather(visit, return_exceptions=True)
    with pytest.raises(TimeoutError):  # known and waiting, not KeyError: unknown
        await asyncio.wait_for(office.answer(dossier.provisional_ref), 0.3)


def test_what_is_missing_is_said_at_start(province: Province, tmp_path: Path):
    for name in ("ca", "certificate", "key_file", "signing_key_file", "receiver_key", "recovery_key"):
        with pytest.raises(ConfigError, match="nowhere"):
            OutboxOffice(
                replace(province.settings.office, **{name: tmp_path / "nowhere"}), province.settings.kiosk, OUTBOX
            )
    with pytest.raises(ConfigError, match=r"kiosk\.id"):
        OutboxOffice(province.settings.office, replace(province.settings.kiosk, id="Kiosk số 1"), OUTBOX)


async def test_renewed_keys_seal_the_next_dossier_without_a_restart(province: Province, tmp_path: Path):
    province.outbox.close()
    public = tmp_path / "receiver.pub"
    public.write_bytes(province.settings.office.receiver_key.read_bytes())
    office = replace(province.settings.office, receiver_key=public)
    async with OutboxOffice(office, province.settings.kiosk, OUTBOX) as kiosk:
        assert await kiosk.submit(make_dossier()) is None
        public.write_bytes(b"half a key")
        assert await kiosk.submit(make_dossier()) is None
        public.write_bytes((province.settings.office.receiver_key.parent / "recovery.pub").read_bytes())
        assert await kiosk.submit(make_dossier()) is None
    manifests = [read_manifest(province.outbox.manifest(e), None) for e in province.outbox.entries(State.SEALED)]
    old, again, new = [set(manifest.sealed_keys) for manifest in manifests]
    assert old == again != new


async def test_a_silent_forwarder_is_said_before_a_clock_that_was_wrong(province: Province, office: OutboxOffice):
    wrong = "this kiosk's clock is wrong"
    province.outbox.note_road(Road(None, f"TLS refused; {wrong}", wrong))
    await becomes(office, Level.DEGRADED, Reason.CLOCK_WRONG)
    assert office.status.usable
    province.outbox.note_road(Road(time.monotonic() - 100, "", wrong))
    await becomes(office, Level.DEGRADED, Reason.RECEIVER_UNREACHABLE)
