"""Every standardised variant of PACE-GM, and the secure messaging after it, with OpenPACE's libeac3 as the card."""

import ctypes
from typing import Any

import pytest

from hardware.card.apdu import Command, Response
from hardware.card.card_access import CARD_ACCESS, Offer, parse_card_access
from hardware.card.errors import BadData
from hardware.card.key_derivation import Algorithm
from hardware.card.pace import Opened, Password, Terminal
from hardware.card.tlv import elements, encode

LIBRARY = "libeac.so.3"  # Debian's libeac3; without it these tests fail with its name
CAN = 2


class Buffer(ctypes.Structure):
    """BUF_MEM."""

    _fields_ = (
        ("length", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("max", ctypes.c_size_t),
        ("flags", ctypes.c_ulong),
    )


class Library:
    """libeac's functions: buffers in and out as bytes, errors as AssertionError."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(LIBRARY)
        self._library.EAC_init()

    def __call__(self, function: str, *arguments: Any, gives: type[Any] = ctypes.c_int) -> Any:
        call = self._library[function]
        call.restype = ctypes.POINTER(Buffer) if gives is bytes else gives
        kept = [ctypes.create_string_buffer(a, len(a)) if isinstance(a, bytes) else a for a in arguments]
        result = call(*[self._buffer(a) if isinstance(a, ctypes.Array) else a for a in kept])
        assert result, f"{function} failed"
        return ctypes.string_at(result.contents.data, result.contents.length) if gives is bytes else result

    @staticmethod
    def _buffer(data: Any) -> Any:
        return ctypes.byref(Buffer(len(data), ctypes.addressof(data), len(data), 0))


class LibeacCard:
    """The chip's side of one run."""

    def __init__(self, protocol: str, parameters: int, can: str) -> None:
        self._call = Library()
        pointer = ctypes.c_void_p
        self._context = pointer(self._call("EAC_CTX_new", gives=pointer))
        number = self._call("EAC_OBJ_txt2nid", ctypes.c_char_p(protocol.encode()))
        self._call("EAC_CTX_init_pace", self._context, number, parameters)
        text = ctypes.c_char_p(can.encode())
        self._secret = pointer(self._call("PACE_SEC_new", text, ctypes.c_size_t(len(can)), CAN, gives=pointer))

    def nonce(self) -> bytes:
        return self._call("PACE_STEP1_enc_nonce", self._context, self._secret, gives=bytes)

    def map(self, theirs: bytes) -> bytes:
        ours = self._call("PACE_STEP3A_generate_mapping_data", self._context, gives=bytes)
        self._call("PACE_STEP3A_map_generator", self._context, theirs)
        return ours

    def agree(self, theirs: bytes) -> bytes:
        ours = self._call("PACE_STEP3B_generate_ephemeral_key", self._context, gives=bytes)
        self._call("PACE_STEP3B_compute_shared_secret", self._context, theirs)
        self._call("PACE_STEP3C_derive_keys", self._context)
        self._theirs = theirs
        return ours

    def confirm(self, token: bytes) -> bytes | None:
        ours = self._call("PACE_STEP3D_compute_authentication_token", self._context, self._theirs, gives=bytes)
        try:
            self._call("PACE_STEP3D_verify_authentication_token", self._context, token)
        except AssertionError:
            return None
        self._call("EAC_CTX_set_encryption_ctx", self._context, 0)
        return ours

    def read_binary(self, command: Command, block: int, content: bytes) -> Response:
        """Answer a protected READ BINARY with `content`, after checking the command's MAC."""
        self._call("EAC_increment_ssc", self._context)
        parts = dict(elements(command.data))
        covered = self._padded(command.header, block) + command.data[:-10]
        self._call("EAC_verify_authentication", self._context, self._padded(covered, block), parts[0x8E])
        self._call("EAC_increment_ssc", self._context)
        sealed = self._call("EAC_encrypt", self._context, self._padded(content, block), gives=bytes)
        body = encode(0x87, b"\x01" + sealed) + encode(0x99, b"\x90\x00")
        mac = self._call("EAC_authenticate", self._context, self._padded(body, block), gives=bytes)
        return Response(body + encode(0x8E, mac), 0x9000)

    @staticmethod
    def _padded(data: bytes, block: int) -> bytes:
        return data + b"\x80" + bytes(-(len(data) + 1) % block)


def info(kind: int, algorithm: Algorithm, parameters: int) -> bytes:
    """A PACEInfo of version 2."""
    protocol = bytes.fromhex("04007F0007020204") + bytes([kind, algorithm])
    return encode(0x30, encode(0x06, protocol) + encode(0x02, b"\x02") + encode(0x02, bytes([parameters])))


def offered(kind: int, algorithm: Algorithm, parameters: int) -> Offer:
    (only,) = parse_card_access(encode(CARD_ACCESS.tag, info(kind, algorithm, parameters)))
    return only


def run(offer: Offer, can: str = "000123") -> Opened | None:
    """One PACE against the library; None where the card refuses the password.

    A run whose agreed field element begins with a zero (one in 256) is made again: OpenSSL's DH cuts the zero off,
    where RFC 2631 §2.1.2 (X9.42) keeps it, so that neither side can be right for the other.
    """
    kind, cipher = offer.protocol[-2:]
    card = LibeacCard(f"0.4.0.127.0.7.2.2.4.{kind}.{cipher}", offer.parameters, "000123")
    terminal = Terminal(offer, Password.from_can(can))
    chip_map = card.map(terminal.mapping_data(card.nonce()))
    chip_public = card.agree(terminal.public_key(chip_map))
    confirmed = card.confirm(terminal.token(chip_public))
    if confirmed is None:
        cut = offer.group.shared(chip_public, terminal._secret)[0] == 0 and can == "000123"
        return run(offer, can) if cut else None
    opened = terminal.finish(confirmed, None)
    block = 8 if offer.algorithm is Algorithm.TRIPLE_DES else 16
    for size in (1, 15, 16, 200):
        content = bytes(range(size))
        command = opened.session.protect(Command(0x00, 0xB0, 0x9D, 0x00, le=size))
        assert opened.session.unprotect(card.read_binary(command, block, content)).data == content
    return opened


PRIME_FIELDS, CURVES = (0, 1, 2), (8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)


@pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda a: a.name)
@pytest.mark.parametrize("parameters", [*PRIME_FIELDS, *CURVES])
def test_a_run_and_the_messages_after_it(parameters: int, algorithm: Algorithm):
    assert run(offered(1 if parameters in PRIME_FIELDS else 2, algorithm, parameters)) is not None


def test_a_wrong_password_is_refused_by_the_card():
    assert run(offered(2, Algorithm.AES_128, 13), can="000124") is None


def test_a_card_that_does_not_know_the_password_has_no_right_token():
    """The other way round: a false card cannot answer with a token that we accept."""
    offer = offered(2, Algorithm.AES_256, 12)
    card = LibeacCard("0.4.0.127.0.7.2.2.4.2.4", 12, "999999")
    terminal = Terminal(offer, Password.from_can("000123"))
    chip_public = card.agree(terminal.public_key(card.map(terminal.mapping_data(card.nonce()))))
    token = terminal.token(chip_public)
    assert card.confirm(token) is None
    with pytest.raises(BadData, match="token"):
        terminal.finish(token, None)


def test_keys_that_begin_with_zero_are_never_ours():
    """Chips differ on whether a field element's leading zero is sent, and so on what tokens are made over."""
    offer = offered(1, Algorithm.AES_128, 0)
    field = offer.group
    short = next(k for k in range(2, 5000) if field.multiply(field.generator, k)[0] == 0)
    drawn = iter([short, 12345])
    terminal = Terminal(offer, Password.from_can("000123"), lambda order: next(drawn))
    assert terminal.mapping_data(bytes(16)) == field.multiply(field.generator, 12345)
