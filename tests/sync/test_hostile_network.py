"""Between kiosk and province is a line that delays, cuts, lies and falls silent: each dossier arrives exactly once."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fault_proxy import Fault, FaultProxy, Plan, chaos, portal
from kiosk.config import Settings
from sync import forwarder
from sync.forwarder import run
from sync.keys import create_world
from tests.sync.province import Province, expected, make_dossier, until


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Province]:
    """One province for all of them: faults leave nothing behind but delivered dossiers."""
    built = Province(tmp_path_factory.mktemp("town"), keys)
    built.start("tthc-model")
    built.start("receiver")
    yield built
    built.close()


@pytest.fixture(scope="module")
def line(town: Province) -> Iterator[FaultProxy]:
    with FaultProxy(town.ports["receiver"]) as proxy:
        yield proxy


@pytest.fixture
def filed(town: Province):
    """Two dossiers, and what is to be true of them at the end."""
    dossiers = [make_dossier(evidence=300_000), make_dossier()]
    for dossier in dossiers:
        assert town.outbox.put(dossier, town.sealer) is None
    return dossiers


def over(town: Province, proxy: FaultProxy, timeout: float = 5.0, kbit: float = 0) -> Settings:
    office = replace(town.settings.office, url=f"https://127.0.0.1:{proxy.port}", timeout=timeout)
    return replace(town.settings, office=replace(office, kbit_per_second=kbit))


def first(fault: Fault, connections: int = 1) -> Plan:
    """The next connections meet it, later ones do not."""
    left = iter([fault] * connections)
    return lambda _: next(left, Fault())


def arrives(town: Province, settings: Settings, dossiers, seconds: float = 30) -> None:
    until(lambda: run(settings, once=True) == 0 and set(town.states()) == {"answered"}, seconds)
    wanted = expected(*dossiers)
    assert {uid: files for uid, files in town.arrived().items() if uid in wanted} == wanted


ALONE = {
    "delay": Fault(delay=0.02),
    "reset at once": Fault(refused=True),
    "reset in the handshake": Fault(cut_answer=700),
    "reset after the first answers": Fault(cut_answer=4600),
    "reset in mid-upload": Fault(cut_request=150_000),
    "nothing is heard": Fault(silent=True),
    "the answers get lost": Fault(hush_answer=4600),
    "a byte now and then": Fault(trickle=20),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_fault_alone_ends_in_one_accepted_record(name: str, town: Province, line: FaultProxy, filed):
    line.plan = first(ALONE[name])
    settings = over(town, line, timeout=2.0)
    begun = time.monotonic()
    outcome = run(settings, once=True)
    assert time.monotonic() - begun < 60
    assert outcome == (0 if name == "delay" else 1)
    arrives(town, settings, filed)


def test_every_cut_of_an_answer_leaves_one_record(town: Province, line: FaultProxy):
    """The reply is lost after each possible step: what was done is not done twice."""
    dossiers = []
    for cut in range(2400, 6000, 150):
        dossiers.append(make_dossier())
        assert town.outbox.put(dossiers[-1], town.sealer) is None
        line.plan = first(Fault(cut_answer=cut))
        run(over(town, line), once=True)
    line.plan = lambda _: Fault()
    arrives(town, over(town, line), dossiers)


def test_a_line_full_of_faults_lets_everything_through_in_the_end(town: Province, line: FaultProxy):
    seed = random.randrange(10**6)
    print("seed", seed)
    dossiers = [make_dossier(evidence=random.Random(seed).randrange(1000, 400_000)) for _ in range(4)]
    for dossier in dossiers:
        assert town.outbox.put(dossier, town.sealer) is None
    line.plan = chaos(seed)
    arrives(town, over(town, line), dossiers, 60)


PORTALS = {
    "in plain HTTP": lambda keys, strange: portal(),
    "with a certificate of its own": lambda keys, strange: portal(strange / "receiver.pem", strange / "receiver.key"),
    "with the receiver's certificate": lambda keys, strange: portal(keys / "receiver.pem", keys / "receiver.key"),
    "that sends elsewhere": lambda keys, strange: portal(keys / "receiver.pem", keys / "receiver.key", 302),
}


@pytest.mark.parametrize("name", PORTALS)
def test_a_captive_portal_is_not_the_receiver(
    name, town: Province, line: FaultProxy, filed, keys: Path, tmp_path: Path
):
    create_world(tmp_path / "strange", ["K01"])
    with PORTALS[name](keys, tmp_path / "strange") as port:
        line.plan = lambda _: Fault(to=port)
        assert run(over(town, line), once=True) == 1
        assert set(town.states()[-2:]) <= {"sealed", "manifest_sent"}
        assert town.outbox.road().problem
    line.plan = lambda _: Fault()
    arrives(town, over(town, line), filed)


def test_a_proxy_of_the_environment_is_not_used(town: Province, line: FaultProxy, filed, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    arrives(town, over(town, line), filed)


def test_a_line_that_is_too_slow_for_a_large_piece_is_used_with_small_ones(town: Province):
    dossier = make_dossier(evidence=300_000)
    assert town.outbox.put(dossier, town.sealer) is None
    with FaultProxy(town.ports["receiver"], kbit=1000) as slow:  # 256 KB take two seconds, and only one is given
        settings = over(town, slow, timeout=1.0)
        client = forwarder.ReceiverClient(settings.office)
        work = forwarder.Forwarder(town.outbox, client, settings)
        assert work.drain() == 1
        until(lambda: work.drain() == 0)
        client.close()
    arrives(town, town.settings, [dossier])


def test_no_more_is_sent_than_the_commune_allows(town: Province, line: FaultProxy):
    dossier = make_dossier(evidence=200_000)
    assert town.outbox.put(dossier, town.sealer) is None
    line.plan = lambda _: Fault()
    before, begun = line.passed, time.monotonic()
    assert run(over(town, line, kbit=1000), once=True) == 0
    seconds, sent = time.monotonic() - begun, line.passed - before
    assert sent > 200_000
    assert sent / seconds < 1000 * 125 * 1.15
    arrives(town, over(town, line), [dossier])
