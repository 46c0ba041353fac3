"""asn1crypto with its errors tamed: it parses lazily and raises what it likes."""

from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.exceptions import UnsupportedAlgorithm

from hardware.card.errors import BadData

_LAZY = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Whatever breaks inside is BadData."""
    try:
        yield
    except (*_LAZY, UnsupportedAlgorithm) as error:
        raise BadData(f"{what}: {type(error).__name__}") from None
