"""A whole visit at a kiosk whose disk is recorded: chip, pages, form, submit, sending, answer, look-up.

Everything but the devices is real. The kiosk's secrets and everything it says in its log (DEBUG) are on that disk too.
"""

import asyncio
import hashlib
import logging
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from kiosk.citizen import Citizen, IdentityGrade
from kiosk.config import OfficeSettings
from kiosk.dossier import Document, DocumentLabel, Dossier, Page
from kiosk.health import Failure
from kiosk.journeys import serve
from kiosk.ports import PagesDone
from kiosk.questions import (
    CaptureAnswer,
    CapturePage,
    ChooseErrand,
    ChooseProcedure,
    ConfirmHolder,
    Consent,
    DossierFiled,
    Errand,
    FillField,
    PageAnswer,
    PlaceCard,
    ReviewAnswer,
    ReviewDossier,
    ReviewPage,
    Settings,
    ShowCardQr,
    ShowComponents,
    TakeCard,
)
from kiosk.visit import Outcome, Visit
from person import WAITS, ScriptedPerson
from plain_equipment import PlainCamera, plain_equipment
from sync import forwarder
from sync.office import OutboxOffice
from tests.powercut import witness
from tests.powercut.witness import contents_of
from tests.powercut.workloads import Scene
from tests.sync.province import CANARY, CANARY_ID, make_pdf

PHONE = "0912377723"
CHILD = "TRẦN CANHYẾN CON"
SCAN = random.Random(7).randbytes(30_000)
PORTRAIT = random.Random(8).randbytes(6_000)
CONTROL = b"this was written in plain text, so that the search is known to find what is there"

HOLDER = Citizen(
    CANARY_ID,
    CANARY,
    date(1999, 1, 31),
    "Nữ",
    "Số 1, phố Thử Nghiệm, Hà Nội",
    IdentityGrade.ISSUER_VERIFIED,
    PORTRAIT,
    {"EF.SOD": PORTRAIT[::-1]},
)
_QR = f"{CANARY_ID}||{CANARY}|31011999|Nữ|Số 1, phố Thử Nghiệm, Hà Nội|05052021"

SCRIPT = [
    (ChooseErrand, Errand.FILE_DOSSIER),
    (PlaceCard, WAITS),
    (ShowCardQr, WAITS),
    (ConfirmHolder, True),
    (TakeCard, WAITS),
    (ChooseProcedure, lambda question: question.groups[0].procedures[0]),
    (ShowComponents, None),
    *[(CapturePage, CaptureAnswer.SHUTTER), (ReviewPage, PageAnswer.COMPLETE)] * 2,
    (CapturePage, CaptureAnswer.PAPER_ONLY),
    *[(FillField, value) for value in (CHILD, "05/11/2026", "nam")],
    (FillField, lambda question: question.value),
    (FillField, PHONE),
    (ReviewDossier, ReviewAnswer.GO_ON),
    (Consent, True),
    (DossierFiled, None),
]


class _Camera(PlainCamera):
    async def capture(self) -> Page | Failure:
        return Page(SCAN, 1654, 2339, 200)

    async def assemble(self, pages: Sequence[Page], label: DocumentLabel, progress: PagesDone) -> Document | Failure:
        data = make_pdf(len(pages)) + b"".join(page.jpeg for page in pages) + label.component.encode()
        return Document(data, hashlib.sha256(data).hexdigest(), len(pages), 0)


class _Office(OutboxOffice):
    """The office, with a witness beside it."""

    scene: Scene

    async def submit(self, dossier: Dossier) -> Failure | None:
        failure = await super().submit(dossier)
        if failure is None:
            self.scene.note.note(witness.SUBMITTED, dossier.reference_uid, contents_of(dossier))
        return failure


def visit(scene: Scene) -> None:
    """One after the other: the visit, the forwarder, the answer."""
    state = scene.settings.kiosk.state
    state.mkdir()
    _keep_secrets(scene.settings.office, state / "secrets")
    (state / "plain").write_bytes(CONTROL)
    logging.disable(logging.NOTSET)
    logging.basicConfig(filename=state / "kiosk.log", level=logging.DEBUG, force=True)
    scene.note.note(witness.BEGUN)
    asyncio.run(_file_and_wait(scene))
    logging.shutdown()
    os.sync()


def _keep_secrets(office: OfficeSettings, folder: Path) -> None:
    folder.mkdir()
    for name in ("ca", "certificate", "key_file", "receiver_key", "receipt_key", "signing_key_file", "recovery_key"):
        shutil.copy(getattr(office, name), folder)


async def _file_and_wait(scene: Scene) -> None:
    settings = scene.settings
    office = _Office(settings.office, settings.kiosk, replace(settings.outbox, ballast_mb=0))
    office.scene = scene
    plain = plain_equipment()
    plain.scanner.codes = [_QR]
    plain.card.results = [HOLDER]
    person = ScriptedPerson(*SCRIPT)
    async with office:
        equipment = replace(plain, office=office, camera=_Camera())
        outcome = await Visit(equipment, person, Settings()).run(serve)
        assert outcome is Outcome.COMPLETED, (outcome, person.wrong)
        reference = person.last(DossierFiled).provisional_ref
        answer = asyncio.create_task(office.answer(reference))
        while not answer.done():
            assert await asyncio.to_thread(forwarder.run, settings, once=True) == 0
            await asyncio.sleep(0.05)
        found = await office.look_up(reference, CANARY_ID)
        assert not isinstance(found, Failure), found
