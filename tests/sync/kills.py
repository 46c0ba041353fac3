"""Kiosk, receivers, connector and TTHC model behind a hostile network, killed at random while dossiers are filed.

Afterwards all is healed and drained, and each side's own log is put before the checker of histories.
"""

import multiprocessing.process
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fault_proxy import Fault, FaultProxy, Plan, chaos
from kiosk.config import load
from sync import audit, signed
from sync.inspection import inspect
from sync.receiver.database import open_database
from sync.reporting import tallied
from tests.sync import delivery_process
from tests.sync.history import Event
from tests.sync.province import CANARY_ID, PROCESSES, Province, free_port, make_dossier, until

BOUND = 90.0
"""Seconds in which the queue is to be empty after healing (I7)."""
VICTIMS = ("forward", "forward", "receiver", "receiver-2", "tthc-model")


class Rig(Province):
    """A province whose wires lead through fault proxies; with PostgreSQL there are two receivers."""

    def __init__(self, root: Path, keys: Path, seed: int, database: str = "") -> None:
        super().__init__(root, keys, database=database)
        self.dice = random.Random(seed)
        self._seed = seed
        self._printed: list[Event] = []
        self._receivers = ["receiver", "receiver-2"] if database else ["receiver"]
        self.ports["receiver-2"] = free_port()
        self.office = FaultProxy(self.ports["receiver"])
        self.tthc_wire = FaultProxy(self.ports["tthc-model"])
        self.kills = 0

    def configure(self) -> None:
        """Lead the wires through the proxies, which listen now."""
        receiver, model = self.ports["receiver"], self.ports["tthc-model"]
        more = "[receiver]\ntthc_timeout = 2.0\ntthc_settle_seconds = 2.0\n"
        text = self.config.read_text().replace("timeout = 10.0", "timeout = 3.0").replace("[receiver]", more)
        text = text.replace(f'"https://127.0.0.1:{receiver}', f'"https://127.0.0.1:{self.office.port}')
        text = text.replace(f'"http://127.0.0.1:{model}', f'"http://127.0.0.1:{self.tthc_wire.port}')
        self.config.write_text(text)
        second = text.replace(f"port = {receiver}\n", f"port = {self.ports['receiver-2']}\n")
        (self.root / "second.toml").write_text(second)
        self.settings = load(self.config, {})
        self.enrol()

    def start(self, program: str, die_at: int | None = None) -> multiprocessing.process.BaseProcess:
        """Also `receiver-2`, which has a configuration of its own."""
        if program != "receiver-2":
            return super().start(program, die_at)
        what = ("receiver", self.root / "second.toml", self.root / "log" / "receiver-2.log", None)
        process = PROCESSES.Process(target=delivery_process.child, args=what)
        process.start()
        self._running[program] = process
        until(lambda: self.listens(program) or not process.is_alive())
        assert process.is_alive(), self.log(program)
        return process

    def programs(self) -> list[str]:
        return ["tthc-model", *self._receivers, "forward"]

    def file(self) -> None:
        """A citizen files a dossier; the receipt is printed once `put` has said so."""
        dossier = make_dossier(evidence=self.dice.choice((1000, 30_000, 400_000)))
        failure = self.outbox.put(dossier, self.sealer)
        assert failure is None, failure
        row = self.outbox.records()[-1]
        ids = (row["submission"], row["sequence"], row["manifest_sha256"], dossier.reference_uid)
        self._printed.append(Event("kiosk", "printed", *ids))

    def trouble(self) -> None:
        """From now on the network is hostile, and with two receivers either one answers."""
        rough = chaos(self._seed, share=0.4)
        self.office.plan = self._either(rough)
        self.tthc_wire.plan = chaos(self._seed + 1, share=0.15)

    def _either(self, plan: Plan) -> Plan:
        if len(self._receivers) == 1:
            return plan
        ports = [self.ports[name] for name in self._receivers]
        return lambda number: replace(plan(number), to=ports[number % 2])

    def kill_one(self) -> str:
        victim = self.dice.choice([name for name in VICTIMS if name in self._running])
        assert self._running[victim].is_alive(), f"{victim} ended by itself: {self.log(victim)[-2000:]}"
        self.kill(victim, signal.SIGKILL)
        self.start(victim)
        self.kills += 1
        return victim

    def storm(self, kills: int) -> None:
        """Dossiers, faults, and so many kills."""
        self.trouble()
        while self.kills < kills:
            if tallied(self.outbox).waiting < 6 and self.dice.random() < 0.7:
                self.file()
            time.sleep(self.dice.uniform(0, 0.4))
            self.kill_one()

    def heal(self) -> float:
        """No fault any more; the seconds until everything is answered, or held for a person at the receiver."""
        self.office.plan = self._either(lambda _: Fault())
        self.tthc_wire.plan = lambda _: Fault()
        begun = time.monotonic()
        until(self._settled, BOUND * 2)
        return time.monotonic() - begun

    def _settled(self) -> bool:
        left = {row["submission"] for row in self.outbox.records() if row["state"] != "answered"}
        return not left or left <= self.held_for_a_person()

    def held_for_a_person(self) -> set[str]:
        """Nobody can tell whether they were filed, or they cannot be: an officer decides."""
        return {str(row["submission"]) for row in self.received() if row["state"] == "quarantined"}

    def received(self) -> list[dict[str, object]]:
        """The receiver's rows that have a receipt."""
        database = open_database(self.settings.receiver)
        try:
            with database.read() as tx:
                query = "SELECT * FROM submission WHERE receipt_number IS NOT NULL"
                return [dict(row) for row in tx.all(query)]
        finally:
            database.close()

    def history(self, drained: float) -> list[Event]:
        """What each side wrote down."""
        return [
            *self._printed,
            *self._of_outbox(),
            *self._of_province(),
            Event("kiosk", "drained", seconds=drained, bound=BOUND),
        ]

    def _of_outbox(self) -> Iterator[Event]:
        for line in audit.lines(self.settings.kiosk.state / "outbox" / "audit.log"):
            said = line.document
            yield Event("outbox", said["event"], said.get("submission", ""), said.get("sequence", 0))
        own = signed.signing_key(self.settings.office.signing_key_file, "key").public_key()
        report = inspect(self.outbox, own, signed.verifying_key(self.settings.office.receipt_key, "key"))
        for problem in report.problems:
            yield Event("outbox", "problem", text=problem)

    def _of_province(self) -> Iterator[Event]:
        for row in self.received():
            yield Event("receiver", "received", row["submission"], row["sequence"], row["manifest_sha256"])
        for uid in self.arrived():
            yield Event("tthc", "filed", uid=uid)
        province = self.settings.tthc_model.state
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_relative_to(province) and CANARY_ID.encode() in path.read_bytes():
                yield Event("disk", "plaintext", text=path.name)


@contextmanager
def rig(root: Path, keys: Path, seed: int, database: str = "") -> Iterator[Rig]:
    """Everything runs."""
    built = Rig(root, keys, seed, database)
    with built.office, built.tthc_wire:
        built.configure()
        try:
            for program in built.programs():
                built.start(program)
            yield built
        finally:
            built.close()
