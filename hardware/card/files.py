"""Reading whole files from an opened chip, by short identifier, the first block doubling as header."""

from collections.abc import Callable

from hardware.card.apdu import END_OF_FILE, FILE_NOT_FOUND, OK, Channel, Command, Response
from hardware.card.errors import BadData
from hardware.card.lds import Ef
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.tlv import total_length

Arrived = Callable[[int, int], None]
"""Takes the bytes of a file that have arrived and its whole length, after every block."""


class Files:
    """The files of an opened eMRTD application."""

    def __init__(self, channel: Channel, session: SecureMessaging) -> None:
        self._channel = channel
        self._session = session

    def read(self, ef: Ef, arrived: Arrived) -> bytes | None:
        """The whole file, None if the chip does not have it. Raises CardError."""
        answer = self._read_binary(0x80 | ef.sfi, 0, self._session.largest_read)
        if answer.sw == FILE_NOT_FOUND:
            return None
        content = self._block(ef, answer, self._session.largest_read)
        size = total_length(content)
        if content[0] != ef.tag or size > ef.limit:
            raise BadData(f"{ef.name}: not the file it should be, or {size} bytes long")
        arrived(min(len(content), size), size)
        while len(content) < size:
            wanted = min(self._session.largest_read, size - len(content))
            answer = self._read_binary(len(content) >> 8, len(content) & 0xFF, wanted)
            content += self._block(ef, answer, wanted)
            arrived(len(content), size)
        return content[:size]

    def _read_binary(self, p1: int, p2: int, le: int) -> Response:
        command = Command(0x00, 0xB0, p1, p2, le=le)
        return self._session.unprotect(self._channel.send(self._session.protect(command)))

    @staticmethod
    def _block(ef: Ef, answer: Response, wanted: int) -> bytes:
        """Fewer bytes than asked for are normal, none or more are not."""
        if answer.sw not in (OK, END_OF_FILE) or not 1 <= len(answer.data) <= wanted:
            raise BadData(f"{ef.name}: READ BINARY {answer.sw:04X} with {len(answer.data)} of {wanted} bytes")
        return answer.data
