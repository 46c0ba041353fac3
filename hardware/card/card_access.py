"""EF.CardAccess: which kinds of PACE a chip offers (Doc 9303-11 §9.2). Unsigned and untrusted bytes go in here."""

from collections.abc import Mapping as Map
from dataclasses import dataclass

from asn1crypto.core import ObjectIdentifier
from asn1crypto.keys import ECDomainParameters

from hardware.card.curves import curve_of
from hardware.card.domain_parameters import STANDARDISED
from hardware.card.errors import BadData
from hardware.card.groups import Curve, Group, PrimeField
from hardware.card.key_derivation import Algorithm
from hardware.card.lds import Ef
from hardware.card.mapping import Mapping
from hardware.card.tlv import elements, encode, need

CARD_ACCESS = Ef("EF.CardAccess", 0x1C, 0x31)

PACE = bytes.fromhex("04007F0007020204")
"""id-PACE: {bsi-de protocols(2) smartcard(2) 4}; kind of key agreement and cipher follow, one octet each."""
STANDARDISED_PARAMETERS = bytes.fromhex("04007F00070102")
EC_PUBLIC_KEY = bytes.fromhex("2A8648CE3D0201")
VERSION = 2

KINDS: Map[int, tuple[type[PrimeField] | type[Curve], Mapping]] = {
    1: (PrimeField, Mapping.GENERIC),
    2: (Curve, Mapping.GENERIC),
    3: (PrimeField, Mapping.INTEGRATED),
    4: (Curve, Mapping.INTEGRATED),
    6: (Curve, Mapping.CHIP_AUTHENTICATION),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of PACE that the chip offers and we can do."""

    protocol: bytes
    """The object identifier's octets."""
    mapping: Mapping
    algorithm: Algorithm
    parameters: int
    """Identifier of the domain parameters."""
    group: Group

    @property
    def weakness(self) -> int:
        """0 is best. 3DES and the 1024-bit field come last (chip-card reference §9.6)."""
        return (self.algorithm is Algorithm.TRIPLE_DES) + (self.parameters == 0)


def parse_card_access(raw: bytes) -> tuple[Offer, ...]:
    """What of PACE the chip offers and we can do, strongest first, else in its order; BadData if it is no SET."""
    infos = [
        list(elements(info)) for tag, info in elements(need(raw, CARD_ACCESS.tag)) if tag == 0x30 and len(info) > 2
    ]
    groups = dict(STANDARDISED) | dict(filter(None, map(_own_parameters, infos)))
    offers = [offer for info in infos if (offer := _offer(info, groups)) is not None]
    return tuple(sorted(offers, key=lambda offer: offer.weakness))


def announced(raw: bytes) -> frozenset[str]:
    """Every PACE identifier in EF.CardAccess, dotted, known or not; none if it makes no sense."""
    try:
        infos = [next(elements(info)) for tag, info in elements(need(raw, CARD_ACCESS.tag)) if tag == 0x30 and info]
    except BadData:
        return frozenset()
    names = (name for tag, name in infos if tag == 0x06 and name.startswith(PACE) and len(name) <= 32)
    return frozenset(str(ObjectIdentifier.load(encode(0x06, name)).dotted) for name in names)


Parts = list[tuple[int, bytes]]
"""Tag and value of a SecurityInfo's parts, the protocol first."""


def _offer(info: Parts, groups: Map[int, Group]) -> Offer | None:
    """A PACEInfo we can serve; None for anything else."""
    tags, values = [tag for tag, _ in info], [value for _, value in info]
    protocol = values[0]
    if tags not in ([0x06, 0x02], [0x06, 0x02, 0x02]) or len(protocol) != 10 or not protocol.startswith(PACE):
        return None
    kind, cipher = protocol[-2:]
    if kind not in KINDS or cipher not in list(Algorithm) or int.from_bytes(values[1], "big") != VERSION:
        return None
    family, mapping = KINDS[kind]
    parameters = int.from_bytes(values[2], "big") if len(values) == 3 else _only(groups)
    group = groups.get(parameters)
    if not isinstance(group, family) or not _fits(group, mapping, Algorithm(cipher)):
        return None
    return Offer(protocol, mapping, Algorithm(cipher), parameters, group)


def _fits(group: PrimeField | Curve, mapping: Mapping, algorithm: Algorithm) -> bool:
    """Integrated mapping is not defined over P-224, nor chip authentication with 3DES (§9.5.1, §4.4.4)."""
    if mapping is Mapping.INTEGRATED:
        return isinstance(group, PrimeField) or group.prime % 4 == 3
    return mapping is Mapping.GENERIC or algorithm is not Algorithm.TRIPLE_DES


def _only(groups: Map[int, Group]) -> int:
    """The identifier of the chip's own parameters, which a PACEInfo may leave out; -1 if there are none."""
    own = set(groups) - set(STANDARDISED)
    return own.pop() if len(own) == 1 else -1


def _own_parameters(info: Parts) -> tuple[int, Group] | None:
    """A PACEDomainParameterInfo that spells out or names parameters we know; None for anything else."""
    tags, values = [tag for tag, _ in info], [value for _, value in info]
    if tags not in ([0x06, 0x30], [0x06, 0x30, 0x02]) or len(values[0]) != 9 or not values[0].startswith(PACE):
        return None
    identifier = int.from_bytes(values[2], "big") if len(values) == 3 else 32
    try:
        group = _group(values[1])
    except (BadData, ValueError, TypeError, KeyError, OverflowError):
        return None
    return None if group is None or identifier in STANDARDISED else (identifier, group)


def _group(algorithm: bytes) -> Group | None:
    """The parameters of an AlgorithmIdentifier."""
    (_, name), (tag, value), *_ = elements(algorithm)
    if name == STANDARDISED_PARAMETERS:
        return STANDARDISED.get(int.from_bytes(value, "big"))
    if name != EC_PUBLIC_KEY:
        return None
    engine = curve_of(ECDomainParameters.load(encode(tag, value)))
    return next((g for g in STANDARDISED.values() if isinstance(g, Curve) and g.is_of(engine)), None)
