"""A virtual ID card on a virtual reader: speaks the vpcd protocol to Debian's vsmartcard-vpcd inside a real pcscd.

Laying the card down is connecting, taking it away is hanging up. The protocol: a 16-bit length, then either one
control byte (power, reset, answer-to-reset) or a command.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.maker import make_card
from hardware.simulators.personalisation.master_file import answer_to_reset
from hardware.simulators.personalisation.person import Personalisation, at_hand, load_people
from hardware.simulators.personalisation.traits import ALL_QUIRKS
from hardware.simulators.simulator import Simulator, UnknownAction

BABBLE = bytes(40)
"""Longer than any answer-to-reset may be: power-up fails, and PC/SC calls the card mute."""
POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4
RETRY = 0.2
"""Seconds between attempts to reach the reader."""
HAND = 0.6
"""Seconds a hand needs from one card to the next; the daemon looks every 0.4 s and would see no change."""


class CardSimulator(Simulator):
    """The cards of a folder (or given ones), of which at most one lies on the reader."""

    name = "card"
    actions: Mapping[str, str] = {
        "lay": "lay down {card}, with {quirk} if given",
        "lift": "take the card away",
        "lift_after": "take the card away after {bytes} more bytes of answers",
        "mute": "{on}: the card does not start up, as if it lay the wrong way round",
    }

    def __init__(
        self,
        cards: Path | Mapping[str, Personalisation],
        host: str = "127.0.0.1",
        port: int = 35963,
        issuer: Issuer | None = None,
    ) -> None:
        self.people = load_people(cards) if isinstance(cards, Path) else dict(cards)
        self.issuer = issuer or Issuer()
        self._address = (host, port)
        self._lying: str | None = None
        self._quirk = ""
        self._applet: Applet | None = None
        self._made: dict[tuple[str, str], Applet] = {}
        self._connection: asyncio.Task[None] | None = None
        self._left: int | None = None
        self._mute = False
        self._running = False
        self._lifted = 0.0

    def write_csca(self, folder: Path) -> Path:
        """Put the test CSCA's certificate and its revocation list into a trust folder; returns the certificate."""
        self.issuer.write_crl(folder)
        return self.issuer.write_csca(folder)

    async def start(self) -> None:
        """Ready to lay down cards. Nothing is opened before: an open wire is a card on the reader."""
        self._running = True

    async def stop(self) -> None:
        """Take the card away."""
        await self._lift()
        self._running = False

    def state(self) -> dict[str, Any]:
        """The card on the reader and the cards at hand."""
        return {
            "card": self._lying,
            "quirk": self._quirk,
            "mute": self._mute,
            "cards": at_hand(self.people),
            "quirks": list(ALL_QUIRKS),
        }

    async def act(self, action: str, **parameters: Any) -> None:
        """Do one of `actions`; raises UnknownAction."""
        match action, parameters:
            case "lay", {"card": str(card), **rest} if card in self.people and self._running and _quirk_in(rest):
                await self._lay(card, **rest)
            case "lift", {**rest} if not rest:
                await self._lift()
            case "lift_after", {"bytes": int(count), **rest} if count >= 0 and not rest:
                self._left = count
            case "mute", {"on": bool(on), **rest} if not rest:
                self._mute = on
            case _:
                raise UnknownAction(
                    f"{action} {parameters}: allowed are {dict(self.actions)}; quirks: {', '.join(ALL_QUIRKS)}"
                )

    async def _lay(self, card: str, quirk: str = "") -> None:
        await self._lift()
        if (card, quirk) not in self._made:  # one laid back is the one that was lifted: its signature is the same
            self._made[card, quirk] = await asyncio.to_thread(make_card, self.people[card], self.issuer, quirk)
        self._applet = self._made[card, quirk]
        self._lying, self._quirk = card, quirk
        self._connection = asyncio.create_task(self._stay())

    async def _lift(self) -> None:
        connection, self._connection = self._connection, None
        self._leave()
        if connection is not None:
            connection.cancel()
            await asyncio.gather(connection, return_exceptions=True)

    def _leave(self) -> None:
        """Nothing lies on the reader any more."""
        if self._lying is not None:
            self._lifted = time.monotonic()
        self._lying, self._quirk, self._applet, self._left = None, "", None, None

    async def _stay(self) -> None:
        """Lie on the reader until taken away, also across restarts of the daemon."""
        await asyncio.sleep(self._lifted + HAND - time.monotonic())
        while self._applet is not None:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(*self._address)
                try:
                    await self._serve(self._applet, reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(RETRY)

    async def _serve(self, applet: Applet, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = writer.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            # Without it every command costs 40 ms: the daemon sends length and body apart and waits for our ACK.
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            message = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            answer = self._answer(applet, message)
            if answer is None:
                continue
            if len(message) > 1:
                await asyncio.sleep(applet.traits.seconds_per_command)
            if self._taken_by(len(answer)):
                self._leave()
                return
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()

    def _answer(self, applet: Applet, message: bytes) -> bytes | None:
        """What goes back, None for nothing."""
        if len(message) > 1:
            return applet.process(message)
        control = message[0] if message else None
        if control in (POWER_OFF, POWER_ON, RESET):
            applet.reset()
        if control != GET_ATR:
            return None
        return BABBLE if self._mute else answer_to_reset(applet.traits)

    def _taken_by(self, size: int) -> bool:
        """Whether the hand that takes the card away is faster than these bytes."""
        if self._left is None:
            return False
        self._left -= size
        return self._left < 0


def _quirk_in(parameters: Mapping[str, Any]) -> bool:
    """Whether there is nothing else in it than perhaps a quirk that we know."""
    return not parameters or (set(parameters) == {"quirk"} and parameters["quirk"] in ("", *ALL_QUIRKS))
