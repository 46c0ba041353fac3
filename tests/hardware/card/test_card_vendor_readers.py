"""Which card reader the configuration names, and what every byte from a vendor's reader may do: nothing bad."""

import json
from base64 import b64encode
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.card.errors import CardError
from hardware.card.reader import PcscCardReader
from hardware.card.readers import card_reader
from hardware.card.vendor import messages
from hardware.card.vendor.claims import Claims, claimed_citizen
from hardware.card.vendor.lines import LONGEST, PORTRAIT_END, PORTRAIT_START, Messages, Portrait, Word, key_line
from hardware.card.vendor.serial import SerialCardReader
from hardware.simulators.program import card_simulator
from hardware.simulators.serial_reader import SerialReaderSimulator
from kiosk.citizen import AccessKey, IdentityGrade
from kiosk.config import ConfigError, load

KEY = AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))
CARDS = Path(__file__).parents[3] / "assets" / "cards"


def configured(folder: Path, text: str):
    path = folder / "kiosk.toml"
    path.write_text(text, "utf-8")
    return load(path, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "usb"', ["card.kind is 'usb'", "pcsc, serial, network"]),
        ('address = "/dev/ttyUSB0"', ["card.address is '/dev/ttyUSB0'", "kind pcsc", "nothing"]),
        ('kind = "serial"', ["card.address is ''", "kind serial", "an absolute path"]),
        ('kind = "serial"\naddress = "ttyUSB0"', ["card.address is 'ttyUSB0'", "an absolute path"]),
        (
            'kind = "serial"\naddress = "/dev/x"\ncertificate = "c.pem"',
            ["card.certificate is", "kind serial", "nothing"],
        ),
        ('kind = "serial"\naddress = "/dev/x"\nreader = "ACR"', ["card.reader is 'ACR'", "kind serial", "nothing"]),
        ('kind = "network"\naddress = "http://192.168.5.1:8000"', ["card.address is 'http:", "https://host:port"]),
        ('kind = "network"\naddress = "https://a@b/c"', ["card.address is 'https://a@b/c'", "https://host:port"]),
        ('kind = "network"\naddress = "https://192.168.5.1:8000"', ["card.certificate is ''", "certificate (PEM)"]),
    ],
)
def test_a_wrong_combination_is_refused_with_file_key_and_what_is_allowed(tmp_path, text, said):
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, f"[card]\n{text}\n")
    assert str(tmp_path / "kiosk.toml") in str(error.value)
    for part in said:
        assert part in str(error.value)


def test_the_configured_reader_and_its_simulator_are_made(tmp_path):
    assert isinstance(card_reader(configured(tmp_path, "").card), PcscCardReader)
    text = f'[card]\nkind = "serial"\naddress = "{tmp_path}/reader"\n[simulators]\ncards = "{CARDS}"\n'
    settings = configured(tmp_path, text)
    assert isinstance(card_reader(settings.card), SerialCardReader)
    assert isinstance(card_simulator(settings), SerialReaderSimulator)


def test_the_certificate_of_a_real_network_reader_is_never_replaced_by_a_simulators(tmp_path):
    text = '[card]\nkind = "network"\naddress = "https://192.168.5.1:8000"\ncertificate = "device.pem"\n'
    with pytest.raises(ConfigError, match=r"https://127\.0\.0\.1:port"):
        card_simulator(configured(tmp_path, text))


def test_the_key_goes_out_as_the_reader_wants_it():
    assert key_line(KEY) == b"CCCD:001199000123|BIRTH:990102|EXPIRY:390102\n"
    assert messages.read_request(KEY) == {"idCode": "001199000123", "dob": "990102", "expiry": "390102"}


def test_a_name_is_cleaned_and_composed():
    decomposed = "NGUYE\u0302\u0303N<<THI\u0323\x07 MA\u0302\u0303U "
    citizen = claimed_citizen(Claims(KEY.personal_id, decomposed, "02/01/1999", "Nữ"), KEY, b"")
    assert (citizen.full_name, citizen.grade) == ("NGUYỄN THỊ MẪU", IdentityGrade.CHIP_READ)


@pytest.mark.parametrize(
    "claims",
    [
        Claims("001199000124", "NGUYỄN THỊ MẪU", "02/01/1999"),
        Claims("1199000123", "NGUYỄN THỊ MẪU", "02/01/1999"),
        Claims("001199000123", "<<", "02/01/1999"),
        Claims("001199000123", "NGUYỄN THỊ MẪU", "03/01/1999"),
        Claims("001199000123", "Ẫ" * 201),
    ],
)
def test_claims_that_do_not_fit_the_key_are_refused(claims):
    with pytest.raises(CardError) as error:
        claimed_citizen(claims, KEY, b"")
    assert "1199" not in str(error.value)


def test_messages_come_whole_however_they_are_cut():
    fields = {"CCCD Number": "001199000123", "Full Name": "NGUYỄN THỊ MẪU", "Date of Birth": "02/01/1999"}
    sent = b"PONG\r\n" + json.dumps(fields).encode() + b"\n" + PORTRAIT_START + b"AAAA\nBBBB" + PORTRAIT_END + b"\r"
    sent += b"SCAN_DONE\n"
    for size in (1, 7, len(sent)):
        parser = Messages()
        read = [m for at in range(0, len(sent), size) for m in parser.feed(sent[at : at + size])]
        said = Claims("001199000123", "NGUYỄN THỊ MẪU", "02/01/1999")
        assert read == [Word.PONG, said, Portrait(b"AAAABBBB"), Word.DONE]


def test_a_line_without_an_end_takes_no_more_memory_than_allowed_and_spoils_no_later_line():
    parser = Messages()
    for _ in range(20):
        assert parser.feed(b"x" * 10_000) == []
        assert len(parser._line) <= LONGEST
    assert parser.feed(b"\nNFC_DETECTED\n") == [Word.DETECTED]


PIECES = st.sampled_from(
    [b"PONG\n", b"{", b'{"CCCD Number": ', b"[" * 900, PORTRAIT_START, PORTRAIT_END, b"SCAN_FAIL\r", b"\n", b"AAAA"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=60), max_size=30))
def test_noise_on_the_line_only_ever_ends_in_a_refusal(pieces):
    parser = Messages()
    for message in (m for piece in pieces for m in parser.feed(piece)):
        try:
            if isinstance(message, Portrait):
                message.image()
            elif isinstance(message, Claims):
                claimed_citizen(message, KEY, b"")
        except CardError:
            continue


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["AAAA", "=="])
)
NAMES = st.sampled_from(["rawData", "avatar", "sod", "dg1", "idCode", "personName", "code", "response"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 5, 7, "4", None]), JSON)
def test_any_event_is_a_message_none_or_refused(number, data):
    for raw in (data, {"id": number, "data": data}):
        messages.info(raw)
        try:
            messages.event(raw)
        except CardError as error:
            assert "base64" in error.failure.detail or "more than" in error.failure.detail


def test_a_file_longer_than_any_chip_has_is_refused():
    raw = {"id": 4, "data": {"rawData": {"dg1": b64encode(bytes(5000)).decode()}}}
    with pytest.raises(CardError, match="dg1: more than"):
        messages.event(raw)
