"""`outbox …` and `recover` as a technician meets them: through the command line, on a disk that may fail."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.cli import main
from sync import signed, stick
from sync.envelope import EnvelopeError, Label, open_envelope, read_manifest, seal
from sync.outbox_schema import State
from sync.recovery import recover
from tests.sync.province import CANARY, CANARY_ID, Province, make_dossier, make_pdf

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kiosk(province: Province, monkeypatch) -> Province:
    """A kiosk with a recovery key, whose application is stopped."""
    text = province.config.read_text().replace(
        "[office]", '[outbox]\nballast_mb = 0\n[office]\nrecovery_key = "secrets/recovery.pub"'
    )
    province.config.write_text(text)
    return province


def run(province: Province, capsys, *words: object, expected: int = 0):
    """One command in this process; what it printed, as JSON."""
    code = main(["outbox", *map(str, words), "--json", "--config", str(province.config)])
    said = capsys.readouterr()
    assert code == expected, said.err
    return json.loads(said.out) if said.out else said.err


@pytest.fixture
def dossier_files(tmp_path) -> list[Path]:
    source = {
        "procedure_code": "1.001193.000.00.00.H05",
        "procedure_name": "Đăng ký khai sinh",
        "sector": "HT",
        "receiving_unit": "UBND phường Thử Nghiệm",
        "owner": {"personal_id": CANARY_ID, "full_name": CANARY},
        "answers": {"phone": "0912000000"},
        "components": [
            {"code": "KQ01", "name": "Giấy chứng sinh", "file": "scan.pdf"},
            {"code": "KQ02", "name": "Tờ khai"},
            {"code": "KQ03", "name": "Giấy chứng nhận kết hôn", "reused": "KQ-H15-0052"},
        ],
    }
    (tmp_path / "dossier.json").write_text(json.dumps(source, ensure_ascii=False))
    (tmp_path / "scan.pdf").write_bytes(make_pdf(1))
    return [tmp_path / "dossier.json", tmp_path / "scan.pdf"]


def dossiers_of(province: Province) -> list[Path]:
    return list((province.settings.tthc_model.state / "dossiers").glob("*.json"))


def test_a_dossier_given_as_files_arrives_like_one_filed_at_the_kiosk(kiosk, capsys, dossier_files):
    kiosk.outbox.close()
    stored = run(kiosk, capsys, "submit", *dossier_files, "--copies", 2)["stored"]
    assert len(set(stored)) == 2
    kiosk.start("tthc-model")
    kiosk.start("receiver")
    kiosk.deliver()
    assert kiosk.states() == ["answered", "answered"]
    pdf = hashlib.sha256(dossier_files[1].read_bytes()).hexdigest()
    assert sorted(map(dict, kiosk.arrived().values()), key=str) == sorted(
        ({f"{reference}_KQ01_01.pdf": pdf} for reference in stored), key=str
    )
    marks = [json.loads(path.read_text())["input"]["dossierMarkArr"] for path in dossiers_of(kiosk)]
    assert [[mark["fileMark"] for mark in json.loads(given)] for given in marks] == [[1, 0, 0], [1, 0, 0]]
    assert all("Dùng lại giấy tờ số hóa KQ-H15-0052" in given for given in marks)
    report = run(kiosk, capsys, "verify")
    assert (report["submissions"], report["envelopes"], report["problems"]) == (2, 2, [])
    assert report["single_recipient"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("owner"), "is no dossier (KeyError: 'owner')"),
        (lambda d: d["components"][0].update(file="other.pdf"), "names the files ['other.pdf']; given: ['scan.pdf']"),
        (lambda d: d["owner"].update(personal_id=1199000123), "owner.personal_id must be text"),
    ],
)
def test_a_dossier_that_is_not_complete_is_refused_in_words_without_its_values(
    kiosk, capsys, dossier_files, change, said
):
    kiosk.outbox.close()
    document = json.loads(dossier_files[0].read_text())
    change(document)
    dossier_files[0].write_text(json.dumps(document))
    line = run(kiosk, capsys, "submit", *dossier_files, expected=2)
    assert said in line
    assert "1199000123" not in line


def test_while_the_application_runs_nothing_is_put_beside_it(kiosk, capsys, dossier_files):
    for words in (["submit", *dossier_files], ["rebuild"]):
        assert "held by another process" in run(kiosk, capsys, *words, expected=2)


def test_list_says_what_waits_why_and_how_much_room_is_left(kiosk, capsys):
    dossiers = [make_dossier(), make_dossier()]
    for dossier in dossiers:
        assert kiosk.outbox.put(dossier, kiosk.sealer) is None
    first = kiosk.outbox.entries(State.SEALED)[0]
    kiosk.outbox.quarantine(first, "HTTP 422")
    document = run(kiosk, capsys, "list")
    assert document["states"] == {"quarantined": 1, "sealed": 1}
    assert [row["problem"] for row in document["undelivered"]] == ["HTTP 422", None]
    assert document["room"]["days"] > 0
    assert CANARY not in json.dumps(document, ensure_ascii=False)
    assert run(kiosk, capsys, "release", dossiers[0].provisional_ref)["sequence"] == 1
    assert run(kiosk, capsys, "list")["states"] == {"sealed": 2}
    assert "no quarantined submission" in run(kiosk, capsys, "release", first.submission, expected=2)


def test_where_there_is_no_outbox_none_is_made(kiosk, capsys):
    kiosk.outbox.close()
    folder = kiosk.settings.kiosk.state / "outbox"
    shutil.rmtree(folder)
    assert "there is no outbox" in run(kiosk, capsys, "list", expected=2)
    assert not folder.exists()


def test_verify_names_what_is_wrong(kiosk, capsys):
    assert kiosk.outbox.put(make_dossier(), kiosk.sealer) is None
    [entry] = kiosk.outbox.entries(State.SEALED)
    [blob, *_] = read_manifest(kiosk.outbox.manifest(entry), None).blobs
    path = kiosk.settings.kiosk.state / "outbox" / "envelopes" / entry.submission / blob.sha256
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    [problem] = run(kiosk, capsys, "verify", expected=1)["problems"]
    assert problem == f"sequence 1, {entry.submission}: a blob on disk was altered"


# --- the stick ---


def test_a_stick_carries_everything_undelivered_and_no_more(kiosk, capsys, tmp_path, keys):
    dossiers = [make_dossier() for _ in range(3)]
    for dossier in dossiers:
        assert kiosk.outbox.put(dossier, kiosk.sealer) is None
    first, *waiting = kiosk.outbox.entries(State.SEALED)
    kiosk.outbox.manifest_sent(first)
    receipt = {"submission": first.submission, "manifest_sha256": first.manifest_sha256}
    kiosk.outbox.delivered(
        first, signed.sign("receipt", receipt, signed.signing_key(keys / "receiver-receipt.key", "key"))
    )
    kiosk.outbox.quarantine(waiting[1], "HTTP 422")
    for _ in range(2):  # again onto the same stick: nothing doubles
        assert run(kiosk, capsys, "export", tmp_path / "stick")["exported"] == [w.submission for w in waiting]
    province = signed.opening_key(keys / "receiver-hpke.key", "key")
    public = signed.verifying_key(keys / "kiosks" / "K01.pub", "key")
    found = {
        open_envelope(read_manifest(text, public), read, province).payload["reference_uid"]
        for text, read in stick.read(tmp_path / "stick")
    }
    assert found == {dossier.reference_uid for dossier in dossiers[1:]}
    assert CANARY.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "stick").rglob("*") if p.is_file())
    assert run(kiosk, capsys, "verify")["problems"] == []


def test_one_bad_envelope_stops_no_other_and_is_named(kiosk, capsys, tmp_path):
    for _ in range(2):
        assert kiosk.outbox.put(make_dossier(), kiosk.sealer) is None
    bad, good = kiosk.outbox.entries(State.SEALED)
    [blob, *_] = read_manifest(kiosk.outbox.manifest(bad), None).blobs
    (kiosk.settings.kiosk.state / "outbox" / "envelopes" / bad.submission / blob.sha256).unlink()
    done = run(kiosk, capsys, "export", tmp_path / "stick", expected=1)
    assert done["exported"] == [good.submission]
    assert done["failed"] == {bad.submission: "a part of the envelope is missing on disk"}
    assert len(list(stick.read(tmp_path / "stick"))) == 1


def test_a_stick_that_forgets_is_noticed(kiosk, capsys, tmp_path):
    assert kiosk.outbox.put(make_dossier(), kiosk.sealer) is None
    run(kiosk, capsys, "export", tmp_path / "stick")
    [submission] = (tmp_path / "stick").iterdir()
    [part, *_] = (path for path in submission.iterdir() if path.name != "manifest")
    part.write_bytes(bytes(part.stat().st_size))
    assert list(run(kiosk, capsys, "export", tmp_path / "stick", expected=1)["failed"].values()) == [
        "a part is not the one of the manifest"
    ]
    [(text, read)] = stick.read(tmp_path / "stick")
    with pytest.raises(EnvelopeError):
        for name in ("../../secret", part.name + "0"):
            read(name)
    assert read_manifest(text, None).submission == submission.name


# --- recovery ---


def recovery(*words: object) -> int:
    return main(["recover", "--config", "/nonexistent/kiosk.toml", *map(str, words)])


def test_the_offline_key_opens_what_a_dead_kiosk_left(kiosk, capsys, tmp_path, keys, sealer):
    dossiers = [make_dossier(), make_dossier()]
    for dossier in dossiers:
        assert kiosk.outbox.put(dossier, sealer) is None
    run(kiosk, capsys, "export", tmp_path / "stick")
    words = (tmp_path / "stick", "--key", keys / "recovery.key", "--out", tmp_path / "out")
    assert recovery(*words, "--kiosk-keys", keys / "kiosks", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert {one["signature"] for one in done} == {"kiosk"}
    opened = {}
    for one in done:
        folder = Path(one["folder"])
        for path in (folder, *folder.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        opened[json.loads(files.pop("payload.json"))["reference_uid"]] = files
    assert opened == {dossier.reference_uid: dossier.files() for dossier in dossiers}
    assert recovery(*words) == 1
    assert capsys.readouterr().out.count("nothing is overwritten") == 2


def test_the_recovery_key_is_refused_on_a_kiosk(kiosk, capsys, tmp_path, keys):
    words = ("recover", tmp_path, "--key", keys / "recovery.key", "--out", tmp_path / "out", "--config", kiosk.config)
    assert main([str(word) for word in words]) == 2
    assert "this machine is a kiosk, and the recovery key must never be on one" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_new_recovery_pair_is_private_and_never_replaces_one(tmp_path, capsys):
    assert recovery("--new-key", tmp_path / "office.key") == 0
    said = capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / "office.key").stat().st_mode) == 0o600
    private = signed.opening_key(tmp_path / "office.key", "key").public_key().public_bytes_raw()
    assert private == signed.sealing_key(tmp_path / "office.pub", "key").public_bytes_raw()
    assert str(tmp_path / "office.pub") in said
    assert recovery("--new-key", tmp_path / "office.key") == 2
    assert "never overwritten" in capsys.readouterr().err


def test_a_hostile_kiosk_cannot_write_outside_the_folder(tmp_path, sealer, keys):
    key = X25519PrivateKey.generate()
    for number, name in enumerate(("../escaped", "/tmp/escaped", "a/../../b", ".hidden", "payload.json", "x" * 300)):
        label = Label("K01", f"{number:032x}", 1, "TAM-1", "1.001193", sealer_time(), "uid")
        envelope = seal(label, {}, {name: b"x"}, [key.public_key()], sealer.by)
        folder = tmp_path / "stick" / str(number)
        folder.mkdir(parents=True)
        (folder / "manifest").write_bytes(envelope.manifest)
        for sha256, content in envelope.blobs.items():
            (folder / sha256).write_bytes(content)
    done = list(recover([tmp_path / "stick", tmp_path / "empty"], key, tmp_path / "out", None))
    assert [one.problem for one in done] == [
        *["a file inside has a name that could lead elsewhere"] * 6,
        "no envelope lies there",
    ]
    assert list((tmp_path / "out").iterdir()) == []


def sealer_time():
    from datetime import UTC, datetime

    return datetime.now(UTC)


# --- a failing disk, by the kernel's word ---


@pytest.mark.parametrize("when", ["1+", "4", "7", "9"])
def test_a_disk_that_fails_to_sync_promises_nothing_and_says_so(kiosk, dossier_files, when):
    """EIO from the system: for every sync; for a folder's, the audit log's, and that of the index's COMMIT."""
    kiosk.outbox.close()
    traced = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject=fsync,fdatasync:error=EIO:when={when}")
    command = (sys.executable, str(ROOT / "main.py"), "outbox", "submit", *dossier_files, "--config", kiosk.config)
    done = subprocess.run(
        list(map(str, (*traced, *command))), capture_output=True, text=True, timeout=60, env=os.environ
    )
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("no right to trace a program here")
    assert done.returncode != 0
    assert done.stdout == "", "no reference is given out"
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("motcua: ")
    assert "Input/output error" in last or "SQLITE_IOERR" in last, last
    assert kiosk.states() == []
