"""Delivery: sealing, a backlog over a thin line, manifests a second; beside what a plain multipart upload does.

    python benchmarks/delivery.py [--part seal|drain|manifests ...] [--kbit 50000] [--backlog-mb 360] [--json]

Real processes (receiver, forwarder, PostgreSQL), TLS with client certificates, everything synced to disk. Ends with 1
if sealing < 200 MB/s of one core, the backlog takes less than 90 % of the line, or < 500 manifests/s are taken.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from delivery_site import PLAIN, RECEIVER, Server, client_context, connect, manifests

import postgres
from fault_proxy import FaultProxy
from kiosk.config import load
from sync import forwarder
from sync.envelope import Label, new_submission_id, seal
from sync.keys import create_world
from sync.outbox import Outbox, Parcel, Sealer

MB = 1_000_000
DOSSIER = 3 * MB
KIOSKS = [f"K{number:02}" for number in range(1, 9)]
PROCESSES = 2

Figures = dict[str, float]


def sealing(folder: Path) -> Figures:
    """MB of plain bytes a second of processor time: a whole envelope, and one bare AES-256-GCM call."""
    world(folder)
    settings = load(folder / "motcua.toml", {})
    sealer = Sealer.of(settings.office, settings.kiosk)
    sealer = replace(sealer, recovery=X25519PrivateKey.generate().public_key())
    scans = {f"{n}.pdf": os.urandom(10 * MB) for n in range(10)}
    size = sum(map(len, scans.values()))

    def envelope() -> None:
        label = Label("K01", new_submission_id(), 1, "TAM-7K3F-92QD", "1.001193", datetime.now(UTC), "r", "1")
        seal(label, {"n": 1}, scans, sealer.recipients, sealer.by)

    def bare() -> None:
        for content in scans.values():
            AESGCM(bytes(32)).encrypt(bytes(12), content, None)

    def hashed() -> None:
        for content in scans.values():
            hashlib.sha256(content)

    return {name: size / MB / _cpu(work) for name, work in (("seal", envelope), ("aes_gcm", bare), ("sha256", hashed))}


def _cpu(work: Callable[[], None]) -> float:
    """The least processor time of five."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def drain(folder: Path, kbit: int, megabytes: int) -> Figures:
    """Share of the line that a backlog's plain bytes take, sealed and receipted, and by plain multipart."""
    world(folder)
    count = max(1, megabytes * MB // DOSSIER)
    scan = os.urandom(DOSSIER)
    receiver = Server(RECEIVER, folder / "motcua.toml")
    with FaultProxy(receiver.port, kbit=kbit) as line:
        settings = load(folder / "motcua.toml", {"MOTCUA_OFFICE_URL": f"https://127.0.0.1:{line.port}"})
        sealer = Sealer.of(settings.office, settings.kiosk)
        with closing(Outbox(settings.kiosk.state / "outbox")) as outbox:
            outbox.take_over()
            for number in range(count):
                files = {"scan.pdf": scan[number:] + scan[:number]}
                ids = (os.urandom(16).hex(), f"TAM-{number:04}-AAAA", "1.001193")
                failure = outbox.put_parcel(Parcel(*ids, "1", {"n": number}, files), sealer)
                assert failure is None, failure
        begun = time.perf_counter()
        assert forwarder.run(settings, once=True) == 0
        ours = time.perf_counter() - begun
        passed = line.passed
    receiver.stop()
    plain = Server(PLAIN, folder / "motcua.toml", str(folder))
    with FaultProxy(plain.port, kbit=kbit) as line, requests.Session() as session:
        session.trust_env, session.verify = False, str(settings.office.ca)
        session.cert = (str(settings.office.certificate), str(settings.office.key_file))
        begun = time.perf_counter()
        for number in range(count):
            files = {"scan.pdf": scan[number:] + scan[:number]}
            session.post(f"https://127.0.0.1:{line.port}/", files=files, timeout=60).raise_for_status()
        peer = time.perf_counter() - begun
    plain.stop()
    ideal = count * DOSSIER / (kbit * 125)
    return {"ours": ideal / ours, "multipart": ideal / peer, "seconds": ours, "bytes_ratio": passed / count / DOSSIER}


def manifest_rate(folder: Path, count: int) -> Figures:
    """Manifests a second on PostgreSQL, durable, and parts of the same size by plain multipart."""
    world(folder)
    work = {kiosk: manifests(folder / "secrets", _prefix(kiosk), kiosk, count) for kiosk in KIOSKS}
    figures: Figures = {}
    with postgres.cluster() as cluster:
        config = folder / "postgres.toml"
        config.write_text(f'[receiver]\ndatabase = "{cluster.new_database()}"\n')
        enrol(folder, config)
        servers = [Server(RECEIVER, config) for _ in range(PROCESSES)]

        def announce(kiosk: str) -> None:
            port = servers[KIOSKS.index(kiosk) % PROCESSES].port
            with connect(port, client_context(folder / "secrets", _prefix(kiosk))) as connection:
                for submission, text in work[kiosk]:
                    connection.request("PUT", f"/api/v1/submissions/{submission}", text)
                    answer = connection.getresponse()
                    assert answer.status == 200, (answer.status, answer.read())
                    answer.read()

        used = sum(server.cpu() for server in servers)
        figures["ours"] = _rate(announce, count)
        figures["cpu_ms"] = (sum(server.cpu() for server in servers) - used) / (count * len(KIOSKS)) * 1000
        for server in servers:
            server.stop()
    plain = [Server(PLAIN, folder / "motcua.toml", str(folder)) for _ in range(PROCESSES)]

    def upload(kiosk: str) -> None:
        port = plain[KIOSKS.index(kiosk) % PROCESSES].port
        kind = {"Content-Type": "multipart/form-data; boundary=motcua"}
        with connect(port, client_context(folder / "secrets", _prefix(kiosk))) as connection:
            for submission, text in work[kiosk]:
                head = f'--motcua\r\nContent-Disposition: form-data; name="{submission}"; filename="m"\r\n\r\n'
                connection.request("POST", "/", head.encode() + text + b"\r\n--motcua--\r\n", kind)
                answer = connection.getresponse()
                assert answer.status == 201, (answer.status, answer.read())
                answer.read()

    figures["multipart"] = _rate(upload, count)
    for server in plain:
        server.stop()
    return figures


def _rate(work: Callable[[str], None], count: int) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(len(KIOSKS)) as hands:
        list(hands.map(work, KIOSKS))
    return count * len(KIOSKS) / (time.perf_counter() - begun)


def _prefix(kiosk: str) -> str:
    return "kiosk" if kiosk == KIOSKS[0] else kiosk


def world(folder: Path) -> None:
    """Keys and a configuration; kiosks are enrolled."""
    create_world(folder / "secrets", KIOSKS)
    (folder / "motcua.toml").write_text('[receiver]\nstate = "receiver"\n')
    enrol(folder, folder / "motcua.toml")


def enrol(folder: Path, config: Path) -> None:
    """Make the kiosks known to the receiver of `config`."""
    from sync.receiver.database import open_database
    from sync.receiver.kiosks import register_world

    with closing(open_database(load(config, {}).receiver)) as database:
        register_world(database, folder / "secrets", KIOSKS)


def main() -> int:
    """Run the parts; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=("seal", "drain", "manifests"))
    parser.add_argument("--kbit", type=int, default=50_000)
    parser.add_argument("--backlog-mb", type=int, default=360)
    parser.add_argument("--manifests", type=int, default=600, help="for each of eight kiosks")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    threading.stack_size(1 << 20)
    found: dict[str, Figures] = {}
    for part in args.part or ("seal", "drain", "manifests"):
        with tempfile.TemporaryDirectory() as folder:
            if part == "seal":
                found[part] = sealing(Path(folder))
            elif part == "drain":
                found[part] = drain(Path(folder), args.kbit, args.backlog_mb)
            else:
                found[part] = manifest_rate(Path(folder), args.manifests)
    if args.json:
        print(json.dumps(found))
    else:
        for line in lines(found, args.kbit, args.backlog_mb):
            print(line)
    good = (
        found.get("seal", {}).get("seal", 200) >= 200
        and found.get("drain", {}).get("ours", 1) >= 0.9
        and found.get("manifests", {}).get("ours", 500) >= 500
    )
    return 0 if good else 1


def lines(found: dict[str, Figures], kbit: int, megabytes: int) -> list[str]:
    """For people."""
    said = []
    if seal_ := found.get("seal"):
        said.append(
            f"sealing, one core           {seal_['seal']:6.0f} MB/s of processor time"
            f"   bare AES-256-GCM {seal_['aes_gcm']:.0f}, SHA-256 {seal_['sha256']:.0f}"
            f"   ratio to AES-256-GCM {seal_['seal'] / seal_['aes_gcm']:.2f}"
        )
    if line := found.get("drain"):
        said.append(
            f"{megabytes} MB over {kbit / 1000:.0f} Mbit/s      {line['ours']:6.1%} of the line"
            f" ({line['seconds']:.0f} s, {line['bytes_ratio']:.3f} bytes sent a byte)"
            f"   plain multipart {line['multipart']:.1%}"
            f"   ratio {line['ours'] / line['multipart']:.2f}"
        )
    if rate := found.get("manifests"):
        said.append(
            f"manifests, PostgreSQL       {rate['ours']:6.0f} a second"
            f" ({rate['cpu_ms']:.2f} ms of the servers' time each)"
            f"   plain multipart to files {rate['multipart']:.0f}   ratio {rate['ours'] / rate['multipart']:.2f}"
        )
    return said


if __name__ == "__main__":
    sys.exit(main())
