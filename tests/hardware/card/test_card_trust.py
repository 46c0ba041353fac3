"""The trust folder: what it takes in, from whom, and how quickly it answers."""

import base64
import time
from pathlib import Path

import pytest

import documents as make
from documents import DAY, NOW, csca, ec_key, issue, name, signer
from hardware.card.trust import TrustStore, load_anchors

LIST_SIGNING = make.extension("extended_key_usage", ["2.23.136.1.1.3"], critical=True)
HOME = csca("DE")
LISTER = signer(HOME, ec_key(nth=30), "DE", extra=[LIST_SIGNING])
LISTED = [csca("UT"), csca("FR"), csca("DE")]


def pem(kind: str, der: bytes) -> bytes:
    return f"-----BEGIN {kind}-----\n".encode() + base64.encodebytes(der) + f"-----END {kind}-----\n".encode()


def store(folder: Path, *files: bytes) -> TrustStore:
    for number, raw in enumerate(files):
        (folder / f"{number}.bin").write_bytes(raw)
    return load_anchors(folder)


def names(found: TrustStore) -> set[str]:
    return {anchor.subject.native["country_name"] for anchor in found.anchors}


def test_a_master_list_brings_anchors_of_many_states(tmp_path: Path):
    found = store(tmp_path, make.master_list(LISTED, LISTER, signed_at=NOW - DAY), HOME.der)
    assert names(found) == {"DE", "UT", "FR"}
    assert found.list_dates == (NOW - DAY,)


LISTS = {
    "its CSCA is only in the list itself": lambda: (make.master_list(LISTED, LISTER),),
    "its signer signs documents": lambda: (
        make.master_list(LISTED, signer(HOME, ec_key(nth=30), "DE")),
        HOME.der,
    ),
    "it is altered": lambda: (make.master_list(LISTED, LISTER, digest_of=b"another"), HOME.der),
    "it is of another type": lambda: (make.master_list(LISTED, LISTER, content_type="2.23.136.1.1.1"), HOME.der),
    "its signer has another CSCA": lambda: (
        make.master_list(LISTED, signer(csca("DE", "CSCA", 3), ec_key(nth=30), "DE", extra=[LIST_SIGNING])),
        HOME.der,
    ),
    "it was signed out of time": lambda: (make.master_list(LISTED, LISTER, signed_at=NOW - 900 * DAY), HOME.der),
    "it is cut off": lambda: (make.master_list(LISTED, LISTER)[:-50], HOME.der),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_master_list_that_nobody_vouches_for_brings_nothing(kind: str, tmp_path: Path, caplog):
    assert names(store(tmp_path, *LISTS[kind]())) <= {"DE"}
    assert "left out" in caplog.text or "not a usable" in caplog.text


def test_certificates_and_lists_may_be_pem_and_several_to_a_file(tmp_path: Path):
    revoked = make.revocation_list(csca("UT"))
    found = store(tmp_path, pem("CERTIFICATE", csca("UT").der) + pem("CERTIFICATE", HOME.der), pem("X509 CRL", revoked))
    assert names(found) == {"UT", "DE"}
    assert len(found.crls) == 1


def test_links_lead_from_anchor_to_anchor_and_never_further(tmp_path: Path):
    generations = [issue(name("UT", "Root"), ec_key(nth=60), ca=True)]
    for n in range(61, 64):
        generations.append(issue(name("UT", "Root"), ec_key(nth=n), generations[-1], ca=True))
    assert len(store(tmp_path, *(one.der for one in reversed(generations))).anchors) == 4
    (tmp_path / "1.bin").unlink()  # the third generation: the fourth is now without anybody to vouch for it
    assert len(load_anchors(tmp_path).anchors) == 2


def test_a_link_leads_to_no_other_country(tmp_path: Path):
    foreign = issue(name("UT", "Claims"), ec_key(nth=70), HOME, ca=True)
    assert names(store(tmp_path, HOME.der, foreign.der)) == {"DE"}


def test_a_signer_or_a_forged_self_signature_is_no_anchor(tmp_path: Path):
    forged = issue(name("DE", "CSCA"), ec_key(nth=80), issue(name("DE", "CSCA"), ec_key(nth=81), ca=True), ca=True)
    assert store(tmp_path, signer(HOME, country="DE").der, forged.der).anchors == ()


def test_the_same_certificate_counts_once(tmp_path: Path):
    assert len(store(tmp_path, HOME.der, HOME.der, make.master_list([HOME], LISTER)).anchors) == 1


@pytest.mark.parametrize(
    "rubbish", [b"", b"\x30", b"\x30\x80", b"\x30\x03\x02\x01\x01", b"-----BEGIN CERTIFICATE-----", bytes(99)]
)
def test_rubbish_is_left_out_with_a_warning(rubbish: bytes, tmp_path: Path, caplog):
    assert names(store(tmp_path, HOME.der, rubbish)) == {"DE"}
    assert "1.bin is not a usable" in caplog.text


def test_a_changed_folder_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path):
    first = store(tmp_path, HOME.der)
    assert load_anchors(tmp_path) is first
    assert names(store(tmp_path, HOME.der, csca("UT").der)) == {"DE", "UT"}


def test_a_long_master_list_is_read_in_reasonable_time(tmp_path: Path):
    many = [issue(name("UT", f"CSCA {n}"), ec_key(nth=90), ca=True) for n in range(300)]
    started = time.process_time()
    assert len(store(tmp_path, HOME.der, make.master_list(many, LISTER)).anchors) == 301
    assert time.process_time() - started < 5
