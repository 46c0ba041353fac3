"""The groups in which PACE agrees on keys: prime fields and elliptic curves behind one small interface.

Elements are octet strings, encoded as on the wire. Secrets are integers from 2 to order - 2.
"""

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from hardware.card.errors import BadData

Point = tuple[int, int]
Jacobian = tuple[int, int, int]
"""X, Y, Z for x = X/Z², y = Y/Z³; Z = 0 is infinity."""


class Group(Protocol):
    """A cyclic group of prime order."""

    @property
    def tag(self) -> int:
        """How a public key is marked inside an authentication token (Doc 9303-11 §9.4)."""

    @property
    def prime(self) -> int:
        """The field's prime, p."""

    @property
    def order(self) -> int:
        """The group's order."""

    @property
    def generator(self) -> bytes:
        """The static generator."""

    def check(self, element: bytes) -> None:
        """BadData unless it is an element of the group, and not the neutral one."""

    def multiply(self, element: bytes, secret: int) -> bytes:
        """k·P, or g^k."""

    def combine(self, left: bytes, right: bytes) -> bytes:
        """P + Q, or g·h; BadData if that is the neutral element."""

    def shared(self, element: bytes, secret: int) -> bytes:
        """The outcome of a key agreement: x of k·P, or g^k, at full length."""

    def from_number(self, number: int) -> bytes:
        """The generator that the integrated mapping makes of a pseudo-random number below p (§4.4.3.3.2)."""


class PrimeField:
    """The subgroup of order q that g generates modulo p."""

    tag = 0x84

    def __init__(self, p: int, g: int, q: int) -> None:
        self.prime, self.order = p, q
        self.size = (p.bit_length() + 7) // 8
        self.generator = g.to_bytes(self.size, "big")

    def check(self, element: bytes) -> None:
        """Padded or shortest form: chips have both."""
        number = int.from_bytes(element, "big")
        if len(element) > self.size or not 1 < number < self.prime - 1 or pow(number, self.order, self.prime) != 1:
            raise BadData("PACE: not an element of the group")

    def multiply(self, element: bytes, secret: int) -> bytes:
        """g^k."""
        return pow(int.from_bytes(element, "big"), secret, self.prime).to_bytes(self.size, "big")

    def combine(self, left: bytes, right: bytes) -> bytes:
        """g·h."""
        product = int.from_bytes(left, "big") * int.from_bytes(right, "big") % self.prime
        return self._generator(product)

    def shared(self, element: bytes, secret: int) -> bytes:
        """g^k."""
        return self.multiply(element, secret)

    def from_number(self, number: int) -> bytes:
        """Raised to the cofactor."""
        return self._generator(pow(number, (self.prime - 1) // self.order, self.prime))

    def _generator(self, number: int) -> bytes:
        if number <= 1:
            raise BadData("PACE: the mapped generator is the neutral element")
        return number.to_bytes(self.size, "big")


@dataclass(frozen=True)
class Curve:
    """y² = x³ + ax + b over GF(p), cofactor 1. `engine` multiplies where `cryptography` knows the curve."""

    name: str
    prime: int
    a: int
    b: int
    base: Point
    order: int
    engine: ec.EllipticCurve | None = None
    tag = 0x86

    @property
    def size(self) -> int:
        """Octets of a coordinate."""
        return (self.prime.bit_length() + 7) // 8

    @property
    def generator(self) -> bytes:
        """The base point."""
        return self.encode(self.base)

    def is_of(self, engine: ec.EllipticCurve) -> bool:
        """Whether this is the curve that `cryptography` knows under that name."""
        return self.engine is not None and self.engine.name == engine.name

    def encode(self, point: Point) -> bytes:
        """Uncompressed form (§9.4.2)."""
        return b"\x04" + point[0].to_bytes(self.size, "big") + point[1].to_bytes(self.size, "big")

    def decode(self, element: bytes) -> Point:
        """The coordinates of an element that was checked."""
        return int.from_bytes(element[1 : 1 + self.size], "big"), int.from_bytes(element[1 + self.size :], "big")

    def check(self, element: bytes) -> None:
        """Infinity has no uncompressed form, so it does not pass either."""
        x, y = self.decode(element)
        if len(element) != 1 + 2 * self.size or element[0] != 0x04 or max(x, y) >= self.prime:
            raise BadData("PACE: not an uncompressed point")
        if y * y % self.prime != self._square(x):
            raise BadData("PACE: a point that is not on the curve")

    def multiply(self, element: bytes, secret: int) -> bytes:
        """k·P."""
        point = self.decode(element)
        if self.engine is None:
            return self.encode(self._ladder(point, secret))
        if point == self.base:
            numbers = ec.derive_private_key(secret, self.engine).public_key().public_numbers()
            return self.encode((numbers.x, numbers.y))
        return self.encode(self._by_two_agreements(self.engine, point, secret))

    def combine(self, left: bytes, right: bytes) -> bytes:
        """P + Q."""
        first, second = self.decode(left), self.decode(right)
        return self.encode(self._affine(self._add((*first, 1), (*second, 1))))

    def shared(self, element: bytes, secret: int) -> bytes:
        """The x of k·P."""
        if self.engine is None:
            return self.multiply(element, secret)[1 : 1 + self.size]
        return self._agree(self.engine, self.decode(element), secret).to_bytes(self.size, "big")

    def from_number(self, number: int) -> bytes:
        """Point encoding (Doc 9303-11 Appendix B); only where p = 3 mod 4, which P-224 is not."""
        p, t = self.prime, number
        if p % 4 != 3:
            raise BadData(f"PACE: integrated mapping is not defined over {self.name}")
        alpha = -t * t % p
        if alpha * (1 + alpha) % p == 0:
            raise BadData("PACE: the nonces map to no point")
        x2 = -self.b * pow(self.a, -1, p) * (1 + pow(alpha + alpha * alpha, -1, p)) % p
        x3 = alpha * x2 % p
        h2 = self._square(x2)
        root = pow(h2, p - 1 - (p + 1) // 4, p)
        if root * root * h2 % p == 1:
            return self.encode((x2, root * h2 % p))
        return self.encode((x3, root * pow(t, 3, p) * h2 % p))

    def _square(self, x: int) -> int:
        return (x * x * x + self.a * x + self.b) % self.prime

    @staticmethod
    def _agree(engine: ec.EllipticCurve, point: Point, secret: int) -> int:
        """The x of k·P; the secret stays in the library."""
        peer = ec.EllipticCurvePublicNumbers(*point, engine).public_key()
        return int.from_bytes(ec.derive_private_key(secret, engine).exchange(ec.ECDH(), peer), "big")

    def _by_two_agreements(self, engine: ec.EllipticCurve, point: Point, secret: int) -> Point:
        """k·P from x(k·P) and x((k+1)·P): the law of addition, k·P + P, solved for y."""
        (x, y), p = point, self.prime
        x1, x2 = self._agree(engine, point, secret), self._agree(engine, point, secret + 1)
        y1 = (self._square(x1) + y * y - (x2 + x + x1) * (x1 - x) ** 2) * pow(2 * y, -1, p) % p
        return x1, y1

    def _ladder(self, point: Point, secret: int) -> Point:
        """Montgomery's ladder of fixed length: one addition and one doubling for every bit."""
        low: Jacobian = (1, 1, 0)
        high: Jacobian = (*point, 1)
        for bit in range(self.order.bit_length() - 1, -1, -1):
            if secret >> bit & 1:
                low, high = self._add(low, high), self._double(high)
            else:
                low, high = self._double(low), self._add(low, high)
        return self._affine(low)

    def _double(self, point: Jacobian) -> Jacobian:
        p, (x, y, z) = self.prime, point
        yy = y * y % p
        s = 4 * x * yy % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        x3 = (m * m - 2 * s) % p
        return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p

    def _add(self, left: Jacobian, right: Jacobian) -> Jacobian:
        p, (x1, y1, z1), (x2, y2, z2) = self.prime, left, right
        if z1 == 0:
            return right
        if z2 == 0:
            return left
        zz1, zz2 = z1 * z1 % p, z2 * z2 % p
        u1, s1 = x1 * zz2 % p, y1 * zz2 * z2 % p
        h, r = (x2 * zz1 - u1) % p, (y2 * zz1 * z1 - s1) % p
        if h == 0:
            return self._double(left) if r == 0 else (1, 1, 0)
        hh = h * h % p
        hhh, v = h * hh % p, u1 * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p

    def _affine(self, point: Jacobian) -> Point:
        p, (x, y, z) = self.prime, point
        if z == 0:
            raise BadData("PACE: the mapped generator is infinity")
        inverse = pow(z, -1, p)
        return x * inverse * inverse % p, y * pow(inverse, 3, p) % p
