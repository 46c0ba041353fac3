"""Signed webhooks: every event of a centre posted to an address, at least once and in order.

The event table is the outbox; each webhook's row holds how far it came. Signature and headers are those of the
«Standard Webhooks» specification: webhook-id, webhook-timestamp, webhook-signature = v1,base64(HMAC-SHA256(secret,
"id.timestamp.body")). Several server processes share the work: whoever moves a row's time ahead has it for a while.
"""

import base64
import hashlib
import hmac
import logging
import random
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import requests

from kiosk.clock import utc_iso
from kiosk.config import ConfigError
from kiosk_queue.feed import events_after
from kiosk_queue.model import Json
from kiosk_queue.storage.store import Row, StorageFault, Store, Tx

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often the table is looked at for what is due."""
TIMEOUT_SECONDS = 10.0
LEASE = timedelta(seconds=60)
"""How long a process has a webhook to itself: more than a portion of slow answers that succeed may take."""
PORTION = 50
PORTION_SECONDS = 30.0
"""Events, and seconds, after which the progress is written."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds before a repetition; the bound doubles with each failure of the same event, the wait is drawn below it
(full jitter)."""
WORKERS = 4
SECRET_PREFIX = "whsec_"  # noqa: S105  # says what follows


class WebhookError(ConfigError):
    """A webhook that cannot be added or removed; the message says why."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told; `kinds` empty: of everything. `sent`: the last event that it has."""

    id: str
    centre: str
    url: str
    secret: str
    kinds: tuple[str, ...]
    sent: int
    failures: int


def add_webhook(store: Store, centre: str, url: str, kinds: Sequence[str] = ()) -> Webhook:
    """Tell `url` of what happens from now on; the webhook with its secret, which the receiver needs."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or any(c.isspace() for c in url):
        raise WebhookError(f"{url!r} cannot be a webhook; allowed: http:// or https:// without a password in it")
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    identity, now = secrets.token_urlsafe(9), utc_iso(datetime.now(UTC))

    def job(tx: Tx) -> Webhook:
        row = tx.one("SELECT seq FROM centre WHERE id = :centre", centre=centre)
        if row is None:
            raise WebhookError(f"centre {centre} is not in the database; start the server once or correct the name")
        tx.run(
            "INSERT INTO webhook (id, centre, url, secret, kinds, sent, next_at)"
            " VALUES (:id, :centre, :url, :secret, :kinds, :sent, :now)",
            id=identity, centre=centre, url=url, secret=secret, kinds=",".join(kinds), sent=row["seq"], now=now,
        )  # fmt: skip
        return Webhook(identity, centre, url, secret, tuple(kinds), row["seq"], 0)

    return store.write(centre, job).result()


def list_webhooks(tx: Tx, centre: str) -> list[Row]:
    """The webhooks of a centre without their secrets, with how far each is behind."""
    return tx.all(
        "SELECT webhook.id, url, kinds, sent, failures, next_at, centre.seq - sent AS behind FROM webhook"
        " JOIN centre ON centre.id = webhook.centre WHERE centre = :centre ORDER BY url, webhook.id",
        centre=centre,
    )  # fmt: skip


def remove_webhook(store: Store, centre: str, name: str) -> None:
    """Tell an address, or the webhook of an identity, no more."""

    def job(tx: Tx) -> int:
        return tx.run("DELETE FROM webhook WHERE centre = :centre AND (id = :name OR url = :name)",
                      centre=centre, name=name)  # fmt: skip

    if not store.write(centre, job).result():
        raise WebhookError(f"there is no webhook {name} in centre {centre}")


def sign(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    mac = hmac.digest(key, b"%b.%d.%b" % (identity.encode(), timestamp, body), hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode()


class Webhooks:
    """Sends what is due, in threads of its own: a slow receiver holds up neither the queue nor another receiver."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, "webhook")
        self._busy: set[str] = set()
        self._session = threading.local()
        self._thread = threading.Thread(target=self._run, name="queue-webhooks", daemon=True)

    def start(self) -> None:
        """Begin to look for what is due."""
        self._thread.start()

    def close(self) -> None:
        """End; what is under way is sent once more by the next server."""
        self._ended.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                for webhook in self._store.read(_due).result():
                    if webhook.id not in self._busy:
                        self._busy.add(webhook.id)
                        self._pool.submit(self._work, webhook)
            except StorageFault as error:
                log.warning("webhooks: %s", error)

    def _work(self, webhook: Webhook) -> None:
        """One portion of events; afterwards the row says how far it came and when to go on."""
        try:
            if not self._store.write(webhook.centre, lambda tx: _lease(tx, webhook)).result():
                return
            sent, failed = self._portion(webhook)
            before = webhook.failures if sent == webhook.sent else 0  # an address that took something is not away
            failures = before + 1 if failed else 0
            wait = _pause(failures) if failed else 0.0
            next_at = utc_iso(datetime.now(UTC) + timedelta(seconds=wait))
            self._store.write(webhook.centre, lambda tx: _note(tx, webhook.id, sent, failures, next_at)).result()
        except StorageFault as error:
            log.warning("webhooks: %s", error)
        finally:
            self._busy.discard(webhook.id)

    def _portion(self, webhook: Webhook) -> tuple[int, bool]:
        """The last event that the address has now, and whether it failed at the one after."""
        until = time.monotonic() + PORTION_SECONDS
        sent = webhook.sent
        for event in self._store.read(lambda tx: events_after(tx, webhook.centre, webhook.sent, PORTION)).result():
            if self._ended.is_set() or time.monotonic() > until:
                break
            if (not webhook.kinds or event["kind"] in webhook.kinds) and not self._post(webhook, event):
                return sent, True
            sent = event["seq"]
        return sent, False

    def _post(self, webhook: Webhook, event: Json) -> bool:
        """Whether the address took the event: any 2xx; a redirection is not followed."""
        body = msgspec.json.encode({"centre": webhook.centre, **event})
        identity, timestamp = f"{webhook.centre}-{event['seq']}", int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "motcua-queue",
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(webhook.secret, identity, timestamp, body),
        }
        try:
            with self._client().post(
                webhook.url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ) as answer:
                if 200 <= answer.status_code < 300:
                    return True
                said = f"HTTP {answer.status_code}"
        except (requests.RequestException, OSError) as error:
            said = type(error).__name__
        log.warning("webhook %s: event %d not taken (%s)", webhook.id, event["seq"], said)
        return False

    def _client(self) -> requests.Session:
        """This thread's session: no proxy and no passwords from the environment."""
        session: requests.Session | None = getattr(self._session, "session", None)
        if session is None:
            session = self._session.session = requests.Session()
            session.trust_env = False
        return session


def _due(tx: Tx) -> list[Webhook]:
    rows = tx.all(
        "SELECT webhook.* FROM webhook JOIN centre ON centre.id = webhook.centre"
        " WHERE centre.seq > webhook.sent AND webhook.next_at <= :now ORDER BY webhook.next_at",
        now=utc_iso(datetime.now(UTC)),
    )
    return [
        Webhook(
            row["id"], row["centre"], row["url"], row["secret"], tuple(filter(None, row["kinds"].split(","))),
            row["sent"], row["failures"],
        )
        for row in rows
    ]  # fmt: skip


def _lease(tx: Tx, webhook: Webhook) -> int:
    """Whether it is ours for a while: nobody else came first since it was read."""
    now = datetime.now(UTC)
    return tx.run(
        "UPDATE webhook SET next_at = :until WHERE id = :id AND sent = :sent AND next_at <= :now",
        until=utc_iso(now + LEASE), id=webhook.id, sent=webhook.sent, now=utc_iso(now),
    )  # fmt: skip


def _note(tx: Tx, webhook: str, sent: int, failures: int, next_at: str) -> int:
    return tx.run(
        "UPDATE webhook SET sent = :sent, failures = :failures, next_at = :next_at"
        " WHERE id = :id AND sent <= :sent",
        sent=sent, failures=failures, next_at=next_at, id=webhook,
    )  # fmt: skip


def _pause(failures: int) -> float:
    """Seconds before the next attempt."""
    bound = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 20))
    return random.uniform(0, bound)  # noqa: S311  # spreads load, guards nothing
