"""The worker between receiver and TTHC system: by either way, through faults, and never a value in a log."""

import itertools
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sync import signed
from sync.connectors.desk import open_desk
from sync.envelope import key_id
from sync.receiver import worker
from sync.receiver.blobs import FileBlobs
from sync.receiver.registry import Registry, State, Submission
from sync.receiver.sqlite import SqliteDatabase
from sync.tthc_model.faults import Fault
from tests.sync.province import CANARY, CANARY_ID, Province, expected, in_state, make_dossier, until

NATIONAL = 'tthc_kind = "national"\ntthc_settle_seconds = 0.4\ntthc_timeout = 0.6\n'


def speak_national(province: Province) -> None:
    text = province.config.read_text().replace("/o/rest/v2", "/quoc-gia/v1")
    province.config.write_text(text.replace("tthc_url", f"{NATIONAL}tthc_url"))


@pytest.fixture
def national(province: Province) -> Province:
    speak_national(province)
    province.start("tthc-model")
    province.start("receiver")
    return province


def fault(province: Province, kind: Fault, only: str = "", count: int = 1) -> None:
    url = f"http://127.0.0.1:{province.ports['tthc-model']}/api/faults"
    auth = tuple(province.settings.tthc_model.user_file.read_text().strip().split(":"))
    order = {"fault": kind, "only": only, "count": count, "seconds": 1}
    requests.post(url, json=order, auth=auth, timeout=30).raise_for_status()


def test_the_national_flow_carries_a_dossier_and_its_answer(national: Province):
    dossier = make_dossier(pages=2, evidence=600_000)
    assert national.outbox.put(dossier, national.sealer) is None
    national.deliver()
    answer = national.outbox.answer(dossier.provisional_ref)
    assert answer is not None
    assert (answer.received, answer.status, answer.collect_at) == (True, 2, "UBND phường Thử Nghiệm")
    assert national.arrived() == expected(dossier)


def test_faults_of_every_kind_delay_dossiers_and_neither_lose_nor_double_them(national: Province):
    dossiers = [make_dossier(evidence=500) for _ in Fault]
    for kind in Fault:
        fault(national, kind, "/HoSo")
        fault(national, kind)
    for dossier in dossiers:
        assert national.outbox.put(dossier, national.sealer) is None
    national.deliver()
    assert national.arrived() == expected(*dossiers)


def test_a_receiver_killed_at_every_step_files_once_also_by_the_national_flow(province: Province):
    speak_national(province)
    province.start("tthc-model")
    dossiers = []
    for step in itertools.count(1, 3):  # every third step: the files' steps are those of the other way
        receiver = province.start("receiver", die_at=step)
        dossiers.append(make_dossier(evidence=500))
        assert province.outbox.put(dossiers[-1], province.sealer) is None
        province.begin_steps("receiver")

        def done() -> bool:
            province.forward()
            return set(province.states()) <= {"answered"} or not receiver.is_alive()  # noqa: B023

        until(done, 30)
        if receiver.is_alive():
            break
    assert step > 20
    assert province.arrived() == expected(*dossiers)


def handed_on(registry: Registry) -> list[Submission]:
    return in_state(registry, State.FILED) + in_state(registry, State.ANSWERED)


# --- in this process: the worker's own rounds ---


@pytest.fixture
def rounds(province: Province) -> Iterator[tuple[Province, worker.Worker, Registry]]:
    """Committed dossiers, and a worker that nobody has started."""
    province.start("tthc-model")
    province.start("receiver")
    province.kill("tthc-model")
    for _ in range(3):
        assert province.outbox.put(make_dossier(evidence=200), province.sealer) is None
    until(lambda: province.forward() == 0)
    province.kill("receiver")
    province.start("tthc-model")
    settings = province.settings.receiver
    database = SqliteDatabase(settings.state)
    registry = Registry(database, FileBlobs(settings.state), signed.signing_key(settings.receipt_key_file, "key"))
    key = signed.opening_key(settings.hpke_key_file, "key")
    desk = open_desk(settings, database)
    yield province, worker.Worker(registry, desk, {key_id(key.public_key()): key}, database.lead), registry
    database.close()


def test_a_dossier_that_the_system_stumbles_over_does_not_stop_the_others(rounds):
    province, work, registry = rounds
    fault(province, Fault.ERROR_AFTER, "POST /o/rest/v2/dossiers")
    work._round()
    assert len(handed_on(registry)) == 2
    until(lambda: (work._round(), len(in_state(registry, State.COMMITTED)) == 0)[1])
    assert in_state(registry, State.QUARANTINED) == []


def test_a_system_that_stumbles_over_everything_counts_as_away(rounds):
    province, work, registry = rounds
    fault(province, Fault.ERROR_AFTER, "/o/rest", count=worker.MOST_STUMBLES)
    with pytest.raises(worker.Unclear):
        work._round()
    assert len(in_state(registry, State.COMMITTED)) == 3


def test_a_defect_in_one_dossier_sets_it_aside_and_says_class_and_place_only(rounds, monkeypatch, caplog):
    _, work, registry = rounds
    file, broken = work._tthc.file, in_state(registry, State.COMMITTED)[0]

    def defective(opened) -> None:
        if not handed_on(registry) and not in_state(registry, State.QUARANTINED):
            raise RuntimeError(f"{CANARY} {CANARY_ID}")
        file(opened)

    monkeypatch.setattr(work._tthc.__class__, "file", lambda _, opened: defective(opened))
    with caplog.at_level(logging.DEBUG):
        work._round()
    [aside] = in_state(registry, State.QUARANTINED)
    assert aside.submission == broken.submission
    assert len(handed_on(registry)) == 2
    assert re.search(r"quarantined: a defect: RuntimeError at test_worker\.py:\d+", caplog.text)
    assert CANARY not in caplog.text
    assert CANARY_ID not in caplog.text


def test_a_defect_of_a_round_is_told_without_its_message_and_the_worker_goes_on(rounds, monkeypatch, caplog):
    _, work, registry = rounds
    due, calls = registry.due, itertools.count()
    monkeypatch.setattr(worker, "LONGEST_WAIT", 0.05)

    def once_broken(state: State, longest: float):
        if next(calls) == 0:
            raise OSError(5, CANARY)
        return due(state, longest)

    monkeypatch.setattr(registry, "due", once_broken)
    work.start()
    until(lambda: not in_state(registry, State.COMMITTED))
    work.stop()
    assert re.search(r"a defect; it goes on: OSError at test_worker\.py:\d+", caplog.text)
    assert CANARY not in caplog.text
    assert in_state(registry, State.QUARANTINED) == []


def test_the_catalogue_comes_over_while_dossiers_go(rounds, tmp_path: Path):
    province, work, registry = rounds
    sample = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"
    (province.root / "catalogue.toml").write_bytes(sample.read_bytes())
    work.start()
    until(lambda: work._tthc.catalogues.latest())
    until(lambda: not in_state(registry, State.COMMITTED))
    work.stop()
    assert [version[-2:] for version in work._tthc.catalogues.versions()] == [".1"]
