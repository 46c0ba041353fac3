"""Enrolment: a kiosk makes its own keys; only a request goes out to the province, and only its answer comes back.

    <key>.next    a new key that waits for the province's answer; the one in use stays until then

The request proves possession of both new keys (the TLS key signs its CSR, the signing key the whole), and is endorsed
by the signing key in use, if there is one. The answer is signed by an authority and holds the certificate and the
list of keys. The certificate is replaced in one step, and whoever needs its key asks `identity.pair`: there is no
moment in which the two do not fit.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kiosk.clock import utc_iso
from kiosk.config import ConfigError, OfficeSettings
from sync import authority, identity, key_files, key_list, signed, store
from sync.authority import Authority, Witness
from sync.envelope import KIOSK_ID

REQUEST = "enrolment-request"
ANSWER = "enrolment-answer"


class EnrolmentError(ConfigError):
    """A request or an answer that is not to be taken; one line for a technician."""


class Unconfirmed(EnrolmentError):
    """Signed by an authority that this kiosk does not know: a person must compare `fingerprints`."""

    def __init__(self, fingerprints: Sequence[str]) -> None:
        super().__init__(
            f"the answer is signed by an authority this kiosk does not know: {', '.join(fingerprints)}; compare with "
            "what the province tells you by another road, then repeat with --fingerprint"
        )
        self.fingerprints = fingerprints


@dataclass(frozen=True, slots=True)
class Request:
    """A kiosk's request as the province reads it: both possessions proved."""

    kiosk: str
    tls_key: ec.EllipticCurvePublicKey
    signing_key: Ed25519PublicKey
    endorsed_by: bytes
    """The signing key in use (32 bytes) that vouches for the new ones; empty: none does."""
    sha256: str


# --- at the kiosk: the request ---


def request(kiosk: str, office: OfficeSettings) -> bytes:
    """The request for the keys that wait; they are made now, unless an earlier request made them."""
    if not KIOSK_ID.fullmatch(kiosk):
        raise EnrolmentError(f"kiosk.id is {kiosk!r}; allowed: letters, digits, dot, dash, underscore; at most 64")
    tls, signing = _waiting_tls_key(office.key_file), _waiting_signing_key(office.signing_key_file)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kiosk)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(tls, hashes.SHA256())
    document: dict[str, object] = {
        "schema": 1,
        "kiosk": kiosk,
        "made_at": utc_iso(datetime.now(UTC)),
        "csr": csr.public_bytes(Encoding.PEM).decode(),
        "signing_key": _base64(signing.public_key()),
    }
    return signed.sign(REQUEST, {**document, **_endorsement(kiosk, office, tls, signing)}, signing)


def _waiting_tls_key(path: Path) -> ec.EllipticCurvePrivateKey:
    waiting = key_files.waiting(path)
    if not waiting.exists():
        waiting.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_files.write_new(waiting, key_files.private_pem(ec.generate_private_key(ec.SECP256R1())))
    key = identity.load(waiting)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise EnrolmentError(f"{waiting}: is not a key of ours; remove it")
    return key


def _waiting_signing_key(path: Path) -> Ed25519PrivateKey:
    waiting = key_files.waiting(path)
    if not waiting.exists():
        key_files.write_new(waiting, key_files.private_pem(Ed25519PrivateKey.generate()))
    return signed.signing_key(waiting, "the signing key that waits")


def _endorsement(
    kiosk: str, office: OfficeSettings, tls: ec.EllipticCurvePrivateKey, signing: Ed25519PrivateKey
) -> dict[str, str]:
    try:
        present = signed.signing_key(office.signing_key_file, "this kiosk's signing key")
    except ConfigError:
        if office.signing_key_file.exists():
            raise
        return {}
    text = _endorsed(kiosk, tls.public_key(), signing.public_key())
    signature = base64.b64encode(present.sign(text)).decode()
    return {"endorsed_by": _base64(present.public_key()), "endorsement": signature}


def _endorsed(kiosk: str, tls: ec.EllipticCurvePublicKey, signing: Ed25519PublicKey) -> bytes:
    point = tls.public_numbers()
    return f"motcua enrolment 1\n{kiosk}\n{point.x:064x}{point.y:064x}\n{signing.public_bytes_raw().hex()}".encode()


# --- at the province ---


def read_request(text: bytes) -> Request:
    """The request if its maker holds both keys; raises EnrolmentError."""
    try:
        unproved = signed.unverified(REQUEST, text)
        signing = Ed25519PublicKey.from_public_bytes(base64.b64decode(unproved["signing_key"]))
        document = signed.verify(REQUEST, text, signing)
        csr = x509.load_pem_x509_csr(document["csr"].encode())
        tls, kiosk = csr.public_key(), document["kiosk"]
        if document["schema"] != 1 or not isinstance(tls, ec.EllipticCurvePublicKey) or not csr.is_signature_valid:
            raise EnrolmentError("the request is refused: its TLS key is not proved")
        if not KIOSK_ID.fullmatch(kiosk) or authority.common_name(csr.subject) != kiosk:
            raise EnrolmentError("the request is refused: it names no kiosk, or two")
        endorsed_by = base64.b64decode(document.get("endorsed_by", ""))
        if endorsed_by:
            signature = base64.b64decode(document["endorsement"])
            Ed25519PublicKey.from_public_bytes(endorsed_by).verify(signature, _endorsed(kiosk, tls, signing))
    except EnrolmentError:
        raise
    except (signed.SignatureError, InvalidSignature, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EnrolmentError(f"the request is refused: {error or 'an endorsement is wrong'}") from None
    return Request(kiosk, tls, signing, endorsed_by, signed.digest(text))


def answer(by: Authority, asked: Request, certificate: x509.Certificate, keys: bytes) -> bytes:
    """What goes back to the kiosk; `keys` is the signed list."""
    document = {
        "schema": 1,
        "kiosk": asked.kiosk,
        "request": asked.sha256,
        "signing_key": _base64(asked.signing_key),
        "certificate": authority.pem([certificate]).decode(),
        "key_list": keys.decode(),
    }
    return signed.sign(ANSWER, document, by)


# --- at the kiosk: the answer ---


def accept(text: bytes, kiosk: str, office: OfficeSettings, confirmed: str = "") -> x509.Certificate:
    """Check and install an answer; the certificate. Doing it twice, or again after a power cut, does no harm.

    `confirmed`: fingerprint of the authority that a person has compared, needed the first time. Raises Unconfirmed,
    EnrolmentError, ConfigError or OSError; nothing is installed then.
    """
    document, keys = _parsed_answer(text)
    trusted = _trusted(keys, office, confirmed)
    if not _signed_by(text, trusted):
        raise Unconfirmed([authority.fingerprint(one) for one in keys.authorities if _signed_by(text, [one])])
    listed = document["key_list"].encode()
    key_list.verified(listed, trusted)
    certificate = _checked_certificate(document, kiosk, office, keys)
    key_list.take(listed, office, trusted, anew=not _signed_by(text, _known(office)))
    _install(certificate, document["signing_key"], office)
    return certificate


def _signed_by(text: bytes, trusted: Sequence[x509.Certificate]) -> bool:
    try:
        signed.verify(ANSWER, text, signed.AnyOf(map(Witness, trusted)))
    except signed.SignatureError:
        return False
    return True


def _parsed_answer(text: bytes) -> tuple[dict[str, str], key_list.KeyList]:
    try:
        document = signed.unverified(ANSWER, text)
        texts = {name: document[name] for name in ("kiosk", "signing_key", "certificate", "key_list")}
        if document["schema"] != 1 or not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("schema or fields")
        listed = texts["key_list"].encode()
        unverified = signed.unverified(key_list.KIND, listed)
        own = [x509.load_pem_x509_certificate(one.encode()) for one in unverified["authorities"]]
        return texts, key_list.verified(listed, own)
    except (signed.SignatureError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EnrolmentError(f"this is not the answer to a request for enrolment: {error}") from None


def _trusted(keys: key_list.KeyList, office: OfficeSettings, confirmed: str) -> list[x509.Certificate]:
    """The authorities this kiosk knows, or the one of the answer that a person has confirmed."""
    if not confirmed:
        return _known(office)
    wanted = "".join(confirmed.split()).replace(":", "").lower()
    found = [one for one in keys.authorities if authority.fingerprint(one) == wanted]
    if not found:
        raise EnrolmentError(f"no authority of this answer has the fingerprint {wanted}: it is not the province's")
    return found


def _known(office: OfficeSettings) -> list[x509.Certificate]:
    return authority.certificates(office.ca, "the authorities") if office.ca.exists() else []


def _checked_certificate(
    document: dict[str, str], kiosk: str, office: OfficeSettings, keys: key_list.KeyList
) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(document["certificate"].encode())
    except ValueError:
        raise EnrolmentError("the answer holds no certificate") from None
    if document["kiosk"] != kiosk or authority.common_name(certificate.subject) != kiosk:
        raise EnrolmentError(f"the answer is for kiosk {document['kiosk']}; this is {kiosk}")
    if not any(_issued_by(one, certificate) for one in keys.authorities):
        raise EnrolmentError("the certificate is not of an authority in the list of keys")
    if identity.key_of(certificate, office) is None:
        raise EnrolmentError("the answer is to another request: no key of this kiosk fits its certificate")
    if document["signing_key"] not in map(_base64, _signing_keys(office)):
        raise EnrolmentError("the answer is to another request: no signing key of this kiosk fits")
    return certificate


def _issued_by(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _install(certificate: x509.Certificate, signing_key: str, office: OfficeSettings) -> None:
    store.replace_durably(
        office.certificate, authority.pem([certificate])
    )  # from here on `identity.pair` gives the new key
    if identity.fits(key_files.waiting(office.key_file), certificate):
        key_files.promote(office.key_file)
    waiting = key_files.waiting(office.signing_key_file)
    if (
        waiting.exists()
        and _base64(signed.signing_key(waiting, "the signing key that waits").public_key()) == signing_key
    ):
        _keep_public(office.signing_key_file)
        key_files.promote(office.signing_key_file)


def _keep_public(path: Path) -> None:
    """What the key signed before is checked with its public part: `<name>.old-<n>.pub`."""
    if path.exists():
        present = signed.signing_key(path, "this kiosk's signing key").public_key()
        public, content = path.with_suffix(".pub"), key_files.public_pem(present)
        if content not in [kept.read_bytes() for kept in key_files.earlier(public)]:
            key_files.keep(public, content)


def _signing_keys(office: OfficeSettings) -> list[Ed25519PublicKey]:
    path = office.signing_key_file
    there = [one for one in (path, key_files.waiting(path)) if one.exists()]
    return [signed.signing_key(one, "a signing key of this kiosk").public_key() for one in there]


def _base64(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()
