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
    """A running cluster; `stop` and `start` are what an operator does to it."""

    folder: Path
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

    def end_connections(self) -> int:
        """End every client's backend, as a lost network or an administrator does; how many there were."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchall()
        return len(found)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster for the time of the block; PostgresMissing without the programs."""
    if not (PROGRAMS / "initdb").exists():
        raise PostgresMissing(f"PostgreSQL 15 is not installed; the tests need the Debian package {PACKAGE}")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    running = Cluster(folder)
    try:
        _run("initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        running.start()
        yield running
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            running.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


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
