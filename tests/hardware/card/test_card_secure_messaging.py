"""BAC and secure messaging against the worked example of Doc 9303-11 Appendix D, and against tampering."""

from datetime import date

import pytest

from hardware.card.apdu import Channel, Command, Response
from hardware.card.bac import Handshake, authenticate, derive, key_seed, keys_from, mrz_information
from hardware.card.errors import BadData, CardError
from hardware.card.files import Files
from hardware.card.lds import COM
from hardware.card.secure_messaging import SecureMessaging, TripleDes, pad, unpad
from hardware.simulators.personalisation.applet import Applet
from kiosk.citizen import AccessKey
from kiosk.health import Reason

h = bytes.fromhex
SEED = key_seed("L898902C<369080619406236")
KS_ENC, KS_MAC = h("979EC13B1CBFE9DCD01AB0FED307EAE5"), h("F1CB1F1FB5ADF208806B89DC579DC1F8")
SSC = h("887022120C06C226")
SELECT_COM = Command(0x00, 0xA4, 0x02, 0x0C, h("011E"))

KEY = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
COM_FILE = h("60145F0104303130375F36063034303030305C026175")


def session() -> SecureMessaging:
    return SecureMessaging(TripleDes(KS_ENC, KS_MAC), SSC)


def response(text: str) -> Response:
    raw = h(text)
    return Response(raw[:-2], int.from_bytes(raw[-2:], "big"))


def test_access_keys_follow_appendix_d2():
    assert h("239AB9CB282DAF66231DC5A4DF6BFBAE") == SEED
    assert derive(SEED, 1) == h("AB94FDECF2674FDFB9B391F85D7F76F2")
    assert derive(SEED, 2) == h("7962D9ECE03D1ACD4C76089DCE131543")


def test_key_input_takes_the_last_nine_digits_and_both_dates():
    assert mrz_information(KEY) == "199000123999010293901027"


def test_mutual_authentication_follows_appendix_d3():
    handshake = Handshake(
        keys_from(SEED), h("4608F91988702212"), h("781723860C06C226"), h("0B795240CB7049B01C19B33E32804F0B")
    )
    assert handshake.token() == h("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
    answer = h("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
    opened = handshake.finish(answer)
    assert opened.protect(SELECT_COM).encode() == session().protect(SELECT_COM).encode()


@pytest.mark.parametrize("position", [0, 31, 32, 39])
def test_an_altered_answer_opens_no_session(position: int):
    handshake = Handshake(
        keys_from(SEED), h("4608F91988702212"), h("781723860C06C226"), h("0B795240CB7049B01C19B33E32804F0B")
    )
    answer = bytearray(h("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449"))
    answer[position] ^= 1
    with pytest.raises(BadData):
        handshake.finish(bytes(answer))


def test_an_answer_replayed_from_another_session_is_refused():
    replayed = h("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
    with pytest.raises(BadData, match="nonces"):
        Handshake(keys_from(SEED), bytes(8), bytes(8), bytes(16)).finish(replayed)


def test_secure_messaging_follows_appendix_d4():
    sm = session()
    assert sm.protect(SELECT_COM).encode() == h("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800")
    assert sm.unprotect(response("990290008E08FA855A5D4C50A8ED9000")) == Response(b"", 0x9000)
    assert sm.protect(Command(0, 0xB0, 0, 0, le=4)).encode() == h("0CB000000D9701048E08ED6705417E96BA5500")
    first = sm.unprotect(response("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"))
    assert first.data == h("60145F01")
    assert sm.protect(Command(0, 0xB0, 0, 4, le=18)).encode() == h("0CB000040D9701128E082EA28A70F3C7B53500")
    second = sm.unprotect(
        response("871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000")
    )
    assert second.data == h("04303130365F36063034303030305C026175")


GOOD = h("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED")


@pytest.mark.parametrize("position", range(len(GOOD)))
def test_any_altered_byte_ends_the_session_for_good(position: int):
    sm = session()
    sm.protect(SELECT_COM)
    sm.unprotect(response("990290008E08FA855A5D4C50A8ED9000"))
    sm.protect(Command(0, 0xB0, 0, 0, le=4))
    altered = bytearray(GOOD)
    altered[position] ^= 0x01
    with pytest.raises(BadData):
        sm.unprotect(Response(bytes(altered), 0x9000))
    with pytest.raises(BadData, match="over"):
        sm.protect(SELECT_COM)


@pytest.mark.parametrize("text", ["9000", "6982", "990290009000", "990290008E08FA855A5D4C50A8ED6A82", "60145F019000"])
def test_unprotected_or_relabelled_answers_are_refused(text: str):
    sm = session()
    sm.protect(SELECT_COM)
    with pytest.raises(BadData):
        sm.unprotect(response(text))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 231])
def test_padding_comes_off_as_it_went_on(size: int):
    data = bytes(size - 1) + b"\x80" if size else b""
    assert unpad(pad(data, 8)) == data
    assert len(pad(data, 8)) % 8 == 0


def opened_applet(files: dict[int, bytes]) -> Files:
    applet = Applet(files, KEY)
    channel = Channel(applet.process)
    assert channel.send(Command(0, 0xA4, 0x04, 0x0C, h("A0000002471001"))).sw == 0x9000
    opened = authenticate(channel, KEY)
    assert opened is not None
    return Files(channel, opened)


@pytest.mark.parametrize("size", [1, 227, 228, 229, 230, 231, 232, 459, 460, 4000])
def test_files_of_every_length_arrive_whole(size: int):
    content = b"\x60" + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + b"\x5a" * size
    heard: list[tuple[int, int]] = []
    assert opened_applet({COM.sfi: content}).read(COM, lambda *part: heard.append(part)) == content
    assert heard[-1] == (len(content), len(content))


def test_a_missing_file_is_none_and_the_session_goes_on():
    files = opened_applet({COM.sfi: COM_FILE})
    assert files.read(COM.__class__("EF.DG1", 1, 0x61), lambda *_: None) is None
    assert files.read(COM, lambda *_: None) == COM_FILE


@pytest.mark.parametrize(
    "content",
    [b"\x61\x01\x00", b"\x60\x82\xff\xff" + bytes(300), b"\x60\x80\x00\x00", b"\x60\x84\x00\x00\x00\x01\x00", b"\x60"],
    ids=["another tag", "longer than we hold", "indefinite", "length of length", "cut off"],
)
def test_a_hostile_file_is_bad_data(content: bytes):
    with pytest.raises(BadData):
        opened_applet({COM.sfi: content}).read(COM, lambda *_: None)


def test_a_wrong_key_is_refused_and_the_next_one_opens():
    applet = Applet({COM.sfi: COM_FILE}, KEY)
    channel = Channel(applet.process)
    channel.send(Command(0, 0xA4, 0x04, 0x0C, h("A0000002471001")))
    assert authenticate(channel, AccessKey("001199000124", KEY.birth, KEY.expiry)) is None
    assert authenticate(channel, KEY) is not None


def test_a_chip_that_breaks_is_not_taken_for_a_wrong_key():
    with pytest.raises(CardError) as raised:
        authenticate(Channel(lambda raw: h("6F00")), KEY)
    assert raised.value.failure.reason is Reason.CARD_MUTE


def test_data_that_waits_on_a_contact_card_is_fetched():
    answers = iter([h("6108"), h("4608F919887022129000")])
    sent: list[bytes] = []
    channel = Channel(lambda raw: sent.append(raw) or next(answers))
    assert channel.send(Command(0, 0x84, 0, 0, le=8)) == Response(h("4608F91988702212"), 0x9000)
    assert sent == [h("0084000008"), h("00C0000008")]


def test_an_endless_card_is_given_up():
    channel = Channel(lambda raw: h("6100"))
    with pytest.raises(CardError) as raised:
        channel.send(Command(0, 0x84, 0, 0, le=8))
    assert raised.value.failure.reason is Reason.CARD_TIMEOUT
