"""A real ext4 on a recorded disk, and what it may look like after the power was cut at some point of its history.

Needs root, loop devices, FUSE, and namespaces of its own (scripts/power-cuts makes them): with the last process in them
its mounts, loop devices and daemons go too, however it ends.

nbdfuse runs in the outer mount namespace, which the rig's file systems are not in. In the rig's it could be the last
process there is when all are killed, and would unmount the disk whose writes only it could answer: it, and every look
at the loop device, hung for ever.
"""

import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SMALL = 32 * 1024 * 1024
ROOMY = 96 * 1024 * 1024
"""Enough for a kiosk to say that there is room for a visit."""
BLOCK = 4096
SECTOR = 512
"""What a disk writes whole or not at all."""
_HEADER = struct.Struct(">cQI")
_OUTSIDE = ("nsenter", "--target", "1", "--mount", "--root", "--wd")
_PLUGIN = Path(__file__).with_name("recorded_disk.py")


@dataclass(frozen=True, slots=True)
class Record:
    """One write (`content` at `offset`) or one flush (None), and where the log stands after it."""

    offset: int
    content: bytes | None
    end: int


def read_log(path: Path) -> list[Record]:
    """Every record in the order in which the disk answered."""
    raw, at, records = path.read_bytes(), 0, []
    while at < len(raw):
        kind, offset, length = _HEADER.unpack_from(raw, at)
        begin = at + _HEADER.size
        at = begin + length
        records.append(Record(offset, raw[begin:at] if kind == b"W" else None, at))
    return records


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _format(path: Path, size: int) -> None:
    """Ext4 as on a large disk (4 KiB blocks), made at once and not in the background."""
    with path.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-b", str(BLOCK), "-E", "lazy_itable_init=0,lazy_journal_init=0", path)


class RecordedDisk:
    """`mount` is where programs write, `log` what the disk noted of it; both below `folder`."""

    def __init__(self, folder: Path, size: int = SMALL) -> None:
        self._size = size
        self.mount, self.log, self.image = folder / "mount", folder / "log", folder / "image"
        self._block = folder / "block"
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def point(self) -> int:
        """Where the history stands now: all that was answered so far is before it."""
        return self.log.stat().st_size

    def __enter__(self) -> Self:
        self.mount.mkdir(parents=True)
        self._block.touch()
        _format(self.image, self._size)
        plugin = ("python", _PLUGIN, f"image={self.image}", f"log={self.log}")
        command = [*_OUTSIDE, "nbdfuse", self._block, "[", "nbdkit", "--exit-with-parent", "-f", *plugin, "]"]
        self._server = subprocess.Popen([str(part) for part in command])
        deadline = time.monotonic() + 20
        while not self._block.stat().st_size:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise OSError("nbdfuse or nbdkit did not start")
            time.sleep(0.02)
        _run("mount", "-o", "loop", self._block, self.mount)  # so that the loop device goes with the mount
        _run("losetup", "--direct-io=on", _run("findmnt", "--noheadings", "--output", "SOURCE", self.mount))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind, whatever of it there is; then nbdfuse ends by itself."""
        for command in (["umount", str(self.mount)], [*_OUTSIDE, "umount", str(self._block)]):
            subprocess.run(command, capture_output=True, check=False)
        if self._server is not None:
            try:
                self._server.wait(5)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes at `point`: what the last flush covers is on the disk, of `later` writes whatever chance left."""

    point: int
    flushed: int
    later: tuple[Record, ...]


class History:
    """A disk's past, from which it can be cut off at ascending points."""

    def __init__(self, image: Path, records: list[Record], scratch: Path) -> None:
        self._records = records
        self._base = scratch / "base"
        self._cut = scratch / "cut"
        self._mount = scratch / "cut-off"
        self._mount.mkdir(exist_ok=True)
        shutil.copyfile(image, self._base)
        self._applied = 0

    def cut(self, point: int) -> Cut:
        """What is certain and what is not at `point` (a size of the log)."""
        past = [n for n, record in enumerate(self._records) if record.end <= point]
        flushed = max((n + 1 for n in past if self._records[n].content is None), default=0)
        return Cut(point, flushed, tuple(self._records[n] for n in past if n >= flushed))

    @contextmanager
    def mounted(self, cut: Cut, chance: random.Random) -> Iterator[Path]:
        """The file system after `cut`, its journal replayed by the kernel; what is written to it is thrown away."""
        self._advance(cut.flushed)
        shutil.copyfile(self._base, self._cut)
        with self._cut.open("r+b") as file:
            for offset, content in left_by_chance(cut.later, chance):
                file.seek(offset)
                file.write(content)
        _run("mount", "-o", "loop", self._cut, self._mount)
        try:
            yield self._mount
        finally:
            _run("umount", self._mount)

    def _advance(self, until: int) -> None:
        assert until >= self._applied, "cuts go forward"
        with self._base.open("r+b") as file:
            for record in self._records[self._applied : until]:
                if record.content is not None:
                    file.seek(record.offset)
                    file.write(record.content)
        self._applied = until


def left_by_chance(later: tuple[Record, ...], chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """Of unflushed writes: some or none or all, in any order, some of them torn between sectors.

    Never torn is the first block: no ext4 mounts with a superblock (two sectors, one checksum) of which half is old.
    Only a disk that writes 4 KiB at once, or e2fsck at boot, helps against that; nothing that we write does.
    """
    share = chance.choice((0.0, 0.3, 0.5, 0.8, 1.0))
    kept = [record for record in later if record.content is not None and chance.random() < share]
    chance.shuffle(kept)
    for record in kept:
        content = record.content or b""
        if record.offset >= BLOCK and chance.random() < 0.25:
            whole = range(0, len(content), SECTOR)
            yield from ((record.offset + n, content[n : n + SECTOR]) for n in whole if chance.random() < 0.5)
        else:
            yield record.offset, content


def missing_programs() -> list[str]:
    """Of those that the rig needs."""
    wanted = ("nbdkit", "nbdfuse", "mkfs.ext4", "losetup", "nsenter", "unshare")
    return [name for name in wanted if shutil.which(name) is None]


def no_loop_devices() -> str:
    """Why this machine does not let us mount a disk; empty if it does."""
    for path in ("/dev/loop-control", "/dev/fuse"):
        if not os.access(path, os.R_OK | os.W_OK):
            return f"no loop devices here: {path} is missing or not ours"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "losetup", "--find"], capture_output=True, text=True, check=False
    )
    return f"no loop devices here: {done.stderr.strip()}" if done.returncode else ""
