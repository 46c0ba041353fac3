"""Fixtures of delivery: keys once for all, a province for each test."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.config import Settings
from sync import signed
from sync.client import ReceiverClient
from sync.forwarder import Forwarder
from sync.keys import create_world
from sync.outbox import Outbox, Sealer
from tests.sync.operator_page import OperatorPage
from tests.sync.peer import Peer
from tests.sync.province import Province

for golden in (Path(__file__).parent / "golden" / "keys").glob("*.key"):
    golden.chmod(0o600)  # git keeps no such mode, and keys that others can read are refused


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "secrets"
    create_world(folder, ["K01", "K02"])
    return folder


@pytest.fixture
def sealer(keys: Path) -> Sealer:
    receiver, recovery = (signed.sealing_key(keys / f"{name}.pub", "key") for name in ("receiver-hpke", "recovery"))
    return Sealer("K01", receiver, signed.signing_key(keys / "kiosk-signing.key", "key"), recovery)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    built = Outbox(tmp_path / "outbox")
    built.take_over()
    yield built
    built.close()


@pytest.fixture
def province(tmp_path: Path, keys: Path) -> Iterator[Province]:
    """Nothing runs yet but the outbox."""
    built = Province(tmp_path, keys)
    yield built
    built.close()


@pytest.fixture
def open_province(province: Province) -> Province:
    """Receiver and TTHC system run."""
    province.start("tthc-model")
    province.start("receiver")
    return province


@pytest.fixture
def peer(keys: Path) -> Iterator[Peer]:
    """A receiver of a few lines."""
    with Peer(keys) as built:
        yield built


@pytest.fixture
def settings(tmp_path: Path, keys: Path, peer: Peer) -> Settings:
    """Of a kiosk before that peer."""
    plain = Settings()
    names = ("ca", "certificate", "key_file", "receipt_key", "receiver_key", "signing_key_file")
    files = {name: keys / getattr(plain.office, name).name for name in names}
    office = replace(plain.office, url=peer.url, timeout=30.0, **files)
    return replace(plain, office=office, kiosk=replace(plain.kiosk, state=tmp_path))


@pytest.fixture
def work(outbox: Outbox, settings: Settings) -> Iterator[Forwarder]:
    """The forwarder before that peer."""
    client = ReceiverClient(settings.office)
    yield Forwarder(outbox, client, settings)
    client.close()


@pytest.fixture
def page(database, tmp_path: Path) -> Iterator[OperatorPage]:
    """The operator's page over the module's own `database`."""
    running = OperatorPage(tmp_path).start()
    yield running
    running.stop()
