"""`/metrics` for Prometheus and `/healthz`: latencies of this process, counts from the database.

Counts begin anew with the business day, as counters may; several server processes on one database report the same.
"""

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk.health import Reason
from kiosk_queue import estimate
from kiosk_queue.floor import LINE, View
from kiosk_queue.hall.announcements import announcer
from kiosk_queue.model import Json
from kiosk_queue.storage.store import Row, StorageFault
from kiosk_queue.web import Site, problem

HEALTHY_SECONDS = 2.0
"""A database that takes longer for one look counts as broken."""

Observer = Histogram
_LATENCY = Histogram(
    "queue_request_seconds",
    "Seconds from request to answer of the API",
    ("method", "path", "status"),
    registry=None,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


_WAITING = (
    f"SELECT service, urgent, count(*) AS tickets FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
    " GROUP BY service, urgent"
)


def latency(method: str, path: str, status: int) -> Observer:
    """Where the seconds of such answers are observed."""
    return _LATENCY.labels(method, path, str(status))


def routes(site: Site) -> list[BaseRoute]:
    """Both pages, for the whole server."""

    async def metrics(_: Request) -> Response:
        centres = await site.answers.of(site.desk.store.read(lambda tx: tx.all("SELECT id FROM centre ORDER BY id")))
        counts = {row["id"]: await site.see(row["id"], _counts) for row in centres}
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_LATENCY)
        registry.register(_Counts(counts, site.feed.listeners))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz(_: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTHY_SECONDS):
                await site.see(site.home, lambda view: view.seq)
        except (TimeoutError, StorageFault):
            return problem(503, "storage_error", "Cơ sở dữ liệu không trả lời")
        voice = announcer(site.settings.voice_folder, site.settings.voice).status
        status = "ok" if voice.usable or voice.reason is Reason.STARTING else "degraded"  # the queue works without
        return JSONResponse({"status": status, "voice": voice.as_json()})

    return [Route("/metrics", metrics), Route("/healthz", healthz)]


def _counts(view: View) -> Json:
    """Of the business day, by service."""
    names = {"centre": view.centre.id, "day": view.day}
    return {
        "issued": view.tx.all(
            "SELECT service, count(*) AS tickets, count(called_at) AS called FROM ticket"
            " WHERE centre = :centre AND day = :day GROUP BY service",
            **names,
        ),
        "waiting": view.tx.all(
            _WAITING,
            **names,
        ),
        "counters": view.tx.all(
            "SELECT CASE WHEN paused = '' THEN 'open' ELSE 'paused' END AS state, count(*) AS counters FROM desk"
            " WHERE centre = :centre GROUP BY 1",
            centre=view.centre.id,
        ),
        "accuracy": estimate.accuracy(view),
        "services": tuple(view.centre.services),
        "events": view.seq,
    }


class _Counts(Collector):
    """What the database says, as metrics."""

    def __init__(self, counts: dict[str, Json], listeners: int) -> None:
        self._counts, self._listeners = counts, listeners

    def collect(self) -> Iterator[Metric]:
        """Every metric with all its centres."""
        labels = ("centre", "service")
        issued = CounterMetricFamily("queue_tickets_issued", "Numbers given out this business day", labels=labels)
        called = CounterMetricFamily("queue_tickets_called", "Of them called at least once", labels=labels)
        waiting = GaugeMetricFamily("queue_waiting", "Numbers that wait", labels=(*labels, "priority"))
        counters = GaugeMetricFamily("queue_counters", "Counters by state", labels=("centre", "state"))
        error = GaugeMetricFamily(
            "queue_estimate_error_minutes", "Today's wait estimates against what came", labels=("centre", "figure")
        )
        covered = GaugeMetricFamily(
            "queue_estimate_covered_ratio", "Share of waits within the estimated range", labels=("centre", "range")
        )
        seq = CounterMetricFamily("queue_events", "Events of the centre since it exists", labels=("centre",))
        for centre, found in self._counts.items():
            for family, names in ((error, ("mae", "bias", "mean_wait")), (covered, ("p20_p80", "p10_p90"))):
                for name in names:
                    if found["accuracy"][name] is not None:
                        family.add_metric((centre, name), found["accuracy"][name])
            seq.add_metric((centre,), found["events"])
            for service, row in _each(found["services"], found["issued"]):
                issued.add_metric((centre, service), row["tickets"] if row else 0)
                called.add_metric((centre, service), row["called"] if row else 0)
            for urgent in (0, 1):
                rows = [row for row in found["waiting"] if row["urgent"] == urgent]
                for service, row in _each(found["services"], rows):
                    waiting.add_metric((centre, service, "yes" if urgent else "no"), row["tickets"] if row else 0)
            for row in found["counters"]:
                counters.add_metric((centre, row["state"]), row["counters"])
        yield from (issued, called, waiting, counters, error, covered, seq)
        yield GaugeMetricFamily("queue_sse_listeners", "Event streams of this process", value=self._listeners)


def _each(services: Iterable[str], rows: list[Row]) -> Iterator[tuple[str, Row | None]]:
    found = {row["service"]: row for row in rows}
    return ((service, found.get(service)) for service in sorted({*services, *found}))
