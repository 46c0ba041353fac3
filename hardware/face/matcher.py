"""Faces in pictures, and how alike two of them are. What is computed of a face lives as long as the call's result."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hardware.face.models import Models

Picture = npt.NDArray[Any]

LONGEST = 640
"""Pictures are looked at in this size: a face at the kiosk is then some 150 pixels wide."""
LEAST_WIDTH = 60
"""Smaller faces belong to people further away, or are too coarse to compare."""
_SURE = 0.8  # YuNet's own measure


@dataclass(frozen=True, slots=True, repr=False)
class Face:
    """A face found: 128 numbers that describe it; its box in fractions of the picture (left, top, right, bottom)."""

    features: npt.NDArray[Any]
    box: tuple[float, float, float, float]


class Matcher:
    """Both networks, loaded. Not to be called from two threads at once."""

    def __init__(self, models: Models) -> None:
        nothing = np.empty(0, np.uint8)
        detector, recogniser = (np.frombuffer(model, np.uint8) for model in (models.detector, models.recogniser))
        self._detector = cv2.FaceDetectorYN.create("onnx", detector, nothing, (LONGEST, LONGEST), _SURE)
        self._recogniser = cv2.FaceRecognizerSF.create("onnx", recogniser, nothing)

    def face_in(self, picture: Picture) -> Face | None:
        """The largest face in a BGR picture, or None. About 35 ms."""
        scale = min(1.0, LONGEST / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        height, width = small.shape[:2]
        self._detector.setInputSize((width, height))
        found = self._detector.detect(small)[1]
        near = [] if found is None else [row for row in found if row[2] >= LEAST_WIDTH]
        if not near:
            return None
        row = max(near, key=lambda face: float(face[2] * face[3]))
        features = self._recogniser.feature(self._recogniser.alignCrop(small, row)).copy()
        left, top, wide, high = (float(value) for value in row[:4])
        return Face(features, (left / width, top / height, (left + wide) / width, (top + high) / height))

    def face_of(self, portrait: bytes) -> Face | None:
        """The face of a portrait (JPEG), which may fill it to the edge; None if there is none."""
        picture = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR) if portrait else None
        if picture is None:
            return None
        room = max(picture.shape[:2]) // 5
        return self.face_in(cv2.copyMakeBorder(picture, room, room, room, room, cv2.BORDER_REPLICATE))

    def likeness(self, one: Face, other: Face) -> float:
        """The cosine of the two descriptions: 1 is the same picture, other people are about 0."""
        return float(self._recogniser.match(one.features, other.features, cv2.FaceRecognizerSF_FR_COSINE))
