"""Who may do what: kiosks by bearer token, officers by a signed session cookie with a CSRF token."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from kiosk_queue.desk import Refused

COOKIE = "motcua_console"
SESSION_SECONDS = 12 * 3600
"""A working day and some: then the officer signs in again."""
ATTEMPTS = 5
ATTEMPTS_SECONDS = 60.0
"""At most so many wrong passwords from one address in so many seconds."""
ADDRESSES_KEPT = 10_000


def check_bearer(request: Request, token: str) -> None:
    """Let the kiosk pass; raises Refused 401. Compared in constant time."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise Refused("unauthorized", "Cần mã truy cập của kiosk", 401)


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser."""

    id: str
    csrf: str


class Sessions:
    """Signs cookies with a key derived from the password: a new password signs everybody out, a restart nobody."""

    def __init__(self, password: str, wall: Callable[[], float] = time.time) -> None:
        self._password = password.encode()
        self._key = hashlib.scrypt(self._password, salt=b"motcua console session", n=2**14, r=8, p=1)
        self._wall = wall

    def sign_in(self, password: str) -> str | None:
        """The cookie of a new session; None if the password is wrong."""
        if not hmac.compare_digest(password.encode(), self._password):
            return None
        body = f"{secrets.token_urlsafe(18)}.{int(self._wall())}"
        return f"{body}.{self._mac('cookie', body)}"

    def of(self, request: Request) -> Session | None:
        """The session of a request, if its cookie is ours and not too old."""
        identity, _, rest = request.cookies.get(COOKIE, "").partition(".")
        born, _, mac = rest.partition(".")
        if not born.isascii() or not born.isdigit() or len(born) > 12:
            return None
        if not hmac.compare_digest(mac.encode(), self._mac("cookie", f"{identity}.{born}").encode()):
            return None
        if self._wall() - int(born) > SESSION_SECONDS:
            return None
        return Session(identity, self._mac("csrf", identity))

    def officer(self, request: Request) -> Session:
        """The session of a deed; raises Refused 401 without one and 403 without its CSRF token."""
        session = self.of(request)
        if session is None:
            raise Refused("unauthorized", "Phiên làm việc đã hết. Hãy đăng nhập lại.", 401)
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
            raise Refused("forbidden", "Trang đã cũ. Hãy tải lại trang.", 403)
        return session

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()


class Attempts:
    """Counts wrong passwords by address in a sliding window."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failed: dict[str, list[float]] = {}

    def blocked(self, address: str) -> bool:
        """Whether this address has to wait."""
        return len(self._recent(address)) >= ATTEMPTS

    def failed(self, address: str) -> None:
        """Note a wrong password."""
        if len(self._failed) >= ADDRESSES_KEPT:
            self._failed.clear()
        self._failed[address] = [*self._recent(address), self._monotonic()]

    def _recent(self, address: str) -> list[float]:
        since = self._monotonic() - ATTEMPTS_SECONDS
        return [moment for moment in self._failed.get(address, []) if moment > since]
