"""A card with PACE through the real pcscd: opened, read whole, and what it costs beside BAC."""

import asyncio

from hardware.card.access import Key
from hardware.card.apdu import Channel
from hardware.card.pace import Password
from hardware.card.pcsc import Pcsc
from hardware.card.reader import PcscCardReader
from hardware.card.session import Reading, read_card
from hardware.card.trust import TrustStore
from hardware.simulators.card import CardSimulator
from kiosk.citizen import Citizen, IdentityGrade


async def read(card: CardSimulator, name: str, *keys: Key) -> Reading:
    """Lay the card, read it, take it away."""
    await card.act("lay", card=name)
    await seen(present=True)

    def work() -> Reading:
        with Pcsc() as pcsc, pcsc.card(pcsc.reader("")) as connected:
            return read_card(Channel(connected.transmit, reset=connected.reset), keys, TrustStore(), lambda share: None)

    reading = await asyncio.to_thread(work)
    await card.act("lift")
    await seen(present=False)
    return reading


async def seen(*, present: bool) -> None:
    def lies_there() -> bool:
        with Pcsc() as pcsc:
            return pcsc.is_card_on(pcsc.reader(""))

    async with asyncio.timeout(30):
        while await asyncio.to_thread(lies_there) is not present:
            await asyncio.sleep(0.05)


async def test_the_kiosks_reader_opens_a_card_by_pace(card: CardSimulator, reader: PcscCardReader):
    person = card.people["du"]
    assert person.pace
    await card.act("lay", card="du")
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    citizen = await reader.read([person.key], lambda share: None)
    assert isinstance(citizen, Citizen)
    assert citizen.full_name == person.full_name
    assert citizen.grade is IdentityGrade.ISSUER_VERIFIED


async def test_printed_data_and_access_number_both_open_it_for_at_most_eight_commands_more(card: CardSimulator):
    person = card.people["du"]
    for key in (person.key, Password.from_can(person.personal_id[-6:])):
        reading = await read(card, "du", key)
        assert reading.access.pace
        assert not reading.access.bac
        assert reading.holder.full_name == person.full_name
        sizes = [len(content) for name, content in reading.evidence.items() if name.startswith("EF.")]
        by_bac = 4 + sum(-(-size // 231) for size in sizes)
        signature = reading.apdus - 7 - sum(-(-size // 223) for size in sizes)
        assert reading.apdus - signature <= by_bac + 8


async def test_a_card_without_pace_opens_by_bac_and_says_so(card: CardSimulator):
    reading = await read(card, "mau", card.people["mau"].key)
    assert reading.access.bac
    assert reading.access.pace.reason == "no EF.CardAccess"
