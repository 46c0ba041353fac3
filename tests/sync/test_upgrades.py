"""The technician installs a new version on a machine with a full queue, or by mistake an older one.

What lies in `golden` was written by the program of that version, byte for byte, with the keys in `golden/keys`: frozen
once, before the next schema, and never changed.
"""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.config import OutboxSettings
from kiosk.health import Failure, Level, Reason
from sync import signed
from sync.client import ItemBad, ReceiverClient
from sync.connectors.opencps import OpenCps
from sync.envelope import open_envelope, read_manifest
from sync.inspection import inspect
from sync.keys import create_world
from sync.office import OutboxOffice
from sync.outbox import Outbox
from sync.outbox_schema import SCHEMA, Entry, State
from sync.receiver import schema
from tests.sync.province import CANARY_ID, Province, make_dossier, until

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
QUEUES = sorted(GOLDEN.glob("outbox-v*"))
FULL = {
    "outbox-v1": ["sealed", "delivered", "answered", "manifest_sent", "quarantined", "sealed"],
    "outbox-v2": [
        *["sealed", "delivered", "answered", "manifest_sent", "quarantined", "sealed"],  # sealed by version 1
        *["sealed", "delivered", "answered", "delivered", "manifest_sent", "quarantined", "sealed"],
    ],
}
FULL["outbox-v3"] = FULL["outbox-v2"]
LOST_THERE = "the receiver gave a receipt and did not hold it any more"
HELD = json.loads((GOLDEN / "receiver-v1.json").read_text())
"""What the receiver of version 1 held, by the order of its sequence."""


@pytest.fixture
def golden_keys(tmp_path: Path) -> Path:
    """The golden province's keys, with certificates of today."""
    folder = tmp_path / "keys"
    create_world(folder, ["K01"])
    for path in (GOLDEN / "keys").iterdir():
        shutil.copy(path, folder)
    shutil.copy(folder / "kiosk-signing.pub", folder / "kiosks" / "K01.pub")
    return folder


@pytest.fixture
def world(tmp_path: Path, golden_keys: Path) -> Iterator[Province]:
    """A province that is to take over what an older version left; nothing runs yet."""
    (tmp_path / "world").mkdir()
    built = Province(tmp_path / "world", golden_keys)
    built.outbox.close()
    yield built
    built.close()


def lay(world: Province, queue: Path) -> Outbox:
    """The kiosk's outbox as that version left it, not yet opened."""
    folder = world.settings.kiosk.state / "outbox"
    shutil.rmtree(folder)
    shutil.copytree(queue, folder)
    world.outbox = Outbox(folder, world.sealer.by)
    return world.outbox


def tree(folder: Path) -> dict[str, str]:
    """Every file that holds something, and a hash of it."""
    transient = ("-wal", "-shm", ".lock", "ballast")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(transient)
    }


def command(world: Province, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "main.py"), *words, "--config", str(world.config)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


# --- the kiosk ---


def test_a_full_queue_of_every_released_version_is_kept():
    assert [queue.name for queue in QUEUES] == [f"outbox-v{number}" for number in range(1, len(SCHEMA) + 1)], (
        "a new schema needs a golden queue of its own, frozen before the next one comes"
    )
    assert set(FULL) == {queue.name for queue in QUEUES}


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_full_queue_goes_on_and_every_dossier_in_it_is_delivered(world: Province, queue):
    outbox = lay(world, queue)
    receipts = signed.verifying_key(world.settings.office.receipt_key, "key")
    assert outbox.take_over(receipts) is None, "no rebuild is needed"
    rows = outbox.records()
    assert [row["state"] for row in rows] == FULL[queue.name]
    assert inspect(outbox, world.sealer.by.public_key(), receipts).problems == []
    assert {schema for schema, _ in opened(world, outbox)} == ({1} if queue.name == "outbox-v1" else {1, 2})
    held = [row for row in rows if row["state"] == "quarantined"]
    for row in held:
        outbox.release(row["submission"])
    assert outbox.put(make_dossier(), world.sealer) is None
    before = {row["submission"]: (row["manifest_sha256"], row["receipt"]) for row in outbox.records()}
    world.start("tthc-model")
    world.start("receiver")
    until(lambda: world.forward() in (0, 1) and not outbox.undelivered())
    after = outbox.records()
    assert {row["state"] for row in after} <= {"delivered", "answered"}
    assert [row["sequence"] for row in after] == list(range(1, len(rows) + 2))
    for row in after:
        sha256, receipt = before[row["submission"]]
        assert row["manifest_sha256"] == sha256
        assert row["receipt"] == receipt or receipt is None, "a receipt of before is kept"
    problems = inspect(outbox, world.sealer.by.public_key(), receipts).problems
    assert [said for said in problems if LOST_THERE not in said] == [], "this province is a new one: it held nothing"


def opened(world: Province, outbox: Outbox) -> Iterator[tuple[int, str]]:
    """Envelope version and reference of everything that was not purged, opened with the receiver's key."""
    key = signed.opening_key(world.settings.receiver.hpke_key_file, "key")
    for row in outbox.records():
        if not row["purged"]:
            entry = Entry(row["submission"], row["sequence"], row["manifest_sha256"], State(row["state"]))
            manifest = read_manifest(outbox.manifest(entry), world.sealer.by.public_key())
            inside = open_envelope(manifest, lambda name, entry=entry: outbox.blob(entry, name), key)
            assert inside.payload["provisional_ref"] == row["provisional_ref"]
            yield manifest.schema, row["provisional_ref"]


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_queue_whose_index_is_lost_on_the_way_is_rebuilt_by_the_new_version(world: Province, queue):
    outbox = lay(world, queue)
    (queue_index := world.settings.kiosk.state / "outbox" / "outbox.db").unlink()
    rebuilt = outbox.take_over(signed.verifying_key(world.settings.office.receipt_key, "key"))
    assert rebuilt is not None
    assert (rebuilt.found, rebuilt.lost) == (len(FULL[queue.name]), [])
    assert not queue_index.exists()
    assert len(list(opened(world, outbox))) == len(FULL[queue.name]) - (queue.name != "outbox-v1")


async def test_an_older_program_refuses_a_newer_queue_tells_why_and_changes_nothing(world: Province):
    lay(world, QUEUES[-1]).close()
    folder = world.settings.kiosk.state / "outbox"
    newer(folder / "outbox.db")
    before = tree(folder)
    said = (
        f"written by a newer program (schema 99, known {len(SCHEMA)}); nothing was changed: install that program again"
    )
    storing = OutboxSettings(ballast_mb=0)
    async with OutboxOffice(world.settings.office, world.settings.kiosk, storing) as office:
        assert (office.status.level, office.status.reason) == (Level.FAULT, Reason.STORAGE_ERROR)
        assert said in office.status.detail
        assert isinstance(await office.submit(make_dossier()), Failure), "no receipt is printed"
    for words in (("outbox", "list"), ("outbox", "verify"), ("outbox", "rebuild"), ("forward", "--once")):
        done = command(world, *words)
        assert done.returncode != 0, words
        assert said in done.stderr, words
        assert "Traceback" not in done.stderr
    assert tree(folder) == before


def newer(index: Path) -> None:
    database = sqlite3.connect(index)
    database.execute("PRAGMA user_version=99")
    database.close()


# --- the receiver ---


def test_what_every_released_version_of_the_receiver_left_is_kept():
    kept = sorted(folder.name for folder in GOLDEN.glob("receiver-v*") if folder.is_dir())
    assert kept == [f"receiver-v{number}" for number in range(1, len(schema.for_sqlite()))], (
        "before a new schema is begun, the last one needs a golden folder"
    )


@pytest.fixture
def office(world: Province) -> Province:
    """The receiver of version 1, taken over by this program; the TTHC system is there."""
    lay_receiver(world)
    world.enrol()
    world.start("tthc-model")
    _attempt(world)
    world.start("receiver")
    return world


def _attempt(world: Province) -> None:
    """What that receiver did at the TTHC system: drafts of all that it tried, and one of them sent for good."""
    receiver = world.settings.receiver
    user, _, word = receiver.tthc_user_file.read_text().strip().partition(":")
    tthc, key = OpenCps(receiver.tthc_url, user, word), signed.opening_key(receiver.hpke_key_file, "key")
    for row in golden_rows()[2:]:
        manifest = read_manifest(row["manifest"], None)
        inside = open_envelope(manifest, lambda name: (receiver.state / "blobs" / name[:2] / name).read_bytes(), key)
        assert tthc.create(inside) == row["reference_uid"]
        if row["state"] == "filed":
            uploads = {name: tthc.upload(row["reference_uid"], inside, name) for name in inside.files}
            tthc.submit(row["reference_uid"], inside, uploads)


def lay_receiver(world: Province) -> Path:
    folder = world.settings.receiver.state
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(GOLDEN / "receiver-v1", folder)
    return folder


def golden_rows() -> list[sqlite3.Row]:
    database = sqlite3.connect(f"file:{GOLDEN / 'receiver-v1' / 'receiver.db'}?mode=ro&immutable=1", uri=True)
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM submission ORDER BY sequence").fetchall()
    database.close()
    return rows


def state_of(client: ReceiverClient, row: sqlite3.Row) -> str:
    return str(json.loads(client.call("GET", f"/submissions/{row['submission']}/status").body)["state"])


def test_a_receiver_taken_over_gives_the_same_receipts_and_goes_on_where_it_was(office: Province):
    client = ReceiverClient(office.settings.office)
    rows = golden_rows()
    assert [row["state"] for row in rows] == [held["state"] for held in HELD]
    announced, *received = rows
    for row in received:
        path = f"/submissions/{row['submission']}"
        assert client.call("GET", f"{path}/receipt").body == row["receipt"]
        assert client.call("PUT", path, row["manifest"]).status == 200, "the same manifest again changes nothing"
        assert client.call("POST", f"{path}/commit").body == row["receipt"], "nor does a second commit"
    blobs = read_manifest(announced["manifest"], None).blobs
    offsets = [client.call("HEAD", f"/blobs/{blob.sha256}").headers["Upload-Offset"] for blob in blobs]
    assert offsets == [str(blobs[0].size), "100", "0"], "what was under way is resumed where it stood"
    under_way = [rows[number] for number in (1, 2, 6)]  # never tried; sent; decided by a person: send again
    until(lambda: {state_of(client, row) for row in under_way} == {"answered"})
    others = {row["sequence"]: state_of(client, row) for row in rows if row not in under_way}
    assert others == {1: "announced", 4: "answered", 5: "quarantined", 6: "committed", 8: "filed"}, "held ones stay"
    assert set(office.arrived()) == {f"{number:032x}" for number in (2, 3, 7)}, "nothing else was sent"
    client.close()


def test_a_draft_that_the_tthc_system_has_lost_is_made_anew_and_holds_up_no_other_dossier(world: Province):
    """As after that system was set back to an older copy of itself: none of what was begun there is there."""
    lay_receiver(world)
    world.enrol()
    world.start("tthc-model")
    world.start("receiver")
    client = ReceiverClient(world.settings.office)
    new, lost, decided = (golden_rows()[number] for number in (1, 6, 7))
    until(lambda: [state_of(client, row) for row in (new, lost, decided)] == ["answered", "answered", "filed"])
    assert {f"{number:032x}" for number in (2, 7)} <= set(world.arrived())
    assert "the draft is not there any more; it is tried again" in world.log("receiver")
    client.close()


def test_a_receiver_taken_over_still_refuses_another_dossier_under_a_number_it_knows(office: Province):
    client = ReceiverClient(office.settings.office)
    other = Outbox(office.root / "other", office.sealer.by)
    other.take_over()
    assert other.put(make_dossier(), office.sealer) is None
    [entry] = other.entries(State.SEALED)
    with pytest.raises(ItemBad, match="HTTP 409"):
        client.call("PUT", f"/submissions/{entry.submission}", other.manifest(entry))
    client.close()
    other.close()


def test_a_citizen_still_finds_by_both_numbers_what_the_older_receiver_was_told(office: Province):
    office.kill("tthc-model")
    client = ReceiverClient(office.settings.office)
    both = {"code": HELD[3]["provisional_ref"], "personal_id": CANARY_ID}
    found = json.loads(client.call("POST", "/lookups", json.dumps(both).encode()).body)
    assert (found["dossier_code"], found["status"]) == ("H15.50.05-261123-0004", 2)
    wrong = both | {"personal_id": "001199000124"}
    assert client.call("POST", "/lookups", json.dumps(wrong).encode(), allowed=frozenset({404})).status == 404
    client.close()


def test_an_older_receiver_refuses_a_newer_database_tells_why_and_changes_nothing(world: Province):
    folder = lay_receiver(world)
    newer(folder / "receiver.db")
    before = tree(folder)
    done = command(world, "serve", "receiver")
    assert done.returncode != 0
    assert "receiver.db: written by a newer program (schema 99, known" in done.stderr
    assert "nothing was changed: install that program again" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(folder) == before
