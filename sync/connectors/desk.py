"""Hands dossiers to the TTHC system at most once each, and asks what became of them.

The one effect is `submit`. Before it stands a mark in the database, which one process sets; with that mark found, the
dossier is looked for before anything is sent again. A system that does not itself refuse a second dossier may still be
at work on the first request: there a look counts only `settle` seconds after it. What no look can tell is held for a
person; the rest goes on.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from kiosk.config import ConfigError, ReceiverSettings, secret
from kiosk.dossier import DossierState
from sync.connectors.catalogues import Catalogues
from sync.connectors.contract import Connector, Gone, Refused, Reusable, Unclear, Unreachable, Wish, complete_payload
from sync.connectors.ledger import AtWork, Filing, Ledger
from sync.connectors.national import National
from sync.connectors.opencps import OpenCps
from sync.envelope import Opened
from sync.receiver.database import Database

log = logging.getLogger(__name__)

MOST_LOOKS = 5
"""Looks in vain at a system that otherwise answers before a person is asked."""

Answer = TypeVar("Answer")


class Held(Exception):
    """Nobody can tell whether the dossier was filed: it waits for a person."""


class Desk:
    """A connector with its ledger. Usable from any thread; one at a time files the same dossier."""

    def __init__(self, tthc: Connector, ledger: Ledger, catalogues: Catalogues, settle: float) -> None:
        self._tthc = tthc
        self._ledger = ledger
        self._settle = settle
        self.catalogues = catalogues

    # --- filing ---

    def file(self, dossier: Opened) -> None:
        """Have the dossier there, whole and once. Raises Unreachable, Unclear, Refused or Held."""
        with complete_payload():
            uid = str(dossier.payload["reference_uid"])
        filing = self._ledger.of(uid)
        if filing.held_for:
            raise Held(filing.held_for)
        if self._ledger.filed_as(uid):
            return
        if not filing.handle:
            filing = self._ledger.created(uid, self._tthc.create(dossier))
        if not self._filed(filing):
            self._send(filing, dossier)

    def _filed(self, filing: Filing) -> bool:
        """What a look says, once it can be trusted."""
        if filing.sent_at is None:
            return self._tthc.find(filing.handle, filing.reference_uid)
        try:
            found = self._tthc.find(filing.handle, filing.reference_uid)
        except (Unclear, Refused) as problem:
            if filing.looks + 1 < MOST_LOOKS and not isinstance(problem, Refused):
                self._ledger.looked(filing)
                raise
            self._hold(filing, f"unknown outcome: {problem}")
        if found or self._tthc.repeatable:
            return found
        since = (datetime.now(UTC) - filing.sent_at).total_seconds()
        if 0 <= since < self._settle:
            raise Unclear(f"find: not there {since:.0f} s after it was sent; it may still be at work on it")
        if since < 0:
            self._hold(filing, "unknown outcome: the clock was turned back since it was sent")
        return False

    def _hold(self, filing: Filing, reason: str) -> None:
        self._ledger.hold(filing, reason)
        raise Held(reason)

    def _send(self, filing: Filing, dossier: Opened) -> None:
        uploads = dict(filing.uploads)
        try:
            for name in dossier.files:
                if name not in uploads:
                    uploads[name] = self._tthc.upload(filing.handle, dossier, name)
                    self._ledger.uploaded(filing, uploads)
        except Gone:
            self._ledger.prepared_anew(filing)
            raise
        try:
            marked = self._ledger.sending(filing)
        except AtWork:
            raise Unclear("submit: another process is at work on it") from None
        try:
            self._tthc.submit(filing.handle, dossier, uploads)
        except Gone:
            self._ledger.not_sent(marked)
            self._ledger.prepared_anew(filing)
            raise
        except Unclear:
            raise
        except (Unreachable, Refused):
            self._ledger.not_sent(marked)
            raise

    # --- what a person decides ---

    def held(self) -> list[Filing]:
        """What waits for a person, oldest first."""
        return self._ledger.held()

    def resend(self, reference_uid: str, by: str) -> None:
        """A person has seen that it is not there: it is sent again. Raises NotHeld."""
        self._ledger.decide(reference_uid, by, None)

    def filed_as(self, reference_uid: str, code: str, by: str) -> None:
        """A person has found it under this code: it is never sent again. Raises NotHeld."""
        self._ledger.decide(reference_uid, by, code)

    # --- asking ---

    def state(self, reference_uid: str, provisional_ref: str, procedure: str) -> DossierState | None:
        """What the system says now, owner masked; None if it does not know it. Raises Unreachable or Refused."""
        handle = self._ledger.of(reference_uid).handle or reference_uid  # filed before there was a ledger: OpenCPS
        return self._tthc.status(handle, provisional_ref, procedure)

    def reusable_results(self, wish: Wish) -> list[Reusable]:
        """Digitised papers that may stand for components; nothing while the system cannot say."""
        return _unless_away(lambda: self._tthc.reusable_results(wish)) or []

    def refresh_catalogue(self) -> None:
        """Take over the system's catalogue if it changed; the last good one stays otherwise."""
        groups = _unless_away(self._tthc.catalogue)
        if groups is not None:
            self.catalogues.take(groups)


def _unless_away(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except (Unreachable, Refused) as problem:
        log.warning("TTHC system: %s", problem)
        return None


def open_desk(settings: ReceiverSettings, database: Database) -> Desk:
    """The desk of the configured system. Raises ConfigError."""
    user, _, word = secret(settings.tthc_user_file, "the user of the TTHC system").partition(":")
    tthc: Connector
    if settings.tthc_kind == "opencps":
        tthc = OpenCps(settings.tthc_url, user, word, settings.tthc_timeout)
    elif settings.tthc_kind == "national":
        repeatable = settings.tthc_refuses_duplicates
        tthc = National(settings.tthc_url, user, word, settings.tthc_timeout, repeatable=repeatable)
    else:
        raise ConfigError(f"receiver.tthc_kind is {settings.tthc_kind!r}; allowed: opencps, national")
    return Desk(tthc, Ledger(database), Catalogues(database), settings.tthc_settle_seconds)
