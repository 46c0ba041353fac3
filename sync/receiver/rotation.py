"""The province's own keys: made, and replaced with overlap; every change that kiosks must know ends in a new list.

Nothing that a kiosk may still rely on is thrown away: earlier opening keys stay beside the present one, earlier keys
of receipts stay in the list, an earlier authority stays trusted until it is taken out of the file.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.config import ConfigError, ReceiverSettings
from sync import authority, key_files, key_list, signed, store
from sync.authority import Authority
from sync.key_list import KeyList


def new_authority(settings: ReceiverSettings, name: str) -> Authority:
    """The first authority, or one beside those before; with the first come the receiver's own keys. See `new_list`."""
    made = Authority.create(name)
    for path in (settings.authority_key_file, settings.client_ca):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.authority_key_file.exists():
        authority.load(settings)
        key_files.keep(settings.authority_key_file)
    there = settings.client_ca.read_bytes() if settings.client_ca.exists() else b""
    store.replace_durably(settings.client_ca, there + authority.pem([made.certificate]))
    key_files.replace(settings.authority_key_file, made.pem())
    if not settings.hpke_key_file.exists():
        key_files.write_new(settings.hpke_key_file, key_files.private_pem(X25519PrivateKey.generate()))
    if not settings.receipt_key_file.exists():
        key_files.write_new(settings.receipt_key_file, key_files.private_pem(Ed25519PrivateKey.generate()))
    return made


def new_opening_key(settings: ReceiverSettings) -> KeyList:
    """From now on kiosks seal to another key; those before still open. Running receivers find it by themselves."""
    authority.load(settings)
    key_files.keep(settings.hpke_key_file)
    key_files.replace(settings.hpke_key_file, key_files.private_pem(X25519PrivateKey.generate()))
    return key_list.publish(settings)


def new_receipt_key(settings: ReceiverSettings) -> KeyList:
    """Receipts are signed by another key once the receivers were started anew; those before stay good."""
    authority.load(settings)
    present = signed.signing_key(settings.receipt_key_file, "the key that signs receipts").public_key()
    key_files.keep(settings.receipt_key_file.with_suffix(".pub"), key_files.public_pem(present))
    key_files.replace(settings.receipt_key_file, key_files.private_pem(Ed25519PrivateKey.generate()))
    return key_list.publish(settings)


def new_server_certificate(settings: ReceiverSettings, hosts: Sequence[str], *, oldest: bool) -> None:
    """The receiver's own certificate and key, for its next start. `oldest`: from the authority that all kiosks know.

    Kiosks trust the authority, not the certificate, so they notice nothing.
    """
    if not hosts:
        raise ConfigError("name the hosts that kiosks call the receiver by: --host NAME_OR_ADDRESS …")
    by = authority.load(settings)[0 if oldest else -1]
    key = ec.generate_private_key(ec.SECP256R1())
    key_files.replace(settings.key_file, key_files.private_pem(key))
    store.replace_durably(settings.certificate, authority.pem([by.issue(key.public_key(), hosts[0], hosts)]))
