"""The card's end of secure messaging (Doc 9303-11 §9.8), and how a command lies on the wire."""

from hmac import compare_digest

from hardware.card.errors import BadData
from hardware.card.secure_messaging import BlockCipher, pad, unpad
from hardware.card.tlv import elements, encode, need

Answer = tuple[bytes, int]
"""Data and status word."""


class Session:
    """One session; `ssc` is the send sequence counter before the first command."""

    def __init__(self, cipher: BlockCipher, ssc: bytes) -> None:
        self._cipher = cipher
        self._ssc = int.from_bytes(ssc, "big")

    def opened(self, header: bytes, body: bytes) -> tuple[bytes, int]:
        """Plain data and Le of a protected command; BadData if it is not what the terminal sent."""
        parts = dict(elements(body))
        counter = self._next()
        covered = counter + pad(header, self._cipher.block) + body[: -2 - 8]
        if not compare_digest(self._cipher.mac(covered), parts.get(0x8E, b"")):
            raise BadData("checksum")
        return self._data(header[1], parts, counter), _expected(parts.get(0x97, b"\x00"))

    def sealed(self, answer: Answer, ins: int) -> bytes:
        """The protected answer with its status word."""
        data, sw = answer
        counter = self._next()
        body = self._cryptogram(data, ins, counter) if data else b""
        body += encode(0x99, sw.to_bytes(2, "big"))
        return joined((body + encode(0x8E, self._cipher.mac(counter + body)), sw))

    def size(self, plain: int) -> int:
        """Bytes of a protected answer, status word not counted."""
        padded = (plain // self._cipher.block + 1) * self._cipher.block
        return len(encode(0x87, bytes(1 + padded))) + 4 + 10

    def room(self, most: int) -> int:
        """The most plain bytes whose protected answer takes no more than `most`."""
        plain = most // self._cipher.block * self._cipher.block - 1
        while self.size(plain) > most:
            plain -= self._cipher.block
        return plain

    def _data(self, ins: int, parts: dict[int, bytes], counter: bytes) -> bytes:
        """Of odd instructions it is data objects, and no padding indicator stands before the cryptogram."""
        sealed = parts.get(0x85) if ins & 1 else parts.get(0x87, b"")[1:] or None
        if sealed is None:
            return b""
        if len(sealed) % self._cipher.block:
            raise BadData("cryptogram")
        return unpad(self._cipher.decrypt(sealed, counter))

    def _cryptogram(self, data: bytes, ins: int, counter: bytes) -> bytes:
        sealed = self._cipher.encrypt(pad(data, self._cipher.block), counter)
        return encode(0x85, sealed) if ins & 1 else encode(0x87, b"\x01" + sealed)

    def _next(self) -> bytes:
        self._ssc += 1
        return self._ssc.to_bytes(self._cipher.block, "big")


def parsed(raw: bytes) -> tuple[bytes, int]:
    """Data and Le of a command."""
    rest = raw[4:]
    if len(rest) > 2 and rest[0] == 0:
        size = int.from_bytes(rest[1:3], "big") if len(rest) > 3 else 0
        tail = rest[3 + size :] if size else rest[1:3]
        return rest[3 : 3 + size], _expected(tail) if tail else 0
    if len(rest) <= 1:
        return b"", _expected(rest) if rest else 0
    data, tail = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    return data, _expected(tail[:1]) if tail else 0


def _expected(le: bytes) -> int:
    """All zeros mean the most."""
    return int.from_bytes(le, "big") or 1 << 8 * len(le)


def joined(answer: Answer) -> bytes:
    """The answer as it goes over the wire."""
    return answer[0] + answer[1].to_bytes(2, "big")


def offset_of(data: bytes) -> int:
    """The offset object of READ BINARY with odd instruction; BadData if there is none."""
    return int.from_bytes(need(data, 0x54), "big")


def discretionary(content: bytes, most: int) -> bytes:
    """As much of `content` in DO 53 as makes no more than `most` bytes altogether."""
    size = min(len(content), most)
    while len(wrapped := encode(0x53, content[:size])) > most and size:
        size -= 1
    return wrapped if size else b""
