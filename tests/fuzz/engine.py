"""One target in one process: `python -m tests.fuzz.engine TARGET …`, started by scripts/fuzz.

Guided by coverage where atheris is installed, else by chance alone. Ends with one line of JSON on standard output.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import sys
import time
from importlib.util import find_spec
from pathlib import Path

GUIDED = find_spec("atheris") is not None and not {"--replay", "--by-chance"} & set(sys.argv)
if GUIDED:
    import atheris

    with atheris.instrument_imports(include=["hardware.card", "asn1crypto"]):
        from tests.fuzz.targets import TARGETS, Target
else:
    from tests.fuzz.targets import TARGETS, Target

from tests.fuzz.guard import Finding, Guard  # noqa: E402  # the reader is imported instrumented, first of all
from tests.fuzz.mutation import LARGEST, mutate  # noqa: E402

INSTRUMENTED = 1.5
"""How much slower instrumented code may be."""


class Run:
    """Counts inputs and keeps one input of every kind of finding, until so many inputs or seconds."""

    def __init__(self, target: Target, guard: Guard, out: Path, inputs: int, seconds: float) -> None:
        self._target, self._guard, self._out = target, guard, out
        self._most, self._end = inputs or sys.maxsize, time.monotonic() + seconds
        self._started = time.monotonic()
        self.inputs = 0
        self._found: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """One input."""
        self.inputs += 1
        finding = self._guard.run(self._target, data)
        if finding is not None and finding.place not in self._found:
            self._found[finding.place] = self._kept(finding)

    @property
    def over(self) -> bool:
        """Whether it was enough."""
        return self.inputs >= self._most or time.monotonic() > self._end

    def report(self) -> None:
        """The last line."""
        seconds = round(time.monotonic() - self._started, 1)
        print(json.dumps({"inputs": self.inputs, "seconds": seconds, "findings": self._found}), flush=True)

    def _kept(self, finding: Finding) -> str:
        self._out.mkdir(parents=True, exist_ok=True)
        path = self._out / f"{finding.target}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
        path.write_bytes(finding.data)
        print(f"{path}\n{finding.story}", file=sys.stderr, flush=True)
        return str(path)


def by_chance(target: Target, run: Run, seed: int) -> None:
    """Seeds as they are, then mutations of them."""
    rng = random.Random(seed)
    seeds = list(target.seeds())
    for data in seeds:
        run.feed(data)
    while not run.over:
        run.feed(mutate(rng.choice(seeds), rng, seeds))
    run.report()


def by_coverage(target: Target, run: Run, seed: int, corpus: Path) -> None:
    """Never returns: the guided engine owns the process."""
    seeds = list(target.seeds())
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def feed(data: bytes) -> None:
        run.feed(data)
        if run.over:
            run.report()
            os._exit(0)

    def change(data: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)
        if rng.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, rng, seeds)[:most]

    limits = [f"-max_len={LARGEST}", "-len_control=0", "-rss_limit_mb=1024", "-timeout=60"]
    options = [f"-seed={seed}", *limits, f"-artifact_prefix={corpus.parents[1] / target.name}-", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], feed, custom_mutator=change)
    atheris.Fuzz()


def replay(target: Target, guard: Guard, files: list[Path]) -> int:
    """1 if one of the saved inputs still breaks the promise."""
    findings = [finding for path in files if (finding := guard.run(target, path.read_bytes())) is not None]
    for finding in findings:
        print(finding.story, file=sys.stderr)
    return 1 if findings else 0


def main() -> int:
    """One run, or saved inputs once more."""
    args = arguments()
    logging.disable()
    target = TARGETS[args.target]
    with Guard(INSTRUMENTED if GUIDED else 1.0) as guard:
        if args.replay:
            return replay(target, guard, args.replay)
        run = Run(target, guard, args.out, args.inputs, args.seconds)
        if GUIDED:
            by_coverage(target, run, args.seed, args.out / "corpus" / target.name)
        by_chance(target, run, args.seed)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--inputs", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("var/fuzz"))
    parser.add_argument("--by-chance", action="store_true")
    parser.add_argument("--replay", type=Path, nargs="*")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
