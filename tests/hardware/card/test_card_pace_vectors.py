"""PACE against the worked examples of Doc 9303-11, appendices G, H and I."""

import hashlib
from collections.abc import Callable, Iterator

import pytest

from hardware.card.card_access import Offer
from hardware.card.domain_parameters import STANDARDISED
from hardware.card.errors import BadData
from hardware.card.groups import Curve
from hardware.card.key_derivation import PASSWORD, Algorithm
from hardware.card.mapping import Mapping, generic, integrated
from hardware.card.pace import ChipProof, Kind, Password, Terminal

h = bytes.fromhex


def mrz(information: str) -> Password:
    return Password(Kind.MRZ, hashlib.sha1(information.encode()).digest())


PASSWORD_G = mrz("T22000129364081251010318")
ECDH, DH = STANDARDISED[13], STANDARDISED[0]


def offer(kind: int, mapping: Mapping, number: int) -> Offer:
    protocol = h("04007F0007020204") + bytes([kind, 2])
    return Offer(protocol, mapping, Algorithm.AES_128, number, STANDARDISED[number])


def point(x: str, y: str) -> bytes:
    return b"\x04" + h(x) + h(y)


def drawn(*secrets: str) -> Callable[[int], int]:
    values: Iterator[int] = iter(int(secret, 16) for secret in secrets)
    return lambda order: next(values)


SK_MAP_IFD = "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99"
SK_DH_IFD = "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595"
PK_MAP_IFD = point(
    "7ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E",
    "544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D",
)
PK_MAP_IC = point(
    "824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57",
    "30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54",
)
PK_DH_IFD = point(
    "2DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C",
    "3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462",
)
PK_DH_IC = point(
    "9E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB",
    "7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094",
)


def ecdh_gm() -> Terminal:
    return Terminal(offer(2, Mapping.GENERIC, 13), PASSWORD_G, drawn(SK_MAP_IFD, SK_DH_IFD))


def test_the_password_key_of_appendix_g():
    assert h("7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD") == PASSWORD_G.secret
    assert Algorithm.AES_128.key(PASSWORD_G.secret, PASSWORD) == h("89DED1B26624EC1E634C1989302849DD")


def test_the_whole_run_of_appendix_g1():
    terminal = ecdh_gm()
    assert terminal.mapping_data(h("95A3A016522EE98D01E76CB6B98B42C3")) == PK_MAP_IFD
    assert terminal.public_key(PK_MAP_IC) == PK_DH_IFD
    assert terminal.token(PK_DH_IC) == h("C2B0BD78D94BA866")
    assert terminal.finish(h("3ABB9674BCE93C08"), None).proof is None


def test_the_values_between_of_appendix_g1():
    secret = h("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925")
    mapped = generic(ECDH, h("3F00C4D39D153F2B2A214A078D899B22"), int(SK_MAP_IFD, 16), PK_MAP_IC)
    assert mapped[1:33] == h("8CED63C91426D4F0EB1435E7CB1D74A46723A0AF21C89634F65A9AE87A9265E2")
    assert ECDH.shared(PK_DH_IC, int(SK_DH_IFD, 16)) == secret
    assert Algorithm.AES_128.key(secret, 1) == h("F5F0E35C0D7161EE6724EE513A0D9A7F")
    assert Algorithm.AES_128.key(secret, 2) == h("FE251C7858B356B24514B3BD5F4297D1")


X_MAP_IFD, X_MAP_IC = "5265030F751F4AD18B08AC565FC7AC952E41618D", "66DDAFEAC1609CB5B963BB0CB3FF8B3E047F336C"
X_DH_IFD, X_DH_IC = "89CCD99B0E8D3B1F11E1296DCA68EC53411CF2CA", "A5B780126B7C980E9FCEA1D4539DA1D27C342DFA"
S_G2 = h("FA5B7E3E49753A0DB9178B7B9BD898C8")


def test_the_whole_run_of_appendix_g2():
    """The chip's public keys are made here from its published secrets."""
    terminal = Terminal(offer(1, Mapping.GENERIC, 0), PASSWORD_G, drawn(X_MAP_IFD, X_DH_IFD))
    terminal_key = terminal.mapping_data(h("854D8DF5827FA6852D1A4FA701CDDDCA"))
    mapped = generic(DH, S_G2, int(X_MAP_IC, 16), terminal_key)
    assert mapped.startswith(h("7C9CBFE98F9FBDDA8D143506FA7D9306"))
    public = terminal.public_key(DH.multiply(DH.generator, int(X_MAP_IC, 16)))
    assert public.startswith(h("907D89E2"))
    chip_public = DH.multiply(mapped, int(X_DH_IC, 16))
    assert chip_public.startswith(h("075693D9"))
    assert terminal.token(chip_public) == h("B46DD9BD4D98381F")
    terminal.finish(h("917F37B5C0E6D8D1"), None)
    secret = DH.shared(chip_public, int(X_DH_IFD, 16))
    assert len(secret) == 128
    assert Algorithm.AES_128.key(secret, 1) == h("2F7F46ADCC9E7E521B45D192FAFA9126")
    assert Algorithm.AES_128.key(secret, 2) == h("805A1D27D45A5116F73C54469462B7D8")


K_PI_H = h("591468CDA83D65219CCCB8560233600F")
S_H1, T_H1 = h("2923BE84E16CD6AE529049F1F1BBE9EB"), h("5DD4CBFC96F5453B130D890A1CDBAE32")
MAPPED_H1 = point(
    "8E82D31559ED0FDE92A4D0498ADD3C23BABA94FB77691E31E90AEA77FB17D427",
    "4C1AE14BD0C3DBAC0C871B7F3608169364437CA30AC243A089D3F266C1E60FAD",
)


def test_the_mapping_of_appendix_h1():
    assert integrated(ECDH, Algorithm.AES_128, S_H1, T_H1) == MAPPED_H1


def test_the_whole_run_of_appendix_h1():
    terminal = Terminal(offer(4, Mapping.INTEGRATED, 13), PASSWORD_G, drawn(SK_DH_IFD), lambda size: T_H1)
    terminal._password_key = K_PI_H
    assert terminal.mapping_data(h("143DC40C08C8E891FBED7DEDB92B64AD")) == T_H1
    assert terminal.public_key(b"") == point(
        "89CBA23FFE96AA18D824627C3E934E54A9FD0B87A95D1471DC1C0ABFDCD640D4",
        "6755DE9B7B778280B6BEBD57439ADFEB0E21FD4ED6DF42578C13418A59B34C37",
    )
    chip_public = point(
        "67F78E5F7F7686082B293E8D087E056916D0F74BC01A5F8957D0DE45691E51E8",
        "932B69A962B52A0985AD2C0A271EE6A13A8ADDDCD1A3A994B9DED257F4D22753",
    )
    assert terminal.token(chip_public) == h("450F02B86F6A0909")
    terminal.finish(h("75D4D96E8D5B0308"), None)
    shared = ECDH.shared(chip_public, int(SK_DH_IFD, 16))
    assert Algorithm.AES_128.key(shared, 1) == h("0D3FEB33251A6370893D62AE8DAAF51B")
    assert Algorithm.AES_128.key(shared, 2) == h("B01E89E3D9E8719E586B50B4A7506E0B")


def test_the_whole_run_of_appendix_h2():
    """Its ephemeral secrets are those of G.2; the password is known by its key only."""
    t = h("B3A6DB3C870C3E99245E0D1C06B747DE")
    terminal = Terminal(offer(3, Mapping.INTEGRATED, 0), PASSWORD_G, drawn(X_DH_IFD), lambda size: t)
    terminal._password_key = K_PI_H
    assert terminal.mapping_data(h("9ABB8864CA0FF1551E620D1EF4E13510")) == t
    mapped = integrated(DH, Algorithm.AES_128, S_G2, t)
    assert mapped.startswith(h("1D7D767F11E333BCD6DBAEF40E799E7A"))
    assert terminal.public_key(b"") == DH.multiply(mapped, int(X_DH_IFD, 16))
    chip_public = DH.multiply(mapped, int(X_DH_IC, 16))
    assert terminal.token(chip_public) == h("55D61977CBF5307E")
    terminal.finish(h("C2F04230187E1525"), None)
    secret = DH.shared(chip_public, int(X_DH_IFD, 16))
    assert Algorithm.AES_128.key(secret, 1) == h("01AFC10CF87BE36D8179E87370171F07")
    assert Algorithm.AES_128.key(secret, 2) == h("23F0FBD05FD6C7B8B88F4C8309669061")


def test_the_chip_proof_of_appendix_i():
    keys = Algorithm.AES_128.cipher(h("0A9DA4DB03BDDE39FC5202BC44B2E89E"), bytes(16))
    assert keys.encrypt(bytes(16), b"\xff" * 16) == keys.encrypt(h("F6A3B75A1E933941DD7A13E2520779DF"))
    sealed = h("1EEA964DAAE372AC990E3EFDE6333353BFC89A6704D93DA8798CF77F5B7A54BD10CBA372B42BE0B9B5F28AA8DE2F4F92")
    opened = keys.decrypt(sealed, b"\xff" * 16)
    ratio = h("85DC3FA93D0952BFA82F5FD189EE75BD82F11D1F0B8ED4BF5319AC9B53C426B3")
    assert opened == ratio + b"\x80" + bytes(15)
    mapping_key = point(
        "A234236AA9B9621E8EFB73B5245C0E09D2576E5277183C1208BDD55280CAE8B3",
        "04F365713A356E65A451E165ECC9AC0AC46E3771342C8FE5AEDD092685338E23",
    )
    public_key = point(
        "1872709494399E7470A6431BE25E83EEE24FEA568C2ED28DB48E05DB3A610DC8",
        "84D256A40E35EFCB59BF6753D3A489D28C7A4D973C2DA138A6E7A4A08F68E16F",
    )
    proof = ChipProof(ECDH, mapping_key, int.from_bytes(ratio, "big"))
    assert proof.fits(public_key)
    assert not ChipProof(ECDH, mapping_key, proof.ratio + 1).fits(public_key)


def test_the_password_key_of_appendix_i():
    key = Algorithm.AES_128.key(mrz("C11T002JM496081222310314").secret, PASSWORD)
    assert len(Algorithm.AES_128.cipher(key, key).decrypt(h("CB60E8E0D85B76A9BD304747C2AD42E2"))) == 16


def g1_after(step: int) -> Terminal:
    terminal = ecdh_gm()
    terminal.mapping_data(h("95A3A016522EE98D01E76CB6B98B42C3"))
    if step > 1:
        terminal.public_key(PK_MAP_IC)
    if step > 2:
        terminal.token(PK_DH_IC)
    return terminal


ALTERED = PK_MAP_IC[:-1] + bytes([PK_MAP_IC[-1] ^ 1])
BAD_POINTS = {
    "nothing": b"",
    "infinity": b"\x00",
    "zero": b"\x04" + bytes(64),
    "off the curve": ALTERED,
    "compressed": b"\x02" + PK_MAP_IC[1:33],
    "hybrid": b"\x06" + PK_MAP_IC[1:],
    "too long": PK_MAP_IC + b"\x00",
    "coordinate beyond the field": b"\x04" + b"\xff" * 64,
}


@pytest.mark.parametrize("bad", [*BAD_POINTS.values(), PK_MAP_IFD], ids=[*BAD_POINTS, "our own"])
def test_bad_mapping_keys_are_refused(bad: bytes):
    with pytest.raises(BadData):
        g1_after(1).public_key(bad)


@pytest.mark.parametrize("bad", [*BAD_POINTS.values(), PK_DH_IFD], ids=[*BAD_POINTS, "our own"])
def test_bad_public_keys_are_refused(bad: bytes):
    with pytest.raises(BadData):
        g1_after(2).token(bad)


@pytest.mark.parametrize("bad", ["", "3ABB9674BCE93C", "3ABB9674BCE93C09", "C2B0BD78D94BA866"])
def test_a_wrong_token_opens_no_session(bad: str):
    with pytest.raises(BadData, match="token"):
        g1_after(3).finish(h(bad), None)


@pytest.mark.parametrize("size", [0, 8, 15, 17, 80])
def test_a_nonce_of_a_wrong_length_is_refused(size: int):
    with pytest.raises(BadData):
        ecdh_gm().mapping_data(bytes(size))


@pytest.mark.parametrize("number", [0, 1, DH.prime - 1, DH.prime, DH.prime + 2, 3, 1 << 1024], ids=range(7))
def test_field_elements_outside_the_group_are_refused(number: int):
    terminal = Terminal(offer(1, Mapping.GENERIC, 0), PASSWORD_G)
    terminal.mapping_data(bytes(16))
    with pytest.raises(BadData):
        terminal.public_key(number.to_bytes(129, "big").lstrip(b"\x00"))


def test_a_mapping_that_ends_in_infinity_is_refused():
    curve = STANDARDISED[13]
    assert isinstance(curve, Curve)
    minus = curve.encode((curve.base[0], curve.prime - curve.base[1]))
    with pytest.raises(BadData, match="infinity"):
        curve.combine(curve.generator, minus)


@pytest.mark.parametrize("number", [n for n in STANDARDISED if n > 7])
def test_multiplying_agrees_with_the_plain_ladder(number: int):
    """Also for the secrets at the ends, and for a chip's key that is the base point itself."""
    curve = STANDARDISED[number]
    assert isinstance(curve, Curve)
    curve.check(curve.generator)
    plain = Curve(curve.name, curve.prime, curve.a, curve.b, curve.base, curve.order)
    somewhere = plain.multiply(curve.generator, 0xC0FFEE)
    curve.check(somewhere)
    for secret in (2, 3, curve.order // 3, curve.order - 2):
        for element in (curve.generator, somewhere):
            assert curve.multiply(element, secret) == plain.multiply(element, secret)
            assert curve.shared(element, secret) == plain.multiply(element, secret)[1 : 1 + curve.size]
    assert plain.multiply(curve.generator, curve.order - 1) == curve.encode(
        (curve.base[0], curve.prime - curve.base[1])
    )
    with pytest.raises(BadData):
        plain.multiply(curve.generator, curve.order)


@pytest.mark.parametrize("number", [n for n in STANDARDISED if n != 10])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_integrated_mapping_ends_in_the_group(number: int, algorithm: Algorithm):
    group, size = STANDARDISED[number], 16 if algorithm.key_size == 16 else 32
    mapped = integrated(group, algorithm, bytes(range(size)), bytes(range(1, algorithm.key_size + 1)))
    group.check(mapped)
    assert mapped != group.generator


def test_the_integrated_mapping_does_not_exist_over_p224():
    with pytest.raises(BadData, match="not defined"):
        integrated(STANDARDISED[10], Algorithm.AES_128, bytes(16), bytes(16))
