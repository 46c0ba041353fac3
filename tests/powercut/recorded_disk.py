"""nbdkit plugin (system Python): a disk in memory that writes down every write and every flush before it answers.

    nbdkit python recorded_disk.py image=FILE log=FILE

A record is kind (W or F), offset, length and the bytes. So the size of the log is a point in the disk's history.
"""

import os
import struct
from pathlib import Path

import nbdkit

API_VERSION = 2
HEADER = struct.Struct(">cQI")

image = bytearray()
log = -1


def config(key, value):
    """`image`: what the disk holds at first; `log`: a new file."""
    global image, log  # nbdkit's way: a plugin is a module
    if key == "image":
        image = bytearray(Path(value).read_bytes())
    elif key == "log":
        log = os.open(value, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def get_size(_):
    """Bytes of the disk."""
    return len(image)


def can_flush(_):
    """A flush is written down."""
    return True


def can_fua(_):
    """A write that must be durable becomes a write and a flush."""
    return nbdkit.FUA_EMULATE


def pread(_, buffer, offset, flags):
    """Read."""
    buffer[:] = image[offset : offset + len(buffer)]


def pwrite(_, buffer, offset, flags):
    """Write, and write it down."""
    image[offset : offset + len(buffer)] = buffer
    _note(HEADER.pack(b"W", offset, len(buffer)) + bytes(buffer))


def flush(_, flags):
    """Everything written so far is durable from here on."""
    _note(HEADER.pack(b"F", 0, 0))


def _note(record):
    while record:
        record = record[os.write(log, record) :]


def open(readonly):  # noqa: A001  # nbdkit's name
    """One disk for everybody."""
    return 1
