"""What happens to tickets: issue, print, call, recall, finish, staff calls. Each deed is one transaction and one event.

Every deed that must not happen twice carries an idempotency key; its answer is stored in the same transaction.
"""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kiosk.catalogue import Catalogue, Service
from kiosk.clock import Clock, business_day, from_iso, utc_iso
from kiosk.text import Text
from kiosk_queue import rules
from kiosk_queue.store import Store

ANSWERS_KEPT = timedelta(days=2)

Json = dict[str, Any]


class Refused(Exception):
    """The deed is not allowed now; `reason` is a code for programs, `text` for officers."""

    def __init__(self, reason: str, text: str, status: int = 409) -> None:
        super().__init__(reason)
        self.reason, self.text, self.status = reason, text, status


@dataclass(frozen=True, slots=True)
class Officer:
    """Who acts at a counter: the console session that holds it."""

    session: str
    counter: str


class Desk:
    """The deeds on one centre's queue."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock, public_url: str) -> None:
        self.store, self.catalogue, self.clock = store, catalogue, clock
        self._public_url = public_url.rstrip("/")

    # --- for kiosks ---

    def issue(self, service: str, priority: str, key: str) -> "Future[Json]":
        """A new number, with how many wait before it. The same key always answers with the same ticket."""
        wanted = self.catalogue.services.get(service)
        groups = {group.id for group in self.catalogue.priorities}
        if wanted is None:
            raise Refused("service_closed", "Dịch vụ này không nhận số")
        if priority and priority not in groups:
            raise Refused("bad_request", "Nhóm ưu tiên không có trong danh mục", 400)
        return self._once(key, f"issue {service} {priority}", lambda db, now: self._issue(db, now, wanted, priority))

    def paper(self, ticket: str, printed: bool) -> "Future[Json]":
        """The kiosk reports whether the slip came out; the same report again is no event."""
        return self.store.write(lambda db: self._paper(db, ticket, printed))

    def call_staff(self, kiosk: str) -> "Future[Json]":
        """A kiosk asks for a person; asking again while the call is open is the same call."""
        return self.store.write(lambda db: self._call_staff(db, kiosk))

    # --- for officers ---

    def open_counter(self, session: str, counter: str) -> "Future[None]":
        """The session takes the counter over, from whatever session had it, and leaves its former one."""
        if counter not in self.catalogue.counters:
            raise Refused("bad_request", "Không có quầy này", 400)
        return self.store.write(lambda db: self._open_counter(db, session, counter))

    def close_counter(self, session: str) -> "Future[None]":
        """The session leaves its counter. A ticket still there stays called."""
        return self.store.write(lambda db: db.execute("DELETE FROM counter WHERE session = ?", (session,)) and None)

    def call(self, who: Officer, current: str | None, key: str) -> "Future[Json]":
        """Call who is next by the rule and finish the ticket that was at the counter.

        `current` is the ticket the officer sees there: if it is not, nothing is done. Nobody waiting: `ticket` is null.
        """
        return self._once(key, f"call {who.counter} {current}", lambda db, now: self._call(db, now, who, current))

    def recall(self, who: Officer, ticket: str, key: str) -> "Future[Json]":
        """Announce the ticket at the counter once more."""
        return self._once(key, f"recall {who.counter} {ticket}", lambda db, now: self._recall(db, now, who, ticket))

    def end(self, who: Officer, ticket: str, outcome: str, key: str) -> "Future[Json]":
        """The ticket leaves the counter: `completed` or `no_show`."""

        def deed(db: Any, now: datetime) -> Json:
            self._check_lease(db, who)
            return self._end(db, now, self._at_counter(db, who, ticket), outcome)

        return self._once(key, f"{outcome} {who.counter} {ticket}", deed)

    def answer_staff(self, who: Officer, call: int, key: str) -> "Future[Json]":
        """An officer goes to the kiosk."""
        return self._once(key, f"answer {call}", lambda db, now: self._answer_staff(db, now, who, call))

    def request_reprint(self, ticket: str, key: str) -> "Future[Json]":
        """An officer wants the paper of a waiting ticket once more; the next free kiosk prints it."""
        return self._once(key, f"reprint {ticket}", lambda db, now: self._reprint(db, now, ticket))

    def claim_reprint(self) -> "Future[Json | None]":
        """The oldest ticket whose paper is wanted, given to one kiosk only; None if there is none."""
        return self.store.write(self._claim_reprint)

    # --- the deeds ---

    def today(self) -> str:
        """The business day, ISO."""
        return business_day(self.clock.now()).isoformat()

    def _once(self, key: str, request: str, deed: Callable[[Any, datetime], Json]) -> "Future[Json]":
        def job(db: Any) -> Json:
            found = db.execute("SELECT request, body FROM answer WHERE key = ?", (key,)).fetchone()
            if found is not None:
                if found["request"] != request:
                    raise Refused("key_reused", "Yêu cầu trùng khóa nhưng khác nội dung", 422)
                known: Json = json.loads(found["body"])
                return known
            now = self.clock.now()
            answer = deed(db, now)
            db.execute("DELETE FROM answer WHERE at < ?", (utc_iso(now - ANSWERS_KEPT),))
            db.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", (key, request, utc_iso(now), _dump(answer)))
            return answer

        return self.store.write(job)

    def _issue(self, db: Any, now: datetime, service: Service, priority: str) -> Json:
        day, ticket = business_day(now).isoformat(), secrets.token_urlsafe(12)
        (n,) = db.execute(
            "SELECT coalesce(max(n), 0) + 1 FROM ticket WHERE day = ? AND series = ?", (day, service.series)
        ).fetchone()
        (ahead,) = db.execute("SELECT count(*) FROM ticket WHERE state = 'waiting' AND day = ?", (day,)).fetchone()
        db.execute(
            "INSERT INTO ticket (id, day, series, n, service, priority, urgent, issued_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (ticket, day, service.series, n, service.id, priority, bool(priority), utc_iso(now)),
        )
        number = shown_number(service.series, n)
        self._event(db, now, "issued", ticket, None, number=number, service=service.id, ahead=ahead)
        return self._ticket_json(_ticket(db, ticket), ahead)

    def _ticket_json(self, row: Any, ahead: int) -> Json:
        """A ticket as a kiosk prints it."""
        group = next((group.name for group in self.catalogue.priorities if group.id == row["priority"]), None)
        return {
            "id": row["id"],
            "number": number_of(row),
            "day": row["day"],
            "service": text_json(self.catalogue.services[row["service"]].name),
            "centre": text_json(self.catalogue.centre),
            "priority": text_json(group) if group else None,
            "issued_at": row["issued_at"],
            "ahead": ahead,
            "url": f"{self._public_url}/t/{row['id']}",
        }

    def _paper(self, db: Any, ticket: str, printed: bool) -> Json:
        row = _ticket(db, ticket)
        paper = "printed" if printed else "failed"
        if row["paper"] != paper:
            db.execute("UPDATE ticket SET paper = ? WHERE id = ?", (paper, ticket))
            kind = "printed" if printed else "print_failed"
            self._event(db, self.clock.now(), kind, ticket, None, number=number_of(row))
        return {"paper": paper}

    def _call_staff(self, db: Any, kiosk: str) -> Json:
        now = self.clock.now()
        made = db.execute(
            "INSERT INTO staff_call (kiosk, at) VALUES (?, ?) ON CONFLICT DO NOTHING", (kiosk, utc_iso(now))
        )
        (call,) = db.execute("SELECT id FROM staff_call WHERE kiosk = ? AND answered_at IS NULL", (kiosk,)).fetchone()
        if made.rowcount:
            self._event(db, now, "staff_called", None, None, call=call, kiosk=kiosk)
        return {"call": call}

    def _open_counter(self, db: Any, session: str, counter: str) -> None:
        db.execute("DELETE FROM counter WHERE session = ? OR name = ?", (session, counter))
        db.execute("INSERT INTO counter VALUES (?, ?, ?)", (counter, session, utc_iso(self.clock.now())))

    def _call(self, db: Any, now: datetime, who: Officer, current: str | None) -> Json:
        self._check_lease(db, who)
        held = self._at_counter(db, who, current)
        choice = rules.choose(heads(db, business_day(now).isoformat()), now)
        if choice is None:
            return {"ticket": None}
        if held is not None:
            self._end(db, now, held, "completed")
        head = choice.head
        db.execute(
            "UPDATE ticket SET state = 'called', counter = ?, called_at = ?, announced_at = ? WHERE id = ?",
            (who.counter, utc_iso(now), utc_iso(now), head.ticket),
        )
        waited = max(0, round((now - head.since).total_seconds()))
        body = {"number": head.number, "why": choice.reason, "waited": waited}
        self._event(db, now, "called", head.ticket, who.counter, **body)
        return {"ticket": head.ticket, **body}

    def _recall(self, db: Any, now: datetime, who: Officer, ticket: str) -> Json:
        self._check_lease(db, who)
        row = self._at_counter(db, who, ticket)
        db.execute("UPDATE ticket SET recalls = recalls + 1, announced_at = ? WHERE id = ?", (utc_iso(now), ticket))
        self._event(db, now, "recalled", ticket, who.counter, number=number_of(row), times=row["recalls"] + 1)
        return {"ticket": ticket, "recalls": row["recalls"] + 1}

    def _end(self, db: Any, now: datetime, row: Any, outcome: str) -> Json:
        db.execute("UPDATE ticket SET state = ?, ended_at = ? WHERE id = ?", (outcome, utc_iso(now), row["id"]))
        served = max(0, round((now - from_iso(row["called_at"])).total_seconds()))
        self._event(db, now, outcome, row["id"], row["counter"], number=number_of(row), served=served)
        return {"ticket": row["id"], "state": outcome}

    def _answer_staff(self, db: Any, now: datetime, who: Officer, call: int) -> Json:
        self._check_lease(db, who)
        row = db.execute("SELECT kiosk, answered_at FROM staff_call WHERE id = ?", (call,)).fetchone()
        if row is None:
            raise Refused("not_found", "Không có lời gọi này", 404)
        if row["answered_at"] is None:
            db.execute(
                "UPDATE staff_call SET answered_at = ?, counter = ? WHERE id = ?", (utc_iso(now), who.counter, call)
            )
            self._event(db, now, "staff_answered", None, who.counter, call=call, kiosk=row["kiosk"])
        return {"call": call}

    def _reprint(self, db: Any, now: datetime, ticket: str) -> Json:
        row = _ticket(db, ticket)
        if row["state"] != "waiting":
            raise Refused("changed", "Số này đã được gọi, không cần in lại")
        db.execute("UPDATE ticket SET paper = 'wanted' WHERE id = ?", (ticket,))
        self._event(db, now, "reprint_requested", ticket, None, number=number_of(row))
        return {"ticket": ticket, "paper": "wanted"}

    def _claim_reprint(self, db: Any) -> Json | None:
        row = db.execute(
            "SELECT * FROM ticket WHERE state = 'waiting' AND paper = 'wanted' AND day = ? ORDER BY place LIMIT 1",
            (self.today(),),
        ).fetchone()
        if row is None:
            return None
        db.execute("UPDATE ticket SET paper = 'pending' WHERE id = ?", (row["id"],))
        (ahead,) = db.execute(
            "SELECT count(*) FROM ticket WHERE state = 'waiting' AND day = ? AND place < ?", (row["day"], row["place"])
        ).fetchone()
        return self._ticket_json(row, ahead)

    def _check_lease(self, db: Any, who: Officer) -> None:
        row = db.execute("SELECT session FROM counter WHERE name = ?", (who.counter,)).fetchone()
        if row is None or row["session"] != who.session:
            raise Refused("counter_taken", "Quầy này đã được mở ở máy khác. Hãy chọn lại quầy.")

    def _at_counter(self, db: Any, who: Officer, expected: str | None) -> Any:
        row = db.execute("SELECT * FROM ticket WHERE state = 'called' AND counter = ?", (who.counter,)).fetchone()
        if (row["id"] if row else None) != expected:
            raise Refused("changed", "Số tại quầy vừa thay đổi. Hãy xem lại rồi thao tác.")
        return row

    def _event(self, db: Any, now: datetime, kind: str, ticket: str | None, counter: str | None, **body: Any) -> None:
        db.execute(
            "INSERT INTO event SELECT coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ?, ? FROM event",
            (utc_iso(now), business_day(now).isoformat(), kind, ticket, counter, _dump(body)),
        )


def heads(db: Any, day: str) -> list[rules.Waiting]:
    """The first waiting ticket of each class (service × priority) of the day; each by index."""
    classes = db.execute("SELECT DISTINCT service, urgent FROM ticket WHERE state = 'waiting' AND day = ?", (day,))
    first = (
        "SELECT * FROM ticket WHERE state = 'waiting' AND day = ? AND service = ? AND urgent = ? ORDER BY place LIMIT 1"
    )
    return [waiting(db.execute(first, (day, *key)).fetchone()) for key in classes.fetchall()]


def waiting(row: Any) -> rules.Waiting:
    """A ticket row as the calling rule sees it."""
    return rules.Waiting(row["id"], number_of(row), row["place"], bool(row["urgent"]), from_iso(row["issued_at"]))


def number_of(row: Any) -> str:
    """The number as people read it."""
    return shown_number(row["series"], row["n"])


def shown_number(series: str, n: int) -> str:
    """«HT-001»; from the thousandth on it is longer, never reused."""
    return f"{series}-{n:03d}"


def text_json(text: Text) -> dict[str, str]:
    """Both languages for a page or a kiosk."""
    return {"vi": text.vi, "en": text.in_("en")}


def _ticket(db: Any, ticket: str) -> Any:
    row = db.execute("SELECT * FROM ticket WHERE id = ?", (ticket,)).fetchone()
    if row is None:
        raise Refused("not_found", "Không có số này", 404)
    return row


def _dump(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
