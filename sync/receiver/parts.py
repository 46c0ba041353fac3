"""What one receiver is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.config import ReceiverSettings
from sync import signed
from sync.connectors.desk import Desk, open_desk
from sync.keys import opening_keys
from sync.receiver.blobs import Blobs, open_blobs
from sync.receiver.contacts import Contacts
from sync.receiver.database import Database, open_database
from sync.receiver.kiosks import Gate
from sync.receiver.registry import Registry


@dataclass(frozen=True, slots=True)
class Parts:
    """Opened together, closed together."""

    settings: ReceiverSettings
    database: Database
    blobs: Blobs
    registry: Registry
    contacts: Contacts
    desk: Desk
    keys: Mapping[str, X25519PrivateKey]
    """What opens envelopes, by id; the present one first."""
    gate: Gate
    """Who is admitted."""

    @classmethod
    def open(cls, settings: ReceiverSettings) -> "Parts":
        """As configured; raises ConfigError or OSError with one clear line."""
        keys = opening_keys(settings)
        receipt_key = signed.signing_key(settings.receipt_key_file, "the key that signs receipts")
        blobs, database = open_blobs(settings), open_database(settings)
        desk, registry = open_desk(settings, database), Registry(database, blobs, receipt_key)
        return cls(settings, database, blobs, registry, Contacts(database, registry), desk, keys, Gate(database))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
