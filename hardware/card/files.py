"""Reading whole files from an opened chip, by short identifier, the first block doubling as header."""

from collections.abc import Callable

from hardware.card.apdu import END_OF_FILE, FILE_NOT_FOUND, OK, Channel, Command, Response
from hardware.card.block_sizes import LARGEST_SHORT, BlockSize
from hardware.card.errors import BadData, CardError
from hardware.card.lds import Ef
from hardware.card.secure_messaging import SHORT, SecureMessaging, Unprotected
from hardware.card.tlv import encode, need, total_length
from kiosk.health import Reason

Arrived = Callable[[int, int], None]
"""Takes the bytes of a file that have arrived and its whole length, after every block."""

HEADER = 8
"""Bytes that surely hold a file's tag and length, and that no file is shorter than by much."""
LAST_PLAIN_OFFSET = 0x7FFF
"""READ BINARY with even instruction goes no further (Doc 9303-10 §3.6.6); beyond, offset and data are data objects."""
ODD_OVERHEAD = 4
"""Tag and length of DO 53."""
REFUSALS = frozenset({0x6700, 0x6F00, 0x6A86, 0x6987, 0x6988})
"""Status words, beside 6Cxx, by which chips in the field refuse a length (chip-card reference §4)."""


class BlockRefused(CardError):
    """The chip does not take this block size; a smaller one may pass, in a new session."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.CARD_DATA_BAD, detail)


class Files:
    """The files of an opened eMRTD application, in blocks of at most this size."""

    def __init__(self, channel: Channel, session: SecureMessaging, size: BlockSize = LARGEST_SHORT) -> None:
        self._channel = channel
        self._session = session
        self._block = size.plain or session.largest_read(size.answer)
        self._first = HEADER if size.header_first else self._block

    def read(self, ef: Ef, arrived: Arrived, held: bytearray | None = None) -> bytes | None:
        """The whole file, None if the chip does not have it. Raises CardError, BlockRefused.

        `held` is what an earlier session brought of it, and takes what this one brings.
        """
        content = bytearray() if held is None else held
        answer = self._even(0x80 | ef.sfi, 0, self._first)
        if answer.sw == FILE_NOT_FOUND:
            return None
        start = self._checked(ef, answer, self._first)
        size = total_length(start)
        if start[0] != ef.tag or size > ef.limit:
            raise BadData(f"{ef.name}: not the file it should be, or {size} bytes long")
        if content[: len(start)] != start:
            content[:] = start
        arrived(min(len(content), size), size)
        while len(content) < size:
            content += self._next(ef, len(content), size - len(content))
            arrived(len(content), size)
        return bytes(content[:size])

    def _next(self, ef: Ef, offset: int, left: int) -> bytes:
        if offset <= LAST_PLAIN_OFFSET:
            wanted = min(self._block, left)
            return self._checked(ef, self._even(offset >> 8, offset & 0xFF, wanted), wanted)
        wanted = min(self._block - ODD_OVERHEAD, left)
        return self._odd(ef, offset, wanted)

    def _odd(self, ef: Ef, offset: int, wanted: int) -> bytes:
        """READ BINARY with odd instruction: the offset goes in DO 54, the data comes in DO 53."""
        where = encode(0x54, offset.to_bytes(3 if offset > 0xFFFF else 2, "big"))
        command = Command(0x00, 0xB1, 0, 0, where, len(encode(0x53, bytes(wanted))))
        answer = self._exchange(command)
        return self._checked(ef, Response(need(answer.data, 0x53) if answer.data else b"", answer.sw), wanted)

    def _even(self, p1: int, p2: int, le: int) -> Response:
        return self._exchange(Command(0x00, 0xB0, p1, p2, le=le))

    def _exchange(self, command: Command) -> Response:
        try:
            answer = self._session.unprotect(self._channel.send(self._session.protect(command)))
        except Unprotected as error:
            raise BlockRefused(error.failure.detail) from None
        except CardError as error:
            if error.failure.reason is Reason.CARD_MUTE and (command.le or 0) > SHORT:
                raise BlockRefused("the reader does not pass extended length") from None
            raise
        if answer.sw in REFUSALS or answer.sw >> 8 == 0x6C:
            raise BlockRefused(f"READ BINARY {answer.sw:04X}")
        return answer

    @staticmethod
    def _checked(ef: Ef, answer: Response, wanted: int) -> bytes:
        """Fewer bytes than asked for are normal, none or more are not."""
        if answer.sw not in (OK, END_OF_FILE) or not 1 <= len(answer.data) <= wanted:
            raise BadData(f"{ef.name}: READ BINARY {answer.sw:04X} with {len(answer.data)} of {wanted} bytes")
        return answer.data
