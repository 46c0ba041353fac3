"""The QR and bar code scanner on a serial line (USB CDC)."""

from hardware.scanner.scanner import SerialScanner

__all__ = ["SerialScanner"]
