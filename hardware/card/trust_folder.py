"""The operator's trust folder, loaded once and again only when its files change."""

import logging
from pathlib import Path

from hardware.card.trust import TrustStore, load_anchors

log = logging.getLogger(__name__)


class TrustFolder:
    """Certificates and lists of a folder; None: there is nothing to trust.

    A folder that cannot be read just now (a share that is away, a file replaced at this moment) keeps its last state.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._store = TrustStore()

    def store(self) -> TrustStore:
        """What is trusted now. Never raises: what is not usable is logged and left out."""
        try:
            self._store = load_anchors(self._path)
        except OSError as error:
            log.warning("the trust folder cannot be read: %s", error.strerror or type(error).__name__)
        return self._store
