"""One whole read: select, open with a key, files in the order that pays, authenticate, assemble."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hardware.card.access import Access, Key, open_chip
from hardware.card.apdu import Channel
from hardware.card.errors import BadData
from hardware.card.files import Files
from hardware.card.identity import citizen_of
from hardware.card.lds import COM, SOD, Ef, data_group, evidence_order, groups_of_com
from hardware.card.passive import SecurityObject, Verdict, judge, load_anchors, parse_sod
from kiosk.citizen import Citizen, IdentityGrade

WANTED = (1, 13, 14, 15, 2)
"""Data groups we read where the card lists them, the long portrait last. Never DG3: it needs a right we lack."""

TYPICAL = {"EF.SOD": 2000, "EF.DG1": 100, "EF.DG13": 600, "EF.DG14": 400, "EF.DG15": 300, "EF.DG2": 17_000}
"""Bytes of files as they are in the field, until the file itself tells (chip-card reference §3)."""


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """What one read brought, and what it cost."""

    citizen: Citizen
    verdict: Verdict
    access: Access
    apdus: int
    bytes: int


def read_card(channel: Channel, keys: Sequence[Key], csca: Path | None, progress: Callable[[float], None]) -> Reading:
    """Read the card whole with the first key that fits. Raises CardError; anything else is a defect."""
    session, access = open_chip(channel, keys)
    files = Files(channel, session)
    share = _Share(progress)
    raw: dict[str, bytes] = {}
    sod = _security_object(files, share, raw)
    listed = sod.hashes if sod else _listed_by_com(files, share)
    groups = _read_groups(files, share, [n for n in WANTED if n in listed])
    raw |= {data_group(n).name: content for n, content in groups.items()}
    verdict = _judge(sod, groups, csca)
    citizen = citizen_of(groups, verdict.grade, evidence_order(raw))
    progress(1.0)
    return Reading(citizen, verdict, access, channel.commands, channel.bytes)


def _security_object(files: Files, share: "_Share", raw: dict[str, bytes]) -> SecurityObject | None:
    """EF.SOD, which gives the list of data groups; None if the card has none or it makes no sense."""
    content = files.read(SOD, share.of(SOD))
    if content is None:
        return None
    raw[SOD.name] = content
    try:
        return parse_sod(content)
    except BadData:
        return None


def _listed_by_com(files: Files, share: "_Share") -> tuple[int, ...]:
    content = files.read(COM, share.of(COM))
    if content is None:
        raise BadData("neither EF.SOD nor EF.COM")
    return groups_of_com(content)


def _read_groups(files: Files, share: "_Share", numbers: Sequence[int]) -> dict[int, bytes]:
    share.expect(numbers)
    groups = {}
    for number in numbers:
        ef = data_group(number)
        content = files.read(ef, share.of(ef))
        if content is None:
            raise BadData(f"{ef.name} is listed but missing")
        groups[number] = content
    return groups


def _judge(sod: SecurityObject | None, groups: dict[int, bytes], csca: Path | None) -> Verdict:
    if sod is None:
        return Verdict(IdentityGrade.CHIP_READ, ("passive_auth_failed: no usable EF.SOD",))
    return judge(sod, groups, load_anchors(csca), datetime.now(UTC))


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
