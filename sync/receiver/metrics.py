"""`/metrics` for Prometheus: counts from the database, latencies of this process; no label names a dossier."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kiosk.clock import from_iso
from sync.receiver.database import Database, Row
from sync.receiver.shapes import Report

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = Histogram(
    "receiver_request_seconds",
    "Seconds from request to answer",
    ("request", "status"),
    registry=None,
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BYTES = Counter("receiver_blob_bytes", "Bytes of pieces taken", registry=None)


def page(database: Database) -> bytes:
    """The text of the page; raises DatabaseFault."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (SECONDS, BYTES, _Counts(database)):
        registry.register(collector)
    return generate_latest(registry)


class _Counts(Collector):
    """What the database says now."""

    def __init__(self, database: Database) -> None:
        with database.read() as tx:
            self._states = tx.all("SELECT state, count(*) AS number FROM submission GROUP BY state")
            self._alarms = tx.all("SELECT kind, count(*) AS number FROM alarm WHERE ended_at IS NULL GROUP BY kind")
            self._kiosks = tx.all("SELECT * FROM kiosk WHERE retired_at IS NULL")
            self._held = tx.one("SELECT count(*) AS number FROM filing WHERE held_for IS NOT NULL")

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        yield _by("receiver_submissions", "Submissions by state", "state", self._states)
        yield _by("receiver_alarms", "Open alarms", "kind", self._alarms)
        held = self._held["number"] if self._held else 0
        yield GaugeMetricFamily("receiver_held", "Dossiers that wait for a person's word", value=held)
        silence = GaugeMetricFamily("receiver_kiosk_silence_seconds", "Since a kiosk was heard", labels=("kiosk",))
        waiting = GaugeMetricFamily("receiver_kiosk_waiting", "Dossiers without a receipt", labels=("kiosk",))
        oldest = GaugeMetricFamily("receiver_kiosk_oldest_seconds", "Age of the oldest of them", labels=("kiosk",))
        now = datetime.now(UTC)
        for row in self._kiosks:
            if row["last_contact"]:
                silence.add_metric((row["id"],), (now - from_iso(row["last_contact"])).total_seconds())
            if row["report"]:
                report = msgspec.json.decode(row["report"], type=Report)
                waiting.add_metric((row["id"],), report.waiting)
                oldest.add_metric((row["id"],), report.oldest_seconds or 0)
        yield from (silence, waiting, oldest)


def _by(name: str, text: str, label: str, rows: list[Row]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for row in rows:
        family.add_metric((row[label],), row["number"])
    return family
