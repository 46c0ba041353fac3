"""From the outbox to the TTHC system: exactly one dossier with identical files, whoever is killed or away."""

import itertools
import signal
import ssl
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.process import BaseProcess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.dossier import Dossier
from sync import forwarder
from sync.client import ReceiverClient
from sync.forwarder import Forwarder, run
from sync.keys import create_world
from sync.outbox import Outbox
from sync.outbox_schema import State
from tests.sync.canaries import forms, found
from tests.sync.province import CANARY, CANARY_ID, Province, expected, make_dossier, until


def test_a_dossier_arrives_whole_and_the_answer_comes_back(open_province: Province):
    dossier = make_dossier(pages=3, evidence=1_400_000)
    assert open_province.outbox.put(dossier, open_province.sealer) is None
    open_province.deliver()
    assert open_province.arrived() == expected(dossier)
    answer = open_province.outbox.answer(dossier.provisional_ref)
    assert answer is not None
    assert answer.received
    assert answer.status == 2
    assert answer.dossier_code is not None
    assert answer.dossier_code.startswith("H15.50.05-")
    assert answer.due_at is not None
    assert answer.received_at is not None
    assert answer.due_at > answer.received_at
    [listed] = open_province.tthc().json()["data"]
    assert listed["applicantIdNo"] == CANARY_ID
    assert {file["pages"] for file in listed["files"]} == {3, None}


def test_the_forwarder_as_a_service_delivers_what_comes_and_stops_when_told(open_province: Province):
    open_province.start("forward")
    dossiers = [make_dossier(), make_dossier()]
    for dossier in dossiers:
        assert open_province.outbox.put(dossier, open_province.sealer) is None
    until(lambda: open_province.states() == ["answered", "answered"])
    assert open_province.outbox.road().heard is not None
    assert open_province.kill("forward", signal.SIGTERM) == 0
    assert open_province.arrived() == expected(*dossiers)


def test_a_dossier_filed_after_a_long_cut_does_not_wait_for_the_pause_to_end(province: Province, monkeypatch):
    monkeypatch.setattr(forwarder, "PAUSE", 300.0)
    monkeypatch.setattr(forwarder.random, "uniform", lambda _, longest: longest)
    monkeypatch.setattr(forwarder, "LOOK", 0.05)
    stop = forwarder.Stop()
    settings = province.settings
    work = Forwarder(Outbox(settings.kiosk.state / "outbox"), ReceiverClient(settings.office), settings)
    thread = threading.Thread(target=work.run, args=(stop,))
    thread.start()
    try:
        until(lambda: province.outbox.road().problem)
        province.start("tthc-model")
        province.start("receiver")
        assert province.outbox.put(make_dossier(), province.sealer) is None
        until(lambda: province.states() == ["delivered"])
    finally:
        stop.set()
        thread.join(30)


def test_only_one_forwarder_works(open_province: Province):
    open_province.start("forward")
    until(lambda: open_province.outbox.road().heard is not None)
    assert open_province.forward() == 1
    assert "held by another process" in open_province.log("forward-once")


def test_a_forwarder_killed_at_every_step_delivers_exactly_once(open_province: Province):
    dossiers: list[Dossier] = []
    for step in itertools.count(1):
        dossiers.append(make_dossier(evidence=600_000))
        assert open_province.outbox.put(dossiers[-1], open_province.sealer) is None
        if open_province.forward(die_at=step) == 0:
            break
    assert step > 10
    open_province.deliver()
    assert open_province.states() == ["answered"] * len(dossiers)
    assert open_province.arrived() == expected(*dossiers)


def test_a_receiver_killed_at_every_step_accepts_exactly_once(province: Province):
    province.start("tthc-model")
    dossiers: list[Dossier] = []
    for step in itertools.count(1):
        receiver = province.start("receiver", die_at=step)
        _pass_on(province)
        dossiers.append(make_dossier(evidence=600_000))
        assert province.outbox.put(dossiers[-1], province.sealer) is None
        province.begin_steps("receiver")
        _pass_on(province, receiver)
        if receiver.is_alive():
            break
    assert step > 20
    assert province.states() == ["answered"] * len(dossiers)
    assert province.arrived() == expected(*dossiers)


def _pass_on(province: Province, receiver: BaseProcess | None = None) -> None:
    """Forward until all is answered, or the receiver has died. In this process: the forwarder is not what dies here."""

    def done() -> bool:
        run(province.settings, once=True)
        return set(province.states()) <= {"answered"} or (receiver is not None and not receiver.is_alive())

    until(done, 30)


def test_while_the_receiver_is_away_everything_waits_and_then_goes(province: Province):
    province.start("tthc-model")
    dossiers = [make_dossier() for _ in range(3)]
    for dossier in dossiers:
        assert province.outbox.put(dossier, province.sealer) is None
    assert province.forward() == 1
    assert province.states() == ["sealed"] * 3
    assert province.outbox.road().problem.startswith("no answer")
    province.start("forward")
    province.start("receiver")
    until(lambda: province.states() == ["answered"] * 3)
    assert province.arrived() == expected(*dossiers)


def test_while_the_tthc_system_is_away_the_receipt_is_given_and_the_answer_comes_later(province: Province):
    province.start("receiver")
    dossier = make_dossier()
    assert province.outbox.put(dossier, province.sealer) is None
    assert province.forward() == 0
    assert province.states() == ["delivered"]
    province.start("tthc-model")
    province.deliver()
    assert province.arrived() == expected(dossier)


def test_a_certificate_of_another_authority_is_refused_and_nothing_is_lost(open_province: Province, tmp_path: Path):
    strangers = tmp_path / "strangers"
    create_world(strangers, ["K01"])
    office = replace(
        open_province.settings.office, certificate=strangers / "kiosk.pem", key_file=strangers / "kiosk.key"
    )
    assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    assert run(replace(open_province.settings, office=office), once=True) == 1
    assert open_province.states() == ["sealed"]
    open_province.deliver()
    assert open_province.states() == ["answered"]


def test_a_kiosk_cannot_send_under_anothers_name(open_province: Province):
    secrets = open_province.settings.office.certificate.parent
    office = replace(open_province.settings.office, certificate=secrets / "K02.pem", key_file=secrets / "K02.key")
    assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    assert run(replace(open_province.settings, office=office), once=True) == 1
    assert open_province.outbox.road().problem == "HTTP 403: this certificate may not send for that kiosk"
    assert open_province.states() == ["sealed"]


def test_an_envelope_altered_on_the_kiosks_disk_is_set_aside_and_the_others_go(open_province: Province):
    dossiers = [make_dossier(), make_dossier()]
    for dossier in dossiers:
        assert open_province.outbox.put(dossier, open_province.sealer) is None
    first = open_province.outbox.entries(State.SEALED)[0]
    folder = open_province.settings.kiosk.state / "outbox" / "envelopes" / first.submission
    victim = next(path for path in folder.iterdir() if path.name != "manifest")
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    open_province.deliver()
    assert open_province.states() == ["quarantined", "answered"]
    assert open_province.arrived() == expected(dossiers[1])
    assert victim.exists()


def test_an_envelope_the_province_cannot_open_is_set_aside_there_with_its_bytes(open_province: Province):
    other = replace(open_province.sealer, to=X25519PrivateKey.generate().public_key())
    dossiers = [make_dossier(), make_dossier()]
    assert open_province.outbox.put(dossiers[0], other) is None
    assert open_province.outbox.put(dossiers[1], open_province.sealer) is None
    assert open_province.forward() == 0
    until(lambda: open_province.arrived() == expected(dossiers[1]))
    until(lambda: open_province.forward() == 0 and open_province.states() == ["delivered", "answered"])
    assert "quarantined: sealed to the keys" in open_province.log("receiver")
    assert len(list((open_province.settings.receiver.state / "blobs").glob("*/*"))) == 6


def test_something_that_answers_200_to_everything_is_no_receiver(province: Province):
    class Portal(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = b"<h1>Free WiFi</h1>"
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Upload-Offset", "99999999")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_HEAD = do_PATCH = do_POST = do_GET = answer
        log_message = lambda *_: None  # noqa: E731

    receiver = province.settings.receiver
    server = HTTPServer(("127.0.0.1", receiver.port), Portal)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(receiver.certificate, receiver.key_file)  # worst case: even TLS is in order
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    assert province.outbox.put(make_dossier(), province.sealer) is None
    assert run(province.settings, once=True) == 1
    assert province.states() == ["manifest_sent"]
    server.shutdown()
    server.server_close()
    thread.join()
    province.start("tthc-model")
    province.start("receiver")
    province.deliver()
    assert province.states() == ["answered"]


def test_nothing_personal_is_on_disk_or_in_a_log_outside_the_tthc_system(open_province: Province):
    for _ in range(2):
        assert open_province.outbox.put(make_dossier(), open_province.sealer) is None
    broken = replace(open_province.sealer, to=X25519PrivateKey.generate().public_key())
    assert open_province.outbox.put(make_dossier(), broken) is None
    open_province.forward()
    until(lambda: open_province.forward() == 0 and open_province.states() == ["answered", "answered", "delivered"])
    canaries = forms(CANARY, CANARY.split()[-1], CANARY_ID, "0912000000", "của NGUY", "phố Thử Nghiệm, Hà Nội")
    root, province = open_province.root, open_province.settings.tthc_model.state
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_relative_to(province)]
    assert {"outbox.db-wal", "receiver.db-wal", "receiver.log", "forward-once.log"} <= {path.name for path in files}
    traces = {(path.name, canary) for path in files for canary in found(canaries, path.read_bytes())}
    assert not traces
    assert any(CANARY_ID.encode() in path.read_bytes() for path in province.rglob("*.json")), "the canary itself works"
