"""Targets: what comes over the network or from a disk of delivery. Each may refuse in its own words only."""

import base64
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kiosk import catalogue
from sync import answers, audit, signed
from sync.connectors import reuse
from sync.envelope import EnvelopeError, Opened, open_envelope, read_manifest
from sync.receiver.shapes import Comparison, LookUp, Report

GOLDEN = Path(__file__).parents[1] / "sync" / "golden"


@cache
def _key(name: str) -> Any:
    return load_pem_private_key((GOLDEN / "keys" / f"{name}.key").read_bytes(), None)


def _kiosk() -> Ed25519PrivateKey:
    key: Ed25519PrivateKey = _key("kiosk-signing")
    return key


def _province() -> X25519PrivateKey:
    key: X25519PrivateKey = _key("receiver-hpke")
    return key


@cache
def _manifest(version: int) -> bytes:
    return (GOLDEN / f"envelope-{version}" / "manifest").read_bytes()


def _signed(line: bytes) -> bytes:
    """The line under the kiosk's signature: a thief of its key can send that."""
    return line.replace(b"\n", b" ") + b"\n" + base64.b64encode(_kiosk().sign(line.replace(b"\n", b" "))) + b"\n"


@cache
def _said(version: int) -> Opened:
    return open_envelope(read_manifest(_manifest(version), _kiosk().public_key()), _part, _province())


def _open(text: bytes, read: Callable[[str], bytes]) -> None:
    """Whatever opens says what was sealed, nothing else."""
    with suppress(EnvelopeError):
        opened = open_envelope(read_manifest(text, _kiosk().public_key()), read, _province())
        if opened not in (_said(1), _said(2)):
            raise AssertionError(f"something else opened: {list(opened.files)}")


def _part(sha256: str) -> bytes:
    for version in (1, 2):
        with suppress(FileNotFoundError):
            return (GOLDEN / f"envelope-{version}" / sha256).read_bytes()
    raise EnvelopeError("a part is missing")


def manifest(data: bytes) -> None:
    """As it comes over the wire."""
    _open(data, _part)


def signed_manifest(data: bytes) -> None:
    """Any line under a good signature."""
    _open(_signed(data), _part)


def manifest_field(data: bytes) -> None:
    """A good manifest with one value (its place by the first two octets) made what the rest says, signed again."""
    version = 1 + (data[:1] > b"\x7f")
    document = json.loads(_manifest(version).split(b"\n")[0])
    places = list(_places(document))
    holder, key = places[data[1] % len(places)] if len(data) > 1 else places[0]
    try:
        holder[key] = json.loads(data[2:])
    except (ValueError, RecursionError):
        holder[key] = data[2:].decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):  # more than a signed document may have, or deeper
        _open(signed.sign("manifest", document, _kiosk()), _part)


def _places(node: Any) -> Any:
    """Every value below, as its holder and its key."""
    for key in node if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def blob(data: bytes) -> None:
    """A ciphertext that lies where a good one lay."""
    _open(_manifest(2), lambda _: data)


def receipt(data: bytes) -> None:
    """Anything that may answer a commit."""
    with suppress(signed.SignatureError):
        signed.verify("receipt", data, _key("receiver-receipt").public_key())
    with suppress(signed.SignatureError):
        signed.unverified("receipt", data)


def answer(data: bytes) -> None:
    """The TTHC system's word as the forwarder gets it."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        answers.from_json(json.loads(data)["answer"])


def released(data: bytes) -> None:
    """A catalogue as a kiosk gets it."""
    with suppress(ValueError, RecursionError):
        catalogue.received(json.loads(data))


def questions(data: bytes) -> None:
    """What kiosks ask the receiver."""
    with suppress(ValueError):
        reuse.read_wish(data)
    with suppress(ValueError):
        reuse.read_told(data, reuse.read_wish(_questions()[0]))
    for shape in (Report, Comparison, LookUp):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            msgspec.json.decode(data, type=shape)


def audit_log(data: bytes) -> None:
    """A log that somebody has had in hand."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        list(audit.lines(Path(file.name)))


def _receipts() -> list[bytes]:
    fields = {"schema": 1, "kiosk": "K01", "submission": "0" * 32, "sequence": 1, "manifest_sha256": "0" * 64}
    return [signed.sign("receipt", {**fields, "number": 1, "received_at": "x"}, _key("receiver-receipt"))]


def _questions() -> list[bytes]:
    wish = {"consent": True, "owner_id": "001199000123", "requester_id": "001199000123", "requester_name": "A"}
    wish |= {"procedure_code": "1.001193", "components": ["KQ01"]}
    report = {"schema": 1, "utc": "2026-11-23T03:00:00.000Z", "program": "0.1.0", "first_sequence": 1, "waiting": 0}
    report |= {"last_sequence": 7, "oldest_seconds": None, "quarantined": [], "quarantined_count": 0, "bytes_free": 1}
    report |= {"days_free": 1.5, "audit": {"n": 9, "sha256": "b" * 64}, "certificate_days": 300}
    comparison = {"from": 1, "to": 2, "sha256": "0" * 64}
    told = {"results": [{"component": "KQ01", "result_code": "R", "name": "n", "number": "1", "issuer": "i"}]}
    return [json.dumps(one).encode() for one in (wish, report, comparison, {"code": "T", "personal_id": "0"}, told)]


def _answers() -> list[bytes]:
    state = {"provisional_ref": "TAM", "dossier_code": "H", "status": 2, "procedure": "p", "owner": "", "note": ""}
    state |= {
        "fee": 0,
        "collect_at": "",
        "submitted_at": None,
        "received_at": "2026-11-23T03:00:00.000Z",
        "due_at": None,
    }
    return [json.dumps({"state": "answered", "answer": state}).encode()]


def _catalogues() -> list[bytes]:
    procedure = {"code": "1.001193", "name": {"vi": "Khai sinh"}, "field": "HT", "receiver": "UBND", "component": []}
    group = {"code": "HT", "name": {"vi": "Hộ tịch"}, "procedure": [procedure]}
    return [json.dumps({"number": 1, "version": "1", "taken_at": "x", "group": [group]}).encode()]


def _lines() -> list[bytes]:
    line = json.dumps({"n": 1, "event": "sealed", "previous": "0" * 64, "submission": "0" * 32}).encode()
    return [line + b" -\n", line + b" " + base64.b64encode(bytes(64)) + b"\n"]


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], Sequence[bytes]]]] = {
    "manifest": (manifest, lambda: [_manifest(1), _manifest(2)]),
    "manifest-signed": (signed_manifest, lambda: [_manifest(n).split(b"\n")[0] for n in (1, 2)]),
    "manifest-field": (manifest_field, lambda: [b"\xff\x00{}", b"\x00\x01null", b"\xff\x05-1", b"\xff\x09[[]]"]),
    "blob": (blob, lambda: [path.read_bytes() for path in sorted((GOLDEN / "envelope-2").iterdir())]),
    "receipt": (receipt, _receipts),
    "answer": (answer, _answers),
    "catalogue": (released, _catalogues),
    "questions": (questions, _questions),
    "audit": (audit_log, _lines),
}
