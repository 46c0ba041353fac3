"""The real path of the chip card for tests: pcscd with Debian's virtual reader, cards, a trust folder, the reader.

Other test folders make their own of the same parts (`patience`: there is one virtual reader on a machine):

    async with Pcscd(patience=60): ...
    card = CardSimulator(CARDS); await card.start(); card.write_csca(folder); await card.act("lay", card="mau")
    async with PcscCardReader(CardSettings(csca=folder)) as reader: ...
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware.card.reader import PcscCardReader
from hardware.simulators.card import CardSimulator
from hardware.simulators.pcscd import Pcscd
from hardware.simulators.personalisation.issuer import Issuer
from kiosk.config import CardSettings

PATIENCE = 60.0
CARDS = Path(__file__).parents[3] / "assets" / "cards"


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """One test issuer for the whole run."""
    return Issuer()


@pytest.fixture
def csca(tmp_path: Path, issuer: Issuer) -> Path:
    """A trust folder with the test issuer in it."""
    issuer.write_csca(tmp_path / "csca")
    return tmp_path / "csca"


@pytest.fixture
async def pcscd() -> AsyncIterator[Pcscd]:
    """pcscd with the virtual reader, for this test alone."""
    async with Pcscd(patience=PATIENCE) as daemon:
        yield daemon


@pytest.fixture
async def card(pcscd: Pcscd, issuer: Issuer) -> AsyncIterator[CardSimulator]:
    """The cards of the demo; none lies on the reader yet."""
    simulator = CardSimulator(CARDS, issuer=issuer)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def reader(pcscd: Pcscd, csca: Path) -> AsyncIterator[PcscCardReader]:
    """The kiosk's card reader, at work."""
    async with PcscCardReader(CardSettings(csca=csca)) as device:
        yield device
