"""One HTTP exchange with a limit on everything: size, deadline; no proxy of the environment, no redirect, no retry."""

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # below, it logs addresses, which may name a person

MOST_BYTES = 1024 * 1024
"""Of an answer; a larger one is not from a system of ours."""


class NoAnswer(Exception):
    """Nothing usable came back; whether the request had its effect is unknown unless `sent` is false.

    The message holds nothing personal.
    """

    def __init__(self, problem: str, *, sent: bool = True) -> None:
        super().__init__(problem)
        self.sent = sent


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
    return session


def fetch(session: requests.Session, method: str, url: str, timeout: float, **request: Any) -> Reply:
    """The answer to one request; raises NoAnswer. `request` is what `requests` takes: data, files, headers, auth."""
    deadline = time.monotonic() + timeout
    try:
        with session.request(method, url, timeout=timeout, allow_redirects=False, stream=True, **request) as response:
            return Reply(response.status_code, response.headers, _body(response, deadline))
    except requests.exceptions.SSLError as error:
        raise NoAnswer("TLS refused: certificate, authority or clock", sent=_sent(error)) from None
    except (requests.RequestException, OSError) as error:
        raise NoAnswer(f"no answer: {type(error).__name__}", sent=_sent(error)) from None


def _sent(error: Exception) -> bool:
    """False only if the connection surely never stood: refused, no such host, or their certificate not ours."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError):
        return False
    return not (reason is not None and reason.args and isinstance(reason.args[0], ssl.SSLCertVerificationError))


def _body(response: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for piece in response.iter_content(65536):
        content += piece
        if len(content) > MOST_BYTES:
            raise NoAnswer("the answer is too large")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer takes too long")
    return bytes(content)
