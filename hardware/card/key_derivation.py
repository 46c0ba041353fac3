"""From shared secrets to keys (Doc 9303-11 §9.7.1), for every cipher that PACE and Chip Authentication may name."""

import hashlib
from enum import IntEnum

from hardware.card.bac import derive
from hardware.card.secure_messaging import Aes, BlockCipher, SecureMessaging, TripleDes

ENCIPHER, AUTHENTICATE, PASSWORD = 1, 2, 3
"""Counters of the derivation: KS_Enc, KS_MAC, K_π."""


class Algorithm(IntEnum):
    """The cipher of a protocol; the value is the last arc of the protocol's object identifier (§9.2.5)."""

    TRIPLE_DES = 1
    AES_128 = 2
    AES_192 = 3
    AES_256 = 4

    @property
    def key_size(self) -> int:
        """Bytes of a key; two-key 3DES has sixteen."""
        return {Algorithm.AES_192: 24, Algorithm.AES_256: 32}.get(self, 16)

    def key(self, secret: bytes, counter: int) -> bytes:
        """KDF(K, c)."""
        if self is Algorithm.TRIPLE_DES:
            return derive(secret, counter)
        digest = hashlib.sha1 if self is Algorithm.AES_128 else hashlib.sha256
        return digest(secret + counter.to_bytes(4, "big"), usedforsecurity=False).digest()[: self.key_size]

    def cipher(self, key_enc: bytes, key_mac: bytes) -> BlockCipher:
        """The cipher with these keys."""
        return (TripleDes if self is Algorithm.TRIPLE_DES else Aes)(key_enc, key_mac)

    def session_keys(self, secret: bytes) -> BlockCipher:
        """KS_Enc and KS_MAC of a shared secret, as the cipher of secure messaging."""
        return self.cipher(self.key(secret, ENCIPHER), self.key(secret, AUTHENTICATE))


def fresh_session(cipher: BlockCipher) -> SecureMessaging:
    """Secure messaging whose counter starts at zero, as after PACE and Chip Authentication (§9.8.6.3)."""
    return SecureMessaging(cipher, bytes(cipher.block))
