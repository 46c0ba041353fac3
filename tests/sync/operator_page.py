"""The operator's page as a process, operators with browsers, and a province's rows written into its database."""

import json
import os
import random
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page

from kiosk.clock import utc_iso
from kiosk.config import Settings, load
from sync.envelope import Label, Sealed, new_submission_id, read_manifest, seal
from sync.outbox import Sealer
from sync.receiver.database import Database
from sync.receiver.operator import accounts
from tests.sync import delivery_process
from tests.sync.province import PROCESSES, free_port, until

PASSWORD = "đi chợ mua 3 cân gạo"


def moment(**ago: float) -> str:
    """So long ago, as it is stored."""
    return utc_iso(datetime.now(UTC) - timedelta(**ago))


@dataclass
class OperatorPage:
    """`serve operator` over the database of `root`'s receiver, as a process."""

    root: Path
    receiver: str = ""
    extra: str = ""
    port: int = field(default_factory=free_port)
    process: object = None

    @property
    def config(self) -> Path:
        return self.root / "operator.toml"

    @property
    def settings(self) -> Settings:
        return load(self.config, {})

    @property
    def url(self) -> str:
        return f"http{'s' if self.extra else ''}://127.0.0.1:{self.port}"

    def start(self) -> "OperatorPage":
        self.config.write_text(f"[receiver]\n{self.receiver}\n[operator]\nport = {self.port}\n{self.extra}\n")
        log = self.root / "operator.log"
        self.process = PROCESSES.Process(target=delivery_process.child, args=("operator", self.config, log, None))
        self.process.start()
        until(lambda: self.listens() or not self.process.is_alive())
        assert self.process.is_alive(), log.read_text()
        return self

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join(30)
            self.process = None

    def signed_in(self, browser: Browser, name: str, to: str = "/", **viewport: int) -> Page:
        """A browser of its own with `name` signed in."""
        size = {"width": 1366, "height": 768} | viewport
        page = browser.new_context(viewport=size, locale="vi-VN").new_page()
        page.goto(f"{self.url}/sign-in?to={to}")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.url}{to}")
        return page

    def session(self, name: str) -> requests.Session:
        """The same without a browser."""
        session = requests.Session()
        session.headers["origin"] = self.url
        fields = {"name": name, "password": PASSWORD}
        answer = session.post(f"{self.url}/sign-in", fields, allow_redirects=False, timeout=30)
        assert answer.status_code == 303, answer.text
        return session


def add_operators(database: Database, *names: str) -> None:
    for name in names:
        accounts.add(database, name, PASSWORD)


# --- rows ---

REPORT = {
    "schema": 1,
    "program": "0.9.2",
    "first_sequence": 1,
    "last_sequence": 1200,
    "waiting": 0,
    "oldest_seconds": None,
    "quarantined": [],
    "quarantined_count": 0,
    "bytes_free": 38_000_000_000,
    "days_free": 96.4,
    "audit": {"n": 4000, "sha256": "0" * 64},
    "certificate_days": 611,
}


def add_kiosk(database: Database, kiosk: str, heard: str | None = None, clock: float = 0, **report: object) -> None:
    """A kiosk that reported just now, or at `heard`; `clock`: how many seconds its own is ahead."""
    at = heard or moment(seconds=20)
    said = REPORT | report | {"utc": utc_iso(datetime.fromisoformat(at) + timedelta(seconds=clock))}
    found = json.dumps({"from": 1, "to": said["last_sequence"], "agrees": True})
    with database.write() as tx:
        tx.run(
            "INSERT INTO kiosk (id, enrolled_at, last_contact, report, reported_at, contiguous, reconciled_at,"
            " reconciliation) VALUES (:id, :enrolled, :at, :report, :at, :last, :reconciled, :found)",
            id=kiosk, enrolled=moment(days=200), at=at, report=json.dumps(said), last=said["last_sequence"],
            reconciled=moment(hours=5), found=found,
        )  # fmt: skip


def add_alarm(database: Database, kiosk: str, kind: str, detail: str, raised: str, ended: str | None = None) -> None:
    with database.write() as tx:
        tx.run(
            "INSERT INTO alarm (kiosk, kind, detail, raised_at, ended_at) VALUES (:kiosk, :kind, :detail, :at, :ended)",
            kiosk=kiosk, kind=kind, detail=detail, at=raised, ended=ended,
        )  # fmt: skip


def add_submission(database: Database, sealed: Sealed, **columns: object) -> str:
    """A received submission with a real manifest; further columns as given."""
    manifest = read_manifest(sealed.manifest, None)
    values = {
        "kiosk": manifest.kiosk,
        "submission": manifest.submission,
        "sequence": manifest.sequence,
        "manifest_sha256": manifest.sha256,
        "manifest": sealed.manifest,
        "announced_at": moment(hours=2),
        "received_at": moment(hours=2),
        "state": "committed",
        "receipt": b"receipt",
        "owner_hash": b"hash",
    } | columns
    with database.write() as tx:
        counted = tx.one("UPDATE counter SET value = value + 1 WHERE name = 'receipt' RETURNING value")
        values["receipt_number"] = counted["value"]
        names = ", ".join(values)
        tx.run(f"INSERT INTO submission ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values)
    return manifest.submission


def hold(database: Database, uid: str, reason: str, held: str | None = None, handle: str | None = None) -> None:
    """The TTHC system's answer about this dossier is not known."""
    with database.write() as tx:
        tx.run(
            "INSERT INTO filing (reference_uid, handle, sent_at, looks, held_for, held_at)"
            " VALUES (:uid, :handle, :at, 5, :reason, :at)",
            uid=uid, handle=handle, reason=reason, at=held or moment(minutes=40),
        )  # fmt: skip


def envelope(sealer: Sealer, sequence: int, kiosk: str = "K01") -> Sealed:
    label = Label(
        kiosk,
        new_submission_id(),
        sequence,
        f"TAM-{sequence:04}-KX7M",
        "1.001193",
        datetime.now(UTC),
        os.urandom(8).hex(),
    )
    return seal(label, {"n": sequence}, {"a.pdf": os.urandom(500)}, sealer.recipients, sealer.by)


QUARANTINED = "sealed to the keys 3f1c2d9a7be04411, 91aa0c3d5e7f2b68; held: 7d20e5c1b94a3f06"
UNKNOWN = "unknown outcome: find: HTTP 500"


def fill(database: Database, sealer: Sealer, kiosks: int = 30, long: str = "") -> None:
    """A province on an ordinary bad day; `long` text in every place that people or programs fill."""
    add_operators(database, "lan.tiepnhan", "hai.kythuat")
    chance = random.Random(7)
    for n in range(1, kiosks + 1):
        report = {"last_sequence": chance.randint(300, 4000), "waiting": chance.choice((0, 0, 0, 1, 2))}
        report["oldest_seconds"] = chance.randint(2, 90) if report["waiting"] else None
        add_kiosk(database, f"HN-{n:03}{long}"[:64], **(report | _TROUBLE.get(n, {})))
    names = [f"HN-{n:03}{long}"[:64] for n in range(1, kiosks + 1)]
    with database.write() as tx:
        tx.run("UPDATE kiosk SET last_contact = NULL, report = NULL WHERE id = :id", id=names[20])
        tx.run("UPDATE kiosk SET reconciliation = :no WHERE id = :id", id=names[13], no='{"agrees": false}')
    for n, kind, detail in _ALARMS:
        add_alarm(database, names[n - 1] if n else "", kind, f"{detail} {long}".strip(), moment(minutes=5 + 13 * n))
    add_alarm(
        database, names[1], "silent", "không liên lạc từ 2026-11-20T02:11:00.000Z", moment(days=3), moment(days=2)
    )
    _throughput(database, names, chance)
    aside = add_submission(
        database, envelope(sealer, 9001, names[6]), state="quarantined", problem=f"{QUARANTINED}{long}",
        quarantined_at=moment(hours=3, minutes=12),
    )  # fmt: skip
    add_submission(
        database, envelope(sealer, 9002, names[6]), state="quarantined", problem="a defect: KeyError at worker.py:187",
        quarantined_at=moment(days=1), reference_uid="aa" * 16, provisional_ref="TAM-7K2M-QX4P",
    )  # fmt: skip
    for number, uid in ((9003, "5e" * 16), (9004, "c0" * 16)):
        add_submission(
            database, envelope(sealer, number, names[9]), reference_uid=uid, provisional_ref=f"TAM-{number}-ZZ"
        )
        hold(database, uid, UNKNOWN + long)
    with database.write() as tx:
        for verdict, by in ((None, None), ("done", "hai.kythuat"), ("declined", "hai.kythuat")):
            tx.run(
                "INSERT INTO request (kiosk, submission, act, why, asked_by, asked_at, decided_by, decided_at, verdict)"
                " VALUES (:kiosk, :submission, 'replay', :why, 'lan.tiepnhan', :at, :by, :decided, :verdict)",
                kiosk=names[6], submission=aside, why=f"Đã nạp khóa niêm phong cũ vào máy tiếp nhận. {long}",
                at=moment(minutes=30), by=by, decided=moment(minutes=12) if by else None, verdict=verdict,
            )  # fmt: skip


_TROUBLE: dict[int, dict[str, object]] = {
    3: {"waiting": 14, "oldest_seconds": 8000},
    4: {"heard": moment(hours=7), "waiting": 3, "oldest_seconds": 500},
    7: {"quarantined_count": 1, "quarantined": [{"submission": "0" * 32, "problem": "a blob on disk was altered"}]},
    11: {"clock": 904.0},
    12: {"days_free": 4.2, "bytes_free": 1_900_000_000},
    13: {"certificate_days": 5},
    16: {"certificate_days": 22},
    17: {"program": "0.9.0"},
}
_ALARMS = (
    (3, "unsent", "hồ sơ cũ nhất chờ gửi 2.2 giờ"),
    (4, "silent", "không liên lạc từ 2026-11-23T08:12:00.000Z"),
    (5, "gap", "thiếu số 811–813, 990"),
    (7, "quarantine", "2 ở đây, 1 ở kiosk"),
    (11, "clock", "đồng hồ lệch 904 giây"),
    (12, "space", "còn chỗ cho 4.2 ngày"),
    (13, "certificate", "chứng thư còn 5 ngày"),
    (14, "disagreement", "đối soát không khớp lúc 2026-11-23T01:00:00.000Z"),
    (0, "held", "2 hồ sơ chờ người quyết định"),
)


def _throughput(database: Database, names: list[str], chance: random.Random) -> None:
    """Two days of answered submissions; the manifests are none."""
    rows = []
    for hour in range(48):
        local = (datetime.now(UTC) + timedelta(hours=7) - timedelta(hours=hour)).hour
        busy = {8: 40, 9: 55, 10: 48, 11: 20, 13: 25, 14: 45, 15: 38, 16: 18}.get(local, 0)
        for _ in range(int(busy * chance.uniform(0.7, 1.2))):
            at = datetime.now(UTC) - timedelta(hours=hour, minutes=chance.uniform(0, 40))
            rows.append(
                (at, at + timedelta(seconds=chance.uniform(1, 90)), at + timedelta(minutes=chance.uniform(2, 90)))
            )
    with database.write() as tx:
        for n, (received, filed, answered) in enumerate(rows):
            tx.run(
                "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at, state,"
                " receipt_number, receipt, owner_hash, received_at, filed_at, answered_at, answer) VALUES (:kiosk, :id,"
                " :n, 'x', :x, :r, 'answered', :number, :x, :x, :r, :f, :a, '{}')",
                kiosk=names[n % len(names)], id=f"{n:032x}", n=n + 1, number=100_000 + n, x=b"x",
                r=utc_iso(received), f=utc_iso(filed), a=utc_iso(answered),
            )  # fmt: skip


def rows(database: Database, query: str, **values: object) -> list[dict[str, object]]:
    with database.read() as tx:
        return [dict(row) for row in tx.all(query, **values)]
