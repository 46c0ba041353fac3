"""Secure messaging (Doc 9303-11 §9.8): every command and answer enciphered and authenticated.

Any error is final: the session is over, nothing more may be read with it (chip-card reference §9.4).
"""

from hmac import compare_digest

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from hardware.card.apdu import Command, Response
from hardware.card.errors import BadData
from hardware.card.tlv import elements, encode

MASKED = 0x0C
"""The class bits of a protected command."""


class TripleDes:
    """Two-key 3DES in CBC with a zero vector, and the retail MAC (ISO/IEC 9797-1 MAC 3) over padded data."""

    block = 8
    largest_read = 231
    """The most plain bytes whose protected answer still fits 256."""

    def __init__(self, key_enc: bytes, key_mac: bytes) -> None:
        self._enc = TripleDES(key_enc + key_enc[:8])
        self._mac = TripleDES(key_mac + key_mac[:8])
        self._mac_single = TripleDES(key_mac[:8] * 3)

    def encrypt(self, data: bytes) -> bytes:
        """`data` is whole blocks."""
        return _cbc(self._enc, data)

    def decrypt(self, data: bytes) -> bytes:
        """`data` is whole blocks."""
        decryptor = Cipher(self._enc, modes.CBC(bytes(8))).decryptor()
        return decryptor.update(data) + decryptor.finalize()

    def mac(self, data: bytes) -> bytes:
        """Eight bytes over `data`, padded here. Single DES over all blocks but the last, two-key 3DES there."""
        data = pad(data, self.block)
        vector = _cbc(self._mac_single, data[:-8])[-8:] if len(data) > 8 else bytes(8)
        return _cbc(self._mac, data[-8:], vector)


def _cbc(key: TripleDES, data: bytes, vector: bytes = bytes(8)) -> bytes:
    encryptor = Cipher(key, modes.CBC(vector)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def pad(data: bytes, block: int) -> bytes:
    """ISO/IEC 9797-1 padding method 2."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpad(data: bytes) -> bytes:
    """The data before the padding; BadData if there is none."""
    bare = data.rstrip(b"\x00")
    if not bare.endswith(b"\x80"):
        raise BadData("secure messaging: bad padding")
    return bare[:-1]


class SecureMessaging:
    """The terminal's side of one session. `ssc` is the send sequence counter before the first command."""

    def __init__(self, cipher: TripleDes, ssc: bytes) -> None:
        self._cipher: TripleDes | None = cipher
        self._ssc = int.from_bytes(ssc, "big")
        self.largest_read = cipher.largest_read

    def protect(self, command: Command) -> Command:
        """The command as it goes over the wire."""
        cipher = self._live()
        body = b""
        if command.data:
            body += encode(0x87, b"\x01" + cipher.encrypt(pad(command.data, cipher.block)))
        if command.le is not None:
            body += encode(0x97, bytes([command.le & 0xFF]))
        masked = Command(command.cla | MASKED, command.ins, command.p1, command.p2)
        mac = cipher.mac(self._next() + pad(masked.header, cipher.block) + body)
        return Command(masked.cla, masked.ins, masked.p1, masked.p2, body + encode(0x8E, mac), 256)

    def unprotect(self, response: Response) -> Response:
        """The answer behind its protection; BadData ends the session for good."""
        cipher = self._live()
        self._cipher = None
        plain = self._opened(cipher, response)
        self._cipher = cipher
        return plain

    def _opened(self, cipher: TripleDes, response: Response) -> Response:
        parts = list(elements(response.data))
        tags = [tag for tag, _ in parts]
        found = dict(parts)
        if tags not in ([0x87, 0x99, 0x8E], [0x99, 0x8E]):
            raise BadData(f"secure messaging: unprotected answer {response.sw:04X}")
        covered = response.data[: -2 - cipher.block]
        if not compare_digest(cipher.mac(self._next() + covered), found[0x8E]):
            raise BadData("secure messaging: wrong checksum")
        sw = int.from_bytes(found[0x99], "big")
        if len(found[0x99]) != 2 or sw != response.sw:
            raise BadData("secure messaging: the outer status word differs")
        return Response(self._plain(cipher, found.get(0x87)), sw)

    @staticmethod
    def _plain(cipher: TripleDes, cryptogram: bytes | None) -> bytes:
        if cryptogram is None:
            return b""
        if cryptogram[:1] != b"\x01" or len(cryptogram) % cipher.block != 1 or len(cryptogram) == 1:
            raise BadData("secure messaging: malformed cryptogram")
        return unpad(cipher.decrypt(cryptogram[1:]))

    def _live(self) -> TripleDes:
        if self._cipher is None:
            raise BadData("secure messaging: the session is over")
        return self._cipher

    def _next(self) -> bytes:
        self._ssc = (self._ssc + 1) % (1 << 64)
        return self._ssc.to_bytes(8, "big")
