"""The released catalogue at the kiosk: taken if it is newer and valid; the last good one stays otherwise."""

import json
from pathlib import Path

from kiosk import catalogue
from sync import store


def take(body: bytes, path: Path) -> bool:
    """Keep a released catalogue as it came from the receiver; False if ours is as new.

    Raises CatalogueError if it is not valid: the one in `path` stays.
    """
    try:
        new = catalogue.received(json.loads(body))
    except (ValueError, RecursionError) as error:
        if isinstance(error, catalogue.CatalogueError):
            raise
        raise catalogue.CatalogueError("not a released catalogue: not JSON") from None
    if path.is_file() and _number(path) >= new.number:
        return False
    store.replace_durably(path, body)
    return True


def _number(path: Path) -> int:
    """Of the one we have; 0 if it is damaged."""
    try:
        return catalogue.received(json.loads(path.read_bytes())).number
    except (ValueError, RecursionError):
        return 0
