"""Server-sent events: a centre's event stream pushed to pages. One rendering serves all listeners that saw the same.

A frame's `id` is the event number. A listener that comes back with Last-Event-ID gets what it missed, then the state;
a slow one skips to the newest state, because it pulls when it can write. Programs may ask for every event instead.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

import msgspec

from kiosk_queue.floor import Desk, View
from kiosk_queue.model import Json
from kiosk_queue.storage.store import Row, StorageFault, Tx

log = logging.getLogger(__name__)

HEARTBEAT = 10.0
"""Seconds between frames when nothing happens: pages know the line is alive and follow the business day."""
SPACING = 0.04
"""Seconds between two frames to one listener: a call is on the display within 100 ms however busy the hall is."""
REPLAY = 200
"""Events that are replayed at once; who missed more starts from the state, or gets them in portions (`lossless`)."""


@dataclass(frozen=True)
class Audience:
    """Who listens: how to read the events after a number, and the state, which holds `seq`. Equal names, equal frames.

    `lossless`: no event is ever left out; `events` then gives every event, at most REPLAY of them.
    """

    name: str
    events: Callable[[View, int], list[Json]]
    state: Callable[[View], Json]
    lossless: bool = False


class Feed:
    """Lives in the server's event loop between `start` and `close`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ticks: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._rendered: dict[tuple[str, str, int | None], asyncio.Future[tuple[int, bytes, bool]]] = {}
        self._closed = False
        self._heart: asyncio.Task[None] | None = None
        self.listeners = 0

    def start(self) -> None:
        """Begin to beat; commits wake the listeners."""
        loop = asyncio.get_running_loop()
        self._heart = loop.create_task(self._beat())

        def committed(centres: Iterable[str]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is already gone
                loop.call_soon_threadsafe(self._wake, tuple(centres))

        self._desk.store.on_commit = committed

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        if self._heart is not None:
            self._heart.cancel()
        self._wake(())

    async def listen(self, centre: str, audience: Audience, last_seen: int | None) -> AsyncIterator[bytes]:
        """Frames for one listener until the server closes or its database fails: then the listener comes back."""
        seen = last_seen
        self.listeners += 1
        try:
            while not self._closed:
                tick = self._ticks[centre]
                seen, frames, complete = await self._render(centre, audience, seen)
                yield frames
                if complete:
                    await asyncio.sleep(SPACING)
                    await tick.wait()
        except StorageFault as error:
            log.error("a stream ends: %s", error)
        finally:
            self.listeners -= 1

    async def ticks(self, centre: str, spacing: float) -> AsyncIterator[None]:
        """At once, then whenever the centre may have changed and every HEARTBEAT, at most every `spacing` seconds."""
        while not self._closed:
            tick = self._ticks[centre]
            yield
            await asyncio.sleep(spacing)
            await tick.wait()

    async def _render(self, centre: str, audience: Audience, seen: int | None) -> tuple[int, bytes, bool]:
        key = (centre, audience.name, seen)
        if key not in self._rendered:
            job = self._desk.see(centre, lambda view: _frames(view, audience, seen))
            self._rendered[key] = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(self._rendered[key])
        except Exception:
            self._rendered.pop(key, None)  # whoever asks next tries again
            raise

    def _wake(self, centres: tuple[str, ...]) -> None:
        """Whoever listens to these centres; none named: to any."""
        self._rendered = {k: v for k, v in self._rendered.items() if centres and k[0] not in centres}
        for centre in centres or tuple(self._ticks):
            tick = self._ticks.pop(centre, None)
            if tick is not None:
                tick.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._wake(())


def events_after(tx: Tx, centre: str, seen: int, limit: int = REPLAY) -> list[Json]:
    """The events of a centre after number `seen`, oldest first, each as programs know it."""
    rows = tx.all(
        "SELECT seq, at, day, kind, ticket, counter, actor, body FROM event"
        " WHERE centre = :centre AND seq > :seen ORDER BY seq LIMIT :most",
        centre=centre, seen=seen, most=limit,
    )  # fmt: skip
    return [event_json(row) for row in rows]


def event_json(row: Row) -> Json:
    """An event as programs know it: what every event has, beside what its kind adds."""
    body: Json = msgspec.json.decode(row["body"])
    return body | {name: row[name] for name in ("seq", "at", "day", "kind", "ticket", "counter", "actor")}


def _frames(view: View, audience: Audience, seen: int | None) -> tuple[int, bytes, bool]:
    """The number up to which a listener then knows everything, its frames, and whether that is all there is."""
    late = -1 if seen is None else view.seq - seen
    missed = audience.events(view, seen) if seen is not None and _replayed(late, audience) else []
    frames = [_frame("event", event["seq"], event) for event in missed]
    if audience.lossless and len(missed) >= REPLAY and missed[-1]["seq"] < view.seq:
        return missed[-1]["seq"], b"".join(frames), False
    frames.append(_frame("state", view.seq, audience.state(view)))
    return view.seq, b"".join(frames), True


def _replayed(late: int, audience: Audience) -> bool:
    return late >= 0 and (audience.lossless or late <= REPLAY)


def _frame(kind: str, seq: int, data: Json) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind.encode(), seq, msgspec.json.encode(data))
