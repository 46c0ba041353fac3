"""The card reader that the configuration names; all of them have the port `kiosk.ports.CardReader`."""

from hardware.card.reader import PcscCardReader
from hardware.card.vendor.device import VendorReader
from hardware.card.vendor.serial import SerialCardReader
from kiosk.config import CardSettings

AnyCardReader = PcscCardReader | VendorReader


def card_reader(settings: CardSettings) -> AnyCardReader:
    """Not started yet; raises ConfigError if the settings cannot be right."""
    if settings.kind == "serial":
        return SerialCardReader(settings)
    if settings.kind == "network":
        from hardware.card.vendor.network import NetworkCardReader  # most kiosks never need Socket.IO

        return NetworkCardReader(settings)
    return PcscCardReader(settings)
