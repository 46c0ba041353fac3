"""Report, reconciliation and catalogue before the real receiver: what it keeps, and that both sides agree."""

import json
import shutil
from pathlib import Path

from sync.client import ReceiverClient
from sync.contradictions import Contradictions
from sync.receiver.database import open_database
from sync.reporting import Reporter
from tests.sync.province import Province, make_dossier, until

SAMPLE = Path(__file__).parents[2] / "assets" / "catalogue" / "sample.toml"


def test_the_receiver_keeps_the_report_and_agrees_on_what_was_receipted(open_province: Province):
    province = open_province
    for _ in range(3):
        assert province.outbox.put(make_dossier(), province.sealer) is None
    province.deliver()
    kiosk = province.settings.kiosk.id
    database = open_database(province.settings.receiver)
    with database.write() as tx:
        tx.run("INSERT INTO kiosk (id, enrolled_at) VALUES (:id, '2026') ON CONFLICT DO NOTHING", id=kiosk)
    client = ReceiverClient(province.settings.office)
    reporter = Reporter(province.outbox, client, province.settings)
    reporter.report()
    assert reporter.clock == ""
    reporter.reconcile()
    assert Contradictions(province.outbox).all() == []
    client.close()
    with database.read() as tx:
        row = tx.one("SELECT * FROM kiosk WHERE id = :id", id=kiosk)
    database.close()
    assert row is not None
    report = json.loads(row["report"])
    assert (report["last_sequence"], report["waiting"], report["quarantined_count"]) == (3, 0, 0)
    assert report["audit"]["n"] == province.outbox.head.n
    assert json.loads(row["reconciliation"])["agrees"] is True


def test_the_receiver_says_what_it_holds_if_the_kiosk_has_forgotten(open_province: Province):
    """An old copy of the kiosk's disk is in use: the receiver holds a number that the outbox does not know."""
    province = open_province
    assert province.outbox.put(make_dossier(), province.sealer) is None
    province.deliver()
    client = ReceiverClient(province.settings.office)
    reporter = Reporter(province.outbox, client, province.settings)
    known = reporter._contradictions.known
    reporter._contradictions.known = lambda first, last: known(first, last)[1:]
    reporter.reconcile()
    [one] = Contradictions(province.outbox).all()
    assert "this outbox does not know it" in str(one)
    client.close()


def test_the_catalogue_of_the_tthc_system_reaches_the_kiosk(province: Province):
    shutil.copy(SAMPLE, province.root / "catalogue.toml")
    province.start("tthc-model")
    province.start("receiver")
    client = ReceiverClient(province.settings.office)
    reporter = Reporter(province.outbox, client, province.settings)
    released = province.settings.kiosk.state / "catalogue.json"

    def taken() -> bool:
        reporter.fetch_catalogue()
        return released.exists()

    until(taken)
    before = released.stat().st_mtime_ns
    reporter.fetch_catalogue()
    assert released.stat().st_mtime_ns == before
    client.close()
