"""What the hall sees: numbers, counters and counts of one part of the hall; nothing that belongs to a person."""

from collections.abc import Sequence
from datetime import datetime, time

import msgspec

from kiosk.clock import utc_iso
from kiosk_queue.floor import LINE, View, number_of
from kiosk_queue.model import Centre, Json, Window, text_json

SHOWN_CALLS = 8
ANNOUNCED = "kind IN ('called', 'recalled')"


_CALLED_TO = (
    "coalesce(ticket.counter, (SELECT event.counter FROM event"  # noqa: S608  # our own names
    f" WHERE event.ticket = ticket.id AND event.{ANNOUNCED} ORDER BY event.seq DESC LIMIT 1))"
)


def counters_of(centre: Centre, zone: str) -> list[str]:
    """The counters of a part of the hall («A» or «A,B»); an unknown or no name means all: no display stays empty."""
    wanted = {part.strip() for part in zone.split(",")}
    found = [counter.name for counter in centre.counters if counter.zone and counter.zone in wanted]
    return found or [counter.name for counter in centre.counters]


def hall_state(view: View, zone: str, build: str) -> Json:
    """All that changes from minute to minute. `build` tells the pages of which version the server is."""
    names = counters_of(view.centre, zone)
    lines = _lines(view, names)
    return {
        "seq": view.seq,
        "now": utc_iso(view.now),
        "day": view.day,
        "build": build,
        "settings": view.centre.version,
        "quiet": is_quiet(view.centre, view.now),
        "open": view.centre.takes_numbers(view.now),
        "calls": _calls(view, names),
        "waiting": [line for line in lines if line["count"]],
        "total": sum(line["count"] for line in lines),
    }


def hall_calls(view: View, zone: str, seen: int, base: str) -> list[Json]:
    """The calls after event number `seen`, as they are announced; without `voice` in quiet hours."""
    names = set(counters_of(view.centre, zone))
    rows = view.tx.all(
        f"SELECT seq, at, kind, counter, body FROM event WHERE centre = :centre AND seq > :seen AND {ANNOUNCED}"  # noqa: S608  # our own names
        " ORDER BY seq",
        centre=view.centre.id, seen=seen,
    )  # fmt: skip
    quiet = is_quiet(view.centre, view.now)
    return [
        {
            "seq": row["seq"],
            "kind": row["kind"],
            "at": row["at"],
            "number": msgspec.json.decode(row["body"])["number"],
            "counter": row["counter"],
            "voice": None if quiet else f"{base}/voice/{row['seq']}.wav",
        }
        for row in rows
        if row["counter"] in names
    ]


def hall_texts(view: View) -> Json:
    """What changes only with the settings: name, hours, ticker, idle texts, languages, volume."""
    centre, hall = view.centre, view.centre.hall
    return {
        "settings": centre.version,
        "centre": text_json(centre.name),
        "zone": centre.zone,
        "weekdays": list(centre.weekdays),
        "hours": [[_shown(window.start), _shown(window.end)] for window in centre.windows],
        "ticker": [text_json(text) for text in hall.ticker],
        "idle": [text_json(text) for text in hall.idle],
        "languages": list(hall.languages),
        "volume": max(0.0, min(1.0, hall.volume)),
    }


def announced(view: View, seq: int) -> tuple[str, str, tuple[str, ...]] | None:
    """Number, counter and languages of a call of today; None for anything else."""
    row = view.tx.one(
        f"SELECT counter, body FROM event WHERE centre = :centre AND seq = :seq AND day = :day AND {ANNOUNCED}",  # noqa: S608
        centre=view.centre.id, seq=seq, day=view.day,
    )  # fmt: skip
    if row is None:
        return None
    return msgspec.json.decode(row["body"])["number"], row["counter"], tuple(view.centre.hall.languages)


def is_quiet(centre: Centre, moment: datetime) -> bool:
    """Whether nothing is said now."""
    local = moment.astimezone(centre.tz).time()
    return any(_within(window, local) for window in centre.hall.quiet)


def _within(window: Window, local: time) -> bool:
    return window.start <= local < window.end


def _shown(moment: time) -> str:
    return moment.strftime("%H:%M")


def _calls(view: View, counters: Sequence[str]) -> list[Json]:
    """The newest first. Of a number that has left its counter the events know where it was called."""
    named = {f"c{n}": name for n, name in enumerate(counters)} if len(counters) < len(view.centre.counters) else {}
    here = f" AND {_CALLED_TO} IN ({', '.join(f':{name}' for name in named)})" if named else ""
    rows = view.tx.all(
        f"SELECT series, n, state, announced_at, {_CALLED_TO} AS called_to FROM ticket"  # noqa: S608
        f" WHERE centre = :centre AND day = :day AND announced_at IS NOT NULL{here}"
        " ORDER BY announced_at DESC, place DESC LIMIT :most",
        centre=view.centre.id, day=view.day, most=SHOWN_CALLS, **named,
    )  # fmt: skip
    return [
        {
            "number": number_of(row),
            "counter": row["called_to"],
            "at": row["announced_at"],
            "called": row["state"] == "called",
        }
        for row in rows
    ]


def _lines(view: View, counters: Sequence[str]) -> list[Json]:
    """How many wait for each service of these counters, in the order of the settings; those left over at the end."""
    rows = view.tx.all(
        f"SELECT service, count(*) AS waiting FROM ticket WHERE centre = :centre AND day = :day AND {LINE}"  # noqa: S608
        " GROUP BY service",
        centre=view.centre.id, day=view.day,
    )  # fmt: skip
    found = {row["service"]: int(row["waiting"]) for row in rows}
    served = {skill for name in counters for skill in view.centre.skills_of(name)}
    lines = [
        {"name": text_json(service.name), "series": service.series, "count": found.pop(service.id, 0)}
        for service in view.centre.services.values()
        if service.id in served
    ]
    gone = [name for name in found if name not in view.centre.services]
    return lines + [{"name": {"vi": name, "en": name}, "series": "", "count": found[name]} for name in gone]
