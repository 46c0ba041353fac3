"""Keys lie where nobody else reads them, sealed or in files; the province's are replaced and all can still be read."""

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.config import ConfigError, OfficeSettings, ReceiverSettings, secret
from sync import authority, key_files, key_list, keys, signed
from sync.authority import Witness
from sync.envelope import Label, key_id, new_submission_id, open_envelope, read_manifest, seal
from sync.key_list import KeyListError
from sync.receiver import rotation
from sync.signed import AnyOf, SignatureError

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def centre(tmp_path) -> ReceiverSettings:
    """The province's files."""
    settings = ReceiverSettings()
    paths = {name: tmp_path / "province" / getattr(settings, name) for name in PATHS}
    made = replace(settings, **paths)
    made.recovery_key.parent.mkdir(parents=True)
    keys.create_recovery(tmp_path / "recovery.key")
    (tmp_path / "recovery.pub").rename(made.recovery_key)
    rotation.new_authority(made, "Tỉnh Thử Nghiệm")
    key_list.publish(made)
    return made


PATHS = (
    *("certificate", "key_file", "client_ca", "hpke_key_file", "receipt_key_file"),
    *("authority_key_file", "key_list", "recovery_key"),
)


@pytest.fixture
def office(tmp_path, centre) -> OfficeSettings:
    """A kiosk that trusts the province and holds its first list."""
    folder = tmp_path / "kiosk"
    folder.mkdir()
    names = {"ca": "ca.pem", "receiver_key": "hpke.pub", "recovery_key": "recovery.pub"}
    names |= {"receipt_key": "receipt.pub", "key_list": "key-list"}
    made = replace(OfficeSettings(), **{name: folder / file for name, file in names.items()})
    made.ca.write_bytes(centre.client_ca.read_bytes())
    assert key_list.take(centre.key_list.read_bytes(), made)
    return made


# --- secrets in files ---


def test_a_secret_that_others_can_read_is_refused_in_one_line(tmp_path):
    path = tmp_path / "some.key"
    key_files.write_new(path, key_files.private_pem(Ed25519PrivateKey.generate()))
    assert signed.signing_key(path, "the key")
    for mode in (0o640, 0o604, 0o620, 0o777):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=rf"some\.key: the key is open to others \(mode {mode:03o}\); chmod 600"):
            signed.signing_key(path, "the key")
    path.chmod(0o400)
    assert signed.signing_key(path, "the key")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_another_user_is_refused(tmp_path):
    path = tmp_path / "token"
    key_files.write_new(path, b"abc")
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user"):
        secret(path, "the token")


def test_a_systemd_credential_goes_before_the_file_of_its_name(tmp_path, monkeypatch):
    key_files.write_new(tmp_path / "token", b"in a file")
    passed = tmp_path / "credentials"
    passed.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(passed))
    assert secret(tmp_path / "token", "the token") == "in a file"
    (passed / "token").write_text("sealed\n")
    (passed / "token").chmod(0o440)  # systemd gives the service's user access by an ACL, which shows as a group's
    assert secret(tmp_path / "token", "the token") == "sealed"
    assert secret(tmp_path / "elsewhere" / "token", "the token") == "sealed"


def test_a_key_sealed_by_systemd_opens_to_the_same_key(tmp_path, monkeypatch):
    path, passed = tmp_path / "kiosk-signing.key", tmp_path / "credentials"
    key_files.write_new(path, key_files.private_pem(Ed25519PrivateKey.generate()))
    public = signed.signing_key(path, "the key").public_key()
    sealed = tmp_path / "sealed" / path.name
    sealed.parent.mkdir()
    passed.mkdir()
    done = creds("encrypt", "--with-key=host", f"--name={path.name}", path, sealed)
    if done.returncode:
        pytest.skip(f"systemd-creds cannot seal here: {done.stderr.strip().splitlines()[-1]}")
    assert path.read_bytes() not in sealed.read_bytes()
    path.unlink()
    assert creds("decrypt", sealed, passed / path.name).returncode == 0
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(passed))
    assert signed.signing_key(path, "the key").public_key() == public
    sealed.rename(sealed.with_name("receiver.key"))
    assert creds("decrypt", sealed.with_name("receiver.key"), "-").returncode != 0


def creds(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run(["systemd-creds", *map(str, words)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda path: path.name)
def test_services_are_sound_and_shut_in(unit, tmp_path):
    """What systemd itself says of the unit; the program's path is the only thing that is not there."""
    text = unit.read_text()
    program = next(line for line in text.splitlines() if line.startswith("ExecStart=")).split()[0].partition("=")[2]
    copied = tmp_path / unit.name
    copied.write_text(text.replace(program, shutil.which("true")))
    verified = subprocess.run(["systemd-analyze", "verify", copied], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", copied]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout
    assert "LimitCORE=0" in text


# --- the province's own keys ---


def envelope(office: OfficeSettings, by: Ed25519PrivateKey):
    label = Label("K07", new_submission_id(), 1, "TN-1", "1.001193", datetime.now(UTC), "u1")
    to = [signed.sealing_key(office.receiver_key, "key"), signed.sealing_key(office.recovery_key, "key")]
    return seal(label, {"n": 1}, {}, to, by)


def test_what_was_sealed_to_an_earlier_key_still_opens_and_a_new_key_needs_no_restart(centre, office):
    by = Ed25519PrivateKey.generate()
    held = keys.opening_keys(centre)
    sealed = []
    for _ in range(3):
        sealed.append(envelope(office, by))
        rotation.new_opening_key(centre)
        assert key_list.take(centre.key_list.read_bytes(), office)
    sealed.append(envelope(office, by))
    for one in sealed:
        manifest = read_manifest(one.manifest, by.public_key())
        [name] = [name for name in manifest.sealed_keys if name in held]
        assert open_envelope(manifest, one.blobs.__getitem__, held[name]).payload == {"n": 1}
    assert len({key for one in sealed for key in read_manifest(one.manifest, None).sealed_keys}) == 4 + 1
    assert next(iter(keys.opening_keys(centre))) == key_id(signed.sealing_key(office.receiver_key, "key"))


def test_receipts_of_the_old_and_the_new_key_count(centre, office):
    old = signed.signing_key(centre.receipt_key_file, "key")
    rotation.new_receipt_key(centre)
    new = signed.signing_key(centre.receipt_key_file, "key")
    before = signed.verifying_key(office.receipt_key, "key")
    with pytest.raises(SignatureError):
        signed.verify("receipt", signed.sign("receipt", {}, new), before)
    assert key_list.take(centre.key_list.read_bytes(), office)
    pinned = signed.verifying_key(office.receipt_key, "key")
    for key in (old, new):
        assert signed.verify("receipt", signed.sign("receipt", {"n": 1}, key), pinned) == {"n": 1}
    with pytest.raises(SignatureError):
        signed.verify("receipt", signed.sign("receipt", {}, Ed25519PrivateKey.generate()), pinned)


def test_the_list_never_goes_back_and_comes_from_a_known_authority_only(centre, office, tmp_path):
    first = centre.key_list.read_bytes()
    rotation.new_opening_key(centre)
    second = centre.key_list.read_bytes()
    before = office.receiver_key.read_bytes()
    stranger = authority.Authority.create("stranger")
    document = signed.unverified(key_list.KIND, second)
    for refused in (signed.sign(key_list.KIND, document, stranger), second.replace(b'"number":2', b'"number":3'), b"x"):
        with pytest.raises(KeyListError, match=r"refused|not a list"):
            key_list.take(refused, office)
    assert office.receiver_key.read_bytes() == before
    assert key_list.take(second, office)
    assert not key_list.take(second, office)
    assert not key_list.take(first, office)
    assert key_list.number(office) == 2
    assert office.receiver_key.read_bytes() != before


def test_nothing_new_makes_no_new_list(centre):
    before = centre.key_list.read_bytes()
    assert key_list.publish(centre).number == 1
    assert centre.key_list.read_bytes() == before


def test_a_new_authority_is_introduced_by_the_old_one(centre, office):
    [old] = authority.load(centre)
    rotation.new_authority(centre, "Tỉnh Thử Nghiệm")
    key_list.publish(centre)
    assert key_list.take(centre.key_list.read_bytes(), office)
    first, second = authority.load(centre)
    assert first.certificate == old.certificate
    assert authority.certificates(office.ca, "authorities") == [first.certificate, second.certificate]
    centre.client_ca.write_bytes(authority.pem([second.certificate]))  # the old one has served its time
    key_list.publish(centre)
    text = centre.key_list.read_bytes()
    assert signed.verify(key_list.KIND, text, Witness(second.certificate))
    assert key_list.take(text, office)
    assert authority.certificates(office.ca, "authorities") == [second.certificate]


def test_a_list_cut_short_by_a_power_cut_is_taken_again(centre, office, monkeypatch):
    rotation.new_opening_key(centre)
    rotation.new_receipt_key(centre)
    text, rename = centre.key_list.read_bytes(), Path.rename
    for number in (0, 1, 1):  # each attempt goes on where the one before was cut
        left = number

        def cut(path, target):
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError("power")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", cut)
        with pytest.raises(OSError, match="power"):
            key_list.take(text, office)
        monkeypatch.setattr(Path, "rename", rename)
        assert key_list.number(office) == 1
    assert key_list.take(text, office)
    assert len(signed.verifying_key(office.receipt_key, "key")._keys) == 2


def test_kiosks_learn_the_recovery_key_or_say_what_is_missing(centre, office):
    rotation.new_opening_key(centre)
    with pytest.raises(ConfigError, match=r"office\.recovery_key is not set"):
        key_list.take(centre.key_list.read_bytes(), replace(office, recovery_key=None))
    assert key_list.number(office) == 1


def test_without_the_authoritys_key_nothing_is_replaced(centre):
    before = {path: path.read_bytes() for path in centre.hpke_key_file.parent.iterdir()}
    centre.authority_key_file.rename(centre.authority_key_file.with_name("elsewhere"))
    for rotate in (rotation.new_opening_key, rotation.new_receipt_key):
        with pytest.raises(ConfigError, match=r"authority\.key: the authority's key cannot be read"):
            rotate(centre)
    assert {p.read_bytes() for p in centre.hpke_key_file.parent.iterdir()} == set(before.values())


def test_any_of_no_keys_accepts_nothing():
    with pytest.raises(SignatureError):
        signed.verify("x", signed.sign("x", {}, Ed25519PrivateKey.generate()), AnyOf([]))
