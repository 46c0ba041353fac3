"""Requests made up from the receiver's own OpenAPI document: whatever comes, a documented answer and never a 5xx."""

from openapi_storm import storm
from tests.sync.province import Province, make_dossier
from tests.sync.test_receiver import Kiosk


def test_no_request_made_up_from_the_document_breaks_the_receiver(open_province: Province):
    assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    open_province.deliver()
    kiosk = Kiosk(open_province)
    document = kiosk("GET", "/openapi.json").json()
    assert storm(document, kiosk.url, kiosk.session, examples=15) > 200
    assert kiosk("GET", "/healthz").json() == {"status": "ok"}
    assert "Traceback" not in open_province.log("receiver")
    assert "ERROR watch: " not in open_province.log("receiver")
