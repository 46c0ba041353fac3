"""Many clients over HTTP while server processes are killed; afterwards the database is held against every answer.

Every client repeats a request with its key until it is answered for good. Then must hold: no number twice, no ticket at
two counters, no event missing, every ticket's events lead to its state, and what was answered is what happened – once.

    python tests/conformance/stress.py --engine sqlite|postgres [--seconds S | --operations N] [--clients 32]
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2] / "benchmarks"), str(Path(__file__).parents[1] / "support")]

from queue_site import COUNTERS, SERVICES, Connection, Servers, connect  # noqa: E402

import postgres  # noqa: E402
from kiosk_queue.storage.store import Row, open_store  # noqa: E402

DEEDS = ("serve", "complete", "recall", "no-show", "hold", "transfer")
AFTER = ("unhold", "undo-transfer", "call", "void")
LINE_MOST = 300
"""With more in the line fewer numbers are taken: in a million operations it would grow for ever."""
LEAVES = {
    "completed": "completed", "no_show": "no_show", "held": "held", "transferred": "waiting", "moved_on": "waiting",
    "void": "void",
}  # fmt: skip


@dataclass
class Run:
    """What clients do and were told."""

    servers: Servers
    until: float
    most: int
    issued: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Key → (ticket, number)."""
    called: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(ticket, counter) → times answered."""
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(deed, ticket) → times answered."""
    answers: Counter[int] = field(default_factory=Counter)
    ahead: int = 0
    """Who waited before the newest number."""
    operations: int = 0
    repeated: int = 0
    kills: int = 0

    @property
    def going(self) -> bool:
        return time.monotonic() < self.until and self.operations < self.most


class Client:
    """One client: draws an operation, repeats it until it is answered, keeps the answer."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.number = run, number
        self.random = random.Random(number)
        self.counter = COUNTERS[number % len(COUNTERS)]  # two clients work at one counter: they contend
        self.port = run.servers.ports[number % len(run.servers.ports)]
        self.line: Connection | None = None
        self.keys = 0
        self.current = ""
        self.seen: list[str] = []

    async def work(self) -> None:
        await self.ask("counter", f"/counters/{self.counter}/open", {"officer": f"o{self.counter}"})
        while self.run.going:
            self.run.operations += 1
            chance = self.random.random()
            if chance < (0.35 if self.run.ahead < LINE_MOST else 0.05):
                await self.issue()
            elif chance < 0.65:
                await self.next()
            elif self.current and chance < 0.93:
                await self.deed(self.random.choice(DEEDS), self.current)
            elif self.seen:
                await self.deed(self.random.choice(AFTER), self.random.choice(self.seen[-20:]))

    async def issue(self) -> None:
        channel = self.random.choice(("kiosk", "web"))
        further = ["s1"] if self.random.random() < 0.1 else []
        wanted = {"service": self.random.choice(list(SERVICES)), "channel": channel, "further": further}
        if self.random.random() < 0.3:
            wanted["group"] = "elderly"
        key, status, body = await self.ask("kiosk", "/tickets", wanted)
        if status == 201:
            self.run.issued[key] = body["id"], body["number"]
            self.run.ahead = body["ahead"]
            self.seen.append(body["id"])
            if channel == "kiosk":
                await self.ask("kiosk", f"/tickets/{body['id']}/paper", {"printed": True})

    async def next(self) -> None:
        _, status, body = await self.ask("counter", f"/counters/{self.counter}/next", {})
        if status == 200:
            self.current = body["id"]
            self.seen.append(self.current)
            self.run.called[self.current, self.counter] += 1

    async def deed(self, deed: str, ticket: str) -> None:
        body: Any = {}
        if deed == "transfer":
            position = self.random.choice(("keep", "first", "last"))
            body = {"service": self.random.choice(list(SERVICES)), "position": position}
        elif deed == "void":
            body = {"reason": "left"}
        _, status, _ = await self.ask("counter", f"/tickets/{ticket}/{deed}", body, self.counter)
        if status == 200 and deed == "call":
            self.current = ticket
            self.run.called[ticket, self.counter] += 1
        elif status == 200:
            self.run.moved[deed, ticket] += 1

    async def ask(self, role: str, path: str, body: Any, counter: str = "") -> tuple[str, int, Any]:
        """The definite answer to one request with one key."""
        self.keys += 1
        key = f"client-{self.number}-{self.keys:08}"
        token = self.run.servers.tokens["c0", role]
        if counter:
            token += f"\r\nX-Counter: {counter}"
        while True:
            try:
                if self.line is None:
                    self.line = await connect(self.port)
                status, text = await asyncio.wait_for(
                    self.line.ask("/api/v1" + path, token, json.dumps(body).encode(), key), 30
                )
            except (OSError, TimeoutError):
                self.line = None
                self.run.repeated += 1
                await asyncio.sleep(0.05)
                continue
            if status >= 500:
                self.run.repeated += 1
                await asyncio.sleep(0.05)
                continue
            self.run.answers[status] += 1
            return key, status, json.loads(text) if text else None


async def drive(run: Run, clients: int, kill_every: float) -> None:
    """All clients at once, and a killer."""

    async def kill() -> None:
        while run.going:
            await asyncio.sleep(kill_every)
            number = run.kills % len(run.servers.running)
            await asyncio.to_thread(run.servers.restart, number)
            run.kills += 1
            print(f"{run.operations} operations, {run.kills} kills", file=sys.stderr, flush=True)
            await asyncio.to_thread(run.servers.wait_for, number)

    killer = asyncio.create_task(kill())
    await asyncio.gather(*(Client(run, number).work() for number in range(clients)))
    killer.cancel()


# --- the judgement ---


def judge(run: Run) -> list[str]:
    """What is wrong; empty if nothing is."""
    store = open_store(run.servers.address)
    try:
        tickets = {row["id"]: row for row in store.read(lambda tx: tx.all("SELECT * FROM ticket")).result()}
        events = store.read(lambda tx: tx.all("SELECT * FROM event WHERE centre = 'c0' ORDER BY seq")).result()
        (last,) = store.read(lambda tx: tx.all("SELECT seq FROM centre WHERE id = 'c0'")).result()
    finally:
        store.close()
    wrong = []
    if [event["seq"] for event in events] != list(range(1, last["seq"] + 1)):
        wrong.append("the event sequence has gaps or ends elsewhere than the centre says")
    numbers = Counter((row["day"], row["series"], row["n"]) for row in tickets.values())
    wrong += [f"number {number} given {times} times" for number, times in numbers.items() if times > 1]
    return wrong + _judge_answers(run, tickets, events) + _judge_events(tickets, events)


def _judge_answers(run: Run, tickets: dict[str, Row], events: list[Row]) -> list[str]:
    """What clients were told against what is stored."""
    wrong = []
    told = {ticket for ticket, _ in run.issued.values()}
    if len(told) != len(run.issued) or told != set(tickets):
        wrong.append(f"{len(run.issued)} numbers answered, {len(told)} different, {len(tickets)} stored")
    for ticket, number in run.issued.values():
        row = tickets.get(ticket)
        if row is None or f"{row['series']}-{row['n']:03d}" != number:
            wrong.append(f"answered number {number} is not what is stored")
    calls = Counter((event["ticket"], event["counter"]) for event in events if event["kind"] == "called")
    if calls != run.called:
        wrong.append(f"calls answered and calls that happened differ: {(calls - run.called) or (run.called - calls)}")
    kinds = {"serve": "serving", "recall": "recalled", "hold": "held", "transfer": "transferred", "unhold": "returned",
             "undo-transfer": "transfer_undone", "no-show": "no_show", "void": "void"}  # fmt: skip
    happened = Counter((event["kind"], event["ticket"]) for event in events if event["kind"] in kinds.values())
    answered = Counter({(kinds[deed], one): n for (deed, one), n in run.moved.items() if deed in kinds})
    if happened != answered:
        wrong.append(f"deeds answered and deeds that happened differ: {happened - answered} {answered - happened}")
    return wrong


def _judge_events(tickets: dict[str, Row], events: list[Row]) -> list[str]:
    """Each ticket's events, one after another: nobody is called who is at a counter, no counter has two."""
    wrong: list[str] = []
    at: dict[str, str] = {}
    states: defaultdict[str, str] = defaultdict(str)
    for event in events:
        ticket, kind, counter = event["ticket"], event["kind"], event["counter"]
        if ticket is None:
            continue
        if kind in ("called", "transfer_undone"):
            if counter in at or ticket in at.values():
                wrong.append(f"event {event['seq']}: {kind} at counter {counter} while one is there or it is elsewhere")
            at[counter] = ticket
            before = json.loads(event["body"]).get("before", {})
            states[ticket] = before.get("state", "called")
        elif kind == "serving":
            states[ticket] = "serving"
        elif kind in LEAVES:
            at = {desk: there for desk, there in at.items() if there != ticket}
            states[ticket] = LEAVES[kind]
        elif kind in ("issued", "returned", "printed"):
            states[ticket] = "waiting" if kind != "printed" or states[ticket] == "waiting" else states[ticket]
    for ticket, row in tickets.items():
        found = {"reserved": "waiting", "serving": "called"}.get(row["state"], row["state"])
        expected = {"serving": "called"}.get(states[ticket], states[ticket])
        if found != expected or (found == "called") != (at.get(row["counter"] or "") == ticket):
            wrong.append(f"ticket {ticket} is {row['state']}, its events say {states[ticket]}")
    return wrong


def main() -> int:
    """Run and print the figures; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--operations", type=int, default=10**9)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds between two kill -9 of a server process")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stress-")))
        large = options.engine == "postgres"
        address = stack.enter_context(postgres.cluster()).new_database() if large else str(folder / "queue.db")
        servers = Servers(address, folder, processes=2 if large else 1).start()
        begun = time.monotonic()
        run = Run(servers, begun + options.seconds, options.operations)
        try:
            asyncio.run(drive(run, options.clients, options.kill_every))
        finally:
            took = time.monotonic() - begun
            servers.stop()
        wrong = judge(run)
    figures = {
        "engine": options.engine, "clients": options.clients, "processes": servers.processes, "seconds": round(took, 1),
        "operations": run.operations, "numbers": len(run.issued), "calls": sum(run.called.values()),
        "kills": run.kills, "repeated": run.repeated, "answers": dict(run.answers), "wrong": len(wrong),
    }  # fmt: skip
    print(json.dumps(figures))
    print("\n".join(wrong[:20]), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
