"""The province's list of keys: what every kiosk is to seal to and to trust; numbered and signed by an authority.

Numbers, not dates, say which is newer: a kiosk's clock may be wrong. A kiosk refuses to go back, and takes a list only
from an authority it trusts already, so a list may come over any road: the receiver, a stick, an enrolment's answer.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from kiosk.config import ConfigError, OfficeSettings, ReceiverSettings
from sync import authority, key_files, signed, store
from sync.authority import Witness
from sync.client import ReceiverClient

KIND = "key-list"


class KeyListError(ConfigError):
    """Not a list to be taken; the one before stays."""


@dataclass(frozen=True, slots=True)
class KeyList:
    """What stands in it."""

    number: int
    authorities: tuple[x509.Certificate, ...]
    """Whose certificates and lists are trusted, oldest first."""
    opening: X25519PublicKey
    """The receiver's key that envelopes are sealed to from now on."""
    recovery: X25519PublicKey
    receipts: tuple[Ed25519PublicKey, ...]
    """Any of them signs receipts."""


# --- at the province ---


def publish(settings: ReceiverSettings) -> KeyList:
    """Make the list of the keys as they lie here, with the next number; the last one, if nothing has changed.

    Signed by the oldest authority, which every kiosk knows. Raises ConfigError.
    """
    signer, held = authority.load(settings)[0], _last(settings.key_list)
    receipts = [signed.signing_key(settings.receipt_key_file, "the key that signs receipts").public_key()]
    receipts += [
        _earlier_receipt_key(path) for path in key_files.earlier(settings.receipt_key_file.with_suffix(".pub"))
    ]
    new = KeyList(
        held.number + 1 if held else 1,
        tuple(authority.certificates(settings.client_ca, "the authorities' certificates")),
        signed.opening_key(settings.hpke_key_file, "the key that opens envelopes").public_key(),
        signed.sealing_key(settings.recovery_key, "the offline recovery key (python main.py recover --new-key)"),
        tuple(receipts),
    )
    if held is not None and {**_fields(held), "number": new.number} == _fields(new):
        return held
    store.replace_durably(settings.key_list, signed.sign(KIND, _fields(new), signer))
    return new


def _last(path: Path) -> KeyList | None:
    return _parsed(path.read_bytes()) if path.exists() else None


def _earlier_receipt_key(path: Path) -> Ed25519PublicKey:
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: an earlier key of receipts must be an Ed25519 public key in PEM")
    return key


# --- at the kiosk ---


def verified(text: bytes, trusted: Iterable[x509.Certificate]) -> KeyList:
    """The list if one of these authorities signed it; raises KeyListError."""
    try:
        signed.verify(KIND, text, signed.AnyOf(map(Witness, trusted)))
    except signed.SignatureError as error:
        raise KeyListError(f"the list of keys is refused: {error}") from None
    return _parsed(text)


def take(
    text: bytes, office: OfficeSettings, trusted: Iterable[x509.Certificate] | None = None, *, anew: bool = False
) -> bool:
    """Install a newer list; False if ours is as new or newer. Raises KeyListError, ConfigError or OSError.

    `trusted`: by default the authorities of before; `anew`: another province's numbers say nothing about ours. The list
    itself is written last: if power fails between, the next attempt begins anew, and each key alone is good already.
    """
    known = authority.certificates(office.ca, "the authorities") if trusted is None else trusted
    new, held = verified(text, known), number(office)
    if new.number <= held and not anew:
        return False
    recovery = office.recovery_key
    if recovery is None:
        raise ConfigError(
            'office.recovery_key is not set, and the province has a recovery key: set it, e.g. "secrets/recovery.pub"'
        )
    for path, content in (
        (office.ca, authority.pem(new.authorities)),
        (office.receipt_key, b"".join(map(key_files.public_pem, new.receipts))),
        (recovery, key_files.public_pem(new.recovery)),
        (office.receiver_key, key_files.public_pem(new.opening)),
        (office.key_list, text),
    ):
        if not path.exists() or path.read_bytes() != content:
            store.replace_durably(path, content)
    return True


def number(office: OfficeSettings) -> int:
    """Of the list this kiosk holds; 0 before the first."""
    held = _last(office.key_list)
    return held.number if held else 0


def refresh(client: ReceiverClient, office: OfficeSettings) -> bool:
    """Ask the receiver (`GET /keys`); whether a newer list was taken. Raises as `take` and `ReceiverClient.call` do."""
    reply = client.call("GET", "/keys", allowed=frozenset({404}))
    return reply.status != 404 and take(reply.body, office)


# --- the document ---


def _fields(keys: KeyList) -> dict[str, object]:
    return {
        "schema": 1,
        "number": keys.number,
        "authorities": [authority.pem([one]).decode() for one in keys.authorities],
        "opening": _base64(keys.opening),
        "recovery": _base64(keys.recovery),
        "receipts": [_base64(key) for key in keys.receipts],
    }


def _base64(key: Ed25519PublicKey | X25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()


def _parsed(text: bytes) -> KeyList:
    try:
        document = signed.unverified(KIND, text)
        if document["schema"] != 1 or type(document["number"]) is not int or document["number"] < 1:
            raise ValueError("schema or number")
        keys = KeyList(
            document["number"],
            tuple(x509.load_pem_x509_certificate(one.encode()) for one in document["authorities"]),
            X25519PublicKey.from_public_bytes(base64.b64decode(document["opening"])),
            X25519PublicKey.from_public_bytes(base64.b64decode(document["recovery"])),
            tuple(Ed25519PublicKey.from_public_bytes(base64.b64decode(one)) for one in document["receipts"]),
        )
    except (signed.SignatureError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise KeyListError(f"not a list of keys: {type(error).__name__}") from None
    if not keys.authorities or not keys.receipts:
        raise KeyListError("not a list of keys: no authority, or no key of receipts")
    return keys
