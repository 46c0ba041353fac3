"""Pieces fit the line, and the bucket keeps its rate."""

import io
import time

from sync.pace import FIRST_PIECE, LEAST_PIECE, MOST_PIECE, Bucket, Paced, PieceSize


def test_pieces_grow_on_a_fast_line_and_shrink_on_a_slow_one():
    size = PieceSize()
    for _ in range(10):
        size.took(size.bytes, 0.1)
    assert size.bytes == MOST_PIECE
    size.took(size.bytes, 5)
    assert size.bytes == MOST_PIECE // 2
    for _ in range(20):
        size.failed()
    assert size.bytes == LEAST_PIECE


def test_the_small_rest_of_a_blob_says_nothing_of_the_line():
    size = PieceSize()
    size.took(100, 0.01)
    assert size.bytes == FIRST_PIECE


def test_with_a_limit_no_piece_takes_longer_than_it_should():
    assert PieceSize(64).bytes == LEAST_PIECE
    assert PieceSize(800).bytes == 200_000


def test_a_paced_body_is_the_same_bytes_at_the_stated_rate():
    content, begun = bytes(range(256)) * 400, time.monotonic()
    paced = Paced(content, Bucket(2000))
    read = b"".join(iter(lambda: paced.read(16384), b""))
    assert read == content
    assert len(paced) == len(content)
    assert 0.28 < time.monotonic() - begun < 5  # 102,400 bytes at 250,000 a second, the last block at once


def test_without_a_limit_nothing_waits():
    begun = time.monotonic()
    Bucket(0).take(10**9)
    assert time.monotonic() - begun < 5
    assert Paced(b"abc", Bucket(0)).read() == io.BytesIO(b"abc").read()
