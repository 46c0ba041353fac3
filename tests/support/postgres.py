"""A PostgreSQL 15 cluster of our own for a test run: in a temporary folder, on a Unix socket only, fsync on."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
PACKAGE = "postgresql-15"
PATIENCE = "120"
"""Seconds to start or stop."""


class PostgresMissing(RuntimeError):
    """The programs are not installed; the message names the package."""


@dataclass
class Cluster:
    """A running cluster; `stop`, `start` and `promote` are what an operator does to it."""

    folder: Path
    settings: tuple[str, ...] = ()
    databases: int = 0

    def address(self, database: str = "postgres") -> str:
        """How a client connects."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The address of a new, empty database."""
        self.databases += 1
        name = f"test_{os.getpid()}_{self.databases}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name)

    def start(self) -> None:
        """Start and wait until it answers; its log tells why if it does not."""
        options = f"-c listen_addresses='' -k {self.folder} -c max_connections=200 -c log_min_messages=fatal"
        options += "".join(f" -c {setting}" for setting in self.settings)
        _run(
            "pg_ctl",
            "-D",
            f"{self.folder}/data",
            "-l",
            f"{self.folder}/log",
            "-o",
            options,
            "-w",
            "-t",
            PATIENCE,
            "start",
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop: `fast` ends every connection, `immediate` is a crash."""
        _run("pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "-t", PATIENCE, "stop")

    def promote(self) -> None:
        """Make a standby the primary; it takes writes when this returns."""
        _run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-t", PATIENCE, "promote")

    def caught_up(self, primary: "Cluster") -> bool:
        """Whether this standby has replayed everything that its primary has written."""
        with psycopg.connect(primary.address()) as first, psycopg.connect(self.address()) as second:
            written = first.execute("SELECT pg_current_wal_lsn()").fetchone()
            found = second.execute("SELECT pg_last_wal_replay_lsn() >= %s", written).fetchone()
        return bool(found and found[0])

    def end_connections(self) -> int:
        """End every client's backend, as a lost network or an administrator does; how many there were."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchall()
        return len(found)


@contextlib.contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A cluster for the time of the block, with `settings` (name=value); PostgresMissing without the programs."""
    if not (PROGRAMS / "initdb").exists():
        raise PostgresMissing(f"PostgreSQL 15 is not installed; the tests need the Debian package {PACKAGE}")
    with _folder() as folder:
        _run("initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with _started(Cluster(folder, settings)) as running:
            yield running


@contextlib.contextmanager
def standby(primary: Cluster, name: str) -> Iterator[Cluster]:
    """A standby of a running cluster for the time of the block; `name` is what the primary knows it by."""
    with _folder() as folder:
        address = f"host={primary.folder} user=postgres application_name={name}"
        _run("pg_basebackup", "-D", f"{folder}/data", "-d", address, "-R", "-X", "stream", "-c", "fast")
        with _started(Cluster(folder)) as running:
            yield running


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _started(stopped: Cluster) -> Iterator[Cluster]:
    try:
        stopped.start()
        yield stopped
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            stopped.stop("immediate")


def _run(program: str, *arguments: str) -> None:
    """PostgreSQL refuses to run as root; its own user does it then."""
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    subprocess.run(
        [str(PROGRAMS / program), *arguments],
        check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **owner,
    )  # fmt: skip
