"""Asking an opened chip to show its keys: Chip Authentication and Active Authentication as dialogues."""

from cryptography.hazmat.primitives.asymmetric import rsa

from hardware.card.active import challenge, key_of_dg15
from hardware.card.apdu import OK, Channel, Command
from hardware.card.chip_authentication import ChipKey, agree, commands
from hardware.card.errors import BadData
from hardware.card.key_derivation import fresh_session
from hardware.card.secure_messaging import EXTENDED, SHORT, SecureMessaging


def authenticate_chip(channel: Channel, session: SecureMessaging, chip: ChipKey) -> SecureMessaging:
    """The session under the keys agreed on; BadData if the chip declines or its key is none.

    The chip has shown its key only when the next command has been answered rightly.
    """
    agreement = agree(chip)
    for command in commands(chip, agreement.public):
        answer = session.unprotect(channel.send(session.protect(command)))
        if answer.sw != OK:
            raise BadData(f"Chip Authentication {answer.sw:04X}")
    return fresh_session(agreement.keys)


def answer_lengths(channel: Channel, session: SecureMessaging, dg15: bytes) -> tuple[int, ...]:
    """The lengths of answer with which to ask for a signature, likeliest first; BadData if the key is unusable.

    One of 2048 bits does not fit a short protected answer, but some chips chain it (chip-card reference §4).
    """
    key = key_of_dg15(dg15)
    size = (key.key_size + 7) // 8 * (1 if isinstance(key, rsa.RSAPublicKey) else 2)
    if size <= session.largest_read():
        return (SHORT,)
    return (EXTENDED, SHORT) if channel.largest > SHORT else (SHORT, EXTENDED)


def authenticate_actively(channel: Channel, session: SecureMessaging, length: int) -> tuple[bytes, bytes]:
    """A fresh challenge and the chip's signature; BadData if it gives none."""
    fresh = challenge()
    command = Command(0x00, 0x88, 0x00, 0x00, fresh, length)
    answer = session.unprotect(channel.send(session.protect(command)))
    if answer.sw != OK or not answer.data:
        raise BadData(f"INTERNAL AUTHENTICATE {answer.sw:04X}")
    return fresh, answer.data
