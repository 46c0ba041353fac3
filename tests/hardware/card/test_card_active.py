"""Active Authentication: only the whole signature over this challenge, by the key of EF.DG15, proves the chip."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

import documents as make
from documents import ec_key, rsa_key
from hardware.card.active import CHALLENGE_BYTES, challenge, key_of_dg15, proves_key
from hardware.card.errors import BadData
from hardware.card.tlv import encode

ASKED = bytes.fromhex("F173589974BF40C6")
APPENDIX_F = bytes.fromhex(
    "6A9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC1991B543F1696546C5524CF23A5303CD6C98599F40B79F377B"
    "5F3A1406B3B4D8F96784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD4E7292E2DCDA3024B47DA8C063AA1E6D"
    "22FBD976AB0FE73D94D2D9C6D88127BC"
)
"""The block of Doc 9303-11 Appendix F, which has no key; its challenge is `ASKED`."""
TRAILERS = {"sha1": b"\xbc", "sha224": b"\x38\xcc", "sha256": b"\x34\xcc", "sha384": b"\x36\xcc", "sha512": b"\x35\xcc"}
PLAIN = {"sha1": 1, "sha224": 2, "sha256": 3, "sha384": 4, "sha512": 5}
CURVES = ("SECP224R1", "SECP256R1", "SECP384R1", "SECP521R1", "BrainpoolP256R1", "BrainpoolP384R1", "BrainpoolP512R1")


def block(size: int, hash_name: str, asked: bytes = ASKED, trailer: bytes | None = None, padding: int = 0) -> bytes:
    """ISO/IEC 9796-2 scheme 1; `padding` octets of filling before M1."""
    trailer = TRAILERS[hash_name] if trailer is None else trailer
    header = b"\x6a" if padding == 0 else b"\x6b" + b"\xbb" * (padding - 1) + b"\xba"
    filling = size - len(header) - hashlib.new(hash_name).digest_size - len(trailer)
    recoverable = bytes(range(256))[:filling] + bytes(max(filling - 256, 0))
    return header + recoverable + hashlib.new(hash_name, recoverable + asked).digest() + trailer


def answer(content: bytes, bits: int = 2048) -> bytes:
    numbers = rsa_key(bits).private_numbers()
    return pow(int.from_bytes(content, "big"), numbers.d, numbers.public_numbers.n).to_bytes(bits // 8, "big")


def public(bits: int = 2048):
    return key_of_dg15(encode(0x6F, make.public_info(rsa_key(bits)).dump()))


@pytest.mark.parametrize("bits", [1024, 2048])
@pytest.mark.parametrize("hash_name", TRAILERS)
def test_a_chip_with_an_rsa_key_is_believed(hash_name: str, bits: int):
    assert proves_key(public(bits), ASKED, answer(block(bits // 8, hash_name), bits))


def test_the_worked_example_of_the_specification():
    assert proves_key(public(1024), ASKED, answer(APPENDIX_F, 1024))
    assert not proves_key(public(1024), ASKED[::-1], answer(APPENDIX_F, 1024))


@pytest.mark.parametrize("padding", [1, 2, 40])
def test_a_padded_header_is_understood(padding: int):
    assert proves_key(public(), ASKED, answer(block(256, "sha256", padding=padding)))


def test_a_chip_may_send_the_smaller_of_both_roots():
    modulus = rsa_key(2048).public_key().public_numbers().n
    other = modulus - int.from_bytes(answer(block(256, "sha256")), "big")
    assert proves_key(public(), ASKED, other.to_bytes(256, "big"))


def by_remainders(number: int, key: rsa.RSAPrivateNumbers) -> int:
    """RSA's private operation, four times as fast as by one power."""
    by_p, by_q = pow(number, key.dmp1, key.p), pow(number, key.dmq1, key.q)
    return by_q + key.q * (key.iqmp * (by_p - by_q) % key.p)


def test_an_answer_that_lost_its_leading_zeros_is_understood():
    numbers = rsa_key(2048).private_numbers()
    for count in range(5000):
        content = bytearray(block(256, "sha256"))
        content[1:5] = count.to_bytes(4, "big")
        content[-34:-2] = hashlib.sha256(bytes(content[1:-34]) + ASKED).digest()
        signature = by_remainders(int.from_bytes(content, "big"), numbers)
        if signature.bit_length() <= 2040:
            break
    assert proves_key(public(), ASKED, signature.to_bytes(255, "big"))


def test_openssl_recovers_the_block_that_we_accept(tmp_path: Path):
    """The same public operation by another program, and the hash counted out of the recovered block by hand."""
    response = answer(block(256, "sha256"))
    assert proves_key(public(), ASKED, response)
    key = tmp_path / "key.pem"
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key.write_bytes(rsa_key(2048).public_key().public_bytes(*form))
    recovered = subprocess.run(
        ["openssl", "pkeyutl", "-verifyrecover", "-pubin", "-inkey", key, "-pkeyopt", "rsa_padding_mode:none"],
        input=response, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert recovered[0] == 0x6A
    assert recovered[-2:] == b"\x34\xcc"
    assert recovered[-34:-2] == hashlib.sha256(recovered[1:-34] + ASKED).digest()


BROKEN = {
    "another challenge": block(256, "sha256", asked=bytes(8)),
    "another trailer": block(256, "sha256", trailer=b"\x34\xcd"),
    "an unknown hash": block(256, "sha256", trailer=b"\x37\xcc"),
    "the trailer of another hash": block(256, "sha256", trailer=b"\x35\xcc"),
    "a short trailer under a long hash": block(256, "sha256", trailer=b"\xbc"),
    "full recovery": b"\x4a" + block(256, "sha256")[1:],
    "no border": b"\x60" + block(256, "sha256")[1:],
    "a border at half an octet": b"\x6b\xa0" + block(256, "sha256")[2:],
    "filling without end": b"\x6b" + b"\xbb" * 253 + b"\x34\xcc",
    "PKCS#1": b"\x00\x01" + b"\xff" * 202 + bytes(52),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_block_that_is_not_exactly_right_proves_nothing(kind: str):
    assert len(BROKEN[kind]) == 256
    assert not proves_key(public(), ASKED, answer(BROKEN[kind]))


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 255), bit=st.integers(0, 7))
def test_every_bit_of_the_block_counts(at: int, bit: int):
    content = bytearray(block(256, "sha256"))
    content[at] ^= 1 << bit
    assert not proves_key(public(), ASKED, answer(bytes(content)))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_answer_breaks_it_or_passes(response: bytes):
    assert not proves_key(public(), ASKED, response)
    assert not proves_key(ec_key().public_key(), ASKED, response, "0.4.0.127.0.7.1.1.4.1.3")


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("hash_name", PLAIN)
def test_a_chip_with_a_key_on_a_curve_is_believed(curve: str, hash_name: str):
    key = ec_key(curve)
    der = key.sign(ASKED, ec.ECDSA(make.HASHES[hash_name]()))
    size = (key.curve.key_size + 7) // 8
    plain = b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))
    algorithm = f"0.4.0.127.0.7.1.1.4.1.{PLAIN[hash_name]}"
    published = key_of_dg15(encode(0x6F, make.public_info(key, {} if curve != "SECP224R1" else None).dump()))
    assert proves_key(published, ASKED, plain, algorithm)
    assert proves_key(published, ASKED, der, algorithm)
    assert not proves_key(published, bytes(8), plain, algorithm)
    assert not proves_key(published, ASKED, plain[::-1], algorithm)
    other = f"0.4.0.127.0.7.1.1.4.1.{PLAIN[hash_name] % 5 + 1}"
    assert not proves_key(published, ASKED, plain, other)


def test_the_hash_of_a_curve_is_never_guessed():
    signature = ec_key().sign(ASKED, ec.ECDSA(hashes.SHA256()))
    for algorithm in (None, "", "0.4.0.127.0.7.1.1.4.1.6", "1.2.840.10045.4.3.2"):
        with pytest.raises(BadData):
            proves_key(ec_key().public_key(), ASKED, signature, algorithm)


def test_challenges_are_fresh():
    drawn = {challenge() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(one) for one in drawn} == {CHALLENGE_BYTES}
    with pytest.raises(BadData):
        proves_key(public(), b"", answer(block(256, "sha256", asked=b"")))


@pytest.mark.parametrize(
    "raw", [b"", b"\x6f\x00", encode(0x6F, b"\x30\x00"), encode(0x6E, b""), encode(0x6F, bytes(50))]
)
def test_a_broken_dg15_is_refused(raw: bytes):
    with pytest.raises(BadData):
        key_of_dg15(raw)


def test_a_tiny_key_is_refused():
    info = make.public_info(rsa_key(2048))
    info["public_key"] = make.keys.RSAPublicKey({"modulus": (1 << 511) + 1, "public_exponent": 3})
    with pytest.raises(BadData):
        key_of_dg15(encode(0x6F, info.dump()))
