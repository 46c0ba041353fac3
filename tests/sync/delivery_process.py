"""One of delivery's programs in a process of its own, which may be told to die at a chosen step.

A step is the moment after something took effect outside the process: fsync, rename, unlink, COMMIT, a request answered.
The process ends itself with SIGKILL: nothing is flushed, no reply is sent, no lock is given back in order.
"""

import itertools
import logging
import os
import signal
import sys
from pathlib import Path

import requests
from pysqlite3 import dbapi2

from kiosk.config import ConfigError, load
from sync import forwarder
from sync.receiver import server as receiver
from sync.receiver import watch, worker
from sync.receiver.operator import server as operator
from sync.tthc_model import server as tthc_model


def child(program: str, config: Path, log: Path, die_at: int | None) -> None:
    """Entry point: everything said goes to `log`; expected errors end in one line, as on the command line."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    worker.PAUSE = 0.05  # the tests' time, not a citizen's, is spent on waiting for the model's answer
    worker.LONGEST_WAIT = forwarder.LONGEST_WAIT = 2.0
    watch.LOOK_SECONDS = 0.5  # so that alarms are looked for whatever a test does
    if die_at is not None:
        count_steps(die_at, at_once=program.startswith("forward"))
    try:
        sys.exit(main(program, config))
    except (ConfigError, OSError) as error:
        sys.exit(f"motcua: {error}")


def main(program: str, config: Path) -> int:
    settings = load(config, {})
    if program == "receiver":
        receiver.serve(settings.receiver)
    elif program == "tthc-model":
        tthc_model.serve(settings.tthc_model)
    elif program == "operator":
        operator.serve(settings)
    else:
        return forwarder.run(settings, once=program == "forward-once")
    return 0


def count_steps(die_at: int, at_once: bool) -> None:
    """Die after step `die_at`, counted from now or from SIGUSR1."""
    count = itertools.count(1)
    counting = at_once

    def begin(*_) -> None:
        nonlocal counting
        counting = True

    def then_step(function):
        def wrapped(*arguments, **named):
            result = function(*arguments, **named)
            if counting and next(count) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    class Connection(dbapi2.Connection):
        def execute(self, query, *values):
            run = super().execute
            return then_step(run)(query, *values) if query == "COMMIT" else run(query, *values)

    signal.signal(signal.SIGUSR1, begin)
    connect = dbapi2.connect
    dbapi2.connect = lambda *arguments, **named: connect(*arguments, factory=Connection, **named)
    for name in ("fsync", "rename", "unlink"):
        setattr(os, name, then_step(getattr(os, name)))
    requests.Session.send = then_step(requests.Session.send)
