"""What chip a card has: the table `[chip]` of its file, and the keys made for it, once for a process."""

from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from secrets import randbelow
from threading import Lock
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardware.card.domain_parameters import STANDARDISED
from hardware.card.groups import Curve
from hardware.card.key_derivation import Algorithm
from hardware.card.mapping import Mapping
from hardware.simulators.personalisation.chip_keys import HASHES, ActiveSecret, ChipSecrets, StaticSecret
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.portrait import FORMS
from hardware.simulators.personalisation.traits import ISSUERS, MOST_BUFFER, QUIRKS, Traits

MAPPINGS = {"gm": Mapping.GENERIC, "im": Mapping.INTEGRATED, "cam": Mapping.CHIP_AUTHENTICATION}
CIPHERS = {
    "3des": Algorithm.TRIPLE_DES,
    "aes128": Algorithm.AES_128,
    "aes192": Algorithm.AES_192,
    "aes256": Algorithm.AES_256,
}
GROUPS = {
    "p224": 10, "p256": 12, "p384": 15, "p521": 18,
    "brainpoolP256r1": 13, "brainpoolP384r1": 16, "brainpoolP512r1": 17,
    "modp1024": 0, "modp2048-224": 1, "modp2048-256": 2,
}  # fmt: skip
"""Identifiers of domain parameters by name; of the fields, size and subgroup's size as RFC 5114 has them."""
CURVES = {name: number for name, number in GROUPS.items() if isinstance(STANDARDISED[number], Curve)}
RSA_SIZES = {"rsa1024": 1024, "rsa2048": 2048, "rsa3072": 3072}
KEY_ONLY, DER = "-keyonly", "-der"


class ChipError(ValueError):
    """The table is wrong; the message names key and what is allowed."""


class ActiveKind(NamedTuple):
    """How the chip does Active Authentication: RSA of so many bits, or ECDSA over a curve of `GROUPS`."""

    key: str
    hash_name: str
    der: bool


class AgreementKind(NamedTuple):
    """How the chip does Chip Authentication."""

    group: int
    algorithm: Algorithm
    announced: bool


def _kinds_of_pace() -> dict[str, PaceProfile]:
    """Every kind there is, by name: no IM over P-224, no CAM over fields or with 3DES (Doc 9303-11 §4.4.4, §9.5.1)."""
    kinds = {}
    for (mapping, kind), (cipher, algorithm), (number, group) in product(
        MAPPINGS.items(), CIPHERS.items(), STANDARDISED.items()
    ):
        curve = isinstance(group, Curve)
        cam = kind is Mapping.CHIP_AUTHENTICATION
        if not (kind is Mapping.INTEGRATED and number == 10) and not (cam and (cipher == "3des" or not curve)):
            profile = PaceProfile(kind, algorithm, number)
            kinds[f"{'ecdh' if curve else 'dh'}-{mapping}-{cipher}-{number}"] = profile
    return kinds


def _kinds_of_agreement() -> dict[str, AgreementKind]:
    kinds = {}
    for (name, number), (cipher, algorithm) in product(GROUPS.items(), CIPHERS.items()):
        text = f"{'ecdh' if name in CURVES else 'dh'}-{cipher}-{name}"
        kinds[text] = AgreementKind(number, algorithm, announced=True)
        if algorithm is Algorithm.TRIPLE_DES:
            kinds[text + KEY_ONLY] = AgreementKind(number, algorithm, announced=False)
    return kinds


def _kinds_of_active() -> dict[str, ActiveKind]:
    kinds = {f"{key}-{name}": ActiveKind(key, name, der=False) for key, name in product(RSA_SIZES, HASHES)}
    for (curve, name), end in product(product(CURVES, HASHES), ("", DER)):
        kinds[f"ecdsa-{curve}-{name}{end}"] = ActiveKind(curve, name, der=end == DER)
    return kinds


PACE, AGREEMENT, ACTIVE = _kinds_of_pace(), _kinds_of_agreement(), _kinds_of_active()
SHAPES = {
    "pace": "{ecdh|dh}-{gm|im|cam}-{3des|aes128|aes192|aes256}-{number of the parameters}, as Doc 9303-11 allows",
    "active": f"{{{'|'.join(RSA_SIZES)}}}-{{hash}}, ecdsa-{{{'|'.join(CURVES)}}}-{{hash}}[{DER}]; "
    f"a hash is {', '.join(HASHES)}",
    "chip_authentication": f"{{ecdh|dh}}-{{{'|'.join(CIPHERS)}}}-{{{'|'.join(GROUPS)}}}, 3des also with {KEY_ONLY}",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One kind of chip. `quirks` of `traits.QUIRKS`; `issuer` of `traits.ISSUERS` or empty."""

    pace: PaceProfile | None = None
    active: ActiveKind | None = None
    chip_authentication: AgreementKind | None = None
    buffer: int = 0
    quirks: tuple[str, ...] = ()
    issuer: str = ""
    portrait: str = "jpeg"
    """How the picture in EF.DG2 is stored: one of `portrait.FORMS`."""

    def with_quirk(self, name: str) -> "Chip":
        """The same chip with one thing wrong; `name` is of `traits.ALL_QUIRKS`."""
        _, _, kind = name.partition("issuer_")
        return replace(self, issuer=kind) if kind else replace(self, quirks=(*self.quirks, name))

    def traits(self) -> Traits:
        """What the quirks make of it; later ones count."""
        traits = Traits(master_file=True, buffer=self.buffer)
        for name in self.quirks:
            traits = replace(traits, **QUIRKS[name])
        return traits

    def profile(self, holder: str, *, clone: bool = False) -> PaceProfile | None:
        """Its PACE with the secret that belongs to `holder`; a clone has another."""
        if self.pace is None:
            return None
        return replace(self.pace, chip_secret=_scalar(holder, self.pace.parameters, clone))

    def secrets(self, holder: str, *, clone: bool = False) -> ChipSecrets:
        """The private keys of Active and Chip Authentication: the same at every call, others for a clone."""
        active = _active(holder, self.active, clone) if self.active else None
        return ChipSecrets(active, _static(holder, self.chip_authentication, clone))


_MAKING = Lock()
"""Two threads that lay the same card get the same keys."""


def _static(holder: str, kind: AgreementKind | None, clone: bool) -> StaticSecret | None:
    if kind is None:
        return None
    return StaticSecret(kind.algorithm, kind.group, _scalar(f"{holder} CA", kind.group, clone), None, kind.announced)


def _scalar(holder: str, group: int, clone: bool) -> int:
    with _MAKING:
        return _drawn(holder, group, clone)


def _active(holder: str, kind: ActiveKind, clone: bool) -> ActiveSecret:
    with _MAKING:
        return ActiveSecret(_generated(holder, kind.key, clone), kind.hash_name, kind.der)


@lru_cache(maxsize=256)
def _drawn(_holder: str, group: int, _clone: bool) -> int:
    return 2 + randbelow(STANDARDISED[group].order - 3)


@lru_cache(maxsize=256)
def _generated(_holder: str, key: str, _clone: bool) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if key in RSA_SIZES:
        return rsa.generate_private_key(65537, RSA_SIZES[key])
    curve = STANDARDISED[CURVES[key]]
    assert isinstance(curve, Curve)
    assert curve.engine is not None
    return ec.generate_private_key(curve.engine)


def parse_chip(raw: Map[str, Any]) -> Chip:
    """The table; ChipError if it is wrong."""
    readers: Map[str, Callable[[Any], Any]] = {
        "pace": _pace,
        "active": lambda value: _one_of("active", value, ACTIVE),
        "chip_authentication": lambda value: _one_of("chip_authentication", value, AGREEMENT),
        "buffer": _buffer,
        "quirks": _quirks,
        "issuer": lambda value: _one_of("issuer", value, {name: name for name in ISSUERS}),
        "portrait": lambda value: _one_of("portrait", value, {name: name for name in FORMS}),
    }
    for key in raw:
        if key not in readers:
            raise ChipError(f"{key} is unknown; allowed: {', '.join(sorted(readers))}")
    return Chip(**{key: readers[key](value) for key, value in raw.items()})


def _one_of(key: str, value: object, known: Map[str, Any]) -> Any:
    if not isinstance(value, str) or value not in known:
        raise ChipError(f"{key} is {value!r}; allowed: {SHAPES.get(key) or ', '.join(known)}")
    return known[value]


def _pace(value: object) -> PaceProfile:
    """A name, or a table of its parts."""
    if isinstance(value, dict):
        value = _name_of(value)
    profile = _one_of("pace", value, PACE)
    assert isinstance(profile, PaceProfile)
    return profile


def _name_of(parts: Map[str, object]) -> str:
    if set(parts) != {"mapping", "algorithm", "parameters"}:
        raise ChipError(f"pace has {', '.join(sorted(parts))}; allowed: mapping, algorithm, parameters")
    number = parts["parameters"]
    family = "ecdh" if isinstance(number, int) and isinstance(STANDARDISED.get(number), Curve) else "dh"
    return f"{family}-{parts['mapping']}-{parts['algorithm']}-{number}"


def _buffer(value: object) -> int:
    if type(value) is not int or not (value == 0 or 256 < value <= MOST_BUFFER):
        raise ChipError(f"buffer is {value!r}; allowed: 0, 257 to {MOST_BUFFER}")
    return value


def _quirks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or any(name not in QUIRKS for name in value):
        raise ChipError(f"quirks is {value!r}; allowed: a list of {', '.join(QUIRKS)}")
    return tuple(value)
