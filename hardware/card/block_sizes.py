"""How much to ask of a chip at once: what it and the reader state, then smaller until it takes it, learned by model."""

from dataclasses import dataclass, replace

from hardware.card.apdu import END_OF_FILE, OK, Channel, Command
from hardware.card.errors import BadData
from hardware.card.secure_messaging import EXTENDED, SHORT
from hardware.card.tlv import elements, find

ATR_INFO = 0x01
"""Short identifier of EF.ATR/INFO in the master file (Doc 9303-10 §3.11.2)."""
LENGTHS = 0x7F66
"""Its extended length information: the most bytes of a command and of an answer."""
STEPS = (192, 160, 128)
"""Plain block sizes below the largest; chips in the field refuse 256, 255, 224 (chip-card reference §4)."""
MODELS = 64


@dataclass(frozen=True, slots=True)
class BlockSize:
    """What chips of one answer to reset take."""

    answer: int = SHORT
    """The most bytes of an answer without status word; above 256 in extended form."""
    plain: int = 0
    """Plain bytes of a block; 0: what fits `answer`."""
    header_first: bool = False
    """For chips that refuse to be asked for more than a file has."""

    def smaller(self) -> "BlockSize | None":
        """The next to try; None if there is none."""
        if self.answer > SHORT:
            return LARGEST_SHORT
        below = [step for step in STEPS if not self.plain or step < self.plain]
        if below:
            return replace(self, plain=below[0])
        return None if self.header_first else replace(self, header_first=True)


LARGEST_SHORT = BlockSize()


class Models:
    """Block sizes by answer to reset: it names a kind of chip, never a card."""

    def __init__(self) -> None:
        self._known: dict[bytes, BlockSize] = {}

    def size_for(self, channel: Channel) -> BlockSize:
        """What is known of this kind, else what the chip states. To be asked before the application is selected."""
        known = self._known.get(channel.atr)
        if known is None and channel.largest > SHORT:
            known = BlockSize(min(_stated(channel), channel.largest))
            self.learn(channel, known)
        return known if known is not None and known.answer <= max(channel.largest, SHORT) else LARGEST_SHORT

    def learn(self, channel: Channel, size: BlockSize) -> None:
        """A size that this kind takes."""
        if len(self._known) >= MODELS:
            self._known.clear()
        self._known[channel.atr] = size


KNOWN = Models()
"""The kinds of chip that this process has met."""


def _stated(channel: Channel) -> int:
    """The most bytes of an answer that EF.ATR/INFO states, without status word."""
    answer = channel.send(Command(0x00, 0xB0, 0x80 | ATR_INFO, 0, le=256))
    if answer.sw not in (OK, END_OF_FILE):
        return SHORT
    try:
        return min(max(_largest_answer(answer.data) - 2, SHORT), EXTENDED)
    except BadData:
        return SHORT


def _largest_answer(content: bytes) -> int:
    """Of the second integer; a category indicator of ISO/IEC 7816-4 §12.1.1 may come first."""
    lengths = find(content[1:] if content[:1] in (b"\x00", b"\x10", b"\x80") else content, LENGTHS)
    numbers = [int.from_bytes(value, "big") for tag, value in elements(lengths or b"") if tag == 0x02]
    return numbers[1] if len(numbers) == 2 else 0
