"""Which screen renders which question."""

from typing import Any

from kiosk import questions as q
from screens.arrange_pages import ArrangePagesScreen
from screens.attract import AttractScreen
from screens.capture_page import CapturePageScreen
from screens.choose_errand import ChooseErrandScreen
from screens.choose_priority import ChoosePriorityScreen
from screens.choose_procedure import ChooseProcedureScreen
from screens.choose_service import ChooseServiceScreen
from screens.come_later import ComeLaterScreen
from screens.confirm_holder import ConfirmHolderScreen
from screens.confirm_leaving import ConfirmLeavingScreen
from screens.consent import ConsentScreen
from screens.consent_to_face import ConsentToFaceScreen
from screens.consent_to_reuse import ConsentToReuseScreen
from screens.dossier_filed import DossierFiledScreen
from screens.face_compared import FaceComparedScreen
from screens.fill_field import FillFieldScreen
from screens.nothing_to_reuse import NothingToReuseScreen
from screens.offer_reuse import OfferReuseScreen
from screens.place_card import PlaceCardScreen
from screens.remedy import RemedyScreen
from screens.review_dossier import ReviewDossierScreen
from screens.review_page import ReviewPageScreen
from screens.screen import Screen
from screens.show_appointment import ShowAppointmentScreen
from screens.show_card_qr import ShowCardQrScreen
from screens.show_card_to_camera import ShowCardToCameraScreen
from screens.show_components import ShowComponentsScreen
from screens.show_face import ShowFaceScreen
from screens.show_status import ShowStatusScreen
from screens.staff_called import StaffCalledScreen
from screens.take_card import TakeCardScreen
from screens.ticket_issued import TicketIssuedScreen
from screens.type_access_key import TypeAccessKeyScreen
from screens.type_dossier_code import TypeDossierCodeScreen
from screens.type_personal_id import TypePersonalIdScreen
from screens.working import WorkingScreen

SCREENS: dict[type[q.Question[Any]], type[Screen[Any]]] = {
    q.Attract: AttractScreen,
    q.ChooseErrand: ChooseErrandScreen,
    q.ConfirmLeaving: ConfirmLeavingScreen,
    q.StaffCalled: StaffCalledScreen,
    q.Working: WorkingScreen,
    q.Remedy: RemedyScreen,
    q.ChooseService: ChooseServiceScreen,
    q.ChoosePriority: ChoosePriorityScreen,
    q.TicketIssued: TicketIssuedScreen,
    q.ShowAppointment: ShowAppointmentScreen,
    q.ComeLater: ComeLaterScreen,
    q.ChooseProcedure: ChooseProcedureScreen,
    q.PlaceCard: PlaceCardScreen,
    q.ShowCardQr: ShowCardQrScreen,
    q.ShowCardToCamera: ShowCardToCameraScreen,
    q.TypeAccessKey: TypeAccessKeyScreen,
    q.ConfirmHolder: ConfirmHolderScreen,
    q.ConsentToFace: ConsentToFaceScreen,
    q.ShowFace: ShowFaceScreen,
    q.FaceCompared: FaceComparedScreen,
    q.TakeCard: TakeCardScreen,
    q.ShowComponents: ShowComponentsScreen,
    q.ConsentToReuse: ConsentToReuseScreen,
    q.OfferReuse: OfferReuseScreen,
    q.NothingToReuse: NothingToReuseScreen,
    q.CapturePage: CapturePageScreen,
    q.ReviewPage: ReviewPageScreen,
    q.ArrangePages: ArrangePagesScreen,
    q.FillField: FillFieldScreen,
    q.ReviewDossier: ReviewDossierScreen,
    q.Consent: ConsentScreen,
    q.DossierFiled: DossierFiledScreen,
    q.TypeDossierCode: TypeDossierCodeScreen,
    q.TypePersonalId: TypePersonalIdScreen,
    q.ShowStatus: ShowStatusScreen,
}
