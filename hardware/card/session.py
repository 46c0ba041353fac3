"""One whole read: open with a key, files in the order that pays, have the chip prove itself, judge, assemble.

A chip that declines a block size, or fails Chip Authentication, ends the session; the read goes on in a new one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from hardware.card.access import Access, Key, open_chip
from hardware.card.apdu import Channel
from hardware.card.authenticity import Authenticity, ChipAnswers, Protocols, examine_document
from hardware.card.block_sizes import KNOWN, BlockSize, Models
from hardware.card.chip_authentication import ChipKey, parse_dg14
from hardware.card.chip_proof import answer_lengths, authenticate_actively, authenticate_chip
from hardware.card.errors import BadData, CardError
from hardware.card.files import BlockRefused, Files
from hardware.card.identity import Holder, citizen_of, holder_of, problems_of
from hardware.card.lds import COM, SOD, Ef, data_group, evidence_order, groups_of_com, portrait_of_dg2
from hardware.card.passive import Passive, SecurityObject, parse_sod
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.trust import TrustStore
from kiosk.citizen import AccessKey, Citizen, IdentityGrade
from kiosk.health import Reason

BEFORE_PROOF = (1, 13, 14, 15, 11, 12)
"""Data groups in the order we read them where EF.SOD lists them: what tells most first. Never DG3: it needs a right
we lack. The long portrait comes last, under the keys of Chip Authentication, which it so confirms."""
PORTRAIT = 2
MANDATORY = (1, 2)
"""Doc 9303-10 §4.6."""

TYPICAL = {
    "EF.SOD": 2000,
    "EF.DG1": 100,
    "EF.DG11": 200,
    "EF.DG12": 200,
    "EF.DG13": 600,
    "EF.DG14": 400,
    "EF.DG15": 300,
    "EF.DG2": 17_000,
}
"""Bytes of files as they are in the field, until the file itself tells (chip-card reference §3)."""
MAX_SESSIONS = 8
AA_CHALLENGE, AA_RESPONSE = "AA.challenge", "AA.response"
"""Evidence of Active Authentication beside the files."""
CHIP_DECLINES = frozenset({Reason.CARD_DATA_BAD, Reason.CARD_MUTE})


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """What one read brought, and what it cost. Everything that a receiver needs to judge again is in `evidence`."""

    holder: Holder
    portrait: bytes
    """An image file as the chip holds it: untrusted bytes."""
    authenticity: Authenticity
    access: Access
    evidence: Mapping[str, bytes]
    """Raw files by name, EF.SOD first, and challenge and response of Active Authentication."""
    apdus: int
    traffic: int
    """Bytes both ways."""
    seconds: float

    @property
    def grade(self) -> IdentityGrade:
        """How far the identity is proven."""
        return self.authenticity.grade

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in codes for technicians: with the proof, with the document, odd spellings."""
        return (*self.authenticity.problems, *problems_of(self.holder, date.today()), *self.holder.warnings)  # noqa: DTZ011

    @property
    def protocols(self) -> Protocols:
        """One result for every protocol."""
        return self.authenticity.protocols

    @property
    def passive(self) -> Passive:
        """The five checks of Passive Authentication."""
        return self.authenticity.passive

    def citizen(self, portrait: bytes = b"") -> Citizen:
        """The holder as the kiosk knows citizens, with a portrait fit for a screen. CardError for another country's."""
        return citizen_of(self.holder, self.grade, portrait, dict(self.evidence))


@dataclass(slots=True, repr=False)
class Draft:
    """What an interrupted read has brought, so that a card laid back goes on where it stopped. Personal: clear it."""

    sod: bytes = b""
    files: dict[str, bytearray] = field(default_factory=dict)

    def of_card(self, sod: bytes) -> None:
        """Keep only what belongs to the card with this EF.SOD, byte for byte; nothing of cards without one."""
        if not sod or sod != self.sod:
            self.clear()
            self.sod = sod

    def clear(self) -> None:
        """Wipe it."""
        for content in self.files.values():
            content[:] = bytes(len(content))
        self.files.clear()
        self.sod = b""


def read_card(
    channel: Channel,
    keys: Sequence[Key],
    trust: TrustStore,
    progress: Callable[[float], None],
    draft: Draft | None = None,
    models: Models = KNOWN,
) -> Reading:
    """Read the card whole with the first key that fits. Raises CardError; anything else is a defect.

    `draft` takes what arrives and gives what an earlier read of this card brought. The card must be fresh from reset.
    """
    started = time.monotonic()
    read = _Read(channel, keys, progress, Draft() if draft is None else draft, models)
    read.run()
    groups = read.groups
    authenticity = examine_document(read.sod, groups, read.answers, trust, datetime.now(UTC), read.access)
    evidence = {data_group(n).name: content for n, content in groups.items()}
    if read.answers.response:
        evidence |= {AA_CHALLENGE: read.answers.challenge, AA_RESPONSE: read.answers.response}
    if read.raw_sod:
        evidence[SOD.name] = read.raw_sod
    holder = holder_of(groups)
    _compare_with_key(holder, read.access.key)
    reading = Reading(
        holder,
        portrait_of_dg2(groups[PORTRAIT]) if PORTRAIT in groups else b"",
        authenticity,
        read.access,
        evidence_order(evidence),
        channel.commands,
        channel.bytes,
        time.monotonic() - started,
    )
    progress(1.0)
    return reading


def _compare_with_key(holder: Holder, key: Key | None) -> None:
    """The chip is opened by nine digits of the number; the other three must be the card's too."""
    number = key.personal_id if isinstance(key, AccessKey) and len(key.personal_id) == 12 else ""
    if number and holder.personal_id and number != holder.personal_id:
        raise CardError(Reason.ACCESS_KEY_REFUSED, "the chip has another personal number than the key")


class _Read:
    """The dialogue with the card, over as many sessions as it takes."""

    access: Access

    def __init__(
        self,
        channel: Channel,
        keys: Sequence[Key],
        progress: Callable[[float], None],
        draft: Draft,
        models: Models,
    ) -> None:
        self._channel = channel
        self._keys = keys
        self._share = _Share(progress)
        self._draft = draft
        self._models = models
        self.raw_sod = b""
        self.sod: SecurityObject | BadData = BadData("there is no EF.SOD")
        self.groups: dict[int, bytes] = {}
        self.answers = ChipAnswers()

    def run(self) -> None:
        """Everything that is to be read and asked. Raises CardError."""
        first = size = self._models.size_for(self._channel)
        for _ in range(MAX_SESSIONS):
            try:
                session = self._session(size)
                break
            except BlockRefused:
                smaller = size.smaller()
                if smaller is None:
                    raise
                size = smaller
            except _NoChipKey:
                self.answers = ChipAnswers(agreed=False)
            self._channel.reset()
        else:
            raise CardError(Reason.CARD_TIMEOUT, f"after {MAX_SESSIONS} sessions")
        if size != first:
            self._models.learn(self._channel, size)  # only now: what one bad card refuses says nothing of its kind
        self._ask_for_signature(session, size)

    def _session(self, size: BlockSize) -> SecureMessaging:
        """All files in one session; what is there of them already is not read again."""
        session, self.access = open_chip(self._channel, self._keys, size)
        if self.access.key is not None:
            self._keys = [self.access.key]
        files = Files(self._channel, session, size)
        listed = self._security_object(files)
        self._share.expect([n for n in (*BEFORE_PROOF, PORTRAIT) if n in listed])
        for number in BEFORE_PROOF:
            if number in listed:
                self._read_group(files, number)
        chip = self._chip_key()
        if chip is not None:
            session = self._agree(session, chip)
            files = Files(self._channel, session, size)
        if PORTRAIT in listed:
            self._read_last(files, proves=chip is not None)
        for number in MANDATORY:
            if number not in self.groups:
                raise BadData(f"{data_group(number).name} is missing")
        return session

    def _security_object(self, files: Files) -> Sequence[int]:
        """EF.SOD, which gives the list of data groups; EF.COM does if the card has none or it makes no sense."""
        raw = files.read(SOD, self._share.of(SOD))
        if (raw or b"") != self.raw_sod:
            self.groups.clear()  # another card than in the session before
        self.raw_sod = raw or b""
        self._draft.of_card(self.raw_sod)
        if raw is not None:
            try:
                self.sod = parse_sod(raw)
                return tuple(self.sod.hashes)
            except BadData as error:
                self.sod = error
        content = files.read(COM, self._share.of(COM))
        if content is None:
            raise BadData("neither EF.SOD nor EF.COM")
        return groups_of_com(content)

    def _read_group(self, files: Files, number: int) -> None:
        if number in self.groups:
            return
        ef = data_group(number)
        content = files.read(ef, self._share.of(ef), self._draft.files.setdefault(ef.name, bytearray()))
        if content is None:
            raise BadData(f"{ef.name} is listed but missing")
        self.groups[number] = content

    def _chip_key(self) -> ChipKey | None:
        """The key to ask for by Chip Authentication; None if there is none or PACE or an earlier session asked."""
        if 14 not in self.groups or self.answers.agreed is False or self.access.proof is not None:
            return None
        try:
            keys = parse_dg14(self.groups[14]).chip_keys
        except BadData:
            return None
        return keys[0] if keys else None

    def _agree(self, session: SecureMessaging, chip: ChipKey) -> SecureMessaging:
        try:
            return authenticate_chip(self._channel, session, chip)
        except CardError as error:
            raise _declined(error) from None

    def _read_last(self, files: Files, *, proves: bool) -> None:
        """The portrait; its first block shows whether the chip has the keys that Chip Authentication gave."""
        before = self._channel.commands
        try:
            self.groups.pop(PORTRAIT, None)
            self._read_group(files, PORTRAIT)
        except CardError as error:
            if proves and self._channel.commands <= before + 1:
                raise _declined(error) from None
            raise
        if proves:
            self.answers = ChipAnswers(agreed=True)

    def _ask_for_signature(self, session: SecureMessaging, size: BlockSize) -> None:
        """Active Authentication, last because a chip that declines the length of the answer ends the session."""
        if 15 not in self.groups:
            return
        agreed, refused = self.answers.agreed, ""
        try:
            lengths = answer_lengths(self._channel, session, self.groups[15])
        except BadData:
            return  # a key that we do not accept: undetermined
        for attempt, length in enumerate(lengths):
            try:
                if attempt:
                    self._channel.reset()
                    session, _ = open_chip(self._channel, self._keys, size)
                self.answers = ChipAnswers(agreed, *authenticate_actively(self._channel, session, length))
                return
            except CardError as error:
                if error.failure.reason not in CHIP_DECLINES:
                    raise
                refused = error.failure.detail
        self.answers = ChipAnswers(agreed, refused=refused)


class _NoChipKey(Exception):  # a finding, not an error
    """The chip failed Chip Authentication; its session is gone."""


def _declined(error: CardError) -> Exception:
    """A chip that does not show its key is a finding; a card taken away is none."""
    return _NoChipKey() if error.failure.reason in CHIP_DECLINES else error


class _Share:
    """Turns the bytes of single files into the share of the whole; never goes back."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress
        self._sizes = dict(TYPICAL)
        self._done: dict[str, int] = {}
        self._shown = 0.0

    def expect(self, numbers: Sequence[int]) -> None:
        """Only these data groups are still to come."""
        names = {SOD.name} | {data_group(n).name for n in numbers}
        self._sizes = {name: size for name, size in self._sizes.items() if name in names}

    def of(self, ef: Ef) -> Callable[[int, int], None]:
        """What a file's bytes are told to."""

        def arrived(done: int, size: int) -> None:
            self._sizes[ef.name] = size
            self._done[ef.name] = done
            self._shown = max(self._shown, min(sum(self._done.values()) / sum(self._sizes.values()), 0.99))
            self._progress(self._shown)

        return arrived
