"""A province whose database has a synchronous standby: what has a receipt outlives the machine that gave it."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import postgres
from kiosk.config import ReceiverSettings
from sync.outbox import Sealer
from sync.receiver.blobs import open_blobs
from sync.receiver.database import DatabaseFault, open_database
from sync.receiver.registry import Registry
from tests.sync.province import Province, expected, make_dossier, until
from tests.sync.test_receiver_storage import RECEIPTS, announce, envelope

SYNCHRONOUS = "synchronous_standby_names=standby1"


class Pair:
    """A primary, its standby, and the address that names both."""

    def __init__(self, primary: postgres.Cluster, standby: postgres.Cluster) -> None:
        self.primary, self.standby = primary, standby
        self.address = f"{primary.new_database()},{standby.folder}"

    def waiting(self) -> list[int]:
        """Backends of the primary that wait for the standby."""
        with psycopg.connect(self.primary.address(), autocommit=True) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()
        return [pid for (pid,) in found]

    def fail_over(self) -> None:
        """The primary's machine is lost; a person makes the standby the primary."""
        self.primary.stop("immediate")
        self.standby.promote()


@contextlib.contextmanager
def pair(*settings: str) -> Iterator[Pair]:
    with postgres.cluster(*settings) as primary, postgres.standby(primary, "standby1") as standby:
        yield Pair(primary, standby)


@contextlib.contextmanager
def receiving(address: str, folder: Path) -> Iterator[Registry]:
    """A receiver's registry over that database."""
    settings = ReceiverSettings(state=folder, database=address)
    with contextlib.closing(open_database(settings)) as database:
        yield Registry(database, open_blobs(settings), RECEIPTS)


def arrived(registry: Registry, sealer: Sealer) -> str:
    """A submission that is here whole and has no receipt yet."""
    sealed = envelope(sealer, 1)
    submission = announce(registry, sealed)
    for sha256, content in sealed.blobs.items():
        registry.append("K01", sha256, 0, content)
    return submission


def test_no_receipt_is_given_before_the_standby_has_it_not_even_one_that_is_found_after_a_crash(tmp_path, sealer):
    with pair(SYNCHRONOUS) as two, receiving(two.address, tmp_path) as registry, ThreadPoolExecutor(1) as hand:
        submission = arrived(registry, sealer)
        two.standby.stop()
        asked = hand.submit(registry.commit, "K01", submission)
        until(two.waiting)
        two.primary.stop("immediate")
        with pytest.raises(DatabaseFault):
            asked.result(30)
        two.primary.start()  # where the row is now, and nowhere else
        for ask in (registry.commit, registry.receipt):
            asked = hand.submit(ask, "K01", submission)
            until(lambda asked=asked: asked.done() or two.waiting())
            assert not asked.done()
            two.standby.start()
            receipt = asked.result(30)
            two.standby.stop()
        two.standby.start()
        two.fail_over()
        assert registry.receipt("K01", submission) == receipt


def test_a_wait_for_the_standby_that_was_cut_short_is_no_success(tmp_path, sealer):
    with pair(SYNCHRONOUS) as two, receiving(two.address, tmp_path) as registry, ThreadPoolExecutor(1) as hand:
        submission = arrived(registry, sealer)
        two.standby.stop()
        asked = hand.submit(registry.commit, "K01", submission)
        until(two.waiting)
        with psycopg.connect(two.primary.address(), autocommit=True) as connection:
            for backend in two.waiting():
                connection.execute("SELECT pg_cancel_backend(%s)", [backend])
        with pytest.raises(DatabaseFault, match="standby"):
            asked.result(30)


def test_without_a_synchronous_standby_a_receipt_may_be_lost_with_its_machine(tmp_path, sealer):
    """What the tests above would notice."""
    with pair() as two, receiving(two.address, tmp_path) as registry:
        submission = arrived(registry, sealer)
        until(lambda: two.standby.caught_up(two.primary))
        two.standby.stop()
        assert registry.commit("K01", submission)
        two.primary.stop("immediate")
        two.standby.start()
        two.standby.promote()
        assert submission not in [name for _, name, _ in registry.receipted("K01", 1, 1)]


def test_the_receiver_goes_on_with_the_standby_and_every_dossier_arrives_once(tmp_path: Path, keys: Path):
    with pair(SYNCHRONOUS) as two:
        province = Province(tmp_path, keys, database=two.address)
        try:
            province.start("tthc-model")
            province.start("receiver")
            dossiers = [make_dossier() for _ in range(6)]
            for dossier in dossiers[:3]:
                assert province.outbox.put(dossier, province.sealer) is None
            assert province.forward() == 0
            for dossier in dossiers[3:]:
                assert province.outbox.put(dossier, province.sealer) is None
            two.primary.stop("immediate")
            meanwhile = province.start("forward-once")
            two.standby.promote()
            meanwhile.join(60)
            province.deliver()
            assert province.arrived() == expected(*dossiers)
        finally:
            province.close()
