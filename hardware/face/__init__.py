"""A living face beside the chip's portrait: an optional plug-in, off by default. An officer decides, never this."""

from hardware.face.comparer import CameraFaceComparer

__all__ = ["CameraFaceComparer"]
