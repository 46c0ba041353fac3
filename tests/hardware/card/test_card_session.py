"""Whole reads against the simulated chip in process: what is read, what it costs, what the chip proves, what breaks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardware.card.apdu import Channel
from hardware.card.block_sizes import Models
from hardware.card.checks import Outcome
from hardware.card.errors import CardError
from hardware.card.key_derivation import Algorithm
from hardware.card.lds import SOD
from hardware.card.mapping import Mapping as PaceMapping
from hardware.card.session import Draft, Reading, read_card
from hardware.card.tlv import encode, need
from hardware.card.trust import TrustStore, load_anchors
from hardware.simulators.personalisation.applet import Applet
from hardware.simulators.personalisation.chip_keys import (
    NO_SECRETS,
    ActiveSecret,
    ChipSecrets,
    StaticSecret,
    card_security_infos,
    security_groups,
)
from hardware.simulators.personalisation.files import card_files
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.master_file import CARD_SECURITY, answer_to_reset
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.person import load_person
from hardware.simulators.personalisation.traits import ORDINARY, Traits
from kiosk.citizen import IdentityGrade
from kiosk.health import Reason

MAU = load_person(Path(__file__).parents[3] / "assets" / "cards" / "mau.toml")
CAM = PaceProfile(mapping=PaceMapping.CHIP_AUTHENTICATION, chip_secret=0xC0FFEE)
RSA_1024 = rsa.generate_private_key(65537, 1024)
RSA_2048 = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
AGREEMENT = StaticSecret(Algorithm.AES_128, 13, 0xABCDEF)


@dataclass
class Chip:
    """A simulated chip on the desk, and what it takes to read it."""

    issuer: Issuer
    files: dict[int, bytes]
    applet: Applet
    lift_at: int | None = None
    """Bytes of answers after which it is gone."""

    def transmit(self, raw: bytes) -> bytes:
        answer = self.applet.process(raw)
        if self.lift_at is not None:
            self.lift_at -= len(answer)
            if self.lift_at < 0:
                raise CardError(Reason.CARD_REMOVED)
        return answer

    def read(self, trust: TrustStore, draft: Draft | None = None, *, largest: int = 0, models: Models | None = None,
             progress: Callable[[float], None] = lambda share: None) -> Reading:  # fmt: skip
        self.applet.reset()
        atr = answer_to_reset(self.applet.traits)
        channel = Channel(self.transmit, reset=self.applet.reset, atr=atr, largest=largest)
        return read_card(channel, [MAU.key], trust, progress, draft, models or Models())


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def trust(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> TrustStore:
    folder = tmp_path_factory.mktemp("csca")
    issuer.write_csca(folder)
    return load_anchors(folder)


def chip(
    issuer: Issuer,
    *,
    pace: PaceProfile | None = None,
    secrets: ChipSecrets = NO_SECRETS,
    real: ChipSecrets | None = None,
    traits: Traits = ORDINARY,
    more: Mapping[int, bytes] | None = None,
    root: Mapping[int, bytes] | None = None,
) -> Chip:
    """A chip whose files announce `secrets`; `real` are those it has in truth."""
    groups = dict(MAU.extra_groups) | security_groups(secrets, pace) | dict(more or {})
    files = card_files(replace(MAU, extra_groups=groups), issuer)
    if pace is not None and pace.mapping is PaceMapping.CHIP_AUTHENTICATION:
        root = {CARD_SECURITY: issuer.sign_card_security(card_security_infos(pace))} | dict(root or {})
    return Chip(issuer, files, Applet(files, MAU.key, pace, secrets=real or secrets, traits=traits, root=root))


def outcomes(reading: Reading) -> dict[str, str]:
    return {name: found["status"] for name, found in reading.protocols.as_json().items()}


def test_a_plain_card_is_read_by_bac_and_its_copy_could_not_be_told(issuer: Issuer, trust: TrustStore):
    reading = chip(issuer).read(trust)
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED
    assert outcomes(reading) == {
        "bac": "passed", "pace": "not_supported", "pa": "passed", "ca": "not_supported", "aa": "not_supported",
    }  # fmt: skip
    assert (reading.holder.full_name, reading.holder.birth) == ("NGUYỄN THỊ MẪU", date(1999, 1, 2))
    assert next(iter(reading.evidence)) == "EF.SOD"


@pytest.mark.parametrize(
    ("secret", "length"),
    [
        (ActiveSecret(RSA_1024, "sha1"), 128),
        (ActiveSecret(RSA_2048, "sha256"), 256),
        (ActiveSecret(P256, "sha256"), 64),
        (ActiveSecret(P256, "sha512", der=True), None),
    ],
)
def test_active_authentication_proves_the_chip_and_is_kept_as_evidence(
    issuer: Issuer, trust: TrustStore, secret: ActiveSecret, length: int | None
):
    reading = chip(issuer, secrets=ChipSecrets(active=secret)).read(trust)
    assert outcomes(reading)["aa"] == "passed"
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED
    assert len(reading.evidence["AA.challenge"]) == 8
    assert length is None or len(reading.evidence["AA.response"]) == length


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize(("parameters", "key_id"), [(13, None), (2, 7)])
@pytest.mark.parametrize("pace", [None, PaceProfile()])
def test_chip_authentication_proves_the_chip(
    issuer: Issuer, trust: TrustStore, algorithm: Algorithm, parameters: int, key_id: int | None, pace: PaceProfile
):
    secrets = ChipSecrets(chip=StaticSecret(algorithm, parameters, 0xABCDEF, key_id))
    reading = chip(issuer, secrets=secrets, pace=pace).read(trust)
    assert outcomes(reading)["ca"] == "passed"
    assert outcomes(reading)["pace"] == ("passed" if pace else "not_supported")
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED


def test_a_key_without_protocol_means_3des(issuer: Issuer, trust: TrustStore):
    secret = StaticSecret(Algorithm.TRIPLE_DES, 13, 0xABCDEF, announced=False)
    assert outcomes(chip(issuer, secrets=ChipSecrets(chip=secret)).read(trust))["ca"] == "passed"


def test_pace_with_chip_authentication_mapping_proves_the_chip(issuer: Issuer, trust: TrustStore):
    reading = chip(issuer, pace=CAM).read(trust)
    assert outcomes(reading)["ca"] == "passed"
    assert reading.protocols.ca.reason == "by PACE with chip authentication mapping"


def test_a_mapping_key_that_nobody_signed_shows(issuer: Issuer, trust: TrustStore):
    foreign = Issuer().sign_card_security(card_security_infos(CAM))
    reading = chip(issuer, pace=CAM, root={CARD_SECURITY: foreign}).read(trust)
    assert outcomes(reading)["ca"] == "undetermined"
    other = issuer.sign_card_security(card_security_infos(replace(CAM, chip_secret=0xBAD)))
    reading = chip(issuer, pace=CAM, root={CARD_SECURITY: other}).read(trust)
    assert outcomes(reading)["ca"] == "failed"
    assert reading.grade is IdentityGrade.CHIP_READ


@pytest.mark.parametrize(
    ("secrets", "real", "which"),
    [
        (ChipSecrets(active=ActiveSecret(RSA_1024, "sha1")), ChipSecrets(), "aa"),
        (
            ChipSecrets(active=ActiveSecret(P256, "sha256")),
            ChipSecrets(active=ActiveSecret(ec.generate_private_key(ec.SECP256R1()), "sha256")),
            "aa",
        ),
        (ChipSecrets(active=ActiveSecret(RSA_2048, "sha256")), ChipSecrets(), "aa"),
        (ChipSecrets(chip=AGREEMENT), ChipSecrets(), "ca"),
        (ChipSecrets(chip=AGREEMENT), ChipSecrets(chip=replace(AGREEMENT, secret=0x1234)), "ca"),
        (
            ChipSecrets(chip=replace(AGREEMENT, algorithm=Algorithm.TRIPLE_DES)),
            ChipSecrets(chip=replace(AGREEMENT, algorithm=Algorithm.TRIPLE_DES, secret=0x1234)),
            "ca",
        ),
    ],
)
def test_a_copy_is_read_but_never_taken_for_the_original(
    issuer: Issuer, trust: TrustStore, secrets: ChipSecrets, real: ChipSecrets, which: str
):
    reading = chip(issuer, secrets=secrets, real=real).read(trust)
    assert outcomes(reading)[which] == "failed"
    assert outcomes(reading)["pa"] == "passed"
    assert reading.grade is IdentityGrade.CHIP_READ
    assert any(problem.startswith("chip_clone_suspected") for problem in reading.authenticity.problems)
    assert reading.holder.full_name == "NGUYỄN THỊ MẪU"


def test_a_key_counts_only_under_a_trusted_issuer(issuer: Issuer):
    secrets = ChipSecrets(active=ActiveSecret(P256, "sha256"), chip=AGREEMENT)
    reading = chip(issuer, secrets=secrets).read(TrustStore())
    assert reading.grade is IdentityGrade.INTEGRITY_ONLY
    assert {outcomes(reading)[name] for name in ("aa", "ca")} == {"undetermined"}


def test_pace_that_was_hidden_shows_by_the_signed_list(issuer: Issuer, trust: TrustStore):
    signed = security_groups(ChipSecrets(), PaceProfile())
    reading = chip(issuer, more=signed).read(trust)
    assert outcomes(reading)["bac"] == "passed"
    assert outcomes(reading)["pace"] == "failed"
    assert "card_access_differs" in reading.authenticity.problems[0]


@pytest.mark.parametrize(("most", "corrects"), [(192, False), (160, True), (128, False)])
@pytest.mark.parametrize("pace", [None, PaceProfile()])
def test_a_chip_that_takes_smaller_blocks_only_is_read_in_a_new_session_and_remembered(
    issuer: Issuer, trust: TrustStore, most: int, corrects: bool, pace: PaceProfile | None
):
    slow, models = chip(issuer, pace=pace, traits=Traits(largest_read=most, corrects_length=corrects)), Models()
    first = slow.read(trust, models=models)
    assert first.grade is IdentityGrade.ISSUER_VERIFIED
    second = slow.read(trust, models=models)
    assert second.apdus < first.apdus


def test_a_card_that_lies_about_a_length_does_not_slow_down_its_kind(issuer: Issuer, trust: TrustStore):
    honest, models = chip(issuer), Models()
    cost = honest.read(trust, models=models).apdus
    files = honest.files | {2: honest.files[2][:1] + b"\x83\x00\xff\xff" + honest.files[2][4:]}
    with pytest.raises(CardError):
        Chip(issuer, files, Applet(files, MAU.key)).read(trust, models=models)
    assert honest.read(trust, models=models).apdus == cost


def test_extended_length_is_used_where_chip_and_reader_state_it(issuer: Issuer, trust: TrustStore):
    modern = chip(issuer, traits=Traits(master_file=True, buffer=2048))
    short, models = modern.read(trust), Models()
    first = modern.read(trust, largest=65_536, models=models)
    again = modern.read(trust, largest=65_536, models=models)
    assert first.evidence == again.evidence == short.evidence
    assert again.apdus == first.apdus - 1 < short.apdus / 4
    ordinary = chip(issuer)
    assert ordinary.read(trust, largest=65_536).apdus == ordinary.read(trust).apdus + 1


def test_a_reader_that_does_not_pass_what_it_states_is_found_out_and_remembered(issuer: Issuer, trust: TrustStore):
    modern, models = chip(issuer, traits=Traits(buffer=4096)), Models()
    process = modern.applet.process

    def narrow(raw: bytes) -> bytes:
        answer = process(raw)
        if len(answer) > 258:
            raise CardError(Reason.CARD_MUTE, "SCardTransmit")
        return answer

    modern.applet.process = narrow  # type: ignore[method-assign]
    first = modern.read(trust, largest=65_536, models=models)
    assert first.grade is IdentityGrade.ISSUER_VERIFIED
    assert modern.read(trust, largest=65_536, models=models).apdus < first.apdus


@pytest.mark.parametrize("pace", [None, PaceProfile()])
@pytest.mark.parametrize("buffer", [0, 2048])
def test_files_beyond_32767_bytes_are_read_by_odd_instruction(
    issuer: Issuer, trust: TrustStore, pace: PaceProfile | None, buffer: int
):
    image = need(card_files(MAU, issuer)[2], 0x75, 0x7F61, 0x7F60, 0x5F2E)
    large = encode(0x75, encode(0x7F61, encode(0x02, b"\x01") + encode(0x7F60, encode(0x5F2E, image + bytes(40_000)))))
    big = chip(issuer, pace=pace, traits=Traits(buffer=buffer), more={2: large})
    reading = big.read(trust, largest=65_536)
    assert reading.evidence["EF.DG2"] == large
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED


@pytest.mark.parametrize("nth", [1, 2, 5, 30, 70])
def test_a_wrong_checksum_ends_the_read_and_nothing_is_tried_again(issuer: Issuer, trust: TrustStore, nth: int):
    bad = chip(issuer, traits=Traits(wrong_mac_at=nth))
    sent: list[bytes] = []
    process = bad.applet.process
    bad.applet.process = lambda raw: sent.append(raw) or process(raw)  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(CardError) as caught:
        bad.read(trust)
    assert caught.value.failure.reason is Reason.CARD_DATA_BAD
    assert sum(raw[0] & 0x0C == 0x0C for raw in sent) == nth


def test_a_card_laid_back_goes_on_where_it_stopped(issuer: Issuer, trust: TrustStore):
    card, draft, shares = chip(issuer), Draft(), list[float]()
    card.lift_at = 9000
    with pytest.raises(CardError) as caught:
        card.read(trust, draft, progress=shares.append)
    assert caught.value.failure.reason is Reason.CARD_REMOVED
    before = shares[-1]
    card.lift_at = None
    whole = card.read(trust).apdus
    shares.clear()
    reading = card.read(trust, draft, progress=shares.append)
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED
    assert reading.evidence == card.read(trust).evidence
    assert reading.apdus < whole * 0.75
    assert 0.3 < before < next(share for share in shares if share > 0.2) + 0.05


def test_another_card_laid_instead_is_read_anew(issuer: Issuer, trust: TrustStore):
    first, draft = chip(issuer), Draft()
    first.lift_at = 9000
    with pytest.raises(CardError):
        first.read(trust, draft)
    other = chip(Issuer())
    reading = other.read(trust, draft)
    assert reading.evidence["EF.SOD"] == other.files[SOD.sfi]
    assert reading.grade is IdentityGrade.INTEGRITY_ONLY


def test_what_was_wiped_is_gone(issuer: Issuer, trust: TrustStore):
    card, draft = chip(issuer), Draft()
    card.lift_at = 9000
    with pytest.raises(CardError):
        card.read(trust, draft)
    kept = list(draft.files.values())
    draft.clear()
    assert not draft.files
    assert not any(any(content) for content in kept)


def test_swapped_files_and_lies_about_lengths_show(issuer: Issuer, trust: TrustStore):
    honest = card_files(MAU, issuer)
    portrait = bytearray(honest[2])
    portrait[-100] ^= 1
    swapped = Applet(honest | {2: bytes(portrait)}, MAU.key)
    reading = Chip(issuer, honest, swapped).read(trust)
    assert reading.passive.hashes.outcome is Outcome.FAILED
    assert reading.grade is IdentityGrade.CHIP_READ
    liar = Applet(honest | {2: honest[2][:-50]}, MAU.key)
    with pytest.raises(CardError) as caught:
        Chip(issuer, honest, liar).read(trust)
    assert caught.value.failure.reason is Reason.CARD_DATA_BAD


def test_a_key_whose_first_digits_are_of_another_person_is_refused(issuer: Issuer, trust: TrustStore):
    card = chip(issuer)
    other = replace(MAU.key, personal_id="079" + MAU.personal_id[3:])
    with pytest.raises(CardError) as caught:
        read_card(Channel(card.transmit, reset=card.applet.reset), [other], trust, lambda share: None)
    assert caught.value.failure.reason is Reason.ACCESS_KEY_REFUSED


def test_an_expired_card_is_read_and_said_to_be_expired(issuer: Issuer, trust: TrustStore):
    old = replace(MAU, expiry=date(2020, 1, 2))
    applet = Applet(card_files(old, issuer), old.key)
    reading = read_card(Channel(applet.process), [old.key], trust, lambda share: None)
    assert "document_expired" in reading.problems
    assert reading.grade is IdentityGrade.ISSUER_VERIFIED


def test_a_whole_vietnamese_card_costs_what_it_must(issuer: Issuer, trust: TrustStore):
    """BAC: three commands, one for PACE; four files and more in blocks of 231 bytes."""
    reading = chip(issuer).read(trust)
    assert reading.apdus == 4 + sum(-(-len(content) // 231) for content in reading.evidence.values())
