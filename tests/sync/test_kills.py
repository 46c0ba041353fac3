"""Forwarder, receiver with its connector, and TTHC system die at random on a bad network: every promise holds."""

import random
from pathlib import Path

import postgres
from tests.sync.history import violations
from tests.sync.kills import rig


def storm(root: Path, keys: Path, kills: int, database: str = "") -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    with rig(root, keys, seed, database) as province:
        province.storm(kills)
        history = province.history(province.heal())
    assert violations(history) == []
    assert len([event for event in history if event.what == "printed"]) > 3


def test_after_kills_and_faults_every_promise_holds(tmp_path: Path, keys: Path):
    storm(tmp_path, keys, 25)


def test_with_postgresql_and_two_receivers_too(tmp_path: Path, keys: Path, cluster: postgres.Cluster):
    storm(tmp_path, keys, 12, cluster.new_database())
