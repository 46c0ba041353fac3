"""What the receiver holds, on both databases and both stores: once, durable, resumable, unchanged."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto.server import ThreadedMotoServer

from kiosk.config import ConfigError, ReceiverSettings
from sync import signed
from sync.authority import Authority, fingerprint
from sync.connectors.ledger import AtWork, Ledger
from sync.enrolment import EnrolmentError
from sync.envelope import Blob, Label, Sealed, new_submission_id, read_manifest, seal
from sync.outbox import Sealer
from sync.receiver import breach, kiosks
from sync.receiver.blobs import Blobs, Damaged, TooMuch, WrongOffset, open_blobs
from sync.receiver.contacts import digest_of
from sync.receiver.database import Conflict, Database, open_database
from sync.receiver.registry import Missing, Registry, State
from tests.sync.province import in_state, until

RECEIPTS = Ed25519PrivateKey.generate()
DATABASES, STORES = ("sqlite", "postgres"), ("files", "s3")


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(object_store: str, tmp_path: Path) -> ReceiverSettings:
    """Settings of a bucket of its own."""
    bucket = f"b{os.urandom(6).hex()}"
    secrets = {"aws_access_key_id": "motcua", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=object_store, **secrets).create_bucket(Bucket=bucket)
    (tmp_path / "user").write_text("motcua:secret\n")
    (tmp_path / "user").chmod(0o600)
    found = ReceiverSettings(blobs=f"s3://{bucket}", blobs_endpoint=object_store, blobs_user_file=tmp_path / "user")
    return replace(found, state=tmp_path / "receiver")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    settings = ReceiverSettings(state=tmp_path / "receiver")
    if request.param == "postgres":
        settings = replace(settings, database=request.getfixturevalue("cluster").new_database())
    with contextlib.closing(open_database(settings)) as built:
        yield built


@pytest.fixture(params=STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "s3":
        return open_blobs(request.getfixturevalue("s3"))
    return open_blobs(ReceiverSettings(state=tmp_path / "receiver"))


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, open_blobs(ReceiverSettings(state=tmp_path / "receiver")), RECEIPTS)


def envelope(sealer: Sealer, sequence: int, submission: str = "") -> Sealed:
    label = Label(
        "K01", submission or new_submission_id(), sequence, "TAM-1", "1.001193", datetime.now(UTC), os.urandom(8).hex()
    )
    return seal(label, {"n": sequence}, {"a.pdf": os.urandom(3000)}, sealer.recipients, sealer.by)


def announce(registry: Registry, sealed: Sealed) -> str:
    manifest = read_manifest(sealed.manifest, None)
    registry.announce(manifest, sealed.manifest)
    return manifest.submission


def deliver(registry: Registry, sealed: Sealed) -> bytes:
    submission = announce(registry, sealed)
    for sha256, content in sealed.blobs.items():
        if registry.offset("K01", sha256)[0] == 0:
            registry.append("K01", sha256, 0, content)
    return registry.commit("K01", submission)


def test_one_submission_has_one_row_and_one_receipt_however_often_and_at_once_it_comes(registry, sealer):
    sealed = envelope(sealer, 1)
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda _: announce(registry, sealed), range(16)))
        for sha256, content in sealed.blobs.items():
            registry.append("K01", sha256, 0, content)
        submission = read_manifest(sealed.manifest, None).submission
        receipts = set(hands.map(lambda _: registry.commit("K01", submission), range(16)))
    assert len(receipts) == 1
    assert signed.verify("receipt", receipts.pop(), RECEIPTS.public_key())["number"] == 1
    assert [item.submission for item in in_state(registry, State.COMMITTED)] == [submission]


def test_receipt_numbers_have_no_gap_when_many_commit_at_once(registry, sealer):
    with ThreadPoolExecutor(6) as hands:
        receipts = list(hands.map(lambda n: deliver(registry, envelope(sealer, n)), range(1, 25)))
    numbers = [signed.unverified("receipt", receipt)["number"] for receipt in receipts]
    assert sorted(numbers) == list(range(1, 25))
    held = registry.receipted("K01", 5, 9)
    assert [number for number, *_ in held] == [5, 6, 7, 8, 9]
    assert digest_of(held) != digest_of(held[1:])


def test_a_number_or_an_id_never_stands_for_a_second_thing(registry, sealer):
    first = envelope(sealer, 1)
    announce(registry, first)
    with pytest.raises(Conflict):
        announce(registry, envelope(sealer, 1))
    with pytest.raises(Conflict):
        announce(registry, envelope(sealer, 2, read_manifest(first.manifest, None).submission))
    assert registry.receipted("K01", 1, 9) == []


def test_nothing_is_receipted_before_every_part_is_there(registry, sealer):
    sealed = envelope(sealer, 1)
    submission = announce(registry, sealed)
    *most, last = sealed.blobs.items()
    for sha256, content in most:
        registry.append("K01", sha256, 0, content)
    with pytest.raises(Missing):
        registry.commit("K01", submission)
    registry.append("K01", last[0], 0, last[1])
    assert registry.commit("K01", submission) == registry.receipt("K01", submission)


def test_the_database_itself_refuses_what_must_not_be(database, registry, sealer):
    deliver(registry, envelope(sealer, 1))
    for change in (
        "DELETE FROM submission",
        "UPDATE submission SET state = 'announced'",
        "UPDATE submission SET state = 'answered'",
        "UPDATE submission SET receipt = NULL",
        (
            "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at)"
            " SELECT kiosk, 'f', sequence, manifest_sha256, manifest, announced_at FROM submission"
        ),
    ):
        with pytest.raises(Conflict), database.write() as tx:
            tx.run(change)
    assert len(in_state(registry, State.COMMITTED)) == 1


def test_what_failed_in_the_middle_of_a_transaction_leaves_nothing(database):
    with pytest.raises(RuntimeError), database.write() as tx:
        tx.run("UPDATE counter SET value = 7")
        raise RuntimeError
    with database.read() as tx:
        assert tx.one("SELECT value FROM counter") == {"value": 0}


def test_an_item_is_due_again_only_after_its_pause_and_at_once_if_the_clock_went_back(database, registry, sealer):
    deliver(registry, envelope(sealer, 1))
    [item] = registry.due(State.COMMITTED, 60)
    registry.postpone(item, 30)
    assert registry.due(State.COMMITTED, 60) == []
    with database.write() as tx:
        tx.run("UPDATE submission SET due_at = :far", far="2099-01-01T00:00:00.000Z")
    assert [item.tries for item in registry.due(State.COMMITTED, 60)] == [1]


def test_only_one_of_two_that_read_the_same_mark_may_send(database):
    ledger = Ledger(database)
    filing = ledger.created("uid", "handle")
    marked = ledger.sending(filing)
    with pytest.raises(AtWork):
        ledger.sending(filing)
    ledger.not_sent(filing_of_before := marked)
    assert ledger.of("uid").sent_at is None
    again = ledger.sending(ledger.of("uid"))
    if again.sent_at != filing_of_before.sent_at:
        ledger.not_sent(filing_of_before)  # a slow process takes back its own mark, not another's
        assert ledger.of("uid").sent_at == again.sent_at


@pytest.mark.parametrize("kind", DATABASES)
def test_one_of_several_processes_hands_on_and_the_next_takes_over(kind, tmp_path: Path, request):
    settings = ReceiverSettings(state=tmp_path)
    if kind == "postgres":
        settings = replace(settings, database=request.getfixturevalue("cluster").new_database())
    first, second = open_database(settings), open_database(settings)
    try:
        assert first.lead()
        assert not second.lead()
        assert first.lead()
        first.close()
        until(second.lead)
    finally:
        second.close()


def test_a_lead_that_lost_its_connection_is_given_up_and_taken_anew(cluster):
    with contextlib.closing(open_database(ReceiverSettings(database=cluster.new_database()))) as database:
        assert database.lead()
        cluster.end_connections()
        assert not database.lead()
        assert database.lead()
        with database.read() as tx:  # and the pool's connections, ended too, are replaced
            assert tx.one("SELECT 1 AS one") == {"one": 1}


def test_a_database_that_may_lose_receipts_or_is_newer_is_refused_in_one_line(cluster):
    address = cluster.new_database()
    for value in ("off", "local"):
        with pytest.raises(ConfigError, match=f"synchronous_commit = {value}: receipts could be lost"):
            open_database(ReceiverSettings(database=f"{address}&options=-csynchronous_commit%3D{value}"))
    open_database(ReceiverSettings(database=address)).close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("UPDATE receiver_schema SET version = 99")
    with pytest.raises(ConfigError, match=r"newer program \(schema 99, known 2\); nothing was changed"):
        open_database(ReceiverSettings(database=address))
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_database(ReceiverSettings(database="postgresql://nobody@127.0.0.1:1/nowhere"))


# --- ciphertexts ---


def blob_of(content: bytes) -> Blob:
    return Blob(hashlib.sha256(content).hexdigest(), len(content))


def test_a_blob_grows_by_pieces_and_is_whole_only_when_true(blobs):
    content = os.urandom(5000)
    blob = blob_of(content)
    assert blobs.offset(blob) == 0
    assert blobs.append(blob, 0, content[:2000]) == 2000
    assert not blobs.holds(blob.sha256)
    with pytest.raises(WrongOffset) as wrong:
        blobs.append(blob, 0, content[:2000])
    assert wrong.value.args == (2000,)
    with pytest.raises(TooMuch):
        blobs.append(blob, 2000, content[2000:] + b"?")
    assert blobs.append(blob, 2000, content[2000:]) == 5000
    assert blobs.holds(blob.sha256)
    assert blobs.read(blob.sha256) == content
    with pytest.raises(WrongOffset):
        blobs.append(blob, 0, content)


def test_a_blob_that_is_not_the_announced_one_is_dropped_and_comes_anew(blobs):
    content = os.urandom(500)
    blob = blob_of(content)
    with pytest.raises(Damaged):
        blobs.append(blob, 0, bytes(500))
    assert blobs.offset(blob) == 0
    assert blobs.append(blob, 0, content) == 500
    assert blobs.read(blob.sha256) == content


def test_the_same_piece_sent_twice_at_once_is_taken_once(blobs):
    content = os.urandom(64_000)
    blob, start = blob_of(content), threading.Barrier(4)

    def send(_: int) -> None:
        start.wait()
        for offset in range(0, 64_000, 8000):
            with contextlib.suppress(WrongOffset):
                blobs.append(blob, offset, content[offset : offset + 8000])

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(send, range(4)))
    assert blobs.read(blob.sha256) == content


@pytest.mark.parametrize("moment", ["before_listing", "after_listing"])
def test_a_blob_that_another_process_finishes_at_the_same_moment_is_whole(s3, monkeypatch, moment):
    here, other, content = open_blobs(s3), open_blobs(s3), os.urandom(500)
    blob, listed = blob_of(content), here._pieces

    def pieces(asked: Blob) -> list[tuple[str, int]]:
        before = listed(asked)
        assert other.offset(blob) in (0, 500)
        return before if moment == "after_listing" else listed(asked)

    monkeypatch.setattr(here, "_pieces", pieces)
    assert here.append(blob, 0, content) == 500
    assert here.read(blob.sha256) == content
    assert here.offset(blob) == 500


def test_an_object_store_that_is_not_there_is_said_in_one_line(s3):
    for wrong in (replace(s3, blobs="s3://nowhere"), replace(s3, blobs_endpoint="http://127.0.0.1:1")):
        with pytest.raises(ConfigError, match="the object store cannot be used"):
            open_blobs(wrong)
    with pytest.raises(ConfigError, match="allowed: empty"):
        open_blobs(replace(s3, blobs="ftp://elsewhere"))


def test_an_object_store_that_goes_away_is_a_storage_fault_not_a_lost_blob(object_store, s3, monkeypatch):
    blobs = open_blobs(s3)
    monkeypatch.setattr(blobs, "_bucket", "gone")
    with pytest.raises(OSError, match="object store"):
        blobs.append(blob_of(b"x"), 0, b"x")


def test_the_register_of_kiosks_admits_and_revokes_on_both_engines(database):
    made, key = Authority.create("Tỉnh Thử Nghiệm"), ec.generate_private_key(ec.SECP256R1()).public_key()
    first, second = made.issue(key, "K01"), made.issue(key, "K01")
    signing = [Ed25519PrivateKey.generate().public_key() for _ in range(2)]
    for certificate, public in zip((first, second, second), (*signing, signing[1]), strict=True):
        kiosks.enrol(database, "K01", public.public_bytes_raw(), certificate)
    assert [kiosks.admitted(database, "K01", fingerprint(one)) for one in (first, second)] == ["", ""]
    assert len(kiosks.signing_keys(database, "K01")) == 2
    assert kiosks.revoke(database, "K01", "lost", certificate=fingerprint(first)) == 1
    assert kiosks.admitted(database, "K01", fingerprint(first)) == "this certificate is revoked"
    assert kiosks.admitted(database, "K01", fingerprint(second)) == ""
    with pytest.raises(EnrolmentError, match="another kiosk's"):
        kiosks.enrol(database, "K02", signing[0].public_bytes_raw(), made.issue(key, "K02"))
    kiosks.retire(database, "K01", "scrapped")
    assert kiosks.signing_keys(database, "K01") == ()
    assert breach.package(database, "K01")["certificates"][0]["revoked_why"] == "lost"
