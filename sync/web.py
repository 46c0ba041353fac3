"""One HTTP exchange with a limit on everything: size, time; no proxy of the environment, no redirect, no retry."""

import logging
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # below, it logs addresses, which may name a person

MOST_BYTES = 1024 * 1024
"""Of an answer; a larger one is not from a system of ours."""

_DAYS = {9: "it is not yet valid", 10: "it has ended"}
"""OpenSSL's verdicts (X509_V_ERR_…) that follow from the date alone."""


class NoAnswer(Exception):
    """Nothing usable came back; whether the request had its effect is unknown unless `sent` is false.

    `date`: TLS failed over the days of a certificate. The message holds nothing personal.
    """

    def __init__(self, problem: str, *, sent: bool = True, date: bool = False) -> None:
        super().__init__(problem)
        self.sent = sent
        self.date = date


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def new_session() -> requests.Session:
    """A session that heeds neither proxies nor .netrc of the environment."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def fetch(
    session: requests.Session, method: str, url: str, timeout: float, *, most: int = MOST_BYTES, **request: Any
) -> Reply:
    """The answer to one request, all of it within `timeout` seconds; raises NoAnswer.

    A session of `new_session`; `most` bytes of answer; `request` is what `requests` takes: data, files, headers, auth.
    Only the resolver of names has limits of its own.
    """
    with _limited(timeout) as limit:
        try:
            request |= {"allow_redirects": False, "stream": True, "timeout": (timeout / 2, timeout)}
            with session.request(method, url, **request) as response:
                reply = Reply(response.status_code, response.headers, _body(response, most))
        except (requests.RequestException, OSError) as error:
            raise _verdict(error, limit) from None
        if limit.reached:  # a line that was cut looks like the end of a body without a length
            raise NoAnswer(limit.problem)
        return reply


def _body(response: requests.Response, most: int) -> bytes:
    content = bytearray()
    for piece in response.iter_content(65536):
        content += piece
        if len(content) > most:
            raise NoAnswer("the answer is too large")
    return bytes(content)


# --- what failed ---


def _verdict(error: Exception, limit: "_Limit") -> NoAnswer:
    cause = _cause(error)
    if limit.reached:
        return NoAnswer(limit.problem, sent=_sent(error, cause))
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = _DAYS.get(cause.verify_code, cause.verify_message)
        problem = f"TLS refused: the receiver's certificate: {said}"
        return NoAnswer(problem, sent=False, date=cause.verify_code in _DAYS)
    if isinstance(error, requests.exceptions.SSLError):
        alert = (getattr(cause, "reason", None) or "no reason given").lower().replace("_", " ")
        return NoAnswer(f"TLS refused: {alert}", sent=_sent(error, cause), date="expired" in alert)
    return NoAnswer(f"no answer: {type(error).__name__}", sent=_sent(error, cause))


def _cause(error: Exception) -> object:
    """What `requests` wrapped twice."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return reason.args[0] if isinstance(reason, Exception) and reason.args and not _unconnected(reason) else reason


def _sent(error: Exception, cause: object) -> bool:
    """False only if the connection surely never stood: refused, no such host, or their certificate not ours."""
    return not isinstance(error, requests.exceptions.ConnectTimeout) and not _unconnected(cause)


def _unconnected(reason: object) -> bool:
    return isinstance(reason, NewConnectionError)


# --- the limit of time ---


class _Limit:
    """The seconds of one exchange: when they are over its connection is shut, whatever it is busy with.

    A timeout of `requests` is for one operation on the socket: a peer with a byte a second would never meet it.
    """

    def __init__(self, seconds: float) -> None:
        self.problem = f"no answer within {seconds:g} s"
        self.reached = False
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, line: socket.socket) -> None:
        """The connection of this exchange. A second handle of it: TLS takes the first one over."""
        with self._lock:
            self._let_go()
            self._line = socket.socket(fileno=os.dup(line.fileno()))
        if self.reached:
            self._shut()

    def close(self) -> None:
        """The exchange is over."""
        self._timer.cancel()
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _shut(self) -> None:
        with self._lock, suppress(OSError):
            self.reached = True
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)


_limit: ContextVar[_Limit | None] = ContextVar("limit", default=None)


@contextmanager
def _limited(seconds: float) -> Iterator[_Limit]:
    limit = _Limit(seconds)
    token = _limit.set(limit)
    try:
        yield limit
    finally:
        _limit.reset(token)
        limit.close()


def _watch(line: socket.socket | None) -> None:
    limit = _limit.get()
    if limit is not None and line is not None:
        limit.watch(line)


class _Plain(HTTPConnection):
    """A connection that the limit of the present exchange can shut."""

    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        _watch(line)
        return line

    def request(self, *arguments: Any, **named: Any) -> None:
        """Send a request; the connection may be one of before."""
        _watch(self.sock)
        super().request(*arguments, **named)


class _Secure(_Plain, HTTPSConnection):
    """The same over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    """What joins them to `requests`."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
