"""The scripted visits of the tour: what a citizen's hands do, screen by screen."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import requests

from kiosk.clock import from_iso
from kiosk.questions import CapturePage
from kiosk.shutter import Prompt

if TYPE_CHECKING:
    from demo.stage import Stage


BIRTH_REGISTRATION = "1.001193.000.00.00.H15"
CARD = "mau"


async def take_a_number(stage: "Stage") -> None:
    """A number for a marriage registration, found by typing without marks."""
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:take_ticket")
    await stage.see("choose_service")
    await stage.tap("search")
    await stage.finger.type("ket hon")
    await stage.answer("choose_service", "service:ket-hon")
    await stage.answer("choose_priority", "answer:nothing")
    await stage.answer("ticket_issued", "answer:done")


async def keep_an_appointment(stage: "Stage") -> None:
    """A time booked on the phone a moment ago: its QR code is held under the scanner of a kiosk that nobody touched."""
    code, begins_soon = await book(stage)
    await stage.see("attract")
    await stage.dock("scanner", "scan", data=code)
    if not begins_soon:  # the last hour of the day: the next free time is tomorrow's
        await stage.answer("come_later", "answer:ordinary")
        await stage.answer("choose_service", "group:hotich", "service:khai-sinh")
    await stage.answer("choose_priority", "answer:nothing")
    await stage.answer("ticket_issued", "answer:done")


async def book(stage: "Stage") -> tuple[str, bool]:
    """The next free time, booked as a phone does: what its QR code says, and whether it is kept already."""
    site = f"http://127.0.0.1:{stage.world.ports.queue}"
    asked = {"service": "khai-sinh"}
    page = (await asyncio.to_thread(requests.get, f"{site}/appointments", params=asked, timeout=10)).text
    form = dict(re.findall(r'name="(key)" value="([^"]+)"', page))
    form["slot"] = re.findall(r'name="slot" value="([^"]+)" required>', page)[0]
    answer = await asyncio.to_thread(
        requests.post, f"{site}/appointments", data=asked | form, timeout=10, allow_redirects=False
    )
    begins = from_iso(form["slot"]) - datetime.now(UTC)
    return site + answer.headers["location"].partition("?")[0], begins <= timedelta(minutes=15)


async def file_a_dossier(stage: "Stage") -> None:
    """A birth registration: chip card, a paper on file, two with three pages, form, consent; waits for the answer."""
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:file_dossier")
    await identify(stage)
    await stage.answer("choose_procedure", "group:hotich")
    await stage.answer("choose_procedure", f"procedure:{BIRTH_REGISTRATION}")
    await stage.answer("show_components", "answer:start")
    await stage.answer("consent_to_reuse", "answer:agree")
    await stage.answer("offer_reuse", "answer:use")
    await hand_on(stage, "birth-notification-1")
    await stage.answer("review_page", "answer:complete")
    await stage.dock("camera", "clear")
    await capture(stage, "birth-form-1", more=True)
    await capture(stage, "birth-form-2", more=False)
    await arrange(stage)
    await fill_in(stage)
    await stage.answer("review_dossier", "answer:go_on")
    await stage.answer("consent", "answer:agree")
    await stage.see("dossier_filed")
    await stage.see_that("dossier_filed", lambda filed: filed.state is not None)
    await stage.tap("answer:done")


async def identify(stage: "Stage") -> None:
    """Lay the card down, show its QR code, confirm, take the card back."""
    card = await stage.card(CARD)
    await stage.see("place_card")
    await stage.dock("card", "lay", card=CARD)
    await stage.see("show_card_qr")
    await stage.dock("scanner", "scan", data=card["qr"])
    await stage.answer("confirm_holder", "answer:yes")
    await stage.see("take_card")
    await stage.dock("card", "lift")


async def capture(stage: "Stage", paper: str, *, more: bool) -> None:
    """Lay a paper under the camera; it takes itself; keep it."""
    await stage.see_that("capture_page", _nothing_in_sight)
    await stage.dock("camera", "lay", paper=paper)
    await stage.answer("review_page", "answer:next_page" if more else "answer:complete")
    await stage.dock("camera", "clear")


async def hand_on(stage: "Stage", paper: str) -> None:
    """Lay a paper down and leave a hand on it: the kiosk says so, and takes the page when the hand is gone."""
    await stage.dock("camera", "hand", on=True)
    await stage.dock("camera", "lay", paper=paper)
    await stage.see_that("capture_page", lambda question: question.watch().prompt is Prompt.HAND)
    await stage.dock("camera", "hand", on=False)


async def arrange(stage: "Stage") -> None:
    """Look through the pages of a paper that has several."""
    await stage.answer("arrange_pages", "page:2", "answer:done")


def _nothing_in_sight(question: CapturePage) -> bool:
    frame = question.watch().frame
    return frame is not None and frame.outline is None


async def fill_in(stage: "Stage") -> None:
    """The five fields of a birth registration, the name in Telex."""
    await stage.see("fill_field")
    await stage.finger.type("Traanf Maaux An")
    await stage.tap("answer:continue")
    await stage.see("fill_field")
    await stage.finger.type("05112026")
    await stage.tap("answer:continue")
    await stage.answer("fill_field", "choice:nu")
    await stage.answer("fill_field", "answer:continue")
    await stage.see("fill_field")
    await stage.finger.type("0912345678")
    await stage.tap("answer:continue")


def look_up(code: str, personal_id: str) -> Callable[["Stage"], Awaitable[None]]:
    """The dossier just filed, in English, by its official code."""

    async def script(stage: "Stage") -> None:
        await stage.answer("attract", "language:en")
        await stage.finger.wait_for("choose_errand")
        if "What" not in " ".join(stage.texts()):
            raise LookupError("English was chosen, but the screen is not in English")
        await stage.answer("choose_errand", "answer:look_up")
        await stage.see("type_dossier_code")
        await stage.finger.type(code)
        await stage.tap("answer:continue")
        await stage.see("type_personal_id")
        await stage.finger.type(personal_id)
        await stage.tap("answer:continue")
        await stage.answer("show_status", "answer:done")

    return script


async def walk_away(stage: "Stage") -> None:
    """Read the card, then leave: the kiosk asks, waits, and forgets."""
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:file_dossier")
    card = await stage.card("du")
    await stage.see("place_card")
    await stage.dock("card", "lay", card="du")
    await stage.see("show_card_qr")
    await stage.dock("scanner", "scan", data=card["qr"])
    await stage.see("confirm_holder")
    await stage.dock("card", "lift")
    await stage.see("attract", seconds=30)
