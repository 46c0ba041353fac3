"""Chip Authentication: EF.DG14 as it occurs in the field, and a key agreement that OpenSSL, as the chip, shares."""

import contextlib
import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto.core import Integer, ObjectIdentifier
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

import documents as make
from documents import ec_key
from hardware.card.chip_authentication import DH, ECDH, ChipKey, agree, commands, parse_dg14
from hardware.card.errors import BadData
from hardware.card.key_derivation import Algorithm
from hardware.card.tlv import encode

CA, CA_KEY, AA = "0.4.0.127.0.7.2.2.3", "0.4.0.127.0.7.2.2.1", "2.23.136.1.1.5"
PACE = "0.4.0.127.0.7.2.2.4.2.2"
GROUP = make.STANDARDISED[0]
"""RFC 5114 §2.1: 1024 bits with a subgroup of 160 bits."""
PRIME = GROUP.prime
CIPHERS = (Algorithm.TRIPLE_DES, Algorithm.AES_128, Algorithm.AES_192, Algorithm.AES_256)


def info(oid: str, *values: bytes) -> bytes:
    return encode(0x30, ObjectIdentifier(oid).dump() + b"".join(values))


def number(value: int) -> bytes:
    return Integer(value).dump()


def dg14(*infos: bytes) -> bytes:
    return encode(0x6E, encode(0x31, b"".join(infos)))


def curve_key(curve: str = "BrainpoolP256R1", explicit: bool = True) -> bytes:
    return make.public_info(ec_key(curve), {} if explicit else None).dump()


def pkcs3(peer: int, prime: int, generator: int) -> bytes:
    parameters = encode(0x30, number(prime) + number(generator))
    algorithm = encode(0x30, ObjectIdentifier("1.2.840.113549.1.3.1").dump() + parameters)
    return encode(0x30, algorithm + encode(0x03, b"\x00" + number(peer)))


def x942(peer: int) -> bytes:
    numbers = number(PRIME) + number(int.from_bytes(GROUP.generator, "big")) + number(GROUP.order)
    algorithm = encode(0x30, ObjectIdentifier("1.2.840.10046.2.1").dump() + encode(0x30, numbers))
    return encode(0x30, algorithm + encode(0x03, b"\x00" + number(peer)))


def test_keys_and_protocols_are_paired_by_their_number_best_first():
    first, second = curve_key(), curve_key("SECP384R1")
    found = parse_dg14(
        dg14(
            info(f"{CA}.2.1", number(1), number(1)),
            info(f"{CA}.2.4", number(1), number(2)),
            info(f"{CA}.2.2", number(1), number(7)),
            info(f"{CA_KEY}.2", first, number(1)),
            info(f"{CA_KEY}.2", second, number(2)),
            info(AA, number(1), ObjectIdentifier("0.4.0.127.0.7.1.1.4.1.3").dump()),
            info(PACE, number(2), number(13)),
            info("1.2.3.4", b"\x05\x00"),
        )
    )
    assert found.chip_keys == (
        ChipKey(ECDH, Algorithm.AES_256, b"\x02", second),
        ChipKey(ECDH, Algorithm.TRIPLE_DES, b"\x01", first),
    )
    assert [key.protocol for key in found.chip_keys] == [f"{CA}.2.4", f"{CA}.2.1"]
    assert found.active_authentication == "0.4.0.127.0.7.1.1.4.1.3"
    assert found.pace == {PACE}


def test_a_key_without_protocol_means_version_1_with_3des():
    (found,) = parse_dg14(dg14(info(f"{CA_KEY}.2", curve_key()))).chip_keys
    assert found == ChipKey(ECDH, Algorithm.TRIPLE_DES, None, curve_key(), inferred=True)


def test_a_protocol_of_another_agreement_or_version_does_not_fit():
    for protocol in (info(f"{CA}.1.2", number(1)), info(f"{CA}.2.2", number(2)), info(f"{CA}.2.9", number(1))):
        assert parse_dg14(dg14(protocol, info(f"{CA_KEY}.2", curve_key()))).chip_keys == ()


def test_an_empty_list_offers_nothing():
    assert parse_dg14(dg14()).chip_keys == ()


@pytest.mark.parametrize("curve", ["SECP224R1", "SECP256R1", "SECP521R1", "BrainpoolP256R1", "BrainpoolP512R1"])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_openssl_as_the_chip_comes_to_the_same_keys_over_curves(curve: str, cipher: Algorithm, tmp_path: Path):
    chip = ec_key(curve)
    agreed = agree(ChipKey(ECDH, cipher, None, curve_key(curve, explicit=curve != "SECP224R1")))
    peer = make.ec.EllipticCurvePublicKey.from_encoded_point(chip.curve, agreed.public)
    assert_same_session(derived(tmp_path, chip, peer), cipher, agreed.keys)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("form", ["X9.42", "PKCS #3"])
def test_the_chip_comes_to_the_same_keys_over_prime_fields(form: str, cipher: Algorithm):
    secret, generator = 0x1234567890ABCDEF << 80, int.from_bytes(GROUP.generator, "big")
    peer = pow(generator, secret, PRIME)
    public = pkcs3(peer, PRIME, generator) if form == "PKCS #3" else x942(peer)
    (key,) = parse_dg14(dg14(info(f"{CA}.1.{cipher.value}", number(1)), info(f"{CA_KEY}.1", public))).chip_keys
    agreed = agree(key)
    assert len(agreed.public) == 128
    shared = pow(int.from_bytes(agreed.public, "big"), secret, PRIME).to_bytes(128, "big")
    assert_same_session(shared, cipher, agreed.keys)


def derived(folder: Path, own, peer) -> bytes:
    """The shared secret by the OpenSSL program."""
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.pem").write_bytes(own.private_bytes(*private))
    public = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "peer.pem").write_bytes(peer.public_bytes(*public))
    command = ["openssl", "pkeyutl", "-derive", "-inkey", folder / "own.pem", "-peerkey", folder / "peer.pem"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def assert_same_session(secret: bytes, cipher: Algorithm, keys) -> None:
    """The key derivation counted by hand (Doc 9303-11 §9.7.1)."""
    hashing = hashlib.sha1 if cipher in (Algorithm.TRIPLE_DES, Algorithm.AES_128) else hashlib.sha256
    enc, mac = (hashing(secret + bytes([0, 0, 0, n])).digest()[: cipher.key_size] for n in (1, 2))
    chip, plain = cipher.cipher(enc, mac), bytes(range(32))
    counter = bytes(chip.block)
    assert keys.encrypt(plain, counter) == chip.encrypt(plain, counter)
    assert keys.mac(plain) == chip.mac(plain)


def test_what_tells_the_chip_our_key():
    public = b"\x04" + bytes(64)
    (only,) = commands(ChipKey(ECDH, Algorithm.TRIPLE_DES, b"\x03", b""), public)
    assert only.header == bytes.fromhex("002241A6")
    assert only.data == b"\x91\x41" + public + b"\x84\x01\x03"
    select, general = commands(ChipKey(ECDH, Algorithm.AES_128, None, b""), public)
    assert select.header + select.data == bytes.fromhex("002241A4 800A 04007F00070202030202")
    assert general.header + general.data == bytes.fromhex("00860000 7C43 8041") + public


WEAK = {
    "the neutral element": pkcs3(1, PRIME, 2),
    "minus one": pkcs3(PRIME - 1, PRIME, 2),
    "zero": pkcs3(0, PRIME, 2),
    "beyond the prime": pkcs3(PRIME + 5, PRIME, 2),
    "a small prime": pkcs3(5, (1 << 255) - 19, 2),
    "an even modulus": pkcs3(5, 1 << 1100, 2),
    "no generator": pkcs3(5, PRIME, 1),
    "a curve": curve_key(),
    "nothing": b"",
    "an empty sequence": b"\x30\x00",
}


@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_key_in_a_prime_field_is_refused(kind: str):
    with pytest.raises(BadData):
        agree(ChipKey(DH, Algorithm.AES_128, None, WEAK[kind]))


def test_a_key_outside_the_stated_subgroup_is_refused():
    with pytest.raises(BadData):
        agree(ChipKey(DH, Algorithm.AES_128, None, x942(2)))


def test_a_point_off_the_curve_and_a_forged_curve_are_refused():
    point = make.public_info(ec_key("BrainpoolP256R1"))["public_key"].native
    raw = curve_key()
    off = raw.replace(point, point[:-1] + bytes([point[-1] ^ 1]))
    forged = make.public_info(ec_key("BrainpoolP256R1"), {"base": point}).dump()
    for public in (off, forged, make.public_info(make.rsa_key(2048)).dump(), b"\x30\x00"):
        with pytest.raises(BadData):
            agree(ChipKey(ECDH, Algorithm.AES_128, None, public))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_damage_to_dg14_breaks_the_reader(data):
    raw = bytearray(
        dg14(info(f"{CA}.2.2", number(1)), info(f"{CA_KEY}.2", curve_key()), info(AA, number(1), b"\x06\x01\x2a"))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        for key in parse_dg14(bytes(raw)).chip_keys:
            agree(key)
