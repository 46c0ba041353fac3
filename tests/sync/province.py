"""A province on loopback: keys, a receiver and a model TTHC system as processes, and a kiosk's outbox before them."""

import hashlib
import io
import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

import pikepdf
import requests

from kiosk.catalogue import Component, Procedure
from kiosk.citizen import Citizen, IdentityGrade
from kiosk.config import Settings, load
from kiosk.dossier import Dossier, Page, Papers, new_provisional_ref
from kiosk.text import Text
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import State
from sync.receiver.database import open_database
from sync.receiver.kiosks import register_world
from sync.receiver.registry import Registry, Submission, _submission
from tests.sync import delivery_process

# Processes are forked from a server that has imported everything and opened nothing.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "tests.sync.delivery_process"])

CANARY = "NGUYỄN THỊ CANHYẾN"
CANARY_ID = "001199000123"


def make_dossier(pages: int = 1, evidence: int = 2000, **changes: object) -> Dossier:
    """A dossier of an invented person: one captured component, one left on paper, chip evidence."""
    owner = Citizen(
        CANARY_ID,
        CANARY,
        date(1999, 1, 31),
        "Nữ",
        "Số 1, phố Thử Nghiệm, Hà Nội",
        IdentityGrade.ISSUER_VERIFIED,
        evidence={"EF.SOD": os.urandom(evidence)},
    )
    scan = Component("KQ01", Text("Giấy chứng sinh", "Birth certificate"), Text(""))
    paper = Component("KQ02", Text("Tờ khai", "Declaration"), Text(""), paper_allowed=True)
    procedure = Procedure(
        "1.001193.000.00.00.H05", Text("Đăng ký khai sinh"), "HT", "UBND phường Thử Nghiệm", (scan, paper), ()
    )
    values: dict[str, object] = {
        "reference_uid": os.urandom(16).hex(),
        "provisional_ref": new_provisional_ref(),
        "procedure": procedure,
        "owner": owner,
        "answers": {"phone": "0912000000", "note": f"của {CANARY}"},
        "papers": (Papers(scan, tuple(Page(b"", 1, 1, 200) for _ in range(pages)), make_pdf(pages)), Papers(paper)),
        "submitted_at": datetime.now(UTC),
        "support_place": "Trung tâm Thử Nghiệm",
    }
    return Dossier(**(values | changes))


def make_pdf(pages: int) -> bytes:
    document, content = pikepdf.new(), io.BytesIO()
    for _ in range(pages):
        document.add_blank_page()
    document.save(content)
    return content.getvalue()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition; fails when it never comes true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_state(registry: Registry, state: str) -> list[Submission]:
    """Everything in `state`, whether it is due or not, in the order of receipt."""
    with registry._database.read() as tx:
        rows = tx.all("SELECT * FROM submission WHERE state = :state ORDER BY receipt_number", state=state)
    return [_submission(row) for row in rows]


class Province:
    """Everything from the outbox to the TTHC system; programs run as processes of their own."""

    def __init__(self, root: Path, keys: Path, answer_seconds: float = 0.05, database: str = "") -> None:
        self.root = root
        self.ports = {"receiver": free_port(), "tthc-model": free_port()}
        self._running: dict[str, BaseProcess] = {}
        (root / "secrets").symlink_to(keys)
        (root / "log").mkdir()
        self.config = root / "motcua.toml"
        self.config.write_text(
            f"""
            [office]
            url = "https://127.0.0.1:{self.ports["receiver"]}"
            timeout = 10.0
            [receiver]
            port = {self.ports["receiver"]}
            database = "{database}"
            tthc_url = "http://127.0.0.1:{self.ports["tthc-model"]}/o/rest/v2"
            [tthc_model]
            port = {self.ports["tthc-model"]}
            answer_seconds = {answer_seconds}
            """
        )
        self.settings: Settings = load(self.config, {})
        self.enrol()
        self.outbox = Outbox(self.settings.kiosk.state / "outbox")
        self.outbox.take_over()
        self.sealer = Sealer.of(self.settings.office, self.settings.kiosk)

    def enrol(self) -> None:
        """Make the kiosks of the keys known to the receiver."""
        secrets = self.root / "secrets"
        database = open_database(self.settings.receiver)
        register_world(database, secrets, ["K01", "K02"] if (secrets / "K02.pem").exists() else ["K01"])
        database.close()

    def start(self, program: str, die_at: int | None = None) -> BaseProcess:
        """Start a program; a server is awaited."""
        log = self.root / "log" / f"{program}.log"
        process = PROCESSES.Process(target=delivery_process.child, args=(program, self.config, log, die_at))
        process.start()
        self._running[program] = process
        if program in self.ports:
            until(lambda: self.listens(program) or not process.is_alive())
            assert process.is_alive(), self.log(program)
        return process

    def listens(self, program: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[program])) == 0

    def kill(self, program: str, signal_number: int = signal.SIGKILL) -> int:
        """End a program; its exit code."""
        process = self._running.pop(program)
        os.kill(process.pid, signal_number)
        process.join(30)
        return process.exitcode

    def begin_steps(self, program: str) -> None:
        """From now on the steps of a server started with `die_at` count."""
        os.kill(self._running[program].pid, signal.SIGUSR1)

    def forward(self, die_at: int | None = None) -> int:
        """One pass of the forwarder; its exit code, negative if it was killed."""
        process = self.start("forward-once", die_at)
        process.join(30)
        return process.exitcode

    def deliver(self) -> None:
        """Forward until the TTHC system has answered for everything."""
        until(lambda: self.forward() == 0 and set(self.states()) <= {"answered", "quarantined"}, 30)

    def states(self) -> list[str]:
        """The states of all submissions in the order of their sequence."""
        every = [entry for state in State for entry in self.outbox.entries(state)]
        return [entry.state.value for entry in sorted(every, key=lambda entry: entry.sequence)]

    def tthc(self, path: str = "", **request: object) -> requests.Response:
        """A request to the TTHC system's API."""
        method = str(request.pop("method", "GET"))
        url = f"http://127.0.0.1:{self.ports['tthc-model']}/o/rest/v2/dossiers{path}"
        user, _, password = self.settings.receiver.tthc_user_file.read_text().strip().partition(":")
        return requests.request(method, url, auth=(user, password), timeout=30, **request)

    def arrived(self) -> dict[str, dict[str, str]]:
        """What the TTHC system holds on disk: {referenceUid: {file name: SHA-256}}, submitted dossiers only."""
        found: dict[str, dict[str, str]] = {}
        for path in (self.settings.tthc_model.state / "dossiers").glob("*.json"):
            dossier = json.loads(path.read_text())
            if dossier["dossierStatus"]:
                assert dossier["referenceUid"] not in found, "a dossier arrived twice"
                folder = self.settings.tthc_model.state / "files" / path.stem
                found[dossier["referenceUid"]] = {
                    file["name"]: hashlib.sha256((folder / file["referenceUid"]).read_bytes()).hexdigest()
                    for file in dossier["files"]
                }
        return found

    def log(self, program: str = "") -> str:
        return "".join(p.read_text() for p in sorted((self.root / "log").glob(f"{program}*")))

    def close(self) -> None:
        self.outbox.close()
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.join(30)


def expected(*dossiers: Dossier) -> dict[str, dict[str, str]]:
    """What `Province.arrived` says when these dossiers arrived whole."""
    return {
        d.reference_uid: {name: hashlib.sha256(content).hexdigest() for name, content in d.files().items()}
        for d in dossiers
    }
