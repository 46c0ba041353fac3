"""From the nonce to a generator that only the two know (Doc 9303-11 §4.4.3.3)."""

from enum import IntEnum

from hardware.card.errors import BadData
from hardware.card.groups import Group
from hardware.card.key_derivation import Algorithm

CONSTANTS = {
    16: (bytes.fromhex("A668892A7C41E3CA739F40B057D85904"), bytes.fromhex("A4E136AC725F738B01C1F60217C188AD")),
    32: (
        bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
        bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
    ),
}
"""c0 and c1 by octets of the nonce."""
SPARE_BITS = 64
"""By how much the pseudo-random number is longer than p, so that its remainder is even."""


class Mapping(IntEnum):
    """The kinds of mapping; with chip authentication it is the generic one, and the chip proves its key."""

    GENERIC = 1
    INTEGRATED = 2
    CHIP_AUTHENTICATION = 3


def generic(group: Group, nonce: bytes, secret: int, other: bytes) -> bytes:
    """s·G + H, H agreed on between our `secret` and the `other` side's public mapping key."""
    number = int.from_bytes(nonce, "big") % group.order
    if number == 0:
        raise BadData("PACE: a nonce of zero")
    return group.combine(group.multiply(group.generator, number), group.multiply(other, secret))


def integrated(group: Group, algorithm: Algorithm, nonce: bytes, terminal_nonce: bytes) -> bytes:
    """f_G(R_p(s, t))."""
    return group.from_number(pseudo_random(algorithm, nonce, terminal_nonce, group.prime))


def pseudo_random(algorithm: Algorithm, nonce: bytes, terminal_nonce: bytes, prime: int) -> int:
    """R_p(s, t): the cipher keyed by t over s, then as a chain of keys and blocks until p is outgrown."""
    if len(nonce) != (16 if algorithm.key_size == 16 else 32):
        raise BadData("PACE: a nonce of the wrong length")
    next_key, output = CONSTANTS[len(nonce)]
    size = algorithm.key_size
    key, numbers = algorithm.cipher(terminal_nonce, terminal_nonce).encrypt(nonce), b""
    while len(numbers) * 8 < prime.bit_length() + SPARE_BITS:
        cipher = algorithm.cipher(key[:size], key[:size])
        numbers += cipher.encrypt(output)
        key = cipher.encrypt(next_key)
    return int.from_bytes(numbers, "big") % prime
