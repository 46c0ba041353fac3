"""The receipt printer: slips as dots, ESC/POS over TCP, serial or a device file."""

from hardware.printer.printer import EscposPrinter
from hardware.printer.type import FontMissing

__all__ = ["EscposPrinter", "FontMissing"]
