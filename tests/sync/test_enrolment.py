"""A kiosk's keys are made at the kiosk; a request goes out, an answer comes in; the province can take it all back."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kiosk.cli import main
from kiosk.config import ConfigError, Settings, load
from sync import authority, enrolment, identity, key_files, keys, signed
from sync.receiver import breach, kiosks
from sync.receiver.database import open_database


@dataclass
class Office:
    """A machine with a configuration of its own, and its command line."""

    folder: Path
    kiosk: str = "K07"

    def __post_init__(self):
        (self.folder / "secrets").mkdir(parents=True)
        self.config.write_text(f'[kiosk]\nid = "{self.kiosk}"\n[office]\nrecovery_key = "secrets/recovery.pub"\n')

    @property
    def config(self) -> Path:
        return self.folder / "motcua.toml"

    @property
    def settings(self) -> Settings:
        return load(self.config, {})

    def __call__(self, *words: object) -> int:
        level, command, *rest = map(str, words)
        return main([level, command, "--config", str(self.config), *rest])


@pytest.fixture
def centre(tmp_path: Path) -> Office:
    """The province: authority, receiver's keys, recovery key."""
    office = Office(tmp_path / "province", "")
    keys.create_recovery(tmp_path / "recovery.key")
    (tmp_path / "recovery.pub").rename(office.settings.receiver.recovery_key)
    assert office("receiver", "authority", "--name", "Tỉnh Thử Nghiệm", "--host", "127.0.0.1") == 0
    return office


@pytest.fixture
def kiosk(tmp_path: Path) -> Office:
    return Office(tmp_path / "kiosk")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def fingerprint(centre: Office) -> str:
    return authority.fingerprint(authority.load(centre.settings.receiver)[0].certificate)


def enrol(kiosk: Office, centre: Office, stick: Path, name: str = "1", *more: str) -> Path:
    """From the request to the answer on the stick."""
    assert kiosk("enrol", "request", stick / f"request{name}") == 0
    answer = stick / f"answer{name}"
    assert centre("receiver", "enrol", stick / f"request{name}", "--out", answer, "--yes", *more) == 0
    return answer


def admitted(centre: Office, kiosk: Office) -> str:
    [own, *_] = authority.certificates(kiosk.settings.office.certificate, "certificate")
    return ask(centre, kiosks.admitted, kiosk.kiosk, authority.fingerprint(own))


def ask(centre: Office, question, *arguments):
    database = open_database(centre.settings.receiver)
    try:
        return question(database, *arguments)
    finally:
        database.close()


def test_a_new_kiosk_is_enrolled_by_a_request_out_and_an_answer_in(kiosk, centre, stick, capsys):
    assert kiosk("enrol", "request", stick / "request") == 0
    shown = capsys.readouterr().out.split("fingerprint of the request: ")[1].strip()
    assert centre("receiver", "enrol", stick / "request", "--out", stick / "answer") == 1
    said = capsys.readouterr().out
    assert "kiosk: K07 (new)" in said
    assert shown in said
    assert not (stick / "answer").exists()
    assert centre("receiver", "enrol", stick / "request", "--out", stick / "answer", "--yes") == 0
    assert kiosk("enrol", "accept", stick / "answer") == 2
    assert fingerprint(centre) in capsys.readouterr().err
    assert not kiosk.settings.office.ca.exists()
    grouped = ":".join(fingerprint(centre)[i : i + 2].upper() for i in range(0, 64, 2))
    assert kiosk("enrol", "accept", stick / "answer", "--fingerprint", grouped) == 0
    assert admitted(centre, kiosk) == ""
    capsys.readouterr()
    assert kiosk("enrol", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out) | {"days_left": 0} == {
        "kiosk": "K07",
        "certificate": authority.fingerprint(
            authority.certificates(kiosk.settings.office.certificate, "certificate")[0]
        ),
        "key_file": str(kiosk.settings.office.key_file),
        "days_left": 0,
        "authorities": [fingerprint(centre)],
        "key_list": 1,
        "request_open": False,
    }
    private = list((kiosk.folder / "secrets").glob("*.key*"))
    assert len(private) == 2
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_no_private_key_ever_travels(kiosk, centre, stick):
    enrol(kiosk, centre, stick)
    travelled = b"".join(path.read_bytes() for path in stick.iterdir())
    for path in [*kiosk.folder.rglob("*.next"), *centre.folder.rglob("*.key")]:
        key = load_pem_private_key(path.read_bytes(), None)
        assert path.read_bytes() not in travelled
        if hasattr(key, "private_bytes_raw"):
            assert key.private_bytes_raw().hex().encode() not in travelled


def test_renewal_leaves_old_keys_good_until_they_are_revoked(kiosk, centre, stick, capsys):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    office = kiosk.settings.office
    old_certificate, old_key = office.certificate.read_bytes(), signed.signing_key(office.signing_key_file, "key")
    answer = enrol(kiosk, centre, stick, "2")
    assert "its present signing key vouches for it" in capsys.readouterr().out
    assert office.certificate.read_bytes() == old_certificate
    assert signed.signing_key(office.signing_key_file, "key").public_key() == old_key.public_key()
    assert kiosk("enrol", "accept", answer) == 0
    assert office.certificate.read_bytes() != old_certificate
    new_key = signed.signing_key(office.signing_key_file, "key").public_key()
    both = ask(centre, kiosks.signing_keys, "K07")
    assert len(both) == 2
    assert all(key in both for key in (old_key.public_key(), new_key))
    [kept] = key_files.earlier(office.signing_key_file.with_suffix(".pub"))
    assert kept.read_bytes() == key_files.public_pem(old_key.public_key())
    [known] = ask(centre, kiosks.listed)
    assert [row["revoked_at"] for row in known.certificates] == [None, None]
    old = known.certificates[0]["fingerprint"]
    assert centre("receiver", "revoke", "K07", "--certificate", old[:12], "--why", "renewed") == 0
    assert ask(centre, kiosks.admitted, "K07", old) == "this certificate is revoked"
    assert admitted(centre, kiosk) == ""
    digits = old_key.public_key().public_bytes_raw().hex()
    assert centre("receiver", "revoke", "K07", "--signing-key", digits, "--why", "renewed") == 0
    assert ask(centre, kiosks.signing_keys, "K07") == (new_key,)


def test_a_request_that_the_present_key_does_not_vouch_for_needs_a_decision(kiosk, centre, stick, tmp_path, capsys):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    impostor = Office(tmp_path / "impostor")
    assert impostor("enrol", "request", stick / "false") == 0
    assert centre("receiver", "enrol", stick / "false", "--out", stick / "x", "--yes") == 2
    assert "does not vouch for this request" in capsys.readouterr().err
    assert not (stick / "x").exists()
    assert len(ask(centre, kiosks.signing_keys, "K07")) == 1
    assert centre("receiver", "enrol", stick / "false", "--out", stick / "x", "--yes", "--new-machine") == 0


@pytest.mark.parametrize("field", ["kiosk", "csr", "signing_key", "endorsement", "endorsed_by"])
def test_a_request_altered_on_its_way_is_refused(kiosk, centre, stick, tmp_path, field):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    kiosk("enrol", "request", stick / "2")
    document = signed.unverified(enrolment.REQUEST, (stick / "2").read_bytes())
    other = Office(tmp_path / "other", "K08")
    enrol(other, centre, stick, "8")
    other("enrol", "accept", stick / "answer8", "--fingerprint", fingerprint(centre))
    other("enrol", "request", stick / "9")
    foreign = signed.unverified(enrolment.REQUEST, (stick / "9").read_bytes())
    waiting = signed.signing_key(key_files.waiting(kiosk.settings.office.signing_key_file), "key")
    text = signed.sign(enrolment.REQUEST, {**document, field: foreign[field]}, waiting)
    with pytest.raises(enrolment.EnrolmentError, match="refused"):
        enrolment.read_request(text)


def test_a_request_never_overwrites_and_asks_for_the_same_keys_again(kiosk, stick, capsys):
    assert kiosk("enrol", "request", stick / "request") == 0
    assert kiosk("enrol", "request", stick / "request") == 2
    assert "never overwritten" in capsys.readouterr().err
    assert kiosk("enrol", "request", stick / "again") == 0
    first, second = (signed.unverified(enrolment.REQUEST, (stick / n).read_bytes()) for n in ("request", "again"))
    assert first["signing_key"] == second["signing_key"]


def test_an_answer_is_taken_by_the_kiosk_that_asked_and_from_its_province_only(kiosk, centre, stick, tmp_path, capsys):
    answer = enrol(kiosk, centre, stick)
    assert kiosk("enrol", "accept", answer, "--fingerprint", "ab" * 32) == 2
    assert "it is not the province's" in capsys.readouterr().err
    other = Office(tmp_path / "other", "K08")
    assert other("enrol", "accept", answer, "--fingerprint", fingerprint(centre)) == 2
    assert "the answer is for kiosk K07; this is K08" in capsys.readouterr().err
    twin = Office(tmp_path / "twin")
    assert twin("enrol", "accept", answer, "--fingerprint", fingerprint(centre)) == 2
    assert "to another request" in capsys.readouterr().err
    assert kiosk("enrol", "accept", answer, "--fingerprint", fingerprint(centre)) == 0
    assert kiosk("enrol", "accept", stick / "request1") == 2
    assert "not the answer to a request" in capsys.readouterr().err


def test_the_answer_of_a_foreign_province_replaces_ours_only_if_a_person_confirms_it(
    kiosk, centre, stick, tmp_path, capsys
):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    before = {path: path.read_bytes() for path in (kiosk.folder / "secrets").iterdir()}
    foreign = Office(tmp_path / "foreign", "")
    foreign.settings.receiver.recovery_key.write_bytes(centre.settings.receiver.recovery_key.read_bytes())
    foreign("receiver", "authority")
    assert kiosk("enrol", "request", stick / "2") == 0
    foreign("receiver", "enrol", stick / "2", "--out", stick / "foreign", "--yes")
    capsys.readouterr()
    assert kiosk("enrol", "accept", stick / "foreign") == 2
    assert fingerprint(foreign) in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert kiosk("enrol", "accept", stick / "foreign", "--fingerprint", fingerprint(foreign)) == 0
    [trusted] = authority.certificates(kiosk.settings.office.ca, "authorities")
    assert authority.fingerprint(trusted) == fingerprint(foreign)
    theirs = signed.opening_key(foreign.settings.receiver.hpke_key_file, "key").public_key()
    assert signed.sealing_key(kiosk.settings.office.receiver_key, "key") == theirs
    assert admitted(foreign, kiosk) == ""


class Cut(Exception):
    """The power fails."""


def cut_at(number: int, monkeypatch):
    """Renames are what takes effect: this one does not come about any more."""
    rename, left = Path.rename, number

    def renamed(path, target):
        nonlocal left
        left -= 1
        if left < 0:
            raise Cut
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)


def test_an_accept_that_power_cuts_short_anywhere_leaves_a_key_that_fits(kiosk, centre, stick, tmp_path, monkeypatch):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    centre("receiver", "rotate", "opening")
    answer = enrol(kiosk, centre, stick, "2").read_bytes()

    def usable(office) -> bool:
        certificate, key = identity.pair(office)
        [own] = authority.certificates(certificate, "certificate")
        signed.signing_key(office.signing_key_file, "key")
        signed.sealing_key(office.receiver_key, "key")
        return load_pem_private_key(key.read_bytes(), None).public_key() == own.public_key()

    for number in range(10):
        copied = shutil.copytree(kiosk.folder, tmp_path / f"cut{number}")
        office = load(copied / "motcua.toml", {}).office
        with monkeypatch.context() as patch:
            cut_at(number, patch)
            try:
                enrolment.accept(answer, "K07", office)
                break
            except Cut:
                pass
        assert usable(office)
        enrolment.accept(answer, "K07", office)
        assert usable(office)
        assert not list(copied.rglob("*.next"))
        assert len(key_files.earlier(office.signing_key_file.with_suffix(".pub"))) == 1
    assert number == 5


def test_a_stolen_kiosk_is_shut_out_soon_in_every_process(kiosk, centre, stick):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    [own] = authority.certificates(kiosk.settings.office.certificate, "certificate")
    database = open_database(centre.settings.receiver)
    gate = kiosks.Gate(database)
    assert gate.refusal("K07", authority.fingerprint(own)) == ""
    assert gate.refusal("K08", authority.fingerprint(own)) == "this certificate is not in the register of kiosks"
    assert centre("receiver", "revoke", "K07", "--why", "stolen") == 0
    begun = time.monotonic()
    while not gate.refusal("K07", authority.fingerprint(own)):
        assert time.monotonic() < begun + 6
        time.sleep(0.05)
    assert kiosks.signing_keys(database, "K07") == ()
    database.close()


def test_a_retired_kiosk_says_what_it_may_still_hold_and_never_comes_back(kiosk, centre, stick, capsys):
    kiosk("enrol", "accept", enrol(kiosk, centre, stick), "--fingerprint", fingerprint(centre))
    database = open_database(centre.settings.receiver)
    sealed = (Path(__file__).parent / "golden" / "envelope-2" / "manifest").read_bytes()
    with database.write() as tx:
        insert = (
            "INSERT INTO submission (kiosk, submission, sequence, manifest_sha256, manifest, announced_at, state,"
            " receipt_number, receipt) VALUES ('K07', :id, :n, '', :manifest, '', :state, :number, :receipt)"
        )
        for n in (1, 2, 4, 5):
            received = {"state": "committed", "number": n, "receipt": b"r"} if n in (1, 4) else {}
            tx.run(
                insert,
                id=f"{n:032x}",
                n=n,
                manifest=sealed,
                **({"state": "announced", "number": None, "receipt": None} | received),
            )
        tx.run("UPDATE kiosk SET report = :report", report=json.dumps({"last_sequence": 7}))
    database.close()
    capsys.readouterr()
    assert centre("receiver", "retire", "K07", "--why", "scrapped", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["first_sequence"], said["last_sequence"], said["received"], said["pending"]) == (1, 7, 2, 5)
    assert said["pending_sequences"] == [[2, 3], [5, 7]]
    assert said["announced_only"] == 2
    assert len(said["sealed_to"]) == 2
    assert said["certificates"][0]["revoked_why"] == "scrapped"
    assert admitted(centre, kiosk) == "this kiosk is retired"
    kiosk("enrol", "request", stick / "again")
    assert centre("receiver", "enrol", stick / "again", "--out", stick / "x", "--yes", "--new-machine") == 2
    assert "was retired" in capsys.readouterr().err
    assert centre("receiver", "kiosks") == 0
    assert "K07" in (said := capsys.readouterr().out)
    assert "retired" in said


def test_the_technician_reads_one_line_for_every_mistake(kiosk, centre, stick, capsys):
    enrol(kiosk, centre, stick)
    capsys.readouterr()
    for words, said in (
        (("receiver", "revoke", "K99", "--why", "x"), "kiosk K99 is not in the register"),
        (("receiver", "revoke", "K07", "--why", "x", "--certificate", "ab"), "at least 8 digits"),
        (("receiver", "enrol", stick / "none", "--out", stick / "x"), "No such file"),
        (("receiver", "enrol", stick / "answer1", "--out", stick / "x"), "this is not a enrolment-request"),
        (("receiver", "rotate", "server"), "--host"),
    ):
        assert centre(*words) == 2
        [line] = capsys.readouterr().err.strip().splitlines()
        assert said in line
    centre.settings.receiver.authority_key_file.chmod(0o640)
    assert centre("receiver", "enrol", stick / "request1", "--out", stick / "x") == 2
    assert "open to others (mode 640)" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="certificate is missing"):
        identity.pair(kiosk.settings.office)


def test_a_made_world_is_registered_and_again_without_harm(tmp_path):
    folder = tmp_path / "secrets"
    keys.create_world(folder, ["K01", "K02"])
    centre = Office(tmp_path / "centre", "")
    for _ in range(2):
        ask(centre, kiosks.register_world, folder, ["K01", "K02"])
    assert [known.id for known in ask(centre, kiosks.listed)] == ["K01", "K02"]
    key = signed.signing_key(folder / "K02-signing.key", "key")
    assert ask(centre, kiosks.signing_keys, "K02") == (key.public_key(),)
    with pytest.raises(enrolment.EnrolmentError, match="not in the register"):
        ask(centre, breach.package, "K03")
