"""Envelopes: what the kiosk seals only the receiver opens, and only as it was sealed."""

import base64
import json
from datetime import UTC, datetime

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
    new_submission_id,
    open_envelope,
    read_manifest,
    seal,
)

PROVINCE = X25519PrivateKey.generate()
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
    }
    return seal(Label(**(values | label)), PAYLOAD, files, PROVINCE.public_key(), KIOSK)


def opened(envelope: Sealed, blobs=None, key=PROVINCE) -> Opened:
    manifest = read_manifest(envelope.manifest, KIOSK.public_key())
    return open_envelope(manifest, (blobs or envelope.blobs).__getitem__, key)


ENVELOPE = sealed()
MANIFEST = read_manifest(ENVELOPE.manifest, KIOSK.public_key())
OTHER = sealed()


def test_the_receiver_opens_what_was_sealed():
    assert opened(ENVELOPE) == Opened(PAYLOAD, FILES)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=3000), max_size=6))
def test_any_files_come_out_as_they_went_in(files):
    assert opened(sealed(files)).files == files


def test_nobody_else_opens_it():
    with pytest.raises(EnvelopeError):
        opened(ENVELOPE, key=X25519PrivateKey.generate())


def test_the_manifest_says_nothing_personal_and_names_its_key_and_parts():
    document = signed.unverified("manifest", ENVELOPE.manifest)
    assert set(document) == {
        *("schema", "kiosk", "submission", "sequence", "provisional_ref", "procedure_code"),
        *("clock", "key_id", "blobs", "sealed_key"),
    }
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


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(kiosk="K02"),
        lambda d: d.update(sequence=8),
        lambda d: d.update(submission=new_submission_id()),
        lambda d: d.update(procedure_code="2.002492"),
        lambda d: d["blobs"].reverse(),
        lambda d: d["blobs"].pop(),
        lambda d: d.update(sealed_key=base64.b64encode(read_manifest(OTHER.manifest, None).sealed_key).decode()),
    ],
)
def test_even_validly_signed_a_changed_manifest_does_not_open(change):
    with pytest.raises(EnvelopeError):
        open_envelope(resigned(change), ENVELOPE.blobs.__getitem__, PROVINCE)


def put_in_place(altered: bytes) -> None:
    """Open with the large blob's bytes replaced, and the manifest (validly signed) agreeing with the replacement."""
    import hashlib

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

    key = envelope._SUITE.decrypt(MANIFEST.sealed_key, PROVINCE, MANIFEST.info)
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

    key = envelope._SUITE.decrypt(MANIFEST.sealed_key, PROVINCE, MANIFEST.info)
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


@pytest.mark.parametrize("field", ["kiosk", "submission", "sequence", "blobs", "key_id", "sealed_key"])
@pytest.mark.parametrize(
    "value", [None, "", "../../x", -1, 10**30, True, [], {}, [{"sha256": "x", "size": 1}], "K" * 99]
)
def test_fields_of_another_shape_are_refused(field, value):
    document = signed.unverified("manifest", ENVELOPE.manifest) | {field: value}
    with pytest.raises(EnvelopeError):
        read_manifest(signed.sign("manifest", document, KIOSK), KIOSK.public_key())


def test_a_receipt_is_no_manifest():
    with pytest.raises(EnvelopeError):
        read_manifest(signed.sign("receipt", json.loads(ENVELOPE.manifest.split(b"\n")[0]), KIOSK), KIOSK.public_key())
