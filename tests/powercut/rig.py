"""Power cuts by the hundred: `python -m tests.powercut.rig`, started by scripts/power-cuts in namespaces of its own.

A recording is one run of a workload on the recorded disk; then the power is cut at many points of it. A third of
them are right after a promise, when a person walks away with a receipt, and a third just before a flush, when most is
uncertain. The last line is one document of JSON.
"""

import argparse
import faulthandler
import json
import logging
import multiprocessing
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from kiosk.config import Settings
from sync.keys import create_world
from tests.powercut import witness
from tests.powercut.checks import KioskCheck
from tests.powercut.disk import ROOMY, SMALL, History, Record, RecordedDisk, read_log
from tests.powercut.receiving import Receiving, Upgrading
from tests.powercut.sabotage import SABOTAGES
from tests.powercut.visit import visit
from tests.powercut.witness import Promise, Witness
from tests.powercut.workloads import GOLDEN, WORKLOADS, Scene
from tests.sync.province import Province

KIOSK = {**WORKLOADS, "visit": visit}
PROVINCE = {"receive": Receiving, "upgrade": Upgrading}
EVERY = (*KIOSK, *PROVINCE)
MOST = 50
"""Cuts of one recording; then another is made, with other dossiers."""


@dataclass(slots=True)
class Result:
    """What came of one workload."""

    workload: str
    cuts: int = 0
    promises: int = 0
    """Checked, over all cuts."""
    unflushed: int = 0
    """Writes that were under way at a cut, over all cuts."""
    failed_cuts: int = 0
    seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The shape of the last line."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Rig:
    """Recordings on one disk after the other, each with a province of its own."""

    def __init__(self, folder: Path, seed: int, sabotage: str, keep: Path | None) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._sabotage = sabotage
        self._keep = keep
        self._number = 0
        self._keys = golden_world(folder / "keys")

    def run(self, workload: str, cuts: int) -> Result:
        """Cut the power of `workload` so many times."""
        begun, result = time.monotonic(), Result(workload)
        while result.cuts < cuts:
            self._number += 1
            folder = self._folder / f"disk-{self._number}"
            folder.mkdir()
            record = self._at_the_province if workload in PROVINCE else self._at_the_kiosk
            record(folder, min(MOST, cuts - result.cuts), result)
            shutil.rmtree(folder)
        result.seconds = round(time.monotonic() - begun, 1)
        return result

    def _at_the_kiosk(self, folder: Path, cuts: int, result: Result) -> None:
        workload = result.workload
        (folder / "province").mkdir()
        with closing(Province(folder / "province", self._keys)) as province:

            def settings(disk: Path) -> Settings:
                office = replace(province.settings.office, recovery_key=self._keys / "recovery.pub")
                kiosk = replace(province.settings.kiosk, state=disk / "state")
                return replace(province.settings, kiosk=kiosk, office=office)

            def check(mounted: Path, due: list[Promise]) -> list[str]:
                kiosk = KioskCheck(settings(mounted), due)
                return kiosk.run(then=kiosk.send_again if workload == "send" else kiosk.file_another)

            if workload in ("send", "visit"):
                province.start("tthc-model")
                province.start("receiver")
            with RecordedDisk(folder / "disk", ROOMY if workload == "visit" else SMALL) as disk:
                note = Witness(folder / "promises", disk.log)
                scene = Scene(settings(disk.mount), note, self._chance.getrandbits(32), result.cuts // MOST)
                self._work(workload, scene)
            self._cut_all(disk, note, cuts, check, result)
            province.arrived()  # says if one arrived twice

    def _work(self, workload: str, scene: Scene) -> None:
        process = multiprocessing.get_context("fork").Process(target=self._child, args=(workload, scene))
        process.start()
        process.join()
        if process.exitcode != 0:
            raise OSError(f"{workload} ended with {process.exitcode}")

    def _child(self, workload: str, scene: Scene) -> None:
        faulthandler.dump_traceback_later(60, exit=True)
        if self._sabotage:
            SABOTAGES[self._sabotage]()
        KIOSK[workload](scene)

    def _at_the_province(self, folder: Path, cuts: int, result: Result) -> None:
        with closing(PROVINCE[result.workload](folder / "province", self._keys, self._sabotage)) as receiving:
            with RecordedDisk(folder / "disk") as disk:
                note = Witness(folder / "promises", disk.log)
                receiving.record(disk.mount, note)
            self._cut_all(disk, note, cuts, receiving.check, result)
            result.problems.update(receiving.doubled_or_missing())

    def _cut_all(
        self,
        disk: RecordedDisk,
        note: Witness,
        cuts: int,
        check: Callable[[Path, list[Promise]], list[str]],
        result: Result,
    ) -> None:
        """Cut the power of a recording: a third anywhere, a third after a promise, a third before a flush."""
        promises, records = note.promises(), read_log(disk.log)
        if self._keep is not None:
            shutil.copy(disk.log, self._keep)
            shutil.copy(disk.image, self._keep)
        history = History(disk.image, records, disk.log.parent)
        for point in sorted(self._points(records, promises, cuts)):
            due = [promise for promise in promises if promise.at <= point and promise.what != witness.BEGUN]
            cut = history.cut(point)
            with history.mounted(cut, self._chance) as mounted:
                found = check(mounted, due)
            result.cuts += 1
            result.promises += len(due)
            result.unflushed += sum(record.content is not None for record in cut.later)
            result.failed_cuts += bool(found)
            result.problems.update(found)

    def _points(self, records: list[Record], promises: list[Promise], cuts: int) -> Iterator[int]:
        begun = next(promise.at for promise in promises if promise.what == witness.BEGUN)
        anywhere = [record.end for record in records if record.end > begun]
        given = [promise.at for promise in promises if promise.at > begun]
        before_flush = list(_last_moments(record for record in reversed(records) if record.end > begun))
        in_turn = cycle(self._chance.sample(given, len(given)) or anywhere)  # so that few cuts miss none of them
        for number in range(cuts):
            yield (
                next(in_turn)
                if number % 3 == 0
                else self._chance.choice((anywhere, before_flush or anywhere)[number % 3 - 1])
            )


def _last_moments(backwards: Iterable[Record]) -> Iterator[int]:
    """For each write the moment before the flush that makes it certain: where most is uncertain there are many."""
    moment = 0
    for record in backwards:
        if record.content is None:
            moment = 0
        else:
            moment = moment or record.end
            yield moment


def golden_world(folder: Path) -> Path:
    """Keys and certificates of a province whose kiosk is the one of the golden files."""
    create_world(folder, ["K01"])
    for path in (GOLDEN / "keys").iterdir():
        shutil.copy(path, folder)
        (folder / path.name).chmod(0o600)  # git keeps no such mode, and keys that others can read are refused
    shutil.copy(folder / "kiosk-signing.pub", folder / "kiosks" / "K01.pub")
    return folder


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="power-cuts", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"of {', '.join(EVERY)}; all if none")
    parser.add_argument("--cuts", type=int, default=60, help="of every workload")
    parser.add_argument("--seed", type=int, default=0, help="0: by chance; it is printed")
    parser.add_argument("--sabotage", choices=SABOTAGES, default="", help="undo one step of the order of writing")
    parser.add_argument("--keep", type=Path, help="leave log and first image of the last recording in this folder")
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """0 if every promise held at every cut."""
    args = arguments()
    logging.disable()
    seed = args.seed or random.SystemRandom().getrandbits(31)
    print(f"seed {seed}", flush=True)
    print(f"{'workload':<12}{'cuts':>6}{'promises':>10}{'unflushed':>11}{'failed':>8}{'seconds':>9}")
    results = []
    rig = Rig(args.folder, seed, args.sabotage, args.keep)
    for workload in args.workloads or EVERY:
        result = rig.run(workload, args.cuts)
        results.append(result)
        print(
            f"{workload:<12}{result.cuts:>6}{result.promises:>10}{result.unflushed:>11}{result.failed_cuts:>8}"
            f"{result.seconds:>9.1f}",
            flush=True,
        )
        for problem, times in result.problems.most_common(10):
            print(f"    {times} × {problem}", flush=True)
    print(json.dumps({"seed": seed, "results": [result.as_json() for result in results]}))
    return int(any(result.problems for result in results))


if __name__ == "__main__":
    sys.exit(main())
