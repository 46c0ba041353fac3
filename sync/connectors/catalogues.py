"""The TTHC system's catalogue as the receiver keeps it: every version that ever was, the newest for the kiosks.

<folder>/<number>.json    {"number", "version", "taken_at", "group": [...]} in the form of `kiosk.catalogue`
"""

import json
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk import catalogue
from kiosk.clock import HANOI, utc_iso
from sync import store

log = logging.getLogger(__name__)


class Catalogues:
    """One folder. Usable from any thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()

    def take(self, groups: list[dict[str, Any]]) -> bool:
        """Keep these groups as a new version if they differ from the newest; False: the same, or not valid."""
        with self._lock:
            number = max(self._numbers(), default=0)
            if number and self._read(number)["group"] == groups:
                return False
            now = datetime.now(UTC)
            version = f"{now.astimezone(HANOI):%Y-%m-%d}.{number + 1}"
            document = {"number": number + 1, "version": version, "taken_at": utc_iso(now), "group": groups}
            try:
                catalogue.received(document)
            except catalogue.CatalogueError as error:
                log.error("the TTHC system's catalogue is not taken over: %s", error)
                return False
            text = json.dumps(document, ensure_ascii=False, indent=1).encode()
            store.replace_durably(self._path(number + 1), text)
        log.info("catalogue %s taken over", version)
        return True

    def latest(self) -> tuple[str, bytes] | None:
        """Version and JSON of the newest; None before the first."""
        with self._lock:
            number = max(self._numbers(), default=0)
            return (str(self._read(number)["version"]), self._path(number).read_bytes()) if number else None

    def versions(self) -> list[str]:
        """Every version released, oldest first: a dossier may be of any of them."""
        with self._lock:
            return [str(self._read(number)["version"]) for number in sorted(self._numbers())]

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.json")]

    def _read(self, number: int) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._path(number).read_bytes())
        return document

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"
