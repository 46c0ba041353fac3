"""Alarms of the province: what stands still, is missing or does not agree, found by looking at the rows.

gap           a sequence number is missing below one that has come: proof of a loss
silent        not heard for `silent_seconds` in office hours
unsent        the oldest dossier without a receipt waits longer than an hour although the kiosk is heard
quarantine    submissions set aside, at the kiosk or here
disagreement  the last reconciliation did not agree
conflict      an id or number came a second time for something else (raised by the API)
clock, space, certificate    of the kiosk (delivery reference §9)
held          dossiers that wait for a person's word (province-wide)
"""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kiosk.clock import HANOI, from_iso, utc_iso
from kiosk.config import ReceiverSettings
from sync.receiver.database import Conflict, Database, DatabaseFault, Row, Tx

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
SETTLED = timedelta(seconds=60)
"""A number that came out of order may be missed for so long."""
LONGEST_UNSENT = 3600.0
CLOCK_SECONDS = 300.0
SPACE_DAYS = 7.0
CERTIFICATE_DAYS = 30
CONFLICT_KEPT = timedelta(days=7)
_SATURDAY = 5


class Watch:
    """Looks again and again in the process that leads."""

    def __init__(self, database: Database, settings: ReceiverSettings) -> None:
        self._database = database
        self._silent = timedelta(seconds=settings.silent_seconds)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._database.lead():
                    self.look(datetime.now(UTC))
            except DatabaseFault as fault:
                log.error("watch: the receiver's database: %s", fault)
            except Exception as defect:  # noqa: BLE001  # one look fails, the watch goes on
                log.error("watch: %s", type(defect).__name__)
            self._stop.wait(LOOK_SECONDS)

    def look(self, now: datetime) -> None:
        """Raise and end alarms by what is so at `now`."""
        with self._database.read() as tx:
            kiosks = tx.all("SELECT * FROM kiosk WHERE retired_at IS NULL ORDER BY id")
            held = tx.one("SELECT count(*) AS number FROM filing WHERE held_for IS NOT NULL")
        for row in kiosks:
            try:
                with self._database.write() as tx:
                    found = dict(findings(row, now, self._silent)) | self._of_submissions(tx, row, now)
                    _keep(tx, row["id"], found, now)
            except (ValueError, KeyError, TypeError) as defect:  # one kiosk's row does not blind the province
                log.error("watch: kiosk %s: its row is not understood (%s)", row["id"], type(defect).__name__)
        waiting = {"held": f"{held['number']} hồ sơ chờ người quyết định"} if held and held["number"] else {}
        with self._database.write() as tx:
            _keep(tx, "", waiting, now)

    def _of_submissions(self, tx: Tx, row: Row, now: datetime) -> dict[str, str]:
        found = {}
        missing = _gaps(tx, row["id"], row["contiguous"], now)
        if missing:
            found["gap"] = "thiếu số " + ", ".join(f"{a}–{b}" if a < b else str(a) for a, b in missing[:10])
        aside = tx.one(
            "SELECT count(*) AS number FROM submission WHERE kiosk = :kiosk AND state = 'quarantined'", kiosk=row["id"]
        )
        there = _report(row).get("quarantined_count", 0)
        if there or (aside and aside["number"]):
            found["quarantine"] = f"{aside['number'] if aside else 0} ở đây, {there} ở kiosk"
        return found


def findings(row: Row, now: datetime, silent: timedelta) -> Iterator[tuple[str, str]]:
    """Kind and detail of every alarm that a kiosk's own row gives reason for."""
    heard, report = row["last_contact"], _report(row)
    quiet = now - from_iso(heard or row["enrolled_at"])
    if quiet > silent and office_hours(now):
        yield "silent", f"không liên lạc từ {heard or 'khi đăng ký'}"
    if row["reconciliation"] and not json.loads(row["reconciliation"])["agrees"]:
        yield "disagreement", f"đối soát không khớp lúc {row['reconciled_at']}"
    if not report:
        return
    oldest, days = report["oldest_seconds"], report["days_free"]
    if oldest is not None and oldest > LONGEST_UNSENT and quiet < silent:
        yield "unsent", f"hồ sơ cũ nhất chờ gửi {oldest / 3600:.1f} giờ"
    off = (from_iso(report["utc"]) - from_iso(row["reported_at"])).total_seconds()
    if abs(off) > CLOCK_SECONDS:
        yield "clock", f"đồng hồ lệch {off:.0f} giây"
    if days is not None and days < SPACE_DAYS:
        yield "space", f"còn chỗ cho {days:.1f} ngày"
    if report["certificate_days"] < CERTIFICATE_DAYS:
        yield "certificate", f"chứng thư còn {report['certificate_days']} ngày"


def raise_alarm(database: Database, kiosk: str, kind: str, detail: str) -> None:
    """Raise one at once; it stays open until a look ends it."""
    try:
        with database.write() as tx:
            _raise(tx, kiosk, kind, detail, utc_iso(datetime.now(UTC)))
    except Conflict:
        return  # it is open already


def _keep(tx: Tx, kiosk: str, found: Mapping[str, str], now: datetime) -> None:
    """Make the open alarms of a kiosk what was found; a conflict is not found by looking and ends by age."""
    open_ = {row["kind"]: row for row in tx.all(_OPEN, kiosk=kiosk)}
    for kind, row in open_.items():
        aged = kind == "conflict" and now - from_iso(row["raised_at"]) > CONFLICT_KEPT
        if aged or (kind != "conflict" and kind not in found):
            tx.run("UPDATE alarm SET ended_at = :now WHERE number = :number", now=utc_iso(now), number=row["number"])
        elif kind in found and found[kind] != row["detail"]:
            tx.run("UPDATE alarm SET detail = :detail WHERE number = :number", detail=found[kind], number=row["number"])
    for kind in found.keys() - open_.keys():
        log.warning("alarm: kiosk %s: %s", kiosk or "-", kind)
        _raise(tx, kiosk, kind, found[kind], utc_iso(now))


_OPEN = "SELECT * FROM alarm WHERE kiosk = :kiosk AND ended_at IS NULL"


def _raise(tx: Tx, kiosk: str, kind: str, detail: str, now: str) -> None:
    tx.run(
        "INSERT INTO alarm (kiosk, kind, detail, raised_at) VALUES (:kiosk, :kind, :detail, :now)",
        kiosk=kiosk,
        kind=kind,
        detail=detail,
        now=now,
    )


def _gaps(tx: Tx, kiosk: str, contiguous: int, now: datetime) -> list[tuple[int, int]]:
    """First and last of the numbers that are missing; everything up to `contiguous` has been seen without a gap."""
    rows = tx.all(
        "SELECT sequence, announced_at FROM submission WHERE kiosk = :kiosk AND sequence > :contiguous"
        " ORDER BY sequence",
        kiosk=kiosk,
        contiguous=contiguous,
    )
    reached, whole, missing = contiguous, contiguous, []
    for row in rows:
        if row["sequence"] > reached + 1 and now - from_iso(row["announced_at"]) > SETTLED:
            missing.append((reached + 1, row["sequence"] - 1))
        elif row["sequence"] == whole + 1:
            whole = row["sequence"]
        reached = row["sequence"]
    if whole > contiguous:
        tx.run("UPDATE kiosk SET contiguous = :whole WHERE id = :kiosk", whole=whole, kiosk=kiosk)
    return missing


def _report(row: Row) -> dict[str, Any]:
    return json.loads(row["report"]) if row["report"] else {}


def office_hours(now: datetime) -> bool:
    """When a kiosk that is switched off is one too few: working days from 7:30 to 16:30 in Vietnam."""
    local = now.astimezone(HANOI)
    return local.weekday() < _SATURDAY and (7, 30) <= (local.hour, local.minute) < (16, 30)
