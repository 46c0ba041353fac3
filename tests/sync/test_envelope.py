"""Envelopes: what the kiosk seals only the receiver and the recovery key open, and only as it was sealed."""

import copy
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import signed
from sync.envelope import (
    CHUNK,
    TAG,
    EnvelopeError,
    Label,
    Manifest,
    Opened,
    Sealed,
    key_id,
    new_submission_id,
    open_envelope,
    read_manifest,
    seal,
)

GOLDEN = Path(__file__).parent / "golden"
PROVINCE = X25519PrivateKey.generate()
RECOVERY = X25519PrivateKey.generate()
KIOSK = Ed25519PrivateKey.generate()
PAYLOAD = {"reference_uid": "r", "owner": {"full_name": "NGUYỄN THỊ MẪU"}}
FILES = {"a.pdf": b"A" * (2 * CHUNK + 5), "empty.bin": b"", "exact.bin": b"x" * CHUNK}


def sealed(files=FILES, **label) -> Sealed:
    values = {
        "kiosk": "K01",
        "submission": new_submission_id(),
        "sequence": 7,
        "provisional_ref": "TAM-7K3F-92QD",
        "procedure_code": "1.001193.000.00.00.H05",
        "sealed_at": datetime.now(UTC),
        "reference_uid": "0d9f6c3e-0000-4000-8000-000000000001",
        "form_version": "2026-11",
    }
    to = [PROVINCE.public_key(), RECOVERY.public_key()]
    return seal(Label(**(values | label)), PAYLOAD, files, to, KIOSK)


def opened(envelope: Sealed, blobs=None, key=PROVINCE) -> Opened:
    manifest = read_manifest(envelope.manifest, KIOSK.public_key())
    return open_envelope(manifest, (blobs or envelope.blobs).__getitem__, key)


ENVELOPE = sealed()
MANIFEST = read_manifest(ENVELOPE.manifest, KIOSK.public_key())
OTHER = sealed()


@pytest.mark.parametrize("key", [PROVINCE, RECOVERY], ids=["receiver", "recovery"])
def test_the_receiver_and_the_recovery_key_open_what_was_sealed(key):
    assert opened(ENVELOPE, key=key) == Opened(PAYLOAD, FILES)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=3000), max_size=6))
def test_any_files_come_out_as_they_went_in(files):
    assert opened(sealed(files)).files == files


def test_nobody_else_opens_it():
    stranger = X25519PrivateKey.generate()
    with pytest.raises(EnvelopeError) as refused:
        opened(ENVELOPE, key=stranger)
    for key in (PROVINCE, RECOVERY, stranger):
        assert key_id(key.public_key()) in str(refused.value), "which key is wanted is said"


def test_the_manifest_says_nothing_personal_and_names_its_key_and_parts():
    document = signed.unverified("manifest", ENVELOPE.manifest)
    assert set(document) == {
        *("schema", "kiosk", "submission", "sequence", "reference_uid", "provisional_ref", "procedure_code"),
        *("form_version", "clock", "blobs", "sealed_keys"),
    }
    ids = [entry["key_id"] for entry in document["sealed_keys"]]
    assert ids == [key_id(PROVINCE.public_key()), key_id(RECOVERY.public_key())]
    assert [blob["size"] for blob in document["blobs"]][1:] == [2 * CHUNK + 5 + 3 * TAG, TAG, CHUNK + TAG]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_in_the_manifest_is_refused(data):
    position = data.draw(st.integers(0, len(ENVELOPE.manifest) - 1))
    bit = data.draw(st.integers(0, 7))
    altered = bytearray(ENVELOPE.manifest)
    altered[position] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        read_manifest(bytes(altered), KIOSK.public_key())


def resigned(change) -> Manifest:
    """What a thief of a kiosk's signing key could make: an altered manifest with a valid signature."""
    document = signed.unverified("manifest", ENVELOPE.manifest)
    change(document)
    return read_manifest(signed.sign("manifest", document, KIOSK), KIOSK.public_key())


def leaves(tree, path=()) -> Iterator[tuple]:
    """Every place in a document: containers and values."""
    if path:
        yield path
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield from leaves(tree[key], (*path, key))


DOCUMENT = signed.unverified("manifest", ENVELOPE.manifest)
OTHER_DOCUMENT = signed.unverified("manifest", OTHER.manifest)
HOW = ("drop", "other envelope's", "reverse", "double", "change")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(leaves(DOCUMENT))), st.sampled_from(HOW))
def test_even_validly_signed_no_field_can_be_changed_dropped_or_swapped(path, how):
    """A sealed key is checked by the one who holds its private key; everything else by both."""
    altered = copy.deepcopy(DOCUMENT)
    parent, other = altered, OTHER_DOCUMENT
    for step in path[:-1]:
        parent, other = parent[step], other[step]
    name, value = path[-1], parent[path[-1]]
    if how == "drop":
        del parent[name]
    elif how == "other envelope's":
        parent[name] = other[name]
    elif how in ("reverse", "double") and isinstance(value, list):
        parent[name] = value[::-1] if how == "reverse" else value * 2
    elif isinstance(value, str):
        parent[name] = value[:-1] + ("1" if value[-1] != "1" else "2")
    elif isinstance(value, int | float):
        parent[name] = value + 1
    if altered == DOCUMENT:
        return
    with pytest.raises(EnvelopeError):
        manifest = read_manifest(signed.sign("manifest", altered, KIOSK), KIOSK.public_key())
        for key in (PROVINCE, RECOVERY) if path[0] == "sealed_keys" else (RECOVERY,):
            open_envelope(manifest, (ENVELOPE.blobs | OTHER.blobs).__getitem__, key)


def test_the_receiver_cannot_be_left_alone_by_taking_the_recovery_key_out():
    def change(document):
        document["sealed_keys"].pop()

    with pytest.raises(EnvelopeError):
        open_envelope(resigned(change), ENVELOPE.blobs.__getitem__, PROVINCE)


def put_in_place(altered: bytes) -> None:
    """Open with the large blob's bytes replaced, and the manifest (validly signed) agreeing with the replacement."""
    name = MANIFEST.blobs[1].sha256
    digest = hashlib.sha256(altered).hexdigest()

    def change(document):
        document["blobs"][1] = {"sha256": digest, "size": max(len(altered), 1)}

    blobs = {**ENVELOPE.blobs, digest: altered}
    del blobs[name]
    open_envelope(resigned(change), blobs.__getitem__, PROVINCE)


LARGE = ENVELOPE.blobs[MANIFEST.blobs[1].sha256]
PIECES = [LARGE[i : i + CHUNK + TAG] for i in range(0, len(LARGE), CHUNK + TAG)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(LARGE) - 1), st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_a_blob_is_found(position, bit):
    altered = bytearray(LARGE)
    altered[position] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        opened(ENVELOPE, {**ENVELOPE.blobs, MANIFEST.blobs[1].sha256: bytes(altered)})


def chunkwise(pieces: list[bytes]) -> None:
    """The chunk cipher itself must find it: hashes are taken out of the way by opening with the true content key."""
    from sync import envelope

    key = envelope._SUITE.decrypt(MANIFEST.sealed_keys[key_id(PROVINCE.public_key())], PROVINCE, MANIFEST.info)
    envelope._decrypt(key, 1, b"".join(pieces), MANIFEST.context)


def test_chunks_in_order_are_accepted():
    chunkwise(PIECES)


@pytest.mark.parametrize(
    "pieces",
    [
        PIECES[:-1],
        PIECES[1:],
        [PIECES[1], PIECES[0], PIECES[2]],
        [*PIECES, PIECES[-1]],
        [PIECES[0], PIECES[-1]],
        [PIECES[0][:-1], PIECES[1], PIECES[2]],
        [],
    ],
    ids=["truncated", "beheaded", "reordered", "repeated", "middle dropped", "byte dropped", "nothing"],
)
def test_chunks_out_of_order_are_refused(pieces):
    with pytest.raises(EnvelopeError):
        chunkwise(pieces)


def test_a_blob_of_another_place_or_envelope_is_refused():
    from sync import envelope

    key = envelope._SUITE.decrypt(MANIFEST.sealed_keys[key_id(PROVINCE.public_key())], PROVINCE, MANIFEST.info)
    envelope._decrypt(key, 1, LARGE, MANIFEST.context)
    with pytest.raises(EnvelopeError):
        envelope._decrypt(key, 2, LARGE, MANIFEST.context)
    with pytest.raises(EnvelopeError):
        envelope._decrypt(key, 1, LARGE, read_manifest(OTHER.manifest, None).context)
    with pytest.raises(EnvelopeError):
        put_in_place(OTHER.blobs[read_manifest(OTHER.manifest, None).blobs[1].sha256])


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
            lambda tree: signed.sign("manifest", {"tree": tree}, KIOSK)
        ),
    )
)
def test_rubbish_is_refused_and_never_crashes(text):
    with pytest.raises(EnvelopeError):
        read_manifest(text, KIOSK.public_key())


@pytest.mark.parametrize(
    "field",
    ["schema", "kiosk", "submission", "sequence", "reference_uid", "provisional_ref", "clock", "blobs", "sealed_keys"],
)
@pytest.mark.parametrize(
    "value", [None, "", "../../x", -1, 10**30, True, [], {}, [{"sha256": "x", "size": 1}], "K" * 99]
)
def test_fields_of_another_shape_are_refused(field, value):
    document = signed.unverified("manifest", ENVELOPE.manifest) | {field: value}
    with pytest.raises(EnvelopeError):
        read_manifest(signed.sign("manifest", document, KIOSK), KIOSK.public_key())


@pytest.mark.parametrize("envelope", ["envelope-1", "envelope-2"])
@pytest.mark.parametrize("key", ["receiver-hpke", "recovery"])
def test_envelopes_of_every_released_version_open_for_ever(envelope, key):
    folder = GOLDEN / envelope
    kiosk = signed.verifying_key(GOLDEN / "keys" / "kiosk-signing.pub", "key")
    manifest = read_manifest((folder / "manifest").read_bytes(), kiosk)
    assert manifest.schema == int(envelope[-1])
    if (envelope, key) == ("envelope-1", "recovery"):
        with pytest.raises(EnvelopeError, match="sealed to the keys"):
            open_envelope(manifest, None, signed.opening_key(GOLDEN / "keys" / f"{key}.key", "key"))
        return
    inside = open_envelope(
        manifest, lambda name: (folder / name).read_bytes(), signed.opening_key(GOLDEN / "keys" / f"{key}.key", "key")
    )
    expected = json.loads((GOLDEN / f"{envelope}.json").read_text())
    assert inside.payload == expected["payload"]
    assert {name: hashlib.sha256(content).hexdigest() for name, content in inside.files.items()} == expected["files"]


def test_the_cipher_of_large_files_is_the_one_of_version_1():
    from sync import envelope

    ciphertext = b"".join(envelope._encrypt(bytes(range(32)), 3, b"motcua" * 400_000, b"context"))
    assert hashlib.sha256(ciphertext).hexdigest() == "1cccc17dfc9c67067f715a62992c30440148d3778afadcfcedf48d98c32b2921"


def test_an_envelope_too_large_is_refused_before_a_byte_is_written(monkeypatch):
    from sync import envelope

    monkeypatch.setattr(envelope, "MOST_BYTES", 3 * CHUNK)
    with pytest.raises(EnvelopeError, match="more than"):
        sealed({"a": b"x" * (3 * CHUNK)})


def test_a_receipt_is_no_manifest():
    with pytest.raises(EnvelopeError):
        read_manifest(signed.sign("receipt", json.loads(ENVELOPE.manifest.split(b"\n")[0]), KIOSK), KIOSK.public_key())
