"""Every fault the dock can cause, met by a citizen: run as a program, leaves `scenes.json` and pictures in a folder.

A program of its own because Kivy has one window in a process; tests/faults/test_faults.py reads what it leaves.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from demo.program import on_stage
from demo.visits import CARD, capture, fill_in, identify
from kiosk.visit import Outcome

if TYPE_CHECKING:
    from demo.stage import Stage

Scene = Callable[["Stage"], Awaitable[None]]
seen: dict[str, dict[str, object]] = {}


def note(stage: "Stage", **facts: object) -> None:
    """Remember what the citizen meets in this scene."""
    seen.setdefault(stage.visits[-1].name, {}).update(facts)


async def remedy(stage: "Stage") -> None:
    """See the remedy screen and remember why and what it offers."""
    await stage.see("remedy")
    note(stage, reason=stage.question.reason.value, offers=[o.value for o in stage.question.offers])
    note(stage, texts=stage.texts())


async def to_the_number(stage: "Stage") -> None:
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:take_ticket")
    await stage.answer("choose_service", "group:hotich", "service:khai-sinh")
    await stage.answer("choose_priority", "answer:nothing")


async def to_the_card(stage: "Stage") -> dict:
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:file_dossier")
    await stage.see("place_card")
    return await stage.card(CARD)


async def to_the_papers(stage: "Stage") -> None:
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:file_dossier")
    await identify(stage)
    await stage.answer("choose_procedure", "group:hotich", "procedure:1.001193.000.00.00.H15")
    await stage.answer("show_components", "answer:start")


async def to_the_camera(stage: "Stage") -> None:
    await to_the_papers(stage)
    await stage.until(lambda: stage.presenter.current_name in ("consent_to_reuse", "capture_page"))
    if stage.presenter.current_name == "consent_to_reuse":  # the province was heard of late
        await stage.answer("consent_to_reuse", "answer:refuse")
    await stage.see("capture_page")


def printer_fault(fault: str, mend: str, **parameters: object) -> Scene:
    async def scene(stage: "Stage") -> None:
        await stage.dock("printer", fault, **parameters)
        await to_the_number(stage)
        await stage.see("ticket_issued")
        first = stage.question
        note(stage, paper=first.paper.value, reason=first.reason and first.reason.value, texts=stage.texts())
        note(stage, number=first.ticket.number, tickets=await stage.tickets(first.ticket.number))
        await stage.dock("printer", mend)
        await stage.tap("answer:reprint")
        await stage.see_that("ticket_issued", lambda q: q.paper.value == "printed")
        note(stage, same_ticket=stage.question.ticket.id == first.ticket.id)
        note(stage, tickets_after=await stage.tickets(first.ticket.number))
        await stage.tap("answer:done")

    return scene


async def to_the_reading(stage: "Stage") -> None:
    """The card lies there and its code was shown: reading begins."""
    card = await to_the_card(stage)
    await stage.dock("card", "lay", card=CARD)
    await stage.see("show_card_qr")
    await stage.dock("card", "lift_after", bytes=4000)
    await stage.dock("scanner", "scan", data=card["qr"])


async def waits_for(stage: "Stage", what: str) -> None:
    """See the screen that waits for a hand, and remember what it says."""
    await stage.see_that("working", lambda q: q.what == what)
    note(stage, texts=stage.texts(), share=stage.question.progress())


async def is_read(stage: "Stage") -> None:
    await stage.see("confirm_holder")
    note(stage, grade=stage.question.citizen.grade.value)
    await stage.dock("card", "lift")
    await leave(stage)


async def card_moved(stage: "Stage") -> None:
    """Taken away while it is read, and laid back: it goes on without a touch."""
    await to_the_reading(stage)
    await waits_for(stage, "card_lifted")
    await stage.dock("card", "lay", card=CARD)
    await is_read(stage)


async def card_pulled(stage: "Stage") -> None:
    """Taken away three times in a row."""
    await to_the_reading(stage)
    for _ in range(2):
        await waits_for(stage, "card_lifted")
        await stage.dock("card", "lay", card=CARD)
        await stage.dock("card", "lift_after", bytes=4000)
        await stage.see_that("working", lambda q: q.what == "reading_card")
    await remedy(stage)
    await stage.dock("card", "lay", card=CARD)
    await stage.tap("answer:retry")
    await is_read(stage)


async def card_mute(stage: "Stage") -> None:
    """It lies wrong; turned, it is read without a touch."""
    await stage.dock("card", "mute", on=True)
    await to_the_reading(stage)
    await waits_for(stage, "card_mute")
    await stage.dock("card", "mute", on=False)
    await stage.dock("card", "lift")
    await stage.until_card_lies(False)
    await stage.dock("card", "lay", card=CARD)
    await is_read(stage)


async def issuer_unknown(stage: "Stage") -> None:
    """A card whose issuer the kiosk does not know, lifted to show its code: greeted, and the number all the same."""
    trusted = {path: path.read_bytes() for path in stage.settings.card.csca.iterdir()}
    for path in trusted:
        path.unlink()
    try:
        await stage.dock("card", "lay", card=CARD)
        await stage.until_card_lies()
        await stage.answer("attract", "language:vi")
        await stage.answer("choose_errand", "answer:take_ticket")
        await stage.answer("choose_service", "group:hotich", "service:khai-sinh")
        await greeted(stage)
    finally:
        for path, content in trusted.items():
            path.write_bytes(content)
    await stage.answer("choose_priority", "answer:nothing")
    await stage.see("ticket_issued")
    number = stage.question.ticket.number
    note(stage, number=number, tickets=await stage.tickets(number))
    await stage.tap("answer:done")


async def greeted(stage: "Stage") -> None:
    """Lift the card, show its code, lay it back, be greeted, take the card."""
    card = await stage.card(CARD)
    await stage.see("show_card_qr")
    await stage.dock("card", "lift")
    await stage.until_card_lies(False)
    await stage.dock("scanner", "scan", data=card["qr"])
    await waits_for(stage, "card_missing")
    await stage.dock("card", "lay", card=CARD)
    await stage.see("confirm_holder")
    note(stage, grade=stage.question.citizen.grade.value, greeting=stage.texts(), holder=card["holder"])
    note(stage, personal_id=card["personal_id"])
    await stage.tap("answer:yes")
    await stage.see("take_card")
    await stage.dock("card", "lift")


async def scanner_garbles(stage: "Stage") -> None:
    await to_the_card(stage)
    await stage.dock("card", "lay", card=CARD)
    await stage.see("show_card_qr")
    await stage.dock("scanner", "scan", data="https://example.invalid/not-a-card")
    await stage.see_that("show_card_qr", lambda q: q.unreadable)
    note(stage, texts=stage.texts(), can_type="answer:type" in stage.finger.touchables())
    await stage.dock("card", "lift")
    await leave(stage)


async def scanner_unplugged(stage: "Stage") -> None:
    card = await to_the_card(stage)
    await stage.dock("scanner", "unplug")
    await stage.dock("card", "lay", card=CARD)
    await stage.answer("show_card_to_camera", "answer:type")
    await stage.see("type_access_key")
    for digits in (card["personal_id"], _ddmmyyyy(card["birth"]), _ddmmyyyy(card["expiry"])):
        await stage.finger.type(digits)
        await stage.tap("answer:continue")
    await stage.see("confirm_holder")
    note(stage, grade=stage.question.citizen.grade.value)
    await stage.dock("card", "lift")
    await stage.dock("scanner", "plug")
    await stage.until(lambda: stage.reception.equipment.scanner.status.usable)
    await leave(stage)


async def card_by_camera(stage: "Stage") -> None:
    """No scanner: the card is lifted from the reader, put under the camera, and laid back; nobody types."""
    await to_the_card(stage)
    await stage.dock("scanner", "unplug")
    await stage.dock("card", "lay", card=CARD)
    await stage.see("show_card_to_camera")
    await stage.dock("card", "lift")
    await stage.dock("camera", "lay", paper=f"card-back-{CARD}")
    await waits_for(stage, "card_missing")
    await stage.dock("camera", "clear")
    await stage.dock("card", "lay", card=CARD)
    await stage.see("confirm_holder")
    note(stage, grade=stage.question.citizen.grade.value)
    await stage.dock("card", "lift")
    await stage.dock("scanner", "plug")
    await stage.until(lambda: stage.reception.equipment.scanner.status.usable)
    await leave(stage)


def _ddmmyyyy(iso: str) -> str:
    year, month, day = iso.split("-")
    return day + month + year


async def camera_stalled(stage: "Stage") -> None:
    await to_the_camera(stage)
    await stage.dock("camera", "stall")
    await asyncio.sleep(2.5)  # a stall is a lasting state: the driver notices it within 2 s
    await stage.tap("answer:shutter")
    await remedy(stage)
    await stage.dock("camera", "resume")
    await stage.until(lambda: stage.reception.equipment.camera.status.usable)
    await stage.tap("answer:retry")
    await stage.dock("camera", "lay", paper="birth-form-1")
    await stage.see("review_page")
    note(stage, dpi=stage.question.page.dpi)
    await stage.dock("camera", "clear")
    await leave(stage)


async def left_while_assembling(stage: "Stage") -> None:
    """Two papers are being put together when the citizen leaves."""
    await to_the_camera(stage)
    await capture(stage, "birth-notification-1", more=False)
    await capture(stage, "birth-form-1", more=False)
    await stage.answer("capture_page", "answer:skip")
    await stage.see("fill_field")
    share = stage.question.behind
    note(stage, under_way=share() is not None)
    await leave(stage)
    await stage.see("attract")
    note(stage, still_under_way=share() is not None, programs=_children("tesseract"))


def _children(name: str) -> int:
    """How many programs of this name this process still runs."""
    stats = [path.read_text("utf-8") for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return sum(f"({name})" in stat and int(stat.rpartition(")")[2].split()[1]) == os.getpid() for stat in stats)


async def camera_unplugged(stage: "Stage") -> None:
    await to_the_camera(stage)
    await stage.dock("camera", "unplug")
    await asyncio.sleep(2.5)
    await stage.tap("answer:shutter")
    await remedy(stage)
    await stage.dock("camera", "plug")
    await stage.tap("answer:leave")


def bad_page(action: str, off: str, **parameters: object) -> Scene:
    async def scene(stage: "Stage") -> None:
        from screens.touch import FingerError  # with Kivy, whose window must be open

        await to_the_camera(stage)
        await stage.dock("camera", action, **parameters)
        if action == "blur":
            await stage.dock("camera", "lay", paper="birth-form-1")
        with suppress(FingerError):  # a page that lies well but is out of focus was quicker than the finger
            await stage.finger.tap("answer:shutter", 3)
        await remedy(stage)
        if off == "blur":
            await stage.dock("camera", "blur", on=False)
        await stage.dock("camera", "clear")
        await stage.tap("answer:leave")

    return scene


def queue_away(fault: str) -> Scene:
    """The number comes out of the reserve; the queue server learns of it when it is back."""

    async def scene(stage: "Stage") -> None:
        await stage.until(lambda: queue_state(stage) == "ok")
        await stage.answer("attract", "language:vi")
        await stage.dock("wire-queue", fault)
        await stage.answer("choose_errand", "answer:take_ticket")
        await stage.answer("choose_service", "group:hotich", "service:khai-sinh")
        await stage.answer("choose_priority", "answer:nothing")
        await stage.see("ticket_issued")
        shown = stage.question
        note(stage, ahead=shown.ticket.ahead, paper=shown.paper.value, texts=stage.texts(), url=shown.ticket.url)
        note(stage, state=queue_state(stage), number=shown.ticket.number)
        await stage.tap("answer:done")
        await stage.dock("wire-queue", "mend")
        await stage.until(lambda: queue_state(stage) == "ok")
        async with asyncio.timeout(30):
            while not await stage.tickets(shown.ticket.number):  # the server is looked at
                await asyncio.sleep(0.2)
        note(stage, tickets=await stage.tickets(shown.ticket.number))

    return scene


def queue_state(stage: "Stage") -> str:
    return stage.reception.equipment.queue.status.reason.value


async def queue_reply_lost(stage: "Stage") -> None:
    before = len(await stage.tickets())
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:take_ticket")
    await stage.answer("choose_service", "group:hotich", "service:khai-sinh")
    await stage.see("choose_priority")
    await stage.dock("wire-queue", "lose_reply")
    await stage.tap("answer:nothing")
    await stage.see("ticket_issued")
    note(stage, issued=len(await stage.tickets()) - before)
    await stage.tap("answer:done")


async def receiver_cut(stage: "Stage") -> None:
    await stage.dock("wire-receiver", "cut")
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "answer:look_up")
    await stage.see("type_dossier_code")
    await stage.finger.type("TAM-2345-6789")
    await stage.tap("answer:continue")
    await stage.see("type_personal_id")
    await stage.finger.type("001199000123")
    await stage.tap("answer:continue")
    await remedy(stage)
    await stage.dock("wire-receiver", "mend")
    await stage.tap("answer:leave")


async def filed_without_network(stage: "Stage") -> None:
    """The road is cut before anything of the visit has gone over it; the slip comes, the dossier arrives afterwards.

    Not before consent is asked for: a kiosk that knows already that the province is away does not ask.
    """
    await stage.until(lambda: stage.reception.equipment.office.asks_for_papers, 60)
    await to_the_papers(stage)
    await stage.see("consent_to_reuse")
    await stage.dock("wire-receiver", "cut")
    await stage.tap("answer:agree")
    await stage.see("nothing_to_reuse")
    note(stage, searched=stage.question.searched)
    await stage.tap("answer:go_on")
    await capture(stage, "birth-notification-1", more=False)
    await capture(stage, "birth-form-1", more=False)
    await stage.answer("capture_page", "answer:skip")
    await fill_in(stage)
    await stage.answer("review_dossier", "answer:go_on")
    await stage.answer("consent", "answer:agree")
    await stage.see("dossier_filed")
    note(stage, paper=stage.question.paper.value, state=stage.question.state is not None, texts=stage.texts())
    before = await arrived(stage)
    note(stage, arrived_before=before)
    await stage.dock("wire-receiver", "mend")
    async with asyncio.timeout(120):  # the forwarder's back-off after so long a cut
        while await arrived(stage) == before:
            await stage.stay()
            await asyncio.sleep(0.5)
    note(stage, arrived_after=await arrived(stage))
    await stage.answer("dossier_filed", "answer:done")


async def arrived(stage: "Stage") -> int:
    return len((await stage.tthc("dossiers")).json()["data"])


async def staff_called(stage: "Stage") -> None:
    await stage.answer("attract", "language:vi")
    await stage.answer("choose_errand", "control:call_staff")
    await stage.see("staff_called")
    note(stage, reached=stage.question.reached)
    await stage.tap("answer:go_on")
    await leave(stage)


async def leave(stage: "Stage") -> None:
    await stage.tap("control:start_over")
    await stage.until(lambda: stage.presenter.current_name in ("attract", "confirm_leaving"))
    if stage.presenter.current_name == "confirm_leaving":
        await stage.answer("confirm_leaving", "answer:leave")


async def walk_away(stage: "Stage") -> None:
    """The canary: a citizen whose data was read leaves in the middle."""
    from demo.visits import walk_away as scripted

    await stage.see("attract")
    note(stage, before=(stage.folder / stage.visits[-1].screens[-1]).name)
    await scripted(stage)
    card = await stage.card("du")
    note(stage, after=stage.visits[-1].screens[-1], traces=stage.traces(card["holder"], card["personal_id"]))


SCENES: tuple[tuple[str, Scene, Outcome], ...] = (
    ("walk-away", walk_away, Outcome.TIMED_OUT),
    ("paper-out", printer_fault("paper_out", "refill"), Outcome.COMPLETED),
    ("paper-out-in-the-middle", printer_fault("out_after", "refill", lines=200), Outcome.COMPLETED),
    ("cover-open", printer_fault("open_cover", "close_cover"), Outcome.COMPLETED),
    ("paper-jam", printer_fault("jam", "clear_jam"), Outcome.COMPLETED),
    ("printer-off", printer_fault("power_off", "power_on"), Outcome.COMPLETED),
    ("printer-hung", printer_fault("hang", "power_on"), Outcome.COMPLETED),
    ("card-moved", card_moved, Outcome.STARTED_OVER),
    ("card-pulled", card_pulled, Outcome.STARTED_OVER),
    ("card-mute", card_mute, Outcome.STARTED_OVER),
    ("issuer-unknown", issuer_unknown, Outcome.COMPLETED),
    ("scanner-garbles", scanner_garbles, Outcome.STARTED_OVER),
    ("scanner-unplugged", scanner_unplugged, Outcome.STARTED_OVER),
    ("card-by-camera", card_by_camera, Outcome.STARTED_OVER),
    ("camera-stalled", camera_stalled, Outcome.STARTED_OVER),
    ("left-while-assembling", left_while_assembling, Outcome.STARTED_OVER),
    ("camera-unplugged", camera_unplugged, Outcome.GAVE_UP),
    ("empty-tray", bad_page("clear", ""), Outcome.GAVE_UP),
    ("blurred-page", bad_page("blur", "blur", on=True), Outcome.GAVE_UP),
    ("page-cut-off", bad_page("lay_wrong", "", paper="birth-form-1"), Outcome.GAVE_UP),
    ("queue-cut", queue_away("cut"), Outcome.COMPLETED),
    ("queue-stalled", queue_away("stall"), Outcome.COMPLETED),
    ("queue-reply-lost", queue_reply_lost, Outcome.COMPLETED),
    ("receiver-cut", receiver_cut, Outcome.GAVE_UP),
    ("filed-without-network", filed_without_network, Outcome.COMPLETED),
    ("staff-called", staff_called, Outcome.STARTED_OVER),
)


async def play(stage: "Stage") -> int:
    for name, scene, expected in SCENES:
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        await stage.visit(name, scene, expected)
        seen.setdefault(name, {}).update(outcome=stage.visits[-1].outcome, expected=expected.value)
    (stage.folder / "scenes.json").write_text(json.dumps(seen, ensure_ascii=False, indent=2), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(on_stage(Path(sys.argv[1]), play))
