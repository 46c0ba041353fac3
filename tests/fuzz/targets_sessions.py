"""Targets: what a chip answers, up to a whole read of a card that bends its answers."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from functools import cache

import documents as make
from hardware.card.access import open_chip
from hardware.card.apdu import Channel, Response
from hardware.card.bac import Handshake, keys_from
from hardware.card.block_sizes import Models
from hardware.card.key_derivation import Algorithm
from hardware.card.lds import COM, GROUP_TAGS, SOD, data_group
from hardware.card.mapping import Mapping
from hardware.card.pace import Password, Terminal
from hardware.card.secure_messaging import SecureMessaging, pad
from hardware.card.session import read_card
from hardware.card.tlv import encode
from hardware.simulators.personalisation.chip_keys import (
    NO_SECRETS,
    ActiveSecret,
    ChipSecrets,
    StaticSecret,
    security_groups,
)
from hardware.simulators.personalisation.master_file import CARD_SECURITY
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.traits import ORDINARY, Traits
from kiosk.citizen import IdentityGrade
from tests.fuzz.fixed import AA_EC, AA_RSA
from tests.fuzz.hostile_card import FIRST_FILES, KINDS, HostileApplet, record
from tests.fuzz.targets_documents import infos_of_mapping, signed_infos, signer, store
from tests.fuzz.targets_files import PEOPLE, groups

KEY = PEOPLE["mau"].key
CIPHERS = tuple(algorithm.session_keys(bytes(32)) for algorithm in (Algorithm.TRIPLE_DES, Algorithm.AES_256))
PROFILES = (
    PaceProfile(),
    PaceProfile(Mapping.INTEGRATED, Algorithm.TRIPLE_DES, 12),
    PaceProfile(Mapping.CHIP_AUTHENTICATION),
    PaceProfile(parameters=0),
    PaceProfile(Mapping.INTEGRATED, parameters=0),
)


@dataclass(frozen=True)
class ChipKind:
    """A kind of card for whole reads."""

    pace: PaceProfile | None = None
    secrets: ChipSecrets = NO_SECRETS
    traits: Traits = ORDINARY


AGREEMENT = StaticSecret(Algorithm.AES_128, 13, 0x7654321)
CHIPS = (
    ChipKind(),
    ChipKind(PaceProfile(), ChipSecrets(ActiveSecret(AA_EC, "sha256"))),
    ChipKind(PaceProfile(Mapping.CHIP_AUTHENTICATION)),
    ChipKind(secrets=ChipSecrets(ActiveSecret(AA_RSA, "sha1"), AGREEMENT), traits=Traits(buffer=2048)),
    ChipKind(traits=Traits(largest_read=160, corrects_length=True)),
)
FIRST = (CHIPS[0], SOD.sfi)
ROOT = {CARD_SECURITY: signed_infos(infos_of_mapping())}


class ForgedError(Exception):
    """Something else than what the issuer signed was called verified."""


def vouched(evidence: Map[str, bytes], honest: Map[int, bytes]) -> None:
    """ForgedError unless DG1 and DG2 are there and every group is the honest card's."""
    numbers = {data_group(number).name: number for number in range(1, 17)}
    read = {numbers[name]: content for name, content in evidence.items() if name in numbers}
    if not {1, 2} <= set(read) or any(content != honest.get(number) for number, content in read.items()):
        raise ForgedError


@cache
def _files(chip: ChipKind) -> dict[int, bytes]:
    found = groups() | security_groups(chip.secrets, chip.pace)
    tags = bytes(GROUP_TAGS[number - 1] for number in found)
    com = encode(COM.tag, encode(0x5F01, b"0107") + encode(0x5C, tags))
    signed = encode(SOD.tag, make.signed_data(make.security_object(found), signer()))
    return found | {COM.sfi: com, SOD.sfi: signed}


def answer(data: bytes) -> None:
    """A protected answer. First byte: which cipher, and whether the checksum is right; then two of status, the body."""
    choice, sw, body = data[:1] or b"\0", int.from_bytes(data[1:3], "big"), data[3:]
    cipher = CIPHERS[choice[0] & 1]
    if not choice[0] & 2:
        body += encode(0x8E, cipher.mac((1).to_bytes(cipher.block, "big") + body))
    SecureMessaging(cipher, bytes(cipher.block)).unprotect(Response(body, sw))


def bac_answer(data: bytes) -> None:
    """EXTERNAL AUTHENTICATE answered: forty bytes or more as they stand, fewer sealed with the right keys."""
    handshake = Handshake(keys_from(bytes(16)), bytes(8), bytes(8), bytes(16))
    sealed = handshake.keys.encrypt(data[:32].ljust(32, b"\0"))
    handshake.finish(data if len(data) >= 40 else sealed + handshake.keys.mac(sealed))


def pace_answers(data: bytes) -> None:
    """Four answers of the chip, by TLV, for the kind of PACE that the first byte chooses."""
    offer = PROFILES[data[0] % len(PROFILES)].offer() if data else PROFILES[0].offer()
    terminal = Terminal(offer, Password.from_key(KEY))
    nonce, mapping, public, token = (data[1:17], *_fields(data[17:]))
    terminal.mapping_data(nonce)
    terminal.public_key(mapping)
    terminal.token(public)
    terminal.finish(token, data[-32:])


def _fields(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Three fields, each after two octets of length."""
    fields = []
    for _ in range(3):
        size = int.from_bytes(data[:2], "big")
        fields.append(data[2 : 2 + size])
        data = data[2 + size :]
    return fields[0], fields[1], fields[2]


def opening(data: bytes) -> None:
    """A chip that bends its answers while it is opened, by the kind of PACE that the first byte chooses."""
    profile = PROFILES[data[0] % len(PROFILES)] if data else PROFILES[0]
    card = HostileApplet(data[1:], _files(CHIPS[0]), KEY, pace=profile, root=ROOT)
    open_chip(Channel(card.process), [KEY])


def read(data: bytes) -> None:
    """A whole read of a card that bends its answers; the first byte chooses the chip."""
    chip = CHIPS[data[0] % len(CHIPS)] if data else CHIPS[0]
    _read(chip, data[1:], _files(chip))


def read_file(data: bytes) -> None:
    """A whole read of an honest card, one of whose files (the first two bytes choose chip and file) is what follows."""
    chip, sfi = (CHIPS[data[0] % len(CHIPS)], FIRST_FILES[data[1] % len(FIRST_FILES)]) if len(data) > 1 else FIRST
    _read(chip, b"", {**_files(chip), sfi: data[2:]})


def _read(chip: ChipKind, script: bytes, files: Map[int, bytes]) -> None:
    more = {"pace": chip.pace, "secrets": chip.secrets, "traits": chip.traits, "root": ROOT if chip.pace else {}}
    card = HostileApplet(script, files, KEY, **more)
    channel = Channel(card.process, reset=card.reset, largest=chip.traits.buffer)
    reading = read_card(channel, [KEY], store(), lambda _: None, models=Models())
    if reading.grade is IdentityGrade.ISSUER_VERIFIED:
        vouched(reading.evidence, _files(chip))


def _answers() -> list[bytes]:
    """With data under DO 87 or 85, and without."""
    found = []
    for number, cipher in enumerate(CIPHERS):
        sealed = cipher.encrypt(pad(b"some data", cipher.block), (1).to_bytes(cipher.block, "big"))
        contents = (b"", encode(0x87, b"\x01" + sealed), encode(0x85, sealed))
        found += [bytes([number]) + b"\x90\x00" + content + encode(0x99, b"\x90\x00") for content in contents]
    return found


def _dialogues() -> list[bytes]:
    found = []
    for number, profile in enumerate(PROFILES):
        group = profile.offer().group
        element = group.multiply(group.generator, 12345)
        field = len(element).to_bytes(2, "big") + element
        found.append(bytes([number]) + bytes(16) + field * 2 + b"\x00\x08" + bytes(8 + 32))
    return found


def _scripts() -> list[bytes]:
    """Nothing bent, and everything that can be on one of the first commands."""
    return [b"", *(record(command, kind, 1) for command in (1, 4, 7, 9, 14) for kind in range(KINDS))]


def _with_choice(choices: int, seeds: Sequence[bytes]) -> list[bytes]:
    return [bytes([choice]) + seed for choice in range(choices) for seed in seeds]


def _one_file() -> list[bytes]:
    return [
        bytes([chip, number]) + _files(CHIPS[chip]).get(sfi, b"")
        for chip in range(len(CHIPS))
        for number, sfi in enumerate(FIRST_FILES)
    ]


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], Sequence[bytes]]]] = {
    "answer": (answer, _answers),
    "bac-answer": (bac_answer, lambda: [bytes(32), bytes(40)]),
    "pace-answers": (pace_answers, _dialogues),
    "opening": (opening, lambda: _with_choice(len(PROFILES), _scripts())),
    "read": (read, lambda: _with_choice(len(CHIPS), _scripts())),
    "read-file": (read_file, _one_file),
}
