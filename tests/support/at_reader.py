"""What a citizen does at a card reader of any kind, and what the kiosk hears of it."""

import asyncio
from typing import Any

from hardware.simulators.simulator import Simulator
from kiosk.citizen import AccessKey
from kiosk.health import Failure, Level, Reason
from kiosk.ports import CardReader
from waiting import until


def silent(share: float) -> None:
    """Progress that nobody looks at."""


async def laid(card: Any, reader: CardReader, name: str = "mau") -> AccessKey:
    """Lay a card on the simulator `card` in place of what lies there, until `reader` sees it; the card's key."""
    await until(lambda: reader.status.level is Level.READY)
    await lifted(card, reader)
    await card.act("lay", card=name)
    async with asyncio.timeout(30):
        assert await reader.wait_for_card() is None
    return card.people[name].key


async def lifted(card: Simulator, reader: CardReader) -> None:
    """Take the card away, until `reader` sees it."""
    await card.act("lift")
    async with asyncio.timeout(30):
        await reader.wait_for_removal()


async def failure(reader: CardReader, *keys: AccessKey) -> Reason:
    """Why a read fails."""
    result = await reader.read(keys, silent)
    assert isinstance(result, Failure)
    return result.reason
