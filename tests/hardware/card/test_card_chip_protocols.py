"""The simulated chip shows its keys: Active and Chip Authentication, mapping with chip authentication, files."""

import hashlib
import subprocess
from datetime import date
from pathlib import Path

import pytest
from asn1crypto import cms
from asn1crypto.keys import PublicKeyInfo
from cryptography.hazmat.primitives.serialization import Encoding

from hardware.card.active import challenge, key_of_dg15, proves_key
from hardware.card.apdu import OK, Channel, Command, Response
from hardware.card.bac import authenticate
from hardware.card.card_access import CARD_ACCESS, parse_card_access
from hardware.card.certificates import load_certificate, made_signature
from hardware.card.chip_authentication import agree, commands, parse_dg14
from hardware.card.cms_signature import verified_content
from hardware.card.key_derivation import Algorithm, fresh_session
from hardware.card.lds import APPLICATION, COM
from hardware.card.mapping import Mapping
from hardware.card.pace import Password, establish
from hardware.card.secure_messaging import SecureMessaging
from hardware.card.tlv import elements, encode, need
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.chip import ACTIVE, AGREEMENT, Chip
from hardware.simulators.personalisation.chip_keys import card_security_infos, security_groups
from hardware.simulators.personalisation.issuer import SECURITY_INFOS, Issuer
from hardware.simulators.personalisation.master_file import CARD_SECURITY
from hardware.simulators.personalisation.pace import PaceProfile
from kiosk.citizen import AccessKey

KEY = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
CONTENT = encode(COM.tag, bytes(range(256)) * 4)
SELECT = Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION)
SHORT, EXTENDED = 256, 65_536
Link = tuple[Channel, SecureMessaging]


def card(chip: Chip, *, clone: bool = False) -> Applet:
    files = {COM.sfi: CONTENT} | security_groups(chip.secrets("a"), chip.profile("a"))
    secrets = chip.secrets("a", clone=clone)
    return Applet(files, KEY, chip.profile("a", clone=clone), secrets=secrets, traits=chip.traits())


def by_bac(applet: Applet) -> Link:
    channel = Channel(applet.process)
    assert channel.send(SELECT).sw == OK
    session = authenticate(channel, KEY)
    assert session is not None
    return channel, session


def send(link: Link, command: Command) -> Response:
    channel, session = link
    return session.unprotect(channel.send(session.protect(command)))


def file(link: Link, sfi: int) -> bytes:
    """A file read in small blocks."""
    content = b""
    while True:
        p1 = len(content) >> 8 if content else 0x80 | sfi
        answer = send(link, Command(0, 0xB0, p1, len(content) & 0xFF, le=100))
        content += answer.data
        if answer.sw != OK:
            return content


def active_answer(link: Link, asked: bytes, le: int) -> Response:
    return send(link, Command(0x00, 0x88, 0, 0, asked, le))


RSA = [f"rsa1024-{name}" for name in ("sha1", "sha224", "sha256", "sha384", "sha512")] + ["rsa2048-sha256"]
CURVES = [f"ecdsa-{curve}-sha256" for curve in ("p224", "p256", "p384", "p521", "brainpoolP256r1", "brainpoolP512r1")]
HASHES = [f"ecdsa-p256-{name}" for name in ("sha1", "sha224", "sha384", "sha512", "sha256-der")]


@pytest.mark.parametrize("kind", RSA + CURVES + HASHES)
def test_a_chip_proves_the_key_of_its_dg15_and_its_clone_does_not(kind: str):
    chip = Chip(active=ACTIVE[kind])
    for clone in (False, True):
        link = by_bac(card(chip, clone=clone))
        key = key_of_dg15(file(link, 15))
        dg14 = file(link, 14)
        assert bool(dg14) == kind.startswith("ecdsa")
        algorithm = parse_dg14(dg14).active_authentication if dg14 else None
        asked = challenge()
        answer = active_answer(link, asked, EXTENDED if "rsa2048" in kind else SHORT)
        assert proves_key(key, asked, answer.data, algorithm) is not clone
        assert not proves_key(key, challenge(), answer.data, algorithm)


def test_the_block_under_an_rsa_answer_is_that_of_iso_9796():
    """The public operation and the hash, counted without the reader's code."""
    link = by_bac(card(Chip(active=ACTIVE["rsa1024-sha256"])))
    info = PublicKeyInfo.load(need(file(link, 15), 0x6F))["public_key"].parsed.native
    asked = bytes(range(8))
    signature = int.from_bytes(active_answer(link, asked, SHORT).data, "big")
    block = pow(signature, info["public_exponent"], info["modulus"]).to_bytes(128, "big")
    assert (block[0], block[-2:]) == (0x6A, b"\x34\xcc")
    assert block[-34:-2] == hashlib.sha256(block[1:-34] + asked).digest()


def test_a_long_answer_is_refused_in_a_short_frame_and_comes_in_an_extended_one():
    link = by_bac(card(Chip(active=ACTIVE["rsa2048-sha256"])))
    assert active_answer(link, challenge(), SHORT) == Response(b"", 0x6700)
    assert len(active_answer(link, challenge(), EXTENDED).data) == 256


@pytest.mark.parametrize("asked", [b"", bytes(7), bytes(9)])
def test_only_a_whole_challenge_is_signed(asked: bytes):
    assert active_answer(by_bac(card(Chip(active=ACTIVE["rsa1024-sha1"]))), asked, SHORT).sw == 0x6700


def test_nothing_is_signed_before_the_chip_is_open():
    applet = card(Chip(active=ACTIVE["rsa1024-sha1"]))
    assert applet.process(Command(0, 0x88, 0, 0, bytes(8), SHORT).encode()) == bytes.fromhex("6D00")
    applet.process(SELECT.encode())
    assert applet.process(Command(0, 0x88, 0, 0, bytes(8), SHORT).encode()) == bytes.fromhex("6982")


AGREEMENTS = [
    f"{family}-{cipher}-{group}"
    for family, group in (("ecdh", "brainpoolP256r1"), ("ecdh", "p384"), ("dh", "modp1024"))
    for cipher in ("3des", "aes128", "aes192", "aes256")
] + ["ecdh-3des-p256-keyonly", "dh-aes128-modp2048-224", "dh-aes256-modp2048-256", "ecdh-aes128-p521"]


def agreed(link: Link) -> Link:
    """Chip Authentication with the key of EF.DG14: the link under the new keys."""
    (chip,) = parse_dg14(file(link, 14)).chip_keys
    agreement = agree(chip)
    for command in commands(chip, agreement.public):
        assert send(link, command).sw == OK
    return link[0], fresh_session(agreement.keys)


@pytest.mark.parametrize("kind", AGREEMENTS)
def test_after_chip_authentication_the_chip_speaks_under_the_new_keys(kind: str):
    old = by_bac(card(Chip(chip_authentication=AGREEMENT[kind])))
    new = agreed(old)
    assert file(new, COM.sfi) == CONTENT
    assert old[0].send(old[1].protect(Command(0, 0xB0, 0, 0, le=1))).sw == 0x6988


def test_a_key_alone_stands_in_dg14_without_a_protocol():
    (chip,) = parse_dg14(
        file(by_bac(card(Chip(chip_authentication=AGREEMENT["ecdh-3des-p256-keyonly"]))), 14)
    ).chip_keys
    assert chip.inferred
    assert chip.algorithm is Algorithm.TRIPLE_DES


@pytest.mark.parametrize("kind", ["ecdh-aes128-brainpoolP256r1", "ecdh-3des-p256", "dh-aes128-modp1024"])
def test_a_clone_cannot_speak_under_the_new_keys(kind: str):
    channel, session = agreed(by_bac(card(Chip(chip_authentication=AGREEMENT[kind]), clone=True)))
    assert channel.send(session.protect(Command(0, 0xB0, 0x9E, 0, le=8))) == Response(b"", 0x6988)


@pytest.mark.parametrize("public", [b"", b"\x04" + bytes(64), b"\x02" + bytes(32)])
def test_a_point_off_the_curve_is_refused_and_the_session_goes_on(public: bytes):
    link = by_bac(card(Chip(chip_authentication=AGREEMENT["ecdh-aes128-brainpoolP256r1"])))
    (chip,) = parse_dg14(file(link, 14)).chip_keys
    template, general = commands(chip, public)
    assert send(link, template).sw == OK
    assert send(link, general) == Response(b"", 0x6A80)
    assert file(link, COM.sfi) == CONTENT


def test_the_wrong_template_is_refused():
    link = by_bac(card(Chip(chip_authentication=AGREEMENT["ecdh-aes128-brainpoolP256r1"])))
    (chip,) = parse_dg14(file(link, 14)).chip_keys
    template, _ = commands(chip, b"")
    assert send(link, Command(0, 0x22, 0x41, 0xA6, encode(0x91, agree(chip).public))).sw == 0x6A80
    assert send(link, Command(0, 0x22, 0x41, 0xA4, template.data + b"\x84\x01\x07")).sw == 0x6A88
    assert send(link, Command(0, 0x22, 0x41, 0xA4, template.data[:-1] + b"\x04")).sw == 0x6A80


def test_dg14_repeats_what_card_access_says():
    for pace in (PaceProfile(), PaceProfile(Mapping.CHIP_AUTHENTICATION, Algorithm.AES_256, 16)):
        dg14 = need(security_groups(Chip(pace=pace).secrets("a"), pace)[14], 0x6E, 0x31)
        assert list(elements(dg14)) == list(elements(need(pace.card_access(), 0x31)))


# Mapping with chip authentication

CAM = Chip(pace=PaceProfile(Mapping.CHIP_AUTHENTICATION))
ISSUER = Issuer()


def by_cam(*, clone: bool = False):
    """The link into the master file, and what PACE showed of the chip."""
    own = CAM.profile("a")
    assert own is not None
    root = {CARD_SECURITY: ISSUER.sign_card_security(card_security_infos(own))}
    applet = Applet({COM.sfi: CONTENT}, KEY, CAM.profile("a", clone=clone), root=root)
    channel = Channel(applet.process)
    (offer,) = parse_card_access(channel.send(Command(0, 0xB0, 0x80 | CARD_ACCESS.sfi, 0, le=256)).data)
    opened = establish(channel, offer, Password.from_key(KEY), ambiguous=False)
    assert opened is not None
    return (channel, opened.session), opened.proof


def mapping_key(content: bytes) -> tuple[bytes, bytes]:
    """The point and the key number among security infos."""
    for _, info in elements(need(content, 0x31)):
        (_, protocol), (_, key), *rest = elements(info)
        if protocol == bytes.fromhex("04007F000702020102"):
            return need(key, 0x03)[1:], rest[0][1]
    raise AssertionError("no key")


@pytest.mark.parametrize("clone", [False, True])
def test_card_security_has_the_key_that_the_mapping_showed_and_a_clone_has_another(clone: bool):
    link, proof = by_cam(clone=clone)
    raw = file(link, CARD_SECURITY)
    assert raw[0] == 0x30
    signed = cms.ContentInfo.load(raw)["content"]
    statement = verified_content(signed, SECURITY_INFOS)
    point, number = mapping_key(statement.content)
    assert number == b"\x0d"
    assert proof.fits(point) is not clone
    anchor = load_certificate(ISSUER.csca.public_bytes(Encoding.DER))
    assert made_signature(anchor, statement.signer)
    assert statement.signer.issuer == anchor.subject
    assert send(link, SELECT).sw == OK
    assert file(link, COM.sfi) == CONTENT
    assert send(link, Command(0, 0xB0, 0x80 | CARD_SECURITY, 0, le=8)).sw == 0x6A82  # there it is EF.SOD's number


def test_card_security_is_hidden_before_pace():
    own = CAM.profile("a")
    applet = Applet({}, KEY, own, root={CARD_SECURITY: b"\x30\x00"})
    assert applet.process(bytes.fromhex("00B09D0000")) == bytes.fromhex("6982")
    assert applet.process(bytes.fromhex("00A4020C02011D")) == bytes.fromhex("6982")
    assert applet.process(bytes.fromhex("00A4020C02011C")) == bytes.fromhex("9000")
    assert applet.process(bytes.fromhex("00B0000000")).endswith(bytes.fromhex("6282"))


def test_the_signed_digest_is_that_of_the_security_infos():
    own = CAM.profile("a")
    assert own is not None
    infos = card_security_infos(own)
    signed = cms.ContentInfo.load(ISSUER.sign_card_security(infos))["content"]
    attributes = {one["type"].native: one["values"][0].native for one in signed["signer_infos"][0]["signed_attrs"]}
    assert attributes == {"content_type": SECURITY_INFOS, "message_digest": hashlib.sha256(infos).digest()}


def test_openssl_finds_the_signature_over_card_security_right(tmp_path: Path):
    own = CAM.profile("a")
    assert own is not None
    infos = card_security_infos(own)
    raw = ISSUER.sign_card_security(infos)
    for content, right in ((raw, True), (raw.replace(infos[-20:], bytes(20)), False)):
        (tmp_path / "raw").write_bytes(content)
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", tmp_path / "raw", "-noverify", "-binary"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode == 0) is right
        assert (done.stdout == infos) is right
