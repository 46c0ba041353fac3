"""Named curves behind explicit EC parameters, which Doc 9303-12 §4.1.6.3 demands and `cryptography` refuses."""

import hashlib

from asn1crypto.keys import ECDomainParameters, SpecifiedECDomain
from cryptography.hazmat.primitives.asymmetric import ec

from hardware.card.errors import BadData

NAMED: dict[str, ec.EllipticCurve] = {
    "secp224r1": ec.SECP224R1(),
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "brainpoolp256r1": ec.BrainpoolP256R1(),
    "brainpoolp384r1": ec.BrainpoolP384R1(),
    "brainpoolp512r1": ec.BrainpoolP512R1(),
}

EXPLICIT: dict[str, ec.EllipticCurve] = {
    "dbb44abee007669392beef327e3c52297af693f6f0babef41fe5b9aa4bfc37ed": ec.SECP224R1(),
    "42dfd7d1ed4a8c3ff2eaeaecd782852af1bfacaac5d09458555a7486a68bc3a6": ec.SECP256R1(),
    "7a0e8035beeb5e9c03f91f0e97644e806e8d6a828a400031280beb55a448fba9": ec.SECP384R1(),
    "289f39b2db93c6cff879594fafce5cabc446f4a7cdc842a19111c1de6fab279a": ec.SECP521R1(),
    "773c1dc982a6c1d9522e648036aa130dcb5b185967ff106d54d5db73575de5c4": ec.BrainpoolP256R1(),
    "4632d9b44b6a79543014d87f43a0815994a393f7c93aa34dff33eea502d05291": ec.BrainpoolP384R1(),
    "5d18585a35f14d93bcd5d6a8560469dee2563eef858f80b0de15feefbb37cf33": ec.BrainpoolP512R1(),
}
"""The same curves by `fingerprint`."""


def curve_of(parameters: ECDomainParameters) -> ec.EllipticCurve:
    """The curve that these parameters name or spell out; BadData if it is not one we know."""
    if parameters.name == "named":
        curve = NAMED.get(parameters.native)
    elif parameters.name == "specified":
        curve = EXPLICIT.get(fingerprint(parameters.chosen))
    else:
        curve = None
    if curve is None:
        raise BadData("an elliptic curve that is not known")
    return curve


def fingerprint(domain: SpecifiedECDomain) -> str:
    """SHA-256 over p, a, b, G and n: all must match a known curve (CVE-2020-0601 was a forged G)."""
    a, b = domain["curve"]["a"].native, domain["curve"]["b"].native
    numbers = (
        domain["field_id"]["parameters"].native,
        int.from_bytes(a, "big"),
        int.from_bytes(b, "big"),
        int.from_bytes(domain["base"].native, "big"),
        domain["order"].native,
    )
    return hashlib.sha256(":".join(f"{number:x}" for number in numbers).encode()).hexdigest()
