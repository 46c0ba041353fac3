"""Server-sent events: the event table pushed to pages. One rendering serves all listeners that saw the same.

A frame's `id` is the event number. A listener that comes back with Last-Event-ID gets what it missed, then the state;
a slow one skips to the newest state, because it pulls when it can write.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from kiosk_queue.desk import Json
from kiosk_queue.store import Store

HEARTBEAT = 10.0
"""Seconds between frames when nothing happens: pages know the line is alive and follow the business day."""
SPACING = 0.1
"""Seconds between two frames to one listener."""
REPLAY = 200
"""Events that are replayed at most; who missed more starts from the state."""

Audience = tuple[Callable[[Any, int], list[Json]], Callable[[Any], Json]]
"""How to read the events after a number, and the state."""


class Feed:
    """Lives in the server's event loop between `start` and `close`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tick = asyncio.Event()
        self._rendered: dict[tuple[Any, int | None], asyncio.Future[tuple[int, bytes]]] = {}
        self._closed = False
        self._heart: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat; commits wake the listeners."""
        loop = asyncio.get_running_loop()
        self._heart = loop.create_task(self._beat())

        def committed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is already gone
                loop.call_soon_threadsafe(self._wake)

        self._store.on_commit = committed

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        if self._heart is not None:
            self._heart.cancel()
        self._wake()

    async def listen(self, audience: Audience, last_seen: int | None) -> AsyncIterator[bytes]:
        """Frames for one listener until the server closes."""
        seen = last_seen
        while not self._closed:
            tick = self._tick
            seen, frames = await self._render(audience, seen)
            yield frames
            await asyncio.sleep(SPACING)
            await tick.wait()

    async def _render(self, audience: Audience, seen: int | None) -> tuple[int, bytes]:
        key = (audience, seen)
        if key not in self._rendered:
            job = self._store.read(lambda db: _frames(db, audience, seen))
            self._rendered[key] = asyncio.wrap_future(job)
        return await asyncio.shield(self._rendered[key])

    def _wake(self) -> None:
        self._rendered = {}
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._wake()


def _frames(db: Any, audience: Audience, seen: int | None) -> tuple[int, bytes]:
    events, state = audience
    now = state(db)
    missed = events(db, seen) if seen is not None and 0 <= now["seq"] - seen <= REPLAY else []
    lines = [_frame("event", event["seq"], event) for event in missed] + [_frame("state", now["seq"], now)]
    return now["seq"], "".join(lines).encode()


def _frame(kind: str, seq: int, data: Json) -> str:
    return f"event: {kind}\nid: {seq}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
