"""A sample of every question, with invented people, for the gallery and the tests."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk import catalogue, ports
from kiosk import questions as q
from kiosk.appointment import Appointment, Standing
from kiosk.citizen import Citizen, IdentityGrade
from kiosk.dossier import Dossier, DossierState, Page, Papers
from kiosk.health import Reason
from kiosk.i18n import ASSETS
from kiosk.leaves import Leaf
from kiosk.reuse import Reusable
from kiosk.shutter import Prompt, Sight
from kiosk.text import Text
from kiosk.ticket import Ticket
from screens.widgets.scenes import paint_card, paint_portrait, paint_sheet
from screens.widgets.vector import Drawing

MORNING = datetime(2026, 11, 23, 1, 41, tzinfo=UTC)
REFERENCE = "TAM-7K3F-92QD"


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, what was entered so far, and whether there is a way back."""

    question: q.Question[Any]
    draft: dict[str, Any] = field(default_factory=dict)
    back: bool = True


@cache
def offers() -> catalogue.Catalogue:
    """The sample catalogue of the repository."""
    return catalogue.load(Path(ASSETS) / "catalogue" / "sample.toml")


def _jpeg(rgba: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR))[1].tobytes()


@cache
def page() -> Page:
    """A page nobody wrote."""
    pixels = paint_sheet(Drawing(840, 1188, 104)).rgba()
    return Page(_jpeg(pixels), 840, 1188, 150)


@cache
def portrait() -> bytes:
    """A face of nobody."""
    return _jpeg(paint_portrait(Drawing(360, 480, 120)).rgba())


@cache
def preview() -> ports.Frame:
    """The tray with a page on it, as the camera sees it."""
    sheet = paint_sheet(Drawing(420, 594, 104)).rgba()
    return _lying(sheet, (420, 594), ((104, 96), (628, 110), (606, 858), (84, 836)))


def _lying(painted: NDArray[np.uint8], size: tuple[int, int], at: tuple[tuple[float, float], ...]) -> ports.Frame:
    """The tray with something of `size` lying on it, its corners at `at`."""
    width, height = 720, 960
    ground = np.full((height, width, 3), (58, 52, 48), np.uint8)
    thing = cv2.cvtColor(painted, cv2.COLOR_RGBA2RGB)
    corners = np.array(at, np.float32)
    source = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    shift = cv2.getPerspectiveTransform(source, corners)
    mask = cv2.warpPerspective(np.full(size[::-1], 255, np.uint8), shift, (width, height))
    scene = np.where(mask[..., None] > 0, cv2.warpPerspective(thing, shift, (width, height)), ground).astype(np.uint8)
    a, b, c, d = ((float(x) / width, float(y) / height) for x, y in corners)
    return ports.Frame(width, height, scene.tobytes(), (a, b, c, d), 1)


def sight() -> Sight:
    """A page at rest, about to be taken."""
    return Sight(preview(), Prompt.HOLD, 0.7)


def hand() -> Sight:
    """Something is in the way."""
    return Sight(preview(), Prompt.HAND)


@cache
def card_preview() -> ports.Frame:
    """The tray with a card's back on it."""
    return _lying(
        paint_card(Drawing(464, 292, 116)).rgba(), (464, 292), ((214, 352), (506, 366), (496, 552), (206, 536))
    )


def card_sight() -> Sight:
    """A card that is being read."""
    return Sight(card_preview(), Prompt.HOLD)


@cache
def face_sight() -> Sight:
    """A person before the face camera."""
    person = cv2.cvtColor(paint_portrait(Drawing(540, 720, 120)).rgba(), cv2.COLOR_RGBA2RGB)
    picture = cv2.copyMakeBorder(person, 0, 0, 210, 210, cv2.BORDER_REPLICATE)
    outline = ((0.41, 0.24), (0.59, 0.24), (0.59, 0.6), (0.41, 0.6))
    return Sight(ports.Frame(960, 720, picture.tobytes(), outline, 1), Prompt.HOLD)


def card_unread() -> Sight:
    """A card that lies well and was not read."""
    return Sight(card_preview(), Prompt.UNREAD)


def half_done() -> float:
    """Work behind a screen."""
    return 0.45


def citizen(grade: IdentityGrade = IdentityGrade.CHIP_READ) -> Citizen:
    """An invented person."""
    return Citizen(
        personal_id="001199000123",
        full_name="NGUYỄN THỊ MẪU",
        birth=date(1999, 9, 2),
        sex="Nữ",
        address="Số 12 ngõ 34 đường Hoa Ban, phường Sông Mây",
        grade=grade,
        portrait=portrait(),
    )


def ticket(priority: bool = False) -> Ticket:
    """A number."""
    return Ticket(
        id="sample",
        number="HT-047",
        service=Text("Đăng ký khai sinh", "Birth registration"),
        centre=offers().centre,
        issued_at=MORNING,
        ahead=6,
        wait=(15, 25),
        url="http://127.0.0.1:8480/t/4f9d2c7e8a1b",
        priority=offers().priorities[0].name if priority else None,
    )


def booked(standing: Standing = Standing.DUE, days: int = 0) -> Appointment:
    """An appointment about the time of the samples."""
    early = standing is Standing.EARLY
    at = MORNING.replace(hour=3 if early else 1, minute=30) + timedelta(days=days)
    return Appointment("sample", ticket().service, at, at - timedelta(minutes=10), standing)


def dossier() -> Dossier:
    """A dossier with captured papers and one on paper only."""
    procedure = offers().groups[0].procedures[0]
    first, second, third = procedure.components
    answers = {
        "child_name": "Nguyễn Minh Mẫu",
        "child_birth": "05/11/2026",
        "child_sex": "nam",
        "contact_address": citizen().address,
        "phone": "0912000123",
    }
    papers = (Papers(first, (page(),)), Papers(second, (page(), page())), Papers(third))
    return Dossier("sample", REFERENCE, procedure, citizen(), answers, papers, MORNING, "Sông Mây")


def reusing() -> Dossier:
    """The same, with a paper that the province holds already."""
    *given, last = dossier().papers
    return replace(dossier(), papers=(*given, replace(last, reused=on_file())))


def on_file(component: str = "KS03", number: str = "52/2024") -> Reusable:
    """A digitised paper of nobody."""
    issuer = "Ủy ban nhân dân phường Sông Mây"
    return Reusable(component, f"KQ.{number}", "Giấy chứng nhận kết hôn", number, issuer)


def state() -> DossierState:
    """A dossier that was received."""
    return DossierState(
        provisional_ref=REFERENCE,
        dossier_code="H15.50.05.13-261123-0975",
        status=4,
        procedure="Đăng ký khai sinh",
        owner="N••••• T•• M••",
        submitted_at=MORNING,
        received_at=MORNING,
        due_at=MORNING.replace(day=25),
        collect_at="Trung tâm Phục vụ hành chính công phường Sông Mây",
        received=True,
    )


def samples() -> dict[str, Sample]:
    """Every screen in its states, by name; the part before the dot is the screen's."""
    groups, procedure = offers().groups, offers().groups[0].procedures[0]
    retry = (q.Mend.RETRY, q.Mend.WITHOUT, q.Mend.LEAVE)
    made: dict[str, Sample] = {
        "attract": Sample(q.Attract(offers().centre)),
        "choose_errand": Sample(q.ChooseErrand(), back=False),
        "confirm_leaving": Sample(q.ConfirmLeaving(), back=False),
        "staff_called": Sample(q.StaffCalled(True), back=False),
        "staff_called.failed": Sample(q.StaffCalled(False), back=False),
        "staff_called.coming": Sample(q.StaffCalled(True, coming=True), back=False),
        "working": Sample(q.Working("reading_card", lambda: 0.62, True)),
        "working.lifted": Sample(q.Working("card_lifted", lambda: 0.43, True)),
        "working.mute": Sample(q.Working("card_mute", lambda: None, True)),
        "working.missing": Sample(q.Working("card_missing", lambda: None, True)),
        "working.finding_papers": Sample(q.Working("finding_papers", lambda: None, True)),
        "working.unknown": Sample(q.Working("looking_up", lambda: None, True)),
        "choose_service": Sample(q.ChooseService(groups)),
        "choose_service.group": Sample(q.ChooseService(groups), {"group": groups[0].id}),
        "choose_service.search": Sample(q.ChooseService(groups), {"query": "đăng ky"}),
        "choose_priority": Sample(q.ChoosePriority(offers().priorities)),
        "ticket_issued": Sample(q.TicketIssued(ticket(), q.Paper.PRINTED), back=False),
        "ticket_issued.failed": Sample(q.TicketIssued(ticket(True), q.Paper.FAILED, Reason.PAPER_OUT), back=False),
        "ticket_issued.appointment": Sample(
            q.TicketIssued(replace(ticket(True), appointment=booked()), q.Paper.PRINTED), back=False
        ),
        "ticket_issued.late": Sample(
            q.TicketIssued(replace(ticket(True), appointment=booked(Standing.LATE)), q.Paper.FAILED, Reason.PAPER_OUT),
            back=False,
        ),
        "ticket_issued.earlier": Sample(
            q.TicketIssued(replace(ticket(), appointment=booked()), q.Paper.EARLIER), back=False
        ),
        "show_appointment": Sample(q.ShowAppointment()),
        "show_appointment.unreadable": Sample(q.ShowAppointment(True)),
        "come_later": Sample(q.ComeLater(booked(Standing.EARLY), MORNING)),
        "come_later.other_day": Sample(q.ComeLater(booked(Standing.EARLY, days=2), MORNING)),
        "choose_procedure": Sample(q.ChooseProcedure(groups)),
        "choose_procedure.group": Sample(q.ChooseProcedure(groups), {"group": groups[0].id}),
    }
    for reason in (Reason.PAPER_OUT, Reason.CARD_REMOVED, Reason.PAGE_NOT_FOUND, Reason.PAGE_HAND,
                   Reason.PAGE_GLARE, Reason.QUEUE_UNREACHABLE,
                   Reason.CARD_DATA_BAD):  # fmt: skip
        made[f"remedy.{reason.value}"] = Sample(q.Remedy(reason, retry))
    for reason in (Reason.APPOINTMENT_UNCHECKED, Reason.APPOINTMENT_UNKNOWN, Reason.APPOINTMENT_ELSEWHERE,
                   Reason.APPOINTMENT_CANCELLED, Reason.APPOINTMENT_USED):  # fmt: skip
        made[f"remedy.{reason.value}"] = Sample(q.Remedy(reason, (q.Mend.WITHOUT, q.Mend.RETRY, q.Mend.LEAVE)))
    return made | _identity() | _filing(procedure) | _looking_up()


def _identity() -> dict[str, Sample]:
    key = q.TypeAccessKey()
    return {
        "place_card": Sample(q.PlaceCard()),
        "show_card_qr": Sample(q.ShowCardQr()),
        "show_card_qr.unreadable": Sample(q.ShowCardQr(True)),
        "show_card_qr.in_passing": Sample(q.ShowCardQr(in_passing=True)),
        "show_card_qr.camera": Sample(q.ShowCardQr(camera=True)),
        "show_card_qr.camera_in_passing": Sample(q.ShowCardQr(True, in_passing=True, camera=True)),
        "show_card_to_camera": Sample(q.ShowCardToCamera(card_sight, scanner=True)),
        "show_card_to_camera.unread": Sample(q.ShowCardToCamera(card_unread)),
        "show_card_to_camera.in_passing": Sample(q.ShowCardToCamera(Sight, in_passing=True, scanner=True)),
        "show_card_to_camera.qr_only": Sample(q.ShowCardToCamera(card_sight, qr_only=True)),
        "type_access_key": Sample(key),
        "type_access_key.birth": Sample(
            key, {"number": "001199000123", "birth": "3102", "expiry": "", "step": 1, "problem": "bad_date"}
        ),
        "type_access_key.expiry": Sample(
            key, {"number": "001199000123", "birth": "02091999", "expiry": "0209", "step": 2, "problem": ""}
        ),
        "type_access_key.refused": Sample(q.TypeAccessKey(True, "001199000123")),
        "confirm_holder": Sample(q.ConfirmHolder(citizen())),
        "confirm_holder.verified": Sample(q.ConfirmHolder(citizen(IdentityGrade.ISSUER_VERIFIED))),
        "confirm_holder.integrity": Sample(q.ConfirmHolder(citizen(IdentityGrade.INTEGRITY_ONLY), expired=True)),
        "confirm_holder.greeting": Sample(q.ConfirmHolder(citizen(IdentityGrade.INTEGRITY_ONLY), True)),
        "confirm_holder.greeting_unproven": Sample(q.ConfirmHolder(citizen(IdentityGrade.CHIP_READ), True, True)),
        "confirm_holder.typed": Sample(q.ConfirmHolder(replace(citizen(IdentityGrade.TYPED), full_name="", sex="",
                                                               address="", portrait=b""))),
        "consent_to_face": Sample(q.ConsentToFace()),
        "show_face": Sample(q.ShowFace(face_sight)),
        "show_face.empty": Sample(q.ShowFace(Sight)),
        "face_compared": Sample(q.FaceCompared(True)),
        "face_compared.differs": Sample(q.FaceCompared(False)),
        "face_compared.unseen": Sample(q.FaceCompared(None)),
        "take_card": Sample(q.TakeCard()),
    }  # fmt: skip


def _filing(procedure: catalogue.Procedure) -> dict[str, Sample]:
    component, optional = procedure.components[1:3]
    name, birth, sex, address, phone = procedure.fields
    return {
        "show_components": Sample(q.ShowComponents(procedure)),
        "consent_to_reuse": Sample(q.ConsentToReuse(citizen(), len(procedure.components))),
        "consent_to_reuse.long": Sample(
            q.ConsentToReuse(replace(citizen(), full_name="TÔN NỮ NGUYỄN PHƯỚC HOÀNG BẢO THIÊN NGÂN"), 12)
        ),
        "offer_reuse": Sample(q.OfferReuse(optional, 1, 2, (on_file(),))),
        "offer_reuse.several": Sample(q.OfferReuse(optional, 2, 2, (on_file(), on_file(number="17/2019")))),
        "nothing_to_reuse": Sample(q.NothingToReuse(searched=True)),
        "nothing_to_reuse.unsearched": Sample(q.NothingToReuse(searched=False)),
        "capture_page": Sample(q.CapturePage(component, 2, 3, 3, sight, (page(), page()))),
        "capture_page.hand": Sample(q.CapturePage(optional, 3, 3, 1, hand)),
        "capture_page.empty": Sample(q.CapturePage(optional, 3, 3, 1, Sight)),
        "capture_page.lifted": Sample(q.CapturePage(component, 2, 3, 2, sight, (page(), page()), lifted=True)),
        "review_page": Sample(q.ReviewPage(component, page(), 1)),
        "review_page.blank": Sample(q.ReviewPage(component, page(), 2, blank=True)),
        "review_page.same": Sample(q.ReviewPage(component, page(), 4, same_as=2)),
        "review_page.full": Sample(q.ReviewPage(component, page(), 20, room=False)),
        "arrange_pages": Sample(q.ArrangePages(component, (Leaf(page()), Leaf(page(), page()), Leaf(page())), 1)),
        "arrange_pages.one": Sample(q.ArrangePages(component, (Leaf(page()),))),
        "arrange_pages.many": Sample(q.ArrangePages(component, (Leaf(page()),) * 20, 7, room=False)),
        "fill_field.text": Sample(q.FillField(name, 1, 5), {"value": "Nguyễn Minh Mẫu"}),
        "fill_field.date": Sample(q.FillField(birth, 2, 5), {"value": "05/11/20"}),
        "fill_field.choice": Sample(q.FillField(sex, 3, 5, "nam")),
        "fill_field.prefilled": Sample(q.FillField(address, 4, 5, citizen().address)),
        "fill_field.behind": Sample(q.FillField(name, 1, 5, behind=half_done)),
        "fill_field.phone": Sample(q.FillField(phone, 5, 5), {"value": "0912", "refused": True}),
        "review_dossier": Sample(q.ReviewDossier(dossier())),
        "review_dossier.behind": Sample(q.ReviewDossier(dossier(), half_done)),
        "review_dossier.reused": Sample(q.ReviewDossier(reusing())),
        "consent": Sample(q.Consent(procedure.receiving_unit)),
        "dossier_filed": Sample(q.DossierFiled(REFERENCE, q.Paper.PRINTED), back=False),
        "dossier_filed.unprinted": Sample(q.DossierFiled(REFERENCE, q.Paper.FAILED, Reason.PAPER_OUT), back=False),
        "dossier_filed.received": Sample(q.DossierFiled(REFERENCE, q.Paper.PRINTED, None, state()), back=False),
    }


def _looking_up() -> dict[str, Sample]:
    return {
        "type_dossier_code": Sample(q.TypeDossierCode()),
        "type_dossier_code.not_found": Sample(q.TypeDossierCode(True), {"code": "TAM-7K3F"}),
        "type_personal_id": Sample(q.TypePersonalId(), {"digits": "0011990"}),
        "type_personal_id.refused": Sample(q.TypePersonalId(), {"digits": "0011990", "refused": True}),
        "show_status": Sample(q.ShowStatus(state()), back=False),
        "show_status.fee": Sample(q.ShowStatus(replace(state(), status=6, fee="Lệ phí: 15.000 đồng")), back=False),
        "show_status.ready": Sample(q.ShowStatus(replace(state(), status=9)), back=False),
        "show_status.unknown": Sample(
            q.ShowStatus(replace(state(), status=-1, dossier_code=None, due_at=None)), back=False
        ),
        "show_status.trouble": Sample(
            q.ShowStatus(
                replace(state(), status=5, note="Bổ sung bản chính Giấy chứng sinh trước ngày 01/12/2026."), True
            ),
            back=False,
        ),
    }
