"""Passive Authentication: the grade that every kind of good and bad document gets, with OpenSSL as second opinion."""

import contextlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.card.curves import curve_of
from hardware.card.errors import BadData
from hardware.card.passive import Verdict, judge, load_anchors, parse_sod
from hardware.card.signatures import public_key
from hardware.card.tlv import encode, need
from hardware.simulators.personalisation.issuer import Issuer
from kiosk.citizen import IdentityGrade

GROUPS = {1: b"first group", 2: b"second group", 13: b"third group"}
NOW = datetime.now(UTC)


def verdict(raw: bytes, trust: Path | None, groups: dict[int, bytes] = GROUPS) -> Verdict:
    return judge(parse_sod(raw), groups, load_anchors(trust), NOW)


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    run = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def test_a_document_of_a_trusted_issuer_is_verified(issuer: Issuer, csca: Path):
    assert verdict(issuer.sign(GROUPS), csca) == Verdict(IdentityGrade.ISSUER_VERIFIED)


def test_only_the_groups_that_were_read_need_to_match(issuer: Issuer, csca: Path):
    assert verdict(issuer.sign(GROUPS), csca, {1: GROUPS[1]}).grade is IdentityGrade.ISSUER_VERIFIED


def test_the_trust_folder_may_hold_pem_and_other_things(issuer: Issuer, csca: Path):
    der = (csca / "test-csca.cer").read_bytes()
    (csca / "test-csca.cer").unlink()
    (csca / "csca.pem").write_bytes(openssl("x509", "-inform", "DER", data=der))
    (csca / "README").write_text("where these come from")
    (csca / "empty.cer").touch()
    (csca / "folder").mkdir()
    assert verdict(issuer.sign(GROUPS), csca).grade is IdentityGrade.ISSUER_VERIFIED


@pytest.mark.parametrize("number", [1, 2, 13])
def test_one_altered_group_leaves_only_a_chip_that_was_read(issuer: Issuer, csca: Path, number: int):
    altered = GROUPS | {number: GROUPS[number] + b"."}
    assert verdict(issuer.sign(GROUPS), csca, altered) == Verdict(
        IdentityGrade.CHIP_READ, ("data_group_hash_mismatch",)
    )


def test_a_group_that_is_not_signed_is_not_believed(issuer: Issuer, csca: Path):
    assert verdict(issuer.sign({1: GROUPS[1]}), csca).grade is IdentityGrade.CHIP_READ


@pytest.mark.parametrize("what", ["signature", "content"])
def test_an_altered_security_object_leaves_only_a_chip_that_was_read(issuer: Issuer, csca: Path, what: str):
    raw = bytearray(issuer.sign(GROUPS))
    sod = parse_sod(bytes(raw))
    place = sod.signed["signer_infos"][0]["signature"].native if what == "signature" else sod.hashes[1]
    raw[raw.index(place) + len(place) - 1] ^= 1
    found = verdict(bytes(raw), csca, {2: GROUPS[2]})
    assert found.grade is IdentityGrade.CHIP_READ
    assert "passive_auth_failed" in found.problems[0]


def problem(found: Verdict) -> str:
    assert found.grade is IdentityGrade.INTEGRITY_ONLY
    return found.problems[0]


def test_without_an_anchor_only_integrity_is_proven(issuer: Issuer, tmp_path: Path):
    assert "no anchor" in problem(verdict(issuer.sign(GROUPS), None))
    assert "no anchor" in problem(verdict(issuer.sign(GROUPS), tmp_path))
    assert "no anchor" in problem(verdict(issuer.sign(GROUPS), tmp_path / "missing"))


def test_an_anchor_of_the_right_name_but_another_key_does_not_vouch(csca: Path):
    assert "no anchor" in problem(verdict(Issuer().sign(GROUPS), csca))


def test_an_expired_signer_is_not_verified(tmp_path: Path):
    expired = Issuer(signer_days=-1)
    expired.write_csca(tmp_path)
    assert "validity" in problem(verdict(expired.sign(GROUPS), tmp_path))


def test_another_country_cannot_vouch_for_our_cards(tmp_path: Path):
    foreign = Issuer(country="UT")
    foreign.write_csca(tmp_path)
    assert "country" in problem(verdict(foreign.sign(GROUPS), tmp_path))


def test_openssl_verifies_what_the_test_issuer_signs(issuer: Issuer, csca: Path, tmp_path: Path):
    message = tmp_path / "sod.der"
    message.write_bytes(need(issuer.sign(GROUPS), 0x77))
    anchor = tmp_path / "csca.pem"
    anchor.write_bytes(openssl("x509", "-inform", "DER", "-in", str(csca / "test-csca.cer")))
    content = openssl(
        "cms", "-verify", "-inform", "DER", "-in", str(message), "-CAfile", str(anchor), "-purpose", "any", "-binary"
    )
    assert content == parse_sod(issuer.sign(GROUPS)).content


EXPLICIT = ("ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-pkeyopt", "ec_param_enc:explicit")
SIGNERS = {
    "rsa": (("rsa:2048",), ()),
    "rsa-pss": (("rsa:2048",), ("-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32")),
    "brainpool with explicit parameters": (EXPLICIT, ()),
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_documents_that_openssl_signs_are_understood(kind: str, issuer: Issuer, tmp_path: Path):
    key, options = SIGNERS[kind]
    files = ("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "signer.pem"))
    openssl("req", "-x509", "-newkey", *key, "-noenc", "-subj", "/C=VN/CN=Signer", "-sha256", *files)
    content = parse_sod(issuer.sign(GROUPS)).content
    signed = openssl(
        "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-outform", "DER", "-md", "sha256",
        "-econtent_type", "2.23.136.1.1.1", "-signer", str(tmp_path / "signer.pem"),
        "-inkey", str(tmp_path / "key.pem"), *options,
        data=content,
    )  # fmt: skip
    assert verdict(encode(0x77, signed), None).grade is IdentityGrade.INTEGRITY_ONLY
    assert verdict(encode(0x77, signed), None, {1: b"altered"}).grade is IdentityGrade.CHIP_READ


def test_a_curve_with_a_forged_generator_is_refused(tmp_path: Path):
    names = ("-subj", "/C=VN/CN=x", "-keyout", str(tmp_path / "k"), "-outform", "DER")
    raw = openssl("req", "-x509", "-newkey", *EXPLICIT, "-noenc", *names)
    info = x509.Certificate.load(raw).public_key
    assert public_key(info).curve.name == "brainpoolP256r1"
    domain = info["algorithm"]["parameters"].chosen
    base = bytearray(domain["base"].native)
    base[-1] ^= 1
    domain["base"] = bytes(base)
    with pytest.raises(BadData):
        curve_of(info["algorithm"]["parameters"])


GOOD = Issuer().sign(GROUPS)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_damage_breaks_passive_authentication_or_passes_it(data):
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        assert verdict(bytes(raw), None).grade in (IdentityGrade.CHIP_READ, IdentityGrade.INTEGRITY_ONLY)
