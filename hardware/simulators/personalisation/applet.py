"""The card's side of the wire: an eMRTD application with Basic Access Control, PACE and secure messaging.

Written from Doc 9303-11 on its own, so that reader and card check each other; only ciphers and
arithmetic are shared.
"""

import secrets
from collections.abc import Mapping
from hmac import compare_digest

from hardware.card.apdu import END_OF_FILE, FILE_NOT_FOUND, OK
from hardware.card.bac import key_seed, keys_from, mrz_information
from hardware.card.card_access import CARD_ACCESS
from hardware.card.errors import BadData
from hardware.card.lds import APPLICATION
from hardware.card.pace import Kind, Password
from hardware.card.secure_messaging import BlockCipher, pad, unpad
from hardware.card.tlv import elements, encode
from hardware.simulators.personalisation.pace import ChipPace, PaceProfile
from kiosk.citizen import AccessKey

NOT_ALLOWED = 0x6982
WRONG_KEY = 0x6300
SM_INCORRECT = 0x6988
WRONG_LENGTH = 0x6700
BEYOND_END = 0x6B00
UNKNOWN_COMMAND = 0x6D00
FORBIDDEN_FILES = (3, 4)
"""Fingerprints and iris: need terminal authentication."""

Answer = tuple[bytes, int]


class Applet:
    """One powered card: files by short identifier, opened by `key`, and if it has PACE by its number's last six."""

    def __init__(self, files: Mapping[int, bytes], key: AccessKey, pace: PaceProfile | None = None) -> None:
        self._files = files
        self._access = keys_from(key_seed(mrz_information(key)))
        passwords = {Kind.MRZ: Password.from_key(key), Kind.CAN: _can(key)}
        self._pace = ChipPace(pace, passwords) if pace else None
        self._master_file = {CARD_ACCESS.sfi: pace.card_access()} if pace else {}
        self.reset()

    def reset(self) -> None:
        """Power lost: nothing is selected, nothing is open."""
        self._selected = False
        self._challenge = b""
        self._file: bytes | None = None
        self._session: _Session | None = None

    def process(self, raw: bytes) -> bytes:
        """The answer to one command, as bytes with status word."""
        if len(raw) < 4:
            return _joined((b"", WRONG_LENGTH))
        if raw[0] & 0x0C != 0x0C:
            self._session = None  # a plain command ends secure messaging
            return _joined(self._dispatch(raw[:4], *_parsed(raw)))
        return self._process_protected(raw)

    def _process_protected(self, raw: bytes) -> bytes:
        session = self._session
        if session is None:
            return _joined((b"", NOT_ALLOWED))
        try:
            data, le = session.opened(raw[:4], _parsed(raw)[0])
        except BadData:
            self._session = None
            return _joined((b"", SM_INCORRECT))
        return _joined(session.sealed(self._dispatch(raw[:4], data, le)))

    def _dispatch(self, header: bytes, data: bytes, le: int) -> Answer:
        _, ins, p1, p2 = header
        if ins == 0xA4:
            return self._select(p1, data)
        if ins == 0xB0:
            return self._read_binary(p1, p2, le)
        if self._pace is not None and ins in (0x22, 0x86):
            return self._by_pace(self._pace, ins, data)
        if not self._selected:
            return b"", UNKNOWN_COMMAND
        if ins == 0x84:
            self._challenge = secrets.token_bytes(8)
            return self._challenge, OK
        if ins == 0x82:
            return self._authenticate(data)
        return b"", UNKNOWN_COMMAND

    def _select(self, p1: int, data: bytes) -> Answer:
        if p1 == 0x04:
            self._selected = data == APPLICATION
            return b"", OK if self._selected else FILE_NOT_FOUND
        if p1 == 0x00 or not self._selected:
            return b"", UNKNOWN_COMMAND  # SELECT MF, as some batches refuse it
        if self._session is None:
            return b"", NOT_ALLOWED
        return b"", self._open(data[1] if len(data) == 2 and data[0] == 1 else 0)

    def _open(self, sfi: int) -> int:
        if sfi in FORBIDDEN_FILES and sfi in self._files:
            return NOT_ALLOWED
        self._file = (self._files if self._selected else self._master_file).get(sfi)
        return FILE_NOT_FOUND if self._file is None else OK

    def _by_pace(self, pace: ChipPace, ins: int, data: bytes) -> Answer:
        if ins == 0x22:
            return b"", pace.set_template(data)
        answer = pace.authenticate(data)
        if pace.keys is not None:
            self._session, pace.keys = _Session(pace.keys, bytes(pace.keys.block)), None
        return answer

    def _authenticate(self, data: bytes) -> Answer:
        challenge, self._challenge = self._challenge, b""
        if len(data) != 40 or not challenge:
            return b"", NOT_ALLOWED
        plain = self._access.decrypt(data[:32])
        if not compare_digest(self._access.mac(data[:32]), data[32:]) or plain[8:16] != challenge:
            return b"", WRONG_KEY
        own = secrets.token_bytes(16)
        token = self._access.encrypt(challenge + plain[:8] + own)
        seed = bytes(a ^ b for a, b in zip(plain[16:], own, strict=True))
        self._session = _Session(keys_from(seed), challenge[4:] + plain[4:8])
        return token + self._access.mac(token), OK

    def _read_binary(self, p1: int, p2: int, le: int) -> Answer:
        if self._session is None and (self._selected or not self._master_file):
            return b"", NOT_ALLOWED
        offset = p2
        if p1 & 0x80:
            sw = self._open(p1 & 0x1F)
            if sw != OK:
                return b"", sw
        else:
            offset = p1 << 8 | p2
        if self._file is None:
            return b"", NOT_ALLOWED
        if offset >= len(self._file):
            return b"", BEYOND_END
        data = self._file[offset : offset + le]
        return data, OK if len(data) == le else END_OF_FILE


class _Session:
    """The card's end of secure messaging."""

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
        data = unpad(self._cipher.decrypt(parts[0x87][1:], counter)) if 0x87 in parts else b""
        return data, parts.get(0x97, b"\x00")[0] or 256

    def sealed(self, answer: Answer) -> Answer:
        """The protected answer."""
        data, sw = answer
        counter = self._next()
        body = b""
        if data:
            body = encode(0x87, b"\x01" + self._cipher.encrypt(pad(data, self._cipher.block), counter))
        body += encode(0x99, sw.to_bytes(2, "big"))
        return body + encode(0x8E, self._cipher.mac(counter + body)), sw

    def _next(self) -> bytes:
        self._ssc += 1
        return self._ssc.to_bytes(self._cipher.block, "big")


def _can(key: AccessKey) -> Password:
    """The card access number: the last six digits."""
    return Password.from_can(key.personal_id[-6:])


def _parsed(raw: bytes) -> tuple[bytes, int]:
    """Data and Le of a command."""
    rest = raw[4:]
    if len(rest) > 2 and rest[0] == 0:
        size = int.from_bytes(rest[1:3], "big") if len(rest) > 3 else 0
        tail = rest[3 + size :] if size else rest[1:3]
        return rest[3 : 3 + size], (int.from_bytes(tail, "big") or 65_536) if tail else 0
    if len(rest) <= 1:
        return b"", (rest[0] or 256) if rest else 0
    data, tail = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    return data, (tail[0] or 256) if tail else 0


def _joined(answer: Answer) -> bytes:
    return answer[0] + answer[1].to_bytes(2, "big")
