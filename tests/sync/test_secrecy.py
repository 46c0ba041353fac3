"""A data-protection officer with a kiosk's disk in hand, every byte ever written to it, and all of the kiosk's keys."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha512
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sync import envelope, signed
from sync.client import ReceiverClient
from sync.envelope import EnvelopeError, Manifest, key_id, open_envelope, read_manifest
from sync.keys import create_world
from sync.outbox_schema import State
from tests.powercut import visit
from tests.powercut.disk import BLOCK, missing_programs, no_loop_devices, read_log
from tests.sync.canaries import forms, found
from tests.sync.province import CANARY, CANARY_ID, Province, make_dossier, until

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
PERSONAL = forms(
    CANARY, CANARY.split()[-1], visit.CHILD, CANARY_ID, visit.PHONE, "1999-01-31", "phố Thử Nghiệm, Hà Nội"
)
IMAGES = frozenset(data[at : at + 24] for data in (visit.SCAN, visit.PORTRAIT) for at in range(0, len(data) - 24, 1000))


class Disk:
    """What is left of a kiosk in whose life there was one visit, filed, sent and answered."""

    def __init__(self, folder: Path) -> None:
        self.records = read_log(folder / "log")
        self.image = folder / "image"
        with self.image.open("r+b") as file:
            for record in self.records:
                if record.content is not None:
                    file.seek(record.offset)
                    file.write(record.content)
        self.files = folder / "files"
        self.files.mkdir()
        subprocess.run(["debugfs", "-R", f"rdump /state {self.files}", self.image], check=True, capture_output=True)

    def every_byte(self) -> bytes:
        """Everything that was ever written, in order; what was written together stands together."""
        return b"".join(record.content or b"" for record in self.records)

    def last_state(self) -> bytes:
        """What stood at the end in every block that was ever written, neighbours together."""
        blocks = {at // BLOCK for r in self.records for at in range(r.offset, r.offset + len(r.content or b""), BLOCK)}
        image = self.image.read_bytes()
        return b"".join(image[block * BLOCK : (block + 1) * BLOCK] for block in sorted(blocks))

    def envelopes(self) -> list[tuple[Manifest, Path]]:
        folders = [path.parent for path in self.files.rglob("envelopes/*/manifest")]
        return [(read_manifest((folder / "manifest").read_bytes(), None), folder) for folder in folders]

    def private_keys(self) -> list[object]:
        """Every private key in PEM on it, wherever it lies."""
        pem = rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----\n"
        return [load_pem_private_key(text, None) for text in set(re.findall(pem, self.every_byte(), re.DOTALL))]


@pytest.fixture(scope="module")
def disk(tmp_path_factory) -> Disk:
    assert not missing_programs(), "not installed; see requirements/system.txt"
    if reason := no_loop_devices():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("recorded")
    command = [ROOT / "scripts" / "power-cuts", "--cuts", "3", "--seed", "1", "--keep", folder, "visit"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Disk(folder)


def test_no_byte_that_was_ever_written_to_the_kiosks_disk_tells_of_the_citizen(disk):
    written = disk.every_byte()
    assert visit.CONTROL in written, "the search finds what is there"
    assert len(written) > 500_000
    assert b"DEBUG" in written, "the log at its most talkative is among it"
    assert found(PERSONAL | IMAGES, written) == set()
    assert found(PERSONAL | IMAGES, disk.last_state()) == set(), "nor across the seams of two writes"


def test_the_search_would_find_the_citizen_in_any_form():
    for text in (CANARY, CANARY.lower(), unicodedata.normalize("NFD", CANARY), f"log: {visit.PHONE}"):
        raw, wide = text.encode(), text.encode("utf-16-le")
        for content in (raw, wide, json.dumps({"a": text}).encode(), b64encode(raw), b64encode(b"x" + raw)):
            assert found(PERSONAL, content), content


def test_with_the_disk_and_all_keys_of_the_kiosk_no_dossier_opens(disk):
    keys = disk.private_keys()
    assert {type(key).__name__ for key in keys} == {"Ed25519PrivateKey", "ECPrivateKey"}, "signing and TLS, no other"
    [(manifest, folder)] = disk.envelopes()
    assert len(manifest.sealed_keys) == 2, "for the receiver and the recovery key"
    for key in (opening for found_one in keys for opening in _as_opening_keys(found_one)):
        assert key_id(key.public_key()) not in manifest.sealed_keys
        for name in manifest.sealed_keys:
            with pytest.raises(EnvelopeError, match="does not open"):
                _open(manifest, folder, key, name)


def test_the_key_of_a_dossiers_content_was_never_on_the_disk(disk):
    [(manifest, folder)] = disk.envelopes()
    receiver = signed.opening_key(GOLDEN / "keys" / "receiver-hpke.key", "key")
    opened = open_envelope(manifest, lambda name: (folder / name).read_bytes(), receiver)
    assert opened.payload["owner"]["full_name"] == CANARY, "at the province it opens"
    assert any(visit.SCAN in content for content in opened.files.values())
    secret = envelope._SUITE.decrypt(manifest.sealed_keys[key_id(receiver.public_key())], receiver, manifest.info)
    assert len(secret) == 32
    written = disk.every_byte()
    for form in (secret, secret[:16], secret[16:], secret.hex().encode(), b64encode(secret)[:-2]):
        assert form not in written


def _as_opening_keys(key: object) -> list[X25519PrivateKey]:
    """Any private key made into one that could open, as somebody with nothing to lose would try it."""
    if isinstance(key, Ed25519PrivateKey):
        seed = key.private_bytes_raw()
        return [X25519PrivateKey.from_private_bytes(raw) for raw in (seed, sha512(seed).digest()[:32])]
    assert isinstance(key, EllipticCurvePrivateKey)
    raw = key.private_numbers().private_value.to_bytes(32)
    return [X25519PrivateKey.from_private_bytes(value) for value in (raw, raw[::-1])]


def _open(manifest: Manifest, folder: Path, key: X25519PrivateKey, name: str) -> None:
    """With `key` in the place of the recipient `name`."""
    sealed = {key_id(key.public_key()): manifest.sealed_keys[name]}
    forged = Manifest(**{field: getattr(manifest, field) for field in Manifest.__slots__} | {"sealed_keys": sealed})
    open_envelope(forged, lambda blob: (folder / blob).read_bytes(), key)


# --- the province ---


def test_neither_metrics_nor_any_other_answer_of_the_receiver_tells_of_the_citizen(province: Province):
    text = province.config.read_text()
    province.config.write_text(text.replace("[receiver]", '[receiver]\nmonitor = "K02"'))
    province.start("tthc-model")
    province.start("receiver")
    stranger = replace(province.sealer, to=X25519PrivateKey.generate().public_key())
    for sealer in (province.sealer, stranger):
        assert province.outbox.put(make_dossier(), sealer) is None
    until(lambda: province.forward() == 0 and province.states() == ["answered", "delivered"])
    secrets = province.settings.office.certificate.parent
    monitor = replace(province.settings.office, certificate=secrets / "K02.pem", key_file=secrets / "K02.key")
    kiosk = ReceiverClient(province.settings.office)
    said = [_said(ReceiverClient(monitor), "GET", "/metrics")]
    assert b'receiver_submissions{state="quarantined"} 1.0' in said[0]
    for entry in province.outbox.entries(State.ANSWERED) + province.outbox.entries(State.DELIVERED):
        said += [_said(kiosk, "GET", f"/submissions/{entry.submission}/{what}") for what in ("status", "receipt")]
    code = province.outbox.records()[0]["provisional_ref"]
    both = {"code": code, "personal_id": CANARY_ID}
    said.append(_said(kiosk, "POST", "/lookups", json.dumps(both).encode()))
    assert code.encode() in said[-1], "the owner finds it"
    said.append(_said(kiosk, "POST", "/lookups", json.dumps(both | {"personal_id": "001199000999"}).encode()))
    said.append(_said(kiosk, "POST", "/lookups", json.dumps({"code": CANARY, "personal_id": [CANARY_ID]}).encode()))
    assert found(PERSONAL, b"\n".join(said)) == set()
    assert found(PERSONAL, province.log("receiver").encode()) == set()


def _said(client: ReceiverClient, method: str, path: str, body: bytes = b"") -> bytes:
    return client.call(method, path, body, allowed=frozenset({400, 404, 422})).body


# --- a crash ---


def test_this_machine_would_write_core_files(tmp_path):
    """So that the next test means something; where the system hands them to a program of its own, it is for that."""
    status = _crash([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, _runs)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    if Path("/proc/sys/kernel/core_pattern").read_text()[0] not in "|/":
        assert os.WCOREDUMP(status)
        assert list(tmp_path.glob("core*"))


@pytest.mark.parametrize("command", [("run",), ("forward",), ("serve", "receiver"), ("serve", "queue")], ids=" ".join)
def test_a_program_that_crashes_leaves_no_core_file_with_a_citizen_in_it(tmp_path, command):
    create_world(tmp_path / "secrets", ["K01"])
    (tmp_path / "kiosk.toml").write_text("")
    words = [sys.executable, ROOT / "main.py", *command, "--config", tmp_path / "kiosk.toml"]
    status = _crash(words, tmp_path, _protected)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.glob("core*")) == []


def _crash(command: list[object], folder: Path, ready: Callable[[int], bool]) -> int:
    """Start it without a limit to core files, and let it crash when it is `ready`; its wait status."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | {"SDL_VIDEODRIVER": "offscreen"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_allow_cores,
    )
    try:
        until(lambda: ready(process.pid))
        process.send_signal(signal.SIGSEGV)
        return os.waitpid(process.pid, 0)[1]
    finally:
        process.poll()


def _allow_cores() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY if os.geteuid() == 0 else hard,) * 2)


def _runs(pid: int) -> bool:
    return "S (sleeping)" in Path(f"/proc/{pid}/status").read_text()


def _protected(pid: int) -> bool:
    """Core files are limited to nothing."""
    return resource.prlimit(pid, resource.RLIMIT_CORE)[0] == 0


def test_another_program_of_the_same_user_may_not_look_into_its_memory(tmp_path):
    """PR_SET_DUMPABLE 0: what the kernel then answers is checked from the inside, as root may look everywhere."""
    code = "import ctypes; from kiosk.memory import keep_private; keep_private(); print(ctypes.CDLL(None).prctl(3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "0"
