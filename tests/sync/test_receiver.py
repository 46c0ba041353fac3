"""The receiver's own rules: who may send and ask what; and what it says when it cannot start."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from kiosk.config import ConfigError
from sync import signed
from sync.client import ReceiverClient
from sync.outbox import State
from sync.receiver import server as receiver
from sync.tthc_model import server as tthc_model
from tests.sync.province import CANARY_ID, Province, make_dossier


class Kiosk:
    """Raw requests with a kiosk's certificate."""

    def __init__(self, province: Province, prefix: str = "kiosk") -> None:
        secrets = province.settings.office.ca.parent
        self.url = province.settings.office.url + "/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(secrets / "ca.pem")
        self.session.cert = (str(secrets / f"{prefix}.pem"), str(secrets / f"{prefix}.key"))

    def __call__(self, method: str, path: str, body: object = b"", **headers: str) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, self.url + path, data=data, headers=named, timeout=30)

    def patch(self, sha256: str, offset: int, piece: bytes, digest_of: bytes | None = None) -> requests.Response:
        digest = hashlib.sha256(piece if digest_of is None else digest_of).digest()
        header = f"sha-256=:{base64.b64encode(digest).decode()}:"
        return self("PATCH", f"/blobs/{sha256}", piece, Upload_Offset=str(offset), Content_Digest=header)


@pytest.fixture
def kiosk(open_province: Province) -> Kiosk:
    return Kiosk(open_province)


@pytest.fixture
def stored(open_province: Province):
    """A sealed submission: entry, signed manifest, blobs."""
    assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    [entry] = open_province.outbox.entries(State.SEALED)
    text = open_province.outbox.manifest(entry)
    blobs = {b["sha256"]: b["size"] for b in signed.unverified("manifest", text)["blobs"]}
    return entry, text, {name: open_province.outbox.blob(entry, name) for name in blobs}


def test_without_a_client_certificate_nobody_is_heard(open_province: Province):
    settings = open_province.settings.office
    with pytest.raises(requests.RequestException):
        requests.get(f"{settings.url}/api/v1/healthz", verify=str(settings.ca), timeout=30)


def test_upload_step_by_step_with_every_step_repeated(open_province, kiosk, stored):
    entry, text, blobs = stored
    path = f"/submissions/{entry.submission}"
    assert kiosk("POST", f"{path}/commit").status_code == 404
    for _ in range(2):
        assert kiosk("PUT", path, text).status_code == 200
    assert kiosk("POST", f"{path}/commit").status_code == 424
    assert kiosk("GET", f"{path}/receipt").status_code == 424
    for name, content in blobs.items():
        assert kiosk("HEAD", f"/blobs/{name}").headers["Upload-Offset"] == "0"
        assert kiosk.patch(name, 5, content[5:]).status_code == 409
        assert kiosk.patch(name, 0, content[:100]).headers["Upload-Offset"] == "100"
        altered = kiosk.patch(name, 100, content[100:], digest_of=b"other")
        assert (altered.status_code, altered.headers["Upload-Offset"]) == (409, "100")
        assert kiosk.patch(name, 100, content[100:] + b"more").status_code == 413
        assert kiosk.patch(name, 100, content[100:]).headers["Upload-Offset"] == str(len(content))
        again = kiosk.patch(name, 100, content[100:])
        assert (again.status_code, again.headers["Upload-Offset"]) == (409, str(len(content)))
    receipts = {kiosk("POST", f"{path}/commit").content for _ in range(3)} | {kiosk("GET", f"{path}/receipt").content}
    assert len(receipts) == 1
    key = signed.verifying_key(open_province.settings.office.receipt_key, "key")
    receipt = signed.verify("receipt", receipts.pop(), key)
    assert receipt["manifest_sha256"] == signed.digest(text)
    assert receipt["number"] == 1


def test_a_blob_that_is_not_the_announced_one_is_dropped_and_may_be_sent_again(kiosk, stored):
    entry, text, blobs = stored
    kiosk("PUT", f"/submissions/{entry.submission}", text)
    name, content = next(iter(blobs.items()))
    damaged = kiosk.patch(name, 0, bytes(len(content)))
    assert (damaged.status_code, damaged.headers["Upload-Offset"]) == (409, "0")
    assert kiosk("HEAD", f"/blobs/{name}").headers["Upload-Offset"] == "0"
    assert kiosk.patch(name, 0, content).status_code == 204


def test_another_manifest_under_the_same_id_or_number_is_a_conflict(open_province, kiosk, stored):
    entry, text, _ = stored
    path = f"/submissions/{entry.submission}"
    assert kiosk("PUT", path, text).status_code == 200
    key = open_province.sealer.by
    other = signed.unverified("manifest", text)
    other["procedure_code"] = "2.002492"
    assert kiosk("PUT", path, signed.sign("manifest", other, key)).status_code == 409
    other["submission"] = "0" * 32
    assert kiosk("PUT", f"/submissions/{'0' * 32}", signed.sign("manifest", other, key)).status_code == 409


def test_manifests_are_taken_only_with_the_enrolled_signature(open_province, kiosk, stored):
    entry, text, _ = stored
    path = f"/submissions/{entry.submission}"
    secrets = open_province.settings.office.ca.parent
    wrong = signed.signing_key(secrets / "K02-signing.key", "key")
    assert kiosk("PUT", path, signed.sign("manifest", signed.unverified("manifest", text), wrong)).status_code == 422
    assert kiosk("PUT", f"/submissions/{'0' * 32}", text).status_code == 422
    assert kiosk("PUT", path, b"{}").status_code == 422
    assert kiosk("PUT", path, b"x" * 300_000).status_code == 413
    assert Kiosk(open_province, "K02")("PUT", path, text).status_code == 403


def test_a_kiosk_sees_nothing_of_another(open_province, kiosk, stored):
    entry, _, blobs = stored
    open_province.deliver()
    other = Kiosk(open_province, "K02")
    assert kiosk("GET", f"/submissions/{entry.submission}/status").json()["answer"]["dossier_code"]
    for what in ("status", "receipt"):
        assert other("GET", f"/submissions/{entry.submission}/{what}").status_code == 404
    assert other("HEAD", f"/blobs/{next(iter(blobs))}").status_code == 404
    assert other("HEAD", "/blobs/..%2f..%2freceiver.db").status_code == 404


def test_a_look_up_needs_both_numbers_and_tells_neither(open_province, kiosk):
    dossier = make_dossier()
    assert open_province.outbox.put(dossier, open_province.sealer) is None
    open_province.deliver()
    answer = open_province.outbox.answer(dossier.provisional_ref)
    assert answer is not None
    for code in (answer.dossier_code, dossier.provisional_ref, f" {dossier.provisional_ref.lower()} "):
        found = kiosk("POST", "/lookups", {"code": code, "personal_id": CANARY_ID})
        assert found.json()["owner"] == "N••••• T•• C••••••"
        assert found.json()["status"] == 2
        assert found.json()["dossier_code"] == answer.dossier_code
    wrong = kiosk("POST", "/lookups", {"code": dossier.provisional_ref, "personal_id": "001199000124"})
    unknown = kiosk("POST", "/lookups", {"code": "TAM-0000-0000", "personal_id": CANARY_ID})
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content) == (404, unknown.content)
    assert kiosk("POST", "/lookups", b"[]").status_code == 400


def test_a_look_up_shows_what_the_officer_did_a_moment_ago_and_survives_the_system_being_away(open_province, kiosk):
    dossier = make_dossier()
    assert open_province.outbox.put(dossier, open_province.sealer) is None
    open_province.deliver()
    user, _, password = open_province.settings.receiver.tthc_user_file.read_text().strip().partition(":")
    page = f"http://127.0.0.1:{open_province.ports['tthc-model']}/ho-so/1/supplement"
    requests.post(page, auth=(user, password), data={"note": "Thiếu bản sao"}, timeout=30).raise_for_status()
    numbers = {"code": dossier.provisional_ref, "personal_id": CANARY_ID}
    state = kiosk("POST", "/lookups", numbers).json()
    assert (state["status"], state["note"]) == (5, "Thiếu bản sao")
    open_province.kill("tthc-model")
    state = kiosk("POST", "/lookups", numbers).json()
    assert (state["status"], state["owner"]) == (2, "")


def test_guessing_is_slowed_down_for_the_code_not_for_others(open_province, kiosk):
    dossiers = [make_dossier(), make_dossier()]
    for dossier in dossiers:
        assert open_province.outbox.put(dossier, open_province.sealer) is None
    open_province.deliver()

    def look_up(reference: str, number: str) -> int:
        return kiosk("POST", "/lookups", {"code": reference, "personal_id": number}).status_code

    guesses = [look_up(dossiers[0].provisional_ref, f"00119900{n:04}") for n in range(7)]
    assert guesses == [404] * 5 + [429] * 2
    assert look_up(dossiers[0].provisional_ref, CANARY_ID) == 429
    assert look_up(dossiers[1].provisional_ref, CANARY_ID) == 200


@pytest.mark.parametrize(
    "name",
    ["certificate", "key_file", "client_ca", "hpke_key_file", "receipt_key_file", "tthc_user_file"],
)
def test_a_missing_file_is_named_in_one_line(province: Province, tmp_path: Path, name: str):
    settings = replace(province.settings.receiver, **{name: tmp_path / "nowhere"})
    with pytest.raises(ConfigError, match=r"nowhere.*missing|nowhere.*cannot be read") as refusal:
        receiver.serve(settings)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_certificate_is_named_in_one_line(province: Province, tmp_path: Path):
    (tmp_path / "rubbish.pem").write_text("rubbish")
    for name in ("certificate", "key_file", "client_ca"):
        with pytest.raises(ConfigError, match=r"rubbish\.pem"):
            receiver.serve(
                replace(province.settings.receiver, **{name: tmp_path / "rubbish.pem"}, state=tmp_path / name)
            )
    with pytest.raises(ConfigError, match=r"rubbish\.pem"):
        receiver.serve(replace(province.settings.receiver, hpke_key_file=tmp_path / "rubbish.pem"))


def test_a_taken_port_and_a_taken_folder_are_said(open_province: Province, tmp_path: Path):
    settings = open_province.settings
    with pytest.raises(OSError, match=f"127.0.0.1:{settings.receiver.port} cannot be listened on"):
        receiver.serve(replace(settings.receiver, state=tmp_path / "second"))
    with pytest.raises(OSError, match="held by another process"):
        tthc_model.serve(settings.tthc_model)


def test_the_kiosk_says_which_certificate_is_missing(province: Province, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nowhere.*certificate is missing"):
        ReceiverClient(replace(province.settings.office, certificate=tmp_path / "nowhere"))
