"""Who is not admitted, or whose clock is wrong, keeps every dossier and reads why; once mended, everything goes on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.cli import main
from kiosk.config import load
from sync import authority, identity, key_files, key_list, signed
from sync.authority import Authority
from sync.outbox import Sealer
from sync.receiver import kiosks, rotation
from sync.receiver.database import open_database
from tests.sync.province import Province, expected, make_dossier

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
CENTRE = ("ca.pem", "receiver.pem", "receiver.key", "receiver-hpke.key", "receiver-receipt.key", "authority.key")
SETTINGS = ("client_ca", "certificate", "key_file", "hpke_key_file", "receipt_key_file", "authority_key_file")


@pytest.fixture
def apart(tmp_path: Path, keys: Path) -> Iterator[Province]:
    """A province whose keys are this test's own; the kiosk's and the receiver's lie in folders of their own."""
    root, own = tmp_path / "root", shutil.copytree(keys, tmp_path / "kiosk")
    root.mkdir()
    shutil.copytree(keys, root / "centre")
    for name in CENTRE[1:]:
        (own / name).unlink()
    built = Province(root, own)
    lines = [f'{name} = "centre/{file}"' for name, file in zip(SETTINGS, CENTRE, strict=True)]
    lines += ['key_list = "centre/key-list"', 'recovery_key = "centre/recovery.pub"']
    text = built.config.read_text().replace("[receiver]", "\n".join(["[receiver]", *lines]))
    built.config.write_text(text.replace("[office]", '[office]\nrecovery_key = "secrets/recovery.pub"'))
    built.settings = load(built.config, {})
    built.sealer = Sealer.of(built.settings.office, built.settings.kiosk)
    key_list.publish(built.settings.receiver)
    yield built
    built.close()


def start(province: Province) -> None:
    province.start("tthc-model")
    province.start("receiver")


def problem(province: Province, capsys: pytest.CaptureFixture[str]) -> str:
    """Why the road is closed, as the technician reads it."""
    capsys.readouterr()
    assert main(["outbox", "list", "--json", "--config", str(province.config)]) == 0
    return json.loads(capsys.readouterr().out)["receiver"]["problem"]


def present(province: Province, by: Authority, *, registered: bool = True, days: float = 100) -> None:
    """The kiosk shows a certificate for its key from this authority."""
    office = province.settings.office
    key = identity.load(office.key_file).public_key()
    certificate = by.issue(key, "K01", life=timedelta(days=days))
    office.certificate.write_bytes(authority.pem([certificate]))
    if registered:
        signing = signed.signing_key(office.signing_key_file, "key").public_key().public_bytes_raw()
        with closing(open_database(province.settings.receiver)) as database:
            kiosks.enrol(database, "K01", signing, certificate)


def harm(province: Province, how: str) -> None:
    ours = authority.load(province.settings.receiver)[0]
    if how == "expired":
        present(province, ours, days=-1)
    elif how == "foreign":
        present(province, Authority.create("foreign"))
    elif how == "unknown":
        present(province, ours, registered=False)
    else:
        with closing(open_database(province.settings.receiver)) as database:
            if how == "revoked":
                [own] = authority.certificates(province.settings.office.certificate, "certificate")
                kiosks.revoke(database, "K01", "lost", certificate=authority.fingerprint(own))
            else:
                kiosks.retire(database, "K01", "scrapped")


@pytest.mark.parametrize("how", ["expired", "foreign", "unknown", "revoked", "retired"])
def test_whoever_is_not_admitted_keeps_everything_and_goes_on_once_mended(apart: Province, how: str, capsys):
    start(apart)
    first, second = make_dossier(), make_dossier()
    assert apart.outbox.put(first, apart.sealer) is None
    assert apart.forward() in (0, 1)
    assert apart.states() != ["sealed"]
    harm(apart, how)
    apart.kill("receiver")
    apart.start("receiver")  # nothing believed from before
    assert apart.outbox.put(second, apart.sealer) is None
    assert apart.forward() == 1
    assert apart.states()[1] == "sealed"
    # TLS 1.3 tells a client of its refused certificate after the handshake, or the line is only seen to break.
    allowed = ("TLS", "no answer") if how in ("expired", "foreign") else ("403",)
    said = problem(apart, capsys)
    assert any(word in said for word in allowed), said
    if how == "retired":
        return
    present(apart, authority.load(apart.settings.receiver)[0])
    apart.deliver()
    assert apart.arrived() == expected(first, second)


def test_a_revocation_counts_for_a_running_receiver_at_the_next_request(apart: Province, capsys):
    start(apart)
    assert apart.forward() == 0
    command = ["receiver", "revoke", "K01", "--why", "stolen", "--config", str(apart.config)]
    assert main(command) == 0
    assert apart.outbox.put(make_dossier(), apart.sealer) is None
    while apart.forward() == 0:  # a second at most
        assert apart.states() != ["answered"]
    assert "403" in problem(apart, capsys)


@pytest.mark.parametrize("now", ["1971-01-01 00:00:00", "2038-01-20 12:00:00", "2100-06-01 00:00:00"])
def test_a_clock_wrong_by_years_closes_the_road_and_loses_nothing(apart: Province, now: str, capsys):
    start(apart)
    dossier = make_dossier()
    assert apart.outbox.put(dossier, apart.sealer) is None
    assert Path(FAKETIME).exists(), "the tests need the Debian package faketime"
    fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{now}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    command = [sys.executable, "main.py", "forward", "--once", "--config", str(apart.config)]
    done = subprocess.run(command, env={**os.environ, **fake}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert apart.states() == ["sealed"]
    said = problem(apart, capsys)
    assert "clock" in said
    apart.deliver()
    assert apart.arrived() == expected(dossier)


def by_stick(province: Province, tmp_path: Path) -> None:
    """Request out, answer in, while the line is down: new certificate, new signing key, the newest list."""
    config = ["--config", str(province.config)]
    for words in (
        ["enrol", "request", str(tmp_path / "request")],
        ["receiver", "enrol", str(tmp_path / "request"), "--out", str(tmp_path / "answer"), "--yes"],
        ["enrol", "accept", str(tmp_path / "answer")],
    ):
        assert main(words + config) == 0
    with closing(open_database(province.settings.receiver)) as database:
        old = next(one for one in kiosks.listed(database) if one.id == "K01").certificates[0]["fingerprint"]
        kiosks.revoke(database, "K01", "renewed", certificate=old)


@pytest.mark.parametrize("way", ["stick", "line"])
def test_everything_is_replaced_in_a_long_outage_with_a_full_queue_and_nothing_is_lost(apart, tmp_path, way):
    """The drill of docs/delivery.md: the kiosk hears of it by stick before the line is back, or by the line itself."""
    settings, office = apart.settings.receiver, apart.settings.office
    dossiers = [make_dossier() for _ in range(4)]
    for dossier in dossiers[:3]:
        assert apart.outbox.put(dossier, apart.sealer) is None
    rotation.new_opening_key(settings)
    rotation.new_receipt_key(settings)
    rotation.new_authority(settings, "Tỉnh Thử Nghiệm")
    rotation.new_server_certificate(settings, ["127.0.0.1"], oldest=True)
    assert key_list.publish(settings).number == 4
    if way == "stick":
        by_stick(apart, tmp_path)
        assert len(key_files.earlier(office.signing_key_file.with_suffix(".pub"))) == 1
    renewed = Sealer.of(office, apart.settings.kiosk)
    assert (renewed.by.public_key() != apart.sealer.by.public_key()) == (way == "stick")
    assert apart.outbox.put(dossiers[3], renewed) is None
    start(apart)
    apart.deliver()
    assert apart.states() == ["answered"] * 4
    assert apart.arrived() == expected(*dossiers)
    assert key_list.number(office) == 4
    assert len(authority.certificates(office.ca, "authorities")) == 2
