"""The TTHC system's catalogue as the receiver keeps it: every version that ever was, the newest for the kiosks.

A document is {"number", "version", "taken_at", "group": [...]} in the form of `kiosk.catalogue`.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from kiosk import catalogue
from kiosk.clock import HANOI, utc_iso
from sync.receiver.database import Conflict, Database, Row, Tx

log = logging.getLogger(__name__)


class Catalogues:
    """Usable from any thread and by several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, groups: list[dict[str, Any]]) -> bool:
        """Keep these groups as a new version if they differ from the newest; False: the same, or not valid."""
        with self._database.read() as tx:
            newest = _newest(tx)
        if newest and json.loads(newest["document"])["group"] == groups:
            return False
        number, now = (newest["number"] if newest else 0) + 1, datetime.now(UTC)
        version = f"{now.astimezone(HANOI):%Y-%m-%d}.{number}"
        document = {"number": number, "version": version, "taken_at": utc_iso(now), "group": groups}
        try:
            catalogue.received(document)
        except catalogue.CatalogueError as error:
            log.error("the TTHC system's catalogue is not taken over: %s", error)
            return False
        text = json.dumps(document, ensure_ascii=False, indent=1)
        try:
            with self._database.write() as tx:
                tx.run(
                    "INSERT INTO catalogue VALUES (:number, :version, :text)", number=number, version=version, text=text
                )
        except Conflict:
            return False  # another process was faster
        log.info("catalogue %s taken over", version)
        return True

    def latest(self) -> tuple[str, bytes] | None:
        """Version and JSON of the newest; None before the first."""
        with self._database.read() as tx:
            newest = _newest(tx)
        return (newest["version"], newest["document"].encode()) if newest else None

    def versions(self) -> list[str]:
        """Every version released, oldest first: a dossier may be of any of them."""
        with self._database.read() as tx:
            return [row["version"] for row in tx.all("SELECT version FROM catalogue ORDER BY number")]


def _newest(tx: Tx) -> Row | None:
    return tx.one("SELECT * FROM catalogue ORDER BY number DESC LIMIT 1")
