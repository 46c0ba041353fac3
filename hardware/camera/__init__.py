"""The document camera: reading it, finding and flattening pages, assembling PDF files."""

from hardware.camera.camera import DocumentCamera

__all__ = ["DocumentCamera"]
