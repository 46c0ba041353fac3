"""The queue server under load, over HTTP, durable: what `serve queue` does beside a plain reference on this machine.

    python benchmarks/queue_load.py [--seconds 10] [--part load|display|history|postgres|reference ...]

Client and server are processes of their own on the same machine; a client waits for each answer before it asks again.
One operation is one number issued or one number called. Run parts side by side: a busy machine changes every figure.
"""

import argparse
import asyncio
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import uvloop
from queue_site import COUNTERS, SERVICES, Servers, connect, database_cpu, listen, postgres

CLIENTS = 16
LISTENERS = 50
OLD_TICKETS = 500_000


@dataclass
class Figures:
    """Times of answers in milliseconds, by kind."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time: of the server processes, of the database's, of this program."""
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def rate(self) -> float:
        return sum(len(times) for kind, times in self.times.items() if kind != "display") / self.seconds

    def p(self, share: float, *kinds: str) -> float:
        values = sorted(t for kind in kinds or self.times for t in self.times[kind])
        return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")

    def line(self, name: str) -> str:
        parts = [f"{kind} p50 {self.p(0.5, kind):.1f} p95 {self.p(0.95, kind):.1f} p99 {self.p(0.99, kind):.1f} ms"
                 for kind in self.times]  # fmt: skip
        count = sum(map(len, self.times.values()))
        shares = ", ".join(f"{who} {seconds / count * 1e6:.0f}" for who, seconds in self.cpu.items())
        cpu = f"   CPU µs/op: {shares}" if shares else ""
        return f"{name:<44} {self.rate:7.0f} op/s   all p95 {self.p(0.95):.1f} ms   {'   '.join(parts)}{cpu}"


async def load(servers: Servers, seconds: float, clients: int = CLIENTS) -> Figures:
    """Every client issues and calls in turn, without a pause."""
    figures = Figures()
    run = secrets.token_hex(4)

    async def client(number: int) -> None:
        centre = f"c{number % servers.centres}"
        desk = COUNTERS[number // servers.centres % len(COUNTERS)]
        line = await connect(servers.ports[number % len(servers.ports)])
        kiosk, counter = servers.tokens[centre, "kiosk"], servers.tokens[centre, "counter"]
        base = "/api/v1" if centre == "c0" else f"/c/{centre}/api/v1"
        status, text = await line.ask(f"{base}/counters/{desk}/open", counter, b'{"take_over": true}')
        assert status == 200, text
        step = 0
        while time.perf_counter() < begun + seconds:
            step += 1
            body = b'{"service":"s%d"%s}' % (step % len(SERVICES), b',"group":"elderly"' if step % 5 == 0 else b"")
            for kind, path, token, sent in (
                ("issue", "/tickets", kiosk, body),
                ("call", f"/counters/{desk}/next", counter, b"{}"),
            ):
                asked = time.perf_counter()
                status, text = await line.ask(base + path, token, sent, f"{run}-{number}-{step}-{kind}")
                figures.times[kind].append((time.perf_counter() - asked) * 1000)
                assert status in (200, 201, 204), text
        line.close()

    begun, spent, own = time.perf_counter(), servers.cpu(), time.process_time()
    await asyncio.gather(*(client(number) for number in range(clients)))
    figures.seconds = time.perf_counter() - begun
    figures.cpu = {"server": servers.cpu() - spent, "client": time.process_time() - own}
    return figures


async def display(servers: Servers, seconds: float, rate: float = 20.0) -> Figures:
    """`rate` operations a second and 50 event streams: from the moment a call is asked for to its event at each."""
    figures, asked, run = Figures(seconds), dict.fromkeys(COUNTERS, 0.0), secrets.token_hex(4)
    kiosk, counter = servers.tokens["c0", "kiosk"], servers.tokens["c0", "counter"]

    def arrived(event: dict[str, str]) -> None:
        if event.get("kind") == "called" and asked.get(event["counter"]):
            figures.times["display"].append((time.perf_counter() - asked[event["counter"]]) * 1000)

    streams = [
        asyncio.create_task(listen(servers.ports[0], "/api/v1/events", servers.tokens["c0", "display"], arrived))
        for _ in range(LISTENERS)
    ]
    line = await connect(servers.ports[0])
    for desk in COUNTERS:
        await line.ask(f"/api/v1/counters/{desk}/open", counter, b'{"take_over": true}')
    await asyncio.sleep(1)
    for step in range(int(seconds * rate / 2)):
        desk = COUNTERS[step % len(COUNTERS)]
        for kind, path, token, body in (
            ("issue", "/tickets", kiosk, b'{"service":"s0"}'),
            ("call", f"/counters/{desk}/next", counter, b"{}"),
        ):
            began = time.perf_counter()
            if kind == "call":
                asked[desk] = began
            await line.ask("/api/v1" + path, token, body, f"{run}-{step}-{kind}")
            figures.times[kind].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - began)))
    await asyncio.sleep(1)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return figures


def grow_old(path: Path, tickets: int) -> None:
    """Years of history in a database that has no number yet: tickets, three events each, their stints."""
    with sqlite3.connect(path) as db:
        numbers = "WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < :tickets)"
        day = "date('2023-01-01', '+' || (i / 600) || ' days')"
        db.execute(
            f"{numbers} INSERT INTO ticket (id, centre, place, day, series, n, service, urgent, channel, state, paper,"
            " since, calls, issued_at, called_at, announced_at, ended_at)"
            f" SELECT printf('%06x', i * 3 - 2) || lower(hex(randomblob(8))), 'c0', i * 3 - 2, {day}, 'A', i % 600 + 1,"
            " 's' || i % 8, 0, 'kiosk',"
            f" 'completed', 'printed', {day} || 'T01:00:00.000Z', 1, {day} || 'T01:00:00.000Z',"
            f" {day} || 'T01:10:00.000Z', {day} || 'T01:10:00.000Z', {day} || 'T01:20:00.000Z' FROM k",
            {"tickets": tickets},
        )
        body = """'{"number":"A-001","service":"s1","why":"Chờ lâu nhất: 10 phút","waited":600}'"""
        db.execute(
            "INSERT INTO event (centre, seq, at, day, kind, ticket, counter, body)"
            f" SELECT 'c0', place + j, issued_at, day, kind, id, '1', {body} FROM ticket,"
            " (SELECT 0 AS j, 'issued' AS kind UNION ALL SELECT 1, 'called' UNION ALL SELECT 2, 'completed')"
            " ORDER BY place, j"
        )
        db.execute(
            "INSERT INTO stint (centre, seq, ticket, day, service, urgent, appointment, counter, officer,"
            " waiting_since, called_at, ended_at, outcome, waited, served) SELECT 'c0', place + 2, id, day, service, 0,"
            " 0, '1', '', since, called_at, ended_at, 'completed', 600, 600 FROM ticket"
        )
        db.execute("UPDATE centre SET seq = :seq, day = '2025-12-31' WHERE id = 'c0'", {"seq": tickets * 3})


# --- the reference ---


class Reference(BaseHTTPRequestHandler):
    """A MADO-like queue: Flask's pattern of a thread and a database connection per request, BEGIN IMMEDIATE, fsync.

    It keeps neither keys nor events and knows no rule; what a framework would cost is left out in its favour.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        db = sqlite3.connect(self.server.path, timeout=30, isolation_level=None)  # type: ignore[attr-defined]
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        at = datetime.now(UTC)
        if self.path == "/api/v1/tickets":
            (n,) = db.execute(
                "SELECT coalesce(max(n), 0) + 1 FROM ticket WHERE day = ?", (at.date().isoformat(),)
            ).fetchone()
            db.execute("INSERT INTO ticket (day, n, at) VALUES (?, ?, ?)", (at.date().isoformat(), n, at.isoformat()))
            answer = {"number": n}
        elif self.path.endswith("/next"):
            row = db.execute("SELECT id, n FROM ticket WHERE state = 0 ORDER BY id LIMIT 1").fetchone()
            if row:
                db.execute("UPDATE ticket SET state = 1, called = ? WHERE id = ?", (at.isoformat(), row[0]))
            answer = {"number": row and row[1]}
        else:
            answer = {}
        db.execute("COMMIT")
        db.close()
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def serve_reference(path: str) -> None:
    """In a process of its own; prints its port."""
    with sqlite3.connect(path) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE ticket (id INTEGER PRIMARY KEY, day TEXT, n INTEGER, at TEXT,"
            " called TEXT, state INTEGER DEFAULT 0, UNIQUE (day, n)); CREATE INDEX line ON ticket (id) WHERE state = 0;"
        )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Reference)
    server.path = path  # type: ignore[attr-defined]
    print(server.server_address[1], flush=True)
    server.serve_forever()


# --- the parts ---


def _own(stack: ExitStack, processes: int = 1, centres: int = 1) -> Servers:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-")))
    return Servers(str(folder / "queue.db"), folder, processes, centres)


def part_load(seconds: float) -> Figures:
    with ExitStack() as stack:
        servers = _own(stack).start()
        stack.callback(servers.stop)
        uvloop.run(load(servers, 1))
        return uvloop.run(load(servers, seconds))


def part_display(seconds: float) -> Figures:
    with ExitStack() as stack:
        servers = _own(stack).start()
        stack.callback(servers.stop)
        return uvloop.run(display(servers, seconds))


def part_history(seconds: float) -> Figures:
    with ExitStack() as stack:
        servers = _own(stack).start()
        servers.stop()
        grow_old(Path(servers.address), OLD_TICKETS)
        servers.start()
        stack.callback(servers.stop)
        uvloop.run(load(servers, 1))
        return uvloop.run(load(servers, seconds))


def part_postgres(seconds: float) -> Figures:
    with ExitStack() as stack:
        servers = _own(stack, processes=2, centres=16)
        cluster = stack.enter_context(postgres.cluster())
        servers.address = cluster.new_database()
        servers.start()
        stack.callback(servers.stop)
        uvloop.run(load(servers, 2))
        spent = database_cpu(cluster)
        figures = uvloop.run(load(servers, seconds))
        figures.cpu["database"] = database_cpu(cluster) - spent
        return figures


def part_reference(seconds: float) -> Figures:
    with ExitStack() as stack:
        servers = _own(stack)
        servers.tokens = dict.fromkeys([("c0", "kiosk"), ("c0", "counter")], "none")
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve-reference", servers.address], stdout=subprocess.PIPE
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        servers.ports = [int(process.stdout.readline())]
        uvloop.run(load(servers, 1))
        return uvloop.run(load(servers, seconds))


PARTS = {
    "load": (part_load, "embedded, 16 clients"),
    "reference": (part_reference, "MADO-like reference, 16 clients"),
    "history": (part_history, f"embedded, {OLD_TICKETS:,} old tickets"),
    "display": (part_display, "20 op/s, 50 displays (display: call → event)"),
    "postgres": (part_postgres, "PostgreSQL, 2 processes, 16 centres"),
}


def main() -> None:
    """Run the parts and print what they took, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--serve-reference", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_reference:
        serve_reference(options.serve_reference)
        return
    cores, busy = os.cpu_count(), os.getloadavg()[0]
    print(f"{cores} cores, load average {busy:.1f} before; durable (fsync); client on the same cores")
    rates = {}
    for name in options.part or PARTS:
        run, text = PARTS[name]
        figures = run(options.seconds)
        rates[name] = figures.rate
        print(figures.line(text), f"  [load average {os.getloadavg()[0]:.1f}]", flush=True)
    if {"load", "reference"} <= set(rates):
        print(f"embedded / reference: {rates['load'] / rates['reference']:.2f}")
    if {"load", "history"} <= set(rates):
        print(f"loss with {OLD_TICKETS:,} old tickets: {100 * (1 - rates['history'] / rates['load']):.0f} %")


if __name__ == "__main__":
    main()
