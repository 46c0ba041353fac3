"""Secure messaging (Doc 9303-11 §9.8): every command and answer enciphered and authenticated.

Any error is final: the session is over, nothing more may be read with it (chip-card reference §9.4).
"""

from dataclasses import replace
from hmac import compare_digest
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from hardware.card.apdu import Command, Response
from hardware.card.errors import BadData
from hardware.card.tlv import elements, encode

MASKED = 0x0C
"""The class bits of a protected command."""
MAC_SIZE = 8
SHORT, EXTENDED = 256, 65_536
"""The most bytes of an answer without its status word."""


class BlockCipher(Protocol):
    """A pair of session keys: one enciphers, one authenticates."""

    block: int
    """Bytes of a block, and of the send sequence counter."""

    def encrypt(self, data: bytes, counter: bytes = b"") -> bytes:
        """CBC over whole blocks; the vector comes from `counter` (AES), or is zero."""

    def decrypt(self, data: bytes, counter: bytes = b"") -> bytes:
        """The reverse."""

    def mac(self, data: bytes) -> bytes:
        """The eight bytes that secure messaging puts under `data`, padded here."""

    def token(self, data: bytes) -> bytes:
        """The eight bytes of an authentication token over `data` (§4.4.3.4)."""


class TripleDes:
    """Two-key 3DES in CBC with a zero vector, and the retail MAC (ISO/IEC 9797-1 MAC 3) over padded data."""

    block = 8

    def __init__(self, key_enc: bytes, key_mac: bytes) -> None:
        self._enc = TripleDES(key_enc + key_enc[:8])
        self._mac = TripleDES(key_mac + key_mac[:8])
        self._mac_single = TripleDES(key_mac[:8] * 3)

    def encrypt(self, data: bytes, counter: bytes = b"") -> bytes:  # noqa: ARG002  # its vector is always zero
        """`data` is whole blocks."""
        return _cbc(self._enc, data, bytes(8))

    def decrypt(self, data: bytes, counter: bytes = b"") -> bytes:  # noqa: ARG002
        """`data` is whole blocks."""
        return _cbc_back(self._enc, data, bytes(8))

    def mac(self, data: bytes) -> bytes:
        """Single DES over all blocks but the last, two-key 3DES there."""
        data = pad(data, self.block)
        vector = _cbc(self._mac_single, data[:-8], bytes(8))[-8:] if len(data) > 8 else bytes(8)
        return _cbc(self._mac, data[-8:], vector)

    token = mac


class Aes:
    """AES in CBC whose vector is the enciphered counter (§9.8.6.1), and CMAC cut to eight bytes."""

    block = 16

    def __init__(self, key_enc: bytes, key_mac: bytes) -> None:
        self._enc = AES(key_enc)
        self._mac = AES(key_mac)

    def encrypt(self, data: bytes, counter: bytes = b"") -> bytes:
        """`data` is whole blocks."""
        return _cbc(self._enc, data, self._vector(counter))

    def decrypt(self, data: bytes, counter: bytes = b"") -> bytes:
        """`data` is whole blocks."""
        return _cbc_back(self._enc, data, self._vector(counter))

    def mac(self, data: bytes) -> bytes:
        """Secure messaging pads even where CMAC would not need it (§9.8.6.2)."""
        return self.token(pad(data, self.block))

    def token(self, data: bytes) -> bytes:
        """CMAC over `data` as it is."""
        context = CMAC(self._mac)
        context.update(data)
        return context.finalize()[:MAC_SIZE]

    def _vector(self, counter: bytes) -> bytes:
        return _cbc(self._enc, counter, bytes(16)) if counter else bytes(16)


def _cbc(key: BlockCipherAlgorithm, data: bytes, vector: bytes) -> bytes:
    encryptor = Cipher(key, modes.CBC(vector)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _cbc_back(key: BlockCipherAlgorithm, data: bytes, vector: bytes) -> bytes:
    decryptor = Cipher(key, modes.CBC(vector)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def pad(data: bytes, block: int) -> bytes:
    """ISO/IEC 9797-1 padding method 2."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpad(data: bytes) -> bytes:
    """The data before the padding; BadData if there is none."""
    bare = data.rstrip(b"\x00")
    if not bare.endswith(b"\x80"):
        raise BadData("secure messaging: bad padding")
    return bare[:-1]


class Unprotected(BadData):
    """The chip answered a bare status word: it has ended the session, and says why."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"secure messaging: unprotected answer {sw:04X}")
        self.sw = sw


class SecureMessaging:
    """The terminal's side of one session. `ssc` is the send sequence counter before the first command, one block."""

    def __init__(self, cipher: BlockCipher, ssc: bytes) -> None:
        self._cipher: BlockCipher | None = cipher
        self._ssc = int.from_bytes(ssc, "big")
        self._block = cipher.block

    def largest_read(self, answer: int = SHORT) -> int:
        """The most plain bytes whose protected answer still fits so many (status word not counted)."""
        overhead = 4 + 2 + MAC_SIZE + (4 if answer <= SHORT else 5)  # DO 99, DO 8E, header and indicator of DO 87
        return (answer - overhead) // self._block * self._block - 1

    def protect(self, command: Command) -> Command:
        """The command as it goes over the wire; in extended form where its plain answer needs it."""
        cipher = self._live()
        counter = self._next(cipher)
        long = (command.le or 0) > SHORT
        body = b""
        if command.data:
            cryptogram = cipher.encrypt(pad(command.data, cipher.block), counter)
            body += encode(0x85, cryptogram) if command.ins & 1 else encode(0x87, b"\x01" + cryptogram)
        if command.le is not None:
            octets = 2 if long else 1
            body += encode(0x97, (command.le % (1 << 8 * octets)).to_bytes(octets, "big"))
        masked = Command(command.cla | MASKED, command.ins, command.p1, command.p2)
        mac = cipher.mac(counter + pad(masked.header, cipher.block) + body)
        return replace(masked, data=body + encode(0x8E, mac), le=EXTENDED if long else SHORT)

    def unprotect(self, response: Response) -> Response:
        """The answer behind its protection; BadData ends the session for good."""
        cipher = self._live()
        self._cipher = None
        plain = self._opened(cipher, response)
        self._cipher = cipher
        return plain

    def _opened(self, cipher: BlockCipher, response: Response) -> Response:
        parts = list(elements(response.data))
        tags = [tag for tag, _ in parts]
        found = dict(parts)
        if not parts:
            raise Unprotected(response.sw)
        if tags not in ([0x87, 0x99, 0x8E], [0x85, 0x99, 0x8E], [0x99, 0x8E]):
            raise BadData(f"secure messaging: malformed answer {response.sw:04X}")
        covered = response.data[: -2 - MAC_SIZE]
        counter = self._next(cipher)
        if not compare_digest(cipher.mac(counter + covered), found[0x8E]):
            raise BadData("secure messaging: wrong checksum")
        sw = int.from_bytes(found[0x99], "big")
        if len(found[0x99]) != 2 or sw != response.sw:
            raise BadData("secure messaging: the outer status word differs")
        if 0x85 in found:  # of odd instructions: no padding indicator (ISO/IEC 7816-4 §10.3)
            return Response(self._plain(cipher, found[0x85], counter), sw)
        if found.get(0x87, b"\x01")[:1] != b"\x01":
            raise BadData("secure messaging: unknown padding")
        return Response(self._plain(cipher, found[0x87][1:], counter) if 0x87 in found else b"", sw)

    @staticmethod
    def _plain(cipher: BlockCipher, cryptogram: bytes, counter: bytes) -> bytes:
        if not cryptogram or len(cryptogram) % cipher.block:
            raise BadData("secure messaging: malformed cryptogram")
        return unpad(cipher.decrypt(cryptogram, counter))

    def _live(self) -> BlockCipher:
        if self._cipher is None:
            raise BadData("secure messaging: the session is over")
        return self._cipher

    def _next(self, cipher: BlockCipher) -> bytes:
        self._ssc = (self._ssc + 1) % (1 << 8 * cipher.block)
        return self._ssc.to_bytes(cipher.block, "big")
