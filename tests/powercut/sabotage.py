"""The mistakes that the rig must notice: each undoes one step of the order of writing, in this process only."""

import os
import stat
from collections.abc import Callable
from typing import Any

from sync import store
from sync.audit import Event
from sync.outbox import Outbox
from sync.outbox_schema import Entry


def no_file_sync() -> None:
    """Envelopes, receipts and audit log are written and renamed, but their bytes are not asked onto the disk."""
    sync = os.fsync

    def folders_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            sync(descriptor)

    os.fsync = folders_only


def no_folder_sync() -> None:
    """Names and renames are not asked onto the disk.

    The one mistake that this ext4 hides: every later sync of a file that grew (audit log, WAL) commits the journal, and
    the names with it. Other file systems promise nothing of the kind, so the code syncs its folders all the same.
    """
    store.sync_folder = lambda _: None


def wal_normal() -> None:
    """WAL with synchronous=NORMAL, as many programs have it."""
    _with_pragmas("synchronous=NORMAL")


def delete_full() -> None:
    """The classical rollback journal with synchronous=FULL: its removal is not synced."""
    _with_pragmas("journal_mode=DELETE", "synchronous=FULL")


def purge_before_receipt() -> None:
    """The ciphertexts go when the receipt is in hand, but before it is on the disk."""
    delivered = Outbox.delivered

    def early(self: Outbox, entry: Entry, receipt: bytes) -> None:
        self._remove_blobs(entry.submission)
        delivered(self, entry, receipt)
        self._commit(Event.PURGED, entry, "UPDATE submission SET purged = 1 WHERE submission = ?", (entry.submission,))

    Outbox.delivered = early


def _with_pragmas(*pragmas: str) -> None:
    connect: Callable[..., Any] = store.connect

    def weaker(*arguments: object) -> Any:
        database = connect(*arguments)
        for pragma in pragmas:
            database.execute(f"PRAGMA {pragma}")
        return database

    store.connect = weaker


SABOTAGES: dict[str, Callable[[], None]] = {
    "no-file-sync": no_file_sync,
    "no-folder-sync": no_folder_sync,
    "wal-normal": wal_normal,
    "delete-full": delete_full,
    "purge-before-receipt": purge_before_receipt,
}
