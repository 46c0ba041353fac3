"""EF.DG11 and EF.DG12 (Doc 9303-10 §4.7.11, §4.7.12): optional details of person and document, as plain texts."""

from collections.abc import Mapping

from hardware.card.lds import data_group
from hardware.card.tlv import encode

PERSONAL: Mapping[str, int] = {
    "full_name": 0x5F0E,
    "personal_number": 0x5F10,
    "full_birth": 0x5F2B,
    "birth_place": 0x5F11,
    "address": 0x5F42,
    "telephone": 0x5F12,
    "profession": 0x5F13,
    "title": 0x5F14,
    "summary": 0x5F15,
    "custody": 0x5F18,
}
"""Tags of EF.DG11 by the names that a card file uses. Dates are ccyymmdd."""
DOCUMENT: Mapping[str, int] = {
    "authority": 0x5F19,
    "issued": 0x5F26,
    "endorsements": 0x5F1B,
    "tax": 0x5F1C,
    "personalised": 0x5F55,
    "system": 0x5F56,
}
"""Likewise of EF.DG12."""


def details(number: int, known: Mapping[str, int], values: Mapping[str, str]) -> bytes:
    """The file: the list of tags, then the texts in that order."""
    tags = {known[name]: text for name, text in values.items()}
    listed = encode(0x5C, b"".join(tag.to_bytes(2, "big") for tag in tags))
    return encode(data_group(number).tag, listed + b"".join(encode(tag, text.encode()) for tag, text in tags.items()))
