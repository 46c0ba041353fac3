"""The card's side of the wire: an eMRTD application with BAC, PACE, Chip and Active Authentication.

Written from Doc 9303-10 and -11 on its own, so that reader and card check each other; only ciphers and
arithmetic are shared.
"""

import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest

from hardware.card.apdu import END_OF_FILE, FILE_NOT_FOUND, OK
from hardware.card.bac import key_seed, keys_from, mrz_information
from hardware.card.errors import BadData
from hardware.card.lds import APPLICATION
from hardware.card.pace import Kind, Password
from hardware.card.secure_messaging import BlockCipher
from hardware.simulators.personalisation.agreement import ChipAgreement
from hardware.simulators.personalisation.chip_keys import NO_SECRETS, ChipSecrets
from hardware.simulators.personalisation.master_file import CARD_SECURITY, refusal_of, root_files, sfi_of
from hardware.simulators.personalisation.messaging import Answer, Session, discretionary, joined, offset_of, parsed
from hardware.simulators.personalisation.pace import ChipPace, PaceProfile
from hardware.simulators.personalisation.traits import ORDINARY, Traits
from kiosk.citizen import AccessKey

NOT_ALLOWED = 0x6982
WRONG_KEY = 0x6300
SM_INCORRECT = 0x6988
WRONG_LENGTH = 0x6700
WRONG_DATA = 0x6A80
BEYOND_END = 0x6B00
UNKNOWN_COMMAND = 0x6D00
FORBIDDEN_FILES = (3, 4)
"""Fingerprints and iris: need terminal authentication."""

SET_FOR_PACE, SET_FOR_AGREEMENT = 0xC1, 0x41
"""P1 of MSE:Set."""


class Ins(IntEnum):
    """The instructions that the card knows."""

    SET_TEMPLATE = 0x22
    EXTERNAL_AUTHENTICATE = 0x82
    GET_CHALLENGE = 0x84
    GENERAL_AUTHENTICATE = 0x86
    INTERNAL_AUTHENTICATE = 0x88
    SELECT = 0xA4
    READ_BINARY = 0xB0
    READ_BINARY_ODD = 0xB1


@dataclass(frozen=True, slots=True)
class _Request:
    """A command without its protection."""

    ins: int
    p1: int
    p2: int
    data: bytes
    le: int


class Applet:
    """One powered card: files by short identifier, opened by `key`, and if it has PACE by its number's last six.

    `root`: files of the master file beside those that PACE and the traits bring.
    """

    def __init__(
        self,
        files: Mapping[int, bytes],
        key: AccessKey,
        pace: PaceProfile | None = None,
        *,
        secrets: ChipSecrets = NO_SECRETS,
        traits: Traits = ORDINARY,
        root: Mapping[int, bytes] | None = None,
    ) -> None:
        self.traits = traits
        self._files = files
        self._root = root_files(pace, traits) | dict(root or {})
        self._access = keys_from(key_seed(mrz_information(key)))
        passwords = {Kind.MRZ: Password.from_key(key), Kind.CAN: _can(key)}
        self._pace = ChipPace(pace, passwords) if pace else None
        self._active = secrets.active
        self._agreement = ChipAgreement(secrets.chip) if secrets.chip else None
        self._session: Session | None = None
        self._file: bytes | None = None
        self.reset()

    def reset(self) -> None:
        """Power lost: nothing is selected, nothing is open."""
        self._selected = False
        self._challenge = b""
        self._protected = 0
        self._end_session()

    def process(self, raw: bytes) -> bytes:
        """The answer to one command, as bytes with status word."""
        if len(raw) < 4 or 0 < self.traits.buffer < len(raw):
            return joined((b"", WRONG_LENGTH))
        if raw[0] & 0x0C == 0x0C:
            return self._process_protected(raw)
        if self._session is not None:
            self._end_session()  # a plain command ends secure messaging
        return joined(self._dispatch(_request(raw, parsed(raw))))

    def _process_protected(self, raw: bytes) -> bytes:
        session = self._session
        if session is None:
            return joined((b"", NOT_ALLOWED))
        body, room = parsed(raw)
        try:
            request = _request(raw, session.opened(raw[:4], body))
        except BadData:
            self._end_session()
            return joined((b"", SM_INCORRECT))
        if self._refuses(request):
            self._end_session()
            return joined((b"", 0x6C00 | self.traits.largest_read if self.traits.corrects_length else WRONG_LENGTH))
        answer = self._dispatch(request)
        if request.ins == Ins.INTERNAL_AUTHENTICATE and session.size(len(answer[0])) > room:
            answer = b"", WRONG_LENGTH
        sealed = self._spoiled(session.sealed(answer, request.ins))
        self._change_keys(self._agreement)
        return sealed

    def _refuses(self, request: _Request) -> bool:
        """Whether this chip finds a read too long."""
        reads = request.ins in (Ins.READ_BINARY, Ins.READ_BINARY_ODD)
        return reads and not self.traits.buffer and request.le > self.traits.largest_read

    def _spoiled(self, sealed: bytes) -> bytes:
        """The same, but for the one answer whose checksum is to be wrong."""
        self._protected += 1
        if self._protected != self.traits.wrong_mac_at:
            return sealed
        return sealed[:-3] + bytes([sealed[-3] ^ 1]) + sealed[-2:]

    def _change_keys(self, agreement: ChipAgreement | None) -> None:
        """Keys of Chip Authentication serve from the next command on, counted from zero."""
        if agreement is not None and agreement.keys is not None:
            self._session, agreement.keys = _fresh(agreement.keys), None

    def _end_session(self) -> None:
        self._session, self._file = None, None

    def _dispatch(self, request: _Request) -> Answer:
        match request.ins:
            case Ins.SELECT:
                return b"", self._select(request)
            case Ins.READ_BINARY:
                return self._read_even(request)
            case Ins.READ_BINARY_ODD:
                return self._read_odd(request)
            case Ins.SET_TEMPLATE:
                return b"", self._set_template(request)
            case Ins.GENERAL_AUTHENTICATE:
                return self._general_authenticate(request.data)
        return self._authenticate(request) if self._selected else (b"", UNKNOWN_COMMAND)

    def _authenticate(self, request: _Request) -> Answer:
        """The commands that only the application knows."""
        match request.ins:
            case Ins.GET_CHALLENGE:
                self._challenge = random.token_bytes(8)
                return self._challenge, OK
            case Ins.EXTERNAL_AUTHENTICATE:
                return self._by_bac(request.data)
            case Ins.INTERNAL_AUTHENTICATE if self._active is not None:
                if self._session is None:
                    return b"", NOT_ALLOWED
                return (self._active.answer(request.data), OK) if len(request.data) == 8 else (b"", WRONG_LENGTH)
        return b"", UNKNOWN_COMMAND

    def _select(self, request: _Request) -> int:
        if request.p1 == 0x04:
            self._selected = request.data == APPLICATION
            return OK if self._selected else FILE_NOT_FOUND
        if request.p1 == 0x00:
            return self._select_master_file()
        if self._selected and self._session is None:
            return NOT_ALLOWED
        return self._open(sfi_of(request.data, in_application=self._selected))

    def _select_master_file(self) -> int:
        if not self.traits.master_file:
            return UNKNOWN_COMMAND  # as some batches refuse it
        self._selected, self._file = False, None
        return OK

    def _open(self, sfi: int) -> int:
        if not self._selected:
            self._file = self._root.get(sfi)
            if self._file is None:
                return refusal_of(sfi, self.traits)
            if sfi == CARD_SECURITY and self._session is None:
                self._file = None
            return NOT_ALLOWED if self._file is None else OK
        if self._session is None or (sfi in FORBIDDEN_FILES and sfi in self._files):
            return NOT_ALLOWED
        self._file = self._files.get(sfi)
        return FILE_NOT_FOUND if self._file is None else OK

    def _set_template(self, request: _Request) -> int:
        if self._pace is not None and request.p1 == SET_FOR_PACE:
            return self._pace.set_template(request.data)
        if self._agreement is None or request.p1 != SET_FOR_AGREEMENT:
            return UNKNOWN_COMMAND
        if not self._selected or self._session is None:
            return NOT_ALLOWED
        return self._agreement.set_template(request.p2, request.data)

    def _general_authenticate(self, data: bytes) -> Answer:
        if self._agreement is not None and self._agreement.pending:
            return self._agreement.authenticate(data)
        if self._pace is None:
            return b"", UNKNOWN_COMMAND
        answer = self._pace.authenticate(data)
        if self._pace.keys is not None:
            self._session, self._pace.keys = _fresh(self._pace.keys), None
        return answer

    def _by_bac(self, data: bytes) -> Answer:
        challenge, self._challenge = self._challenge, b""
        if len(data) != 40 or not challenge:
            return b"", NOT_ALLOWED
        plain = self._access.decrypt(data[:32])
        if not compare_digest(self._access.mac(data[:32]), data[32:]) or plain[8:16] != challenge:
            return b"", WRONG_KEY
        own = random.token_bytes(16)
        token = self._access.encrypt(challenge + plain[:8] + own)
        seed = bytes(a ^ b for a, b in zip(plain[16:], own, strict=True))
        self._session = Session(keys_from(seed), challenge[4:] + plain[4:8])
        return token + self._access.mac(token), OK

    def _read_even(self, request: _Request) -> Answer:
        by_identifier = bool(request.p1 & 0x80)
        sw = self._open(request.p1 & 0x1F) if by_identifier else OK
        if sw != OK:
            return b"", sw
        return self._read(request.p2 if by_identifier else request.p1 << 8 | request.p2, self._most(request.le))

    def _read_odd(self, request: _Request) -> Answer:
        """P1-P2 name the file, zero the open one; offset and data are data objects (ISO/IEC 7816-4 §11.2.3)."""
        named = request.p1 << 8 | request.p2
        sw = self._open(named & 0x1F) if named else OK
        if sw != OK:
            return b"", sw
        try:
            offset = offset_of(request.data)
        except BadData:
            return b"", WRONG_DATA
        most = self._most(request.le)
        data, sw = self._read(offset, most)
        return discretionary(data, most), sw

    def _read(self, offset: int, most: int) -> Answer:
        if self._file is None:
            return b"", NOT_ALLOWED
        if offset >= len(self._file):
            return b"", BEYOND_END
        data = self._file[offset : offset + most]
        return data, OK if len(data) == most else END_OF_FILE

    def _most(self, le: int) -> int:
        """What of the bytes asked for the chip's buffer can hold; with the status word, protected if they will be."""
        if not self.traits.buffer:
            return le
        room = self.traits.buffer - 2
        return min(le, self._session.room(room) if self._session else room)


def _request(raw: bytes, plain: tuple[bytes, int]) -> _Request:
    """The header of a command with its plain data and Le."""
    return _Request(raw[1], raw[2], raw[3], *plain)


def _fresh(keys: BlockCipher) -> Session:
    """The counter starts at zero."""
    return Session(keys, bytes(keys.block))


def _can(key: AccessKey) -> Password:
    """The card access number: the last six digits."""
    return Password.from_can(key.personal_id[-6:])
