"""Reading a chip: our reader beside «SELECT, 4-byte header, 223-byte blocks», the default way of JMRTD.

python benchmarks/chip_read.py [--rounds N] [--json]

One process plays the card: same files, keys and engine for everybody; readers take turns, shuffled. The document is the
one of the chip card reference §8.2 (18 kB, EF.DG2 of 17,030 bytes), Passive Authentication included. The full
Vietnamese card has EF.DG13 to EF.DG15 too and proves itself by Chip and Active Authentication.
Ends with 1 if a target of reference §8.4 is missed, with 2 if a reader brought other files than the card has. CPU is
the reader's own, without the card's; it is printed, never judged.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from hardware.card.access import open_chip
from hardware.card.apdu import OK, Channel, Command
from hardware.card.bac import authenticate
from hardware.card.block_sizes import Models
from hardware.card.identity import holder_of
from hardware.card.lds import APPLICATION, COM, SOD, Ef, data_group, portrait_of_dg2
from hardware.card.passive import judge, parse_sod
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.session import read_card
from hardware.card.tlv import encode, total_length
from hardware.card.trust import TrustStore, load_anchors
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.chip import Chip, parse_chip
from hardware.simulators.personalisation.faces import dg2
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.master_file import answer_to_reset
from hardware.simulators.personalisation.person import load_people

PERSON = load_people(Path(__file__).parents[1] / "assets" / "cards")["mau"]
DG2_BYTES = 17_030
BUFFER = 2048
READER_PASSES = 65_535
"""Bytes of an APDU that a reader with extended length says it passes."""
BLOCK, HEADER = 223, 4
RATES = (106_000, 424_000, 848_000)
"""Bits a second of contactless links; nine bits carry a byte."""
LATENCIES = (0.005, 0.015)
"""Seconds that an APDU costs beside its bytes: assumed (reference §8.1)."""
BAC_SHORT, BAC_REMEMBERED, PACE_MORE = 83, 15, 8
"""The targets in APDUs."""

Reader = Callable[[Channel, TrustStore, Models], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Card:
    """A card to be read: what chip it is, and its files by name."""

    chip: Chip
    files: Mapping[int, bytes]

    def applet(self) -> Applet:
        """The same card, fresh on the reader."""
        holder = PERSON.personal_id
        chip = self.chip
        return Applet(self.files, PERSON.key, chip.profile(holder), secrets=chip.secrets(holder), traits=chip.traits())


@dataclass(frozen=True, slots=True)
class Row:
    """One way of reading one card. `largest` is what the reader passes; `remembered`: it knows this kind of chip."""

    name: str
    card: Card
    read: Reader
    largest: int = 0
    remembered: bool = False
    beside: str = ""
    """The row it is compared with."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one read took."""

    apdus: int
    bytes: int
    cpu: float
    """Seconds of the reader's side."""


# --- the readers ---


def ours(channel: Channel, trust: TrustStore, models: Models) -> Mapping[str, bytes]:
    """The kiosk's reader."""
    return read_card(channel, [PERSON.key], trust, lambda _: None, models=models).evidence


def select_bac(channel: Channel, trust: TrustStore, _: Models) -> Mapping[str, bytes]:
    """The alternative, opened by Basic Access Control without a look at EF.CardAccess."""
    channel.send(Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION))
    session = authenticate(channel, PERSON.key)
    assert session is not None
    return _by_select(channel, session, trust)


def select_pace(channel: Channel, trust: TrustStore, _: Models) -> Mapping[str, bytes]:
    """The alternative, opened by PACE."""
    session, _access = open_chip(channel, [PERSON.key])
    return _by_select(channel, session, trust)


def _by_select(channel: Channel, session: SecureMessaging, trust: TrustStore) -> Mapping[str, bytes]:
    files = {ef.name: _selected(channel, session, ef) for ef in (SOD, data_group(1), data_group(2))}
    groups = {n: files[data_group(n).name] for n in (1, 2)}
    judge(parse_sod(files[SOD.name]), groups, trust, datetime.now(UTC))
    holder_of(groups)
    portrait_of_dg2(groups[2])
    return files


def _selected(channel: Channel, session: SecureMessaging, ef: Ef) -> bytes:
    """SELECT, the header alone, then block after block."""
    _plain(channel, session, Command(0x00, 0xA4, 0x02, 0x0C, bytes([0x01, ef.sfi])))
    content = _plain(channel, session, Command(0x00, 0xB0, 0, 0, le=HEADER))
    size = total_length(content)
    while len(content) < size:
        le = min(BLOCK, size - len(content))
        content += _plain(channel, session, Command(0x00, 0xB0, len(content) >> 8, len(content) & 0xFF, le=le))
    return content


def _plain(channel: Channel, session: SecureMessaging, command: Command) -> bytes:
    answer = session.unprotect(channel.send(session.protect(command)))
    assert answer.sw == OK
    return answer.data


# --- the cards ---


def card(issuer: Issuer, groups: Mapping[int, bytes], chip: Mapping[str, Any]) -> Card:
    """A card with these groups, EF.COM and EF.SOD."""
    tags = bytes(data_group(number).tag for number in groups)
    com = encode(COM.tag, encode(0x5F01, b"0107") + encode(0x5F36, b"040000") + encode(0x5C, tags))
    return Card(parse_chip(chip), {**groups, COM.sfi: com, SOD.sfi: issuer.sign(groups)})


def two_groups() -> dict[int, bytes]:
    """EF.DG1, and an EF.DG2 of the reference document's size."""
    start, end = b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff\xda\x00\x02", b"\xff\xd9"
    room = DG2_BYTES - len(dg2(start + bytes(DG2_BYTES - 1000) + end, "jpeg")) + DG2_BYTES - 1000
    filler = bytes(1 + i % 251 for i in range(room))
    return {1: data_groups(PERSON)[1], 2: dg2(start + filler + end, "jpeg")}


def full_card(issuer: Issuer, access: Mapping[str, Any]) -> Card:
    """The Vietnamese card with everything (reference §2.1)."""
    chip = {"active": "ecdsa-p256-sha256", "chip_authentication": "ecdh-aes128-brainpoolP256r1", **access}
    person = replace(PERSON, chip=parse_chip(chip))
    groups = data_groups(person) | {2: two_groups()[2]}
    del groups[3]
    return card(issuer, groups, chip)


def rows(issuer: Issuer) -> list[Row]:
    """Everything that is measured; the alternative first."""
    pace = {"pace": "ecdh-gm-aes128-13"}
    groups = two_groups()
    plain, with_pace = card(issuer, groups, {}), card(issuer, groups, pace)
    extended = card(issuer, groups, {"buffer": BUFFER})
    return [
        Row("SELECT + header + 223 B, BAC", plain, select_bac),
        Row("SELECT + header + 223 B, PACE", with_pace, select_pace),
        Row("BAC, short", plain, ours, beside="SELECT + header + 223 B, BAC"),
        Row("BAC, 2048 B, new model", extended, ours, READER_PASSES, beside="SELECT + header + 223 B, BAC"),
        Row("BAC, 2048 B, known model", extended, ours, READER_PASSES, True, "SELECT + header + 223 B, BAC"),
        Row("PACE, short", with_pace, ours, beside="SELECT + header + 223 B, PACE"),
        Row("full card, PACE + CA + AA, short", full_card(issuer, pace), ours),
        Row(
            "full card, PACE + CA + AA, 2048 B", full_card(issuer, pace | {"buffer": BUFFER}), ours, READER_PASSES, True
        ),
    ]


# --- measuring ---


class Void(Exception):
    """A reader brought something else than the card has."""


def measure(row: Row, trust: TrustStore, models: Models) -> Cost:
    """One read; Void if it was wrong."""
    applet, spent = row.card.applet(), 0.0

    def transmit(raw: bytes) -> bytes:
        nonlocal spent
        started = time.process_time()
        answer = applet.process(raw)
        spent += time.process_time() - started
        return answer

    atr = answer_to_reset(row.card.chip.traits())
    channel = Channel(transmit, reset=applet.reset, atr=atr, largest=row.largest)
    started = time.process_time()
    files = row.read(channel, trust, models if row.remembered else Models())
    cpu = time.process_time() - started - spent
    _compare(row, files)
    return Cost(channel.commands, channel.bytes, cpu)


def _compare(row: Row, files: Mapping[str, bytes]) -> None:
    own = {data_group(n).name: content for n, content in row.card.files.items() if n <= 16}
    own[SOD.name] = row.card.files[SOD.sfi]
    if {name: content for name, content in files.items() if name.startswith("EF.")} != own:
        raise Void(f"{row.name}: other files than the card has")


def run(measured: list[Row], trust: TrustStore, rounds: int) -> dict[str, Cost]:
    """The medians over shuffled rounds, after one to warm up."""
    costs: dict[str, list[Cost]] = {row.name: [] for row in measured}
    known = {row.name: Models() for row in measured}
    order, dice = list(measured), random.Random(1)
    for number in range(rounds + 1):
        dice.shuffle(order)
        for row in order:
            cost = measure(row, trust, known[row.name])
            if number:
                costs[row.name].append(cost)
    return {
        name: Cost(int(median(c.apdus for c in all_)), int(median(c.bytes for c in all_)), median(c.cpu for c in all_))
        for name, all_ in costs.items()
    }


def link_seconds(cost: Cost) -> dict[str, float]:
    """Modelled: latency of every APDU, and all bytes at the link's rate."""
    return {
        f"{rate // 1000}k/{latency * 1000:.0f}ms": cost.apdus * latency + cost.bytes * 9 / rate
        for rate in RATES
        for latency in LATENCIES
    }


def missed(costs: Mapping[str, Cost]) -> list[str]:
    """The targets that are."""
    bac = costs["BAC, short"].apdus
    targets = (
        ("BAC, short", BAC_SHORT),
        ("BAC, 2048 B, known model", BAC_REMEMBERED),
        ("PACE, short", bac + PACE_MORE),
    )
    return [f"{name}: {costs[name].apdus} APDUs, target {most}" for name, most in targets if costs[name].apdus > most]


def report(measured: list[Row], costs: Mapping[str, Cost], rounds: int) -> dict[str, Any]:
    """Everything as data."""
    table = []
    for row in measured:
        cost = costs[row.name]
        entry: dict[str, Any] = {"name": row.name, "apdus": cost.apdus, "bytes": cost.bytes}
        entry |= {
            "cpu_ms": round(cost.cpu * 1000, 2),
            "link_s": {k: round(v, 3) for k, v in link_seconds(cost).items()},
        }
        if row.beside:
            entry["ratio"] = _ratio(cost, costs[row.beside])
        table.append(entry)
    names = {n: data_group(n).name for n in range(1, 17)} | {COM.sfi: COM.name, SOD.sfi: SOD.name}
    sizes = {names[sfi]: len(content) for sfi, content in measured[0].card.files.items()}
    return {"rounds": rounds, "files": sizes, "rows": table, "missed": missed(costs)}


def _ratio(cost: Cost, other: Cost) -> dict[str, float]:
    """How many times less than the alternative: above one is better."""
    links, others = link_seconds(cost), link_seconds(other)
    return {
        "apdus": round(other.apdus / cost.apdus, 2),
        "bytes": round(other.bytes / cost.bytes, 2),
        "cpu": round(other.cpu / cost.cpu, 2),
        "link": round(median(others[name] / links[name] for name in links), 2),
    }


def show(data: Mapping[str, Any]) -> None:
    """The same as a table for people."""
    links = list(data["rows"][0]["link_s"])
    print(f"{'reader':<36}{'APDUs':>6}{'bytes':>8}{'CPU ms':>8}" + "".join(f"{name:>11}" for name in links))
    for row in data["rows"]:
        times = "".join(f"{row['link_s'][name]:>11.3f}" for name in links)
        print(f"{row['name']:<36}{row['apdus']:>6}{row['bytes']:>8}{row['cpu_ms']:>8.1f}{times}")
    print("\ntimes less than SELECT + header + 223 B (link: median of the six)")
    for row in data["rows"]:
        if "ratio" in row:
            print(f"{row['name']:<36}" + "".join(f"{name} {value:<8.2f}" for name, value in row["ratio"].items()))
    print("\n" + ("\n".join(f"MISSED {line}" for line in data["missed"]) or "all targets met"))


def trust_in(issuer: Issuer) -> TrustStore:
    """The issuer's CSCA, from a folder as the kiosk has it."""
    with tempfile.TemporaryDirectory() as folder:
        issuer.write_csca(Path(folder))
        return load_anchors(Path(folder))


def main() -> int:
    """0 if every target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    issuer = Issuer()
    measured = rows(issuer)
    try:
        data = report(measured, run(measured, trust_in(issuer), args.rounds), args.rounds)
    except Void as error:
        print(f"void: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(data, indent=1))
    else:
        show(data)
    return 1 if data["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
