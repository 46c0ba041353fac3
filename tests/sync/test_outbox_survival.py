"""What the outbox outlives: a lost, ruined or old index, a full disk, a crash anywhere, wrong clocks, a new version."""

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.clock import utc_iso
from kiosk.dossier import DossierState
from kiosk.health import Reason
from sync import audit, rebuild, signed, store
from sync import outbox as module
from sync.envelope import open_envelope, read_manifest
from sync.inspection import inspect
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import Entry, State
from tests.sync import delivery_process
from tests.sync.province import PROCESSES, make_dossier
from tests.sync.test_outbox import largest_file

GOLDEN = Path(__file__).parent / "golden"
DAY = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.fixture
def receipt_key(keys: Path):
    return signed.verifying_key(keys / "receiver-receipt.pub", "key")


def receipt(keys: Path, entry: Entry, received: datetime = DAY) -> bytes:
    ids = {"submission": entry.submission, "manifest_sha256": entry.manifest_sha256}
    key = signed.signing_key(keys / "receiver-receipt.key", "key")
    return signed.sign("receipt", {"schema": 1, **ids, "received_at": utc_iso(received)}, key)


def deliver(outbox: Outbox, keys: Path, entry: Entry, received: datetime = DAY) -> None:
    outbox.manifest_sent(entry)
    outbox.delivered(entry, receipt(keys, entry, received))


def filled(outbox: Outbox, sealer: Sealer, keys: Path, count: int = 4) -> list:
    """Some dossiers; the second is delivered, the third answered."""
    dossiers = [make_dossier() for _ in range(count)]
    for dossier in dossiers:
        assert outbox.put(dossier, sealer) is None
    entries = outbox.entries(State.SEALED)
    for entry in entries[1:3]:
        deliver(outbox, keys, entry)
    outbox.answered(entries[2], DossierState(dossiers[2].provisional_ref, "H15-1", 2))
    return dossiers


def states(outbox: Outbox) -> list[str]:
    return [row["state"] for row in outbox.records()]


def fingerprint(outbox: Outbox) -> list:
    names = ("submission", "sequence", "reference_uid", "provisional_ref", "manifest_sha256", "sealed_at", "receipt")
    return [[row[name] for name in names] for row in outbox.records()]


def problems(outbox: Outbox, sealer: Sealer, receipt_key) -> list[str]:
    return inspect(outbox, sealer.by.public_key(), receipt_key).problems


def delete(folder: Path) -> None:
    for path in folder.glob("outbox.db*"):
        path.unlink()


def ruin(folder: Path) -> None:
    (folder / "outbox.db").write_bytes(b"rubbish" * 1000)


def truncate(folder: Path) -> None:
    os.truncate(folder / "outbox.db", 0)


def flip(folder: Path) -> None:
    content = bytearray((folder / "outbox.db").read_bytes())
    content[4096:8192] = os.urandom(4096)
    (folder / "outbox.db").write_bytes(content)


@pytest.mark.parametrize("harm", [delete, ruin, truncate, flip])
def test_the_index_comes_back_from_the_envelopes_alone(outbox, sealer, keys, receipt_key, harm, caplog):
    dossiers = filled(outbox, sealer, keys)
    before, folder = fingerprint(outbox), outbox._folder
    outbox.close()
    harm(folder)
    again = Outbox(folder, sealer.by)
    assert again.take_over(receipt_key).lost == []
    assert fingerprint(again) == before
    assert states(again) == ["sealed", "delivered", "delivered", "sealed"], "what was delivered is not sent again"
    assert again.put(dossiers[0], sealer) is None
    assert again.put(make_dossier(), sealer) is None
    assert [row["sequence"] for row in again.records()] == [1, 2, 3, 4, 5]
    assert problems(again, sealer, receipt_key) == []
    assert "rebuilding it from the envelopes" in caplog.text
    again.close()


def test_a_forwarder_at_work_goes_over_to_the_rebuilt_index(outbox, sealer, keys):
    filled(outbox, sealer, keys)
    forwarder = Outbox(outbox._folder)
    assert len(forwarder.entries(State.SEALED)) == 2
    outbox.rebuild()
    deliver(forwarder, keys, forwarder.entries(State.SEALED)[0])
    assert states(outbox) == ["delivered", "delivered", "delivered", "sealed"]
    forwarder.close()


def test_without_the_application_nobody_begins_a_second_index_over_envelopes(outbox, sealer):
    assert outbox.put(make_dossier(), sealer) is None
    outbox.close()
    delete(outbox._folder)
    forwarder = Outbox(outbox._folder)
    with pytest.raises(store.Damaged, match="the kiosk's application rebuilds it"):
        forwarder.road()
    assert not (outbox._folder / "outbox.db").exists()


def test_an_old_copy_of_the_index_does_not_set_promised_dossiers_aside(outbox, sealer, receipt_key):
    assert outbox.put(make_dossier(), sealer) is None
    outbox.close()
    shutil.copy(outbox._folder / "outbox.db", outbox._folder / "copy")
    for _ in range(2):
        assert outbox.put(make_dossier(), sealer) is None
    before = fingerprint(outbox)
    outbox.close()
    shutil.move(outbox._folder / "copy", outbox._folder / "outbox.db")
    again = Outbox(outbox._folder, sealer.by)
    again.take_over(receipt_key)
    assert fingerprint(again) == before
    assert not list((again._folder / "interrupted").iterdir())
    again.close()


def test_an_envelope_that_vanished_is_named_and_its_number_never_given_again(outbox, sealer, receipt_key):
    for _ in range(3):
        assert outbox.put(make_dossier(), sealer) is None
    gone = outbox.entries(State.SEALED)
    for entry in gone[1:]:
        shutil.rmtree(outbox._folder / "envelopes" / entry.submission)
    assert outbox.rebuild(receipt_key).lost == [2, 3]
    assert outbox.put(make_dossier(), sealer) is None
    assert states(outbox) == ["sealed", "quarantined", "quarantined", "sealed"]
    assert [row["submission"] for row in outbox.records()][1:3] == [entry.submission for entry in gone[1:]]
    assert problems(outbox, sealer, receipt_key) == [
        f"sequence {entry.sequence}, {entry.submission}: a part of the envelope is missing on disk"
        for entry in gone[1:]
    ]


def test_a_forged_receipt_does_not_survive_a_rebuild(outbox, sealer, keys, receipt_key):
    filled(outbox, sealer, keys)
    first, second = (row["submission"] for row in outbox.records()[:2])
    stolen = (outbox._folder / "envelopes" / second / "receipt").read_bytes()
    (outbox._folder / "envelopes" / first / "receipt").write_bytes(stolen)
    outbox.rebuild(receipt_key)
    assert states(outbox)[:2] == ["sealed", "delivered"]


def test_a_rebuild_is_not_led_astray_by_a_false_audit_log(outbox, sealer, keys, receipt_key):
    filled(outbox, sealer, keys)
    known = outbox.records()[0]["submission"]
    false = [{"event": "sealed", "sequence": n, "submission": known} for n in (5, 6, 900_000_000)]
    with (outbox._folder / "audit.log").open("a") as file:
        file.writelines(json.dumps(document) + " -\n" for document in [*false, {"event": []}])
    assert outbox.rebuild(receipt_key).found == 4
    assert states(outbox)[:6] == ["sealed", "delivered", "delivered", "sealed", "quarantined", "quarantined"]
    assert len(outbox.records()) < 30


# --- audit ---


def events(outbox: Outbox) -> list[str]:
    return [line.document["event"] for line in audit.lines(outbox._folder / "audit.log")]


def test_every_event_is_written_down_once_signed_and_without_a_name(outbox, sealer, keys, receipt_key):
    filled(outbox, sealer, keys, 3)
    assert events(outbox) == [*["sealed"] * 3, *["manifest_sent", "delivered"] * 2, "answered"]
    assert problems(outbox, sealer, receipt_key) == []
    text = (outbox._folder / "audit.log").read_text()
    assert set(json.loads(text.split("\n")[0].rpartition(" ")[0])) == {
        *("n", "utc", "event", "submission", "sequence", "previous"),
    }
    assert all(line.signature for line in audit.lines(outbox._folder / "audit.log"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0].replace(b'"sequence": 1', b'"sequence": 9'), *lines[1:]], "line 1 is not signed"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3 does not follow"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1 does not follow"),
        (lambda lines: lines[:-1], "ends at line 7 of 8"),
        (lambda _: [], "ends at line 0 of 8"),
        (lambda lines: [*lines[:4], lines[4][: lines[4].rfind(b" ")] + b" -\n", *lines[5:]], "line 6 does not follow"),
        (lambda lines: [*lines[:-1], lines[-1][: lines[-1].rfind(b" ")] + b" -\n"], "last audit line is not the one"),
    ],
    ids=["altered", "removed", "reordered", "truncated", "emptied", "unsigned", "unsigned at the end"],
)
def test_whoever_changes_the_audit_log_is_found_out(outbox, sealer, keys, receipt_key, change, said):
    filled(outbox, sealer, keys, 3)
    path = outbox._folder / "audit.log"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    [found] = problems(outbox, sealer, receipt_key)
    assert said in found


def test_a_line_half_written_before_a_crash_is_written_over(outbox, sealer, receipt_key):
    assert outbox.put(make_dossier(), sealer) is None
    with (outbox._folder / "audit.log").open("ab") as file:
        file.write(b'{"n": 2, "ev')
    assert problems(outbox, sealer, receipt_key) == []
    assert outbox.put(make_dossier(), sealer) is None
    assert problems(outbox, sealer, receipt_key) == []
    assert events(outbox) == ["sealed", "sealed"]


# --- retention ---


def parts(outbox: Outbox, submission: str) -> set[str]:
    return {path.name for path in (outbox._folder / "envelopes" / submission).iterdir()}


def test_files_go_days_after_the_receipt_and_never_before(outbox, sealer, keys, receipt_key):
    for _ in range(3):
        assert outbox.put(make_dossier(), sealer) is None
    old, new, waiting = outbox.entries(State.SEALED)
    assert outbox.purge(0) == 0, "without a receipt nothing goes"
    deliver(outbox, keys, old, DAY)
    deliver(outbox, keys, new, DAY + timedelta(days=29.9))
    assert outbox.purge(30) == 0
    assert outbox.purge(29) == 1
    assert parts(outbox, old.submission) == {"manifest", "receipt"}
    assert len(parts(outbox, new.submission)) == 5
    assert outbox.purge(0) == 1
    assert len(parts(outbox, waiting.submission)) == 4
    assert states(outbox) == ["delivered", "delivered", "sealed"]
    assert problems(outbox, sealer, receipt_key) == []
    outbox.rebuild(receipt_key)
    assert states(outbox) == ["delivered", "delivered", "sealed"], "a receipt outlives index and files"
    assert [row["purged"] for row in outbox.records()] == [1, 1, 0]
    outbox.answered(old, DossierState("TAM", "H15-1", 2))


@pytest.mark.parametrize("statement", ["UPDATE submission SET purged = 1", "UPDATE submission SET purged = 2"])
def test_the_database_itself_refuses_to_purge_without_a_receipt(outbox, sealer, statement):
    assert outbox.put(make_dossier(), sealer) is None
    with pytest.raises(store.IntegrityError):
        outbox._database.execute(statement)


def test_the_database_itself_keeps_receipts_and_the_length_of_the_audit_log(outbox, sealer, keys):
    filled(outbox, sealer, keys)
    for statement in ("UPDATE submission SET receipt = x'00' WHERE receipt IS NOT NULL", "UPDATE audit_head SET n = 1"):
        with pytest.raises(store.IntegrityError):
            outbox._database.execute(statement)


def step_and_die(work: str, folder: Path, keys: Path, step: int) -> None:
    outbox = Outbox(folder, signed.signing_key(keys / "kiosk-signing.key", "key"))
    receipt_key = signed.verifying_key(keys / "receiver-receipt.pub", "key")
    delivery_process.count_steps(step, at_once=True)
    outbox.take_over(receipt_key)
    if work == "purge":
        outbox.purge(0)
    elif work == "deliver":
        deliver(outbox, keys, outbox.undelivered()[0])
    else:
        outbox.rebuild(receipt_key)
    os._exit(0)


@pytest.mark.parametrize("work", ["purge", "deliver", "rebuild"])
def test_killed_at_any_step_it_is_done_or_begun_again(tmp_path, sealer, keys, receipt_key, work):
    made = Outbox(tmp_path / "made", sealer.by)
    made.take_over()
    filled(made, sealer, keys)
    whole, begin = fingerprint(made), [row["submission"] for row in made.records()]
    if work == "deliver":
        made.manifest_sent(made.undelivered()[0])
        whole = fingerprint(made)
        made.rebuild()  # back to «sealed», so that the whole way is gone
    made.close()
    for step in itertools.count(1):
        folder = tmp_path / f"{work}-{step}"
        shutil.copytree(made._folder, folder)
        process = PROCESSES.Process(target=step_and_die, args=(work, folder, keys, step))
        process.start()
        process.join(30)
        outbox = Outbox(folder, sealer.by)
        outbox.take_over(receipt_key)
        assert problems(outbox, sealer, receipt_key) == []
        assert [row["submission"] for row in outbox.records()] == begin
        for row, before in zip(outbox.records(), whole, strict=True):
            assert not row["purged"] or row["receipt"]
            assert row["purged"] == (parts(outbox, row["submission"]) == {"manifest", "receipt"})
            assert row["receipt"] == before[-1] or work == "deliver"
        outbox.close()
        shutil.rmtree(folder)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 4


# --- a full disk ---


def test_ballast_lets_receipts_and_deletions_go_on_when_nothing_else_fits(tmp_path, sealer, keys, receipt_key):
    """On a real file system of 6 MB that is filled to the last byte."""
    with small_disk(tmp_path, "size=6m") as disk:
        outbox = Outbox(disk / "outbox", sealer.by, ballast=1_000_000)
        outbox._ballast.lay = lambda: _lay(outbox)
        outbox.take_over()
        assert outbox.put(make_dossier(), sealer) is None
        [entry] = outbox.entries(State.SEALED)
        fill(disk / "filler")
        failure = outbox.put(make_dossier(), sealer)
        assert failure is not None
        assert failure.reason is Reason.DISK_FULL
        assert outbox._ballast.in_place, "a submit does not use the reserve"
        deliver(outbox, keys, entry)
        assert not outbox._ballast.in_place
        assert outbox.purge(0) == 1
        assert states(outbox) == ["delivered"]
        assert problems(outbox, sealer, receipt_key) == []
        probed = outbox.probe()
        assert probed is not None
        assert (probed.reason, probed.detail) == (Reason.DISK_FULL, "no room for the reserve (ballast)")
        (disk / "filler").unlink()
        assert _lay(outbox), "with room again the reserve is laid again"
        assert outbox.put(make_dossier(), sealer) is None
        outbox.close()


def test_no_inode_left_refuses_before_anybody_files_and_says_the_disk_is_full(tmp_path, sealer):
    with small_disk(tmp_path, "size=200m,nr_inodes=40") as disk:
        outbox = Outbox(disk / "outbox", sealer.by)
        outbox.take_over()
        assert outbox.probe() is None
        with pytest.raises(OSError, match="No space left"):
            for number in itertools.count():
                (disk / str(number)).touch()
        for attempt in (outbox.probe, lambda: outbox.put(make_dossier(), sealer)):
            failure = attempt()
            assert failure is not None
            assert failure.reason is Reason.DISK_FULL
        assert states(outbox) == []
        (disk / "0").unlink()
        assert outbox.room().files == 1
        outbox.close()


def _lay(outbox: Outbox) -> bool:
    """As the real one, but for a disk on which its margin does not fit."""
    ballast = outbox._ballast
    if not ballast.in_place and outbox.room().bytes > 3_000_000:
        with ballast._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, ballast._size)
    return ballast.in_place


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


@contextmanager
def small_disk(tmp_path: Path, options: str):
    """A file system of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no right to mount a file system here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_the_ballast_takes_its_room_only_where_there_is_plenty(tmp_path):
    ballast = module.Ballast(tmp_path / "ballast", 1_000_000)
    assert not ballast.in_place
    assert ballast.lay()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1_000_000, "real room, no hole in a file"
    assert ballast.throw()
    assert not ballast.throw()
    with largest_file(500_000):
        assert not ballast.lay()
    assert not (tmp_path / "ballast").exists()
    assert not module.Ballast(tmp_path / "ballast", 1 << 60).lay()


# --- quarantine ---


def test_a_quarantined_one_is_released_by_id_or_reference_and_the_rest_goes_on(outbox, sealer, keys, receipt_key):
    dossiers = filled(outbox, sealer, keys)
    first, last = outbox.entries(State.SEALED)
    outbox.quarantine(first, "HTTP 422")
    assert [entry.submission for entry in outbox.entries(State.SEALED)] == [last.submission]
    assert outbox.release(dossiers[0].provisional_ref).submission == first.submission
    with pytest.raises(KeyError):
        outbox.release(first.submission)
    outbox.quarantine(first, "HTTP 422")
    outbox.release(first.submission)
    deliver(outbox, keys, first)
    assert events(outbox)[-6:] == ["quarantined", "released", "quarantined", "released", "manifest_sent", "delivered"]
    assert problems(outbox, sealer, receipt_key) == []


# --- clocks and versions ---


@pytest.mark.parametrize("year", [1971, 2039, 2107])
def test_a_wrong_clock_changes_the_label_only(outbox, sealer, keys, receipt_key, monkeypatch, year):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(year, 1, 2, tzinfo=tz)

    assert outbox.put(make_dossier(), sealer) is None
    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(audit, "datetime", Clock)
    assert outbox.put(make_dossier(), sealer) is None
    for entry in outbox.entries(State.SEALED):
        deliver(outbox, keys, entry)
    assert outbox.purge(1) == 0, "days are counted in the receiver's time"
    assert [row["sequence"] for row in outbox.records()] == [1, 2]
    assert outbox.records()[1]["sealed_at"] == f"{year}-01-02T00:00:00.000Z"
    assert problems(outbox, sealer, receipt_key) == []
    before = fingerprint(outbox)
    outbox.rebuild(receipt_key)
    assert fingerprint(outbox) == before


@pytest.fixture
def version_1(tmp_path) -> Path:
    """A full queue as the first released version left it: sealed ×2, delivered, answered, quarantined, sealed."""
    return Path(shutil.copytree(GOLDEN / "outbox-v1", tmp_path / "version-1"))


def golden(name: str) -> Path:
    return GOLDEN / "keys" / name


def test_a_full_queue_of_version_1_goes_on_in_this_one(version_1, sealer):
    kiosk = signed.signing_key(golden("kiosk-signing.key"), "key")
    receipts = signed.verifying_key(golden("receiver-receipt.pub"), "key")
    outbox = Outbox(version_1, kiosk)
    assert outbox.take_over(receipts) is None
    assert states(outbox) == ["sealed", "delivered", "answered", "manifest_sent", "quarantined", "sealed"]
    assert problems(outbox, Sealer("K01", sealer.to, kiosk), receipts) == []
    assert outbox.put(make_dossier(), Sealer("K01", sealer.to, kiosk)) is None
    opening = signed.opening_key(golden("receiver-hpke.key"), "key")
    for entry in outbox.undelivered()[:-1]:
        manifest = read_manifest(outbox.manifest(entry), kiosk.public_key())
        inside = open_envelope(manifest, lambda name, entry=entry: outbox.blob(entry, name), opening)
        assert inside.payload["provisional_ref"].startswith("TAM-GOLD")
    before = [row[:2] + row[3:5] for row in fingerprint(outbox)]
    assert outbox.rebuild(receipts).delivered == 2, "receipts were put beside the manifests"
    assert [row[:2] + row[3:5] for row in fingerprint(outbox)] == before
    outbox.close()


def test_a_version_1_queue_without_its_index_is_rebuilt(version_1):
    (version_1 / "outbox.db").unlink()
    outbox = Outbox(version_1)
    done = outbox.take_over()
    assert done is not None
    assert (done.found, done.lost) == (6, [])
    outbox.close()


def test_an_older_program_is_refused_and_told_to_be_replaced(outbox):
    path = rebuild.current(outbox._folder)
    with pytest.raises(store.Unusable, match=r"newer program \(schema 3, known 1\); nothing was changed: install"):
        store.connect(path, module.SCHEMA[:1])
