"""The outbox: what was promised is on disk, what failed left nothing, and the kiosk itself cannot read any of it."""

import errno
import itertools
import os
import resource
import signal
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kiosk.health import Failure, Reason
from sync import signed, store
from sync.envelope import EnvelopeError, open_envelope, read_manifest
from sync.outbox import Outbox, Sealer
from sync.outbox_schema import State
from tests.sync import delivery_process
from tests.sync.province import PROCESSES, make_dossier


def envelopes(outbox: Outbox) -> set[str]:
    return {path.name for path in (outbox._folder / "envelopes").iterdir()}


def test_a_stored_dossier_opens_with_the_provinces_key_and_with_no_key_of_the_kiosk(outbox, sealer, keys):
    dossier = make_dossier()
    assert outbox.put(dossier, sealer) is None
    [entry] = outbox.entries(State.SEALED)
    manifest = read_manifest(outbox.manifest(entry), sealer.by.public_key())
    province = signed.opening_key(keys / "receiver-hpke.key", "key")
    opened = open_envelope(manifest, lambda name: outbox.blob(entry, name), province)
    assert opened.files == dossier.files()
    assert opened.payload == dossier.payload()
    for name in ("kiosk.key", "kiosk-signing.key"):
        raw = load_pem_private_key((keys / name).read_bytes(), None).private_bytes_raw if "signing" in name else None
        key = X25519PrivateKey.from_private_bytes(raw()) if raw else X25519PrivateKey.generate()
        with pytest.raises(EnvelopeError):
            open_envelope(manifest, lambda blob: outbox.blob(entry, blob), key)


def test_the_same_dossier_twice_is_stored_once(outbox, sealer):
    dossier = make_dossier()
    assert outbox.put(dossier, sealer) is None
    assert outbox.put(dossier, sealer) is None
    assert len(outbox.entries(State.SEALED)) == 1


def test_sequence_numbers_have_no_gap_over_failures(outbox, sealer, monkeypatch):
    for n in range(3):
        assert outbox.put(make_dossier(), sealer) is None
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _fails(errno.EIO, n + 1))
            assert outbox.put(make_dossier(), sealer) == Failure(Reason.STORAGE_ERROR, os.strerror(errno.EIO))
    assert [entry.sequence for entry in outbox.entries(State.SEALED)] == [1, 2, 3]


def _fails(number: int, at: int):
    count, real = itertools.count(1), os.fsync

    def fsync(descriptor: int) -> None:
        if next(count) == at:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    return fsync


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_sync_at_any_step_leaves_nothing_and_promises_nothing(outbox, sealer, monkeypatch, number):
    for step in itertools.count(1):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _fails(number, step))
            failure = outbox.put(make_dossier(), sealer)
        if failure is None:
            break
        assert failure.reason == (Reason.DISK_FULL if number == errno.ENOSPC else Reason.STORAGE_ERROR)
        assert not envelopes(outbox)
        assert not list((outbox._folder / "incoming").iterdir())
    assert step == 10  # four files, three folders, the first line of the audit log and its folder
    assert [entry.sequence for entry in outbox.entries(State.SEALED)] == [1]


@contextmanager
def largest_file(size: int):
    """No file may grow beyond `size`: the kernel refuses the write, SQLite's too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 500, 5_000, 30_000, 60_000, 200_000])
def test_a_full_disk_is_a_failure_and_the_next_submit_finds_all_in_order(outbox, sealer, size):
    assert outbox.put(make_dossier(), sealer) is None
    dossier = make_dossier(evidence=70_000)
    before = envelopes(outbox)
    with largest_file(size):
        failure = outbox.put(dossier, sealer)
    if failure is not None:
        assert failure.reason in (Reason.DISK_FULL, Reason.STORAGE_ERROR)
        assert envelopes(outbox) == before
        assert not list((outbox._folder / "incoming").iterdir())
    assert (failure is None) == (size == 200_000)
    assert outbox.put(dossier, sealer) is None
    assert [entry.sequence for entry in outbox.entries(State.SEALED)] == [1, 2]


def test_a_full_disk_shows_before_anybody_files(outbox):
    assert outbox.probe() is None
    with largest_file(100):
        failure = outbox.probe()
    assert failure is not None
    assert failure.reason is Reason.DISK_FULL


def put_and_die(folder: Path, sealer_keys: Path, step: int) -> None:
    delivery_process.count_steps(step, at_once=True)
    outbox = Outbox(folder)
    outbox.take_over()
    receiver = signed.sealing_key(sealer_keys / "receiver-hpke.pub", "key")
    sealer = Sealer("K01", receiver, signed.signing_key(sealer_keys / "kiosk-signing.key", "key"))
    os._exit(0 if outbox.put(make_dossier(), sealer) is None else 1)


def test_killed_at_any_step_of_a_submit_nothing_half_remains(tmp_path, keys, sealer):
    folder = tmp_path / "outbox"
    Outbox(folder).close()
    for step in itertools.count(1):
        process = PROCESSES.Process(target=put_and_die, args=(folder, keys, step))
        process.start()
        process.join(30)
        outbox = Outbox(folder)
        outbox.take_over()
        entries = outbox.entries(State.SEALED)
        assert envelopes(outbox) == {entry.submission for entry in entries}
        for entry in entries:
            for blob in read_manifest(outbox.manifest(entry), sealer.by.public_key()).blobs:
                outbox.blob(entry, blob.sha256)
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert not list((folder / "incoming").iterdir())
        outbox.close()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 8
    assert list((folder / "interrupted").iterdir()), "ciphertext of interrupted submits is kept"


def test_a_bit_lost_on_disk_is_found_before_the_promise(outbox, sealer, monkeypatch):
    real = store.write_pieces

    def lying_disk(path: Path, pieces) -> tuple[str, int]:
        written = real(path, pieces)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        return written

    monkeypatch.setattr(store, "write_pieces", lying_disk)
    failure = outbox.put(make_dossier(), sealer)
    assert failure is not None
    assert failure.reason is Reason.STORAGE_ERROR


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submission SET state = 'delivered', receipt = x'00'",
        "UPDATE submission SET state = 'answered', receipt = x'00', answer = '{}'",
        "UPDATE submission SET state = 'manifest_sent', receipt = x'00'",
        "UPDATE submission SET sequence = 5",
        "UPDATE submission SET state = 'lost'",
        "DELETE FROM submission",
    ],
)
def test_the_database_itself_refuses_what_is_not_allowed(outbox, sealer, statement):
    assert outbox.put(make_dossier(), sealer) is None
    with pytest.raises(store.IntegrityError):
        outbox._database.execute(statement)


@pytest.mark.parametrize(("sequence", "allowed"), [(1, False), (2, True), (3, False)])
def test_the_database_itself_refuses_a_gap_in_the_sequence(outbox, sealer, sequence, allowed):
    assert outbox.put(make_dossier(), sealer) is None
    columns = "submission, sequence, reference_uid, provisional_ref, manifest_sha256, sealed_at"
    values = ("0" * 32, sequence, "r", "p", "0" * 64, "t")
    with nullcontext() if allowed else pytest.raises(store.IntegrityError):
        outbox._database.execute(f"INSERT INTO submission ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)


def test_two_applications_cannot_fill_one_outbox(outbox):
    second = Outbox(outbox._folder)
    with pytest.raises(store.AlreadyHeld):
        second.take_over()
    second.close()


def test_the_database_is_durable(outbox):
    pragma = {
        name: outbox._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}
