"""One HTTP exchange with a limit on everything: size, deadline; no proxy of the environment, no redirect, no retry."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

MOST_BYTES = 1024 * 1024
"""Of an answer; a larger one is not from a system of ours."""


class NoAnswer(Exception):
    """Nothing usable came back; whether the request had its effect is unknown. The message holds nothing personal."""


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
    except requests.exceptions.SSLError:
        raise NoAnswer("TLS refused: certificate, authority or clock") from None
    except (requests.RequestException, OSError) as error:
        raise NoAnswer(f"no answer: {type(error).__name__}") from None


def _body(response: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for piece in response.iter_content(65536):
        content += piece
        if len(content) > MOST_BYTES:
            raise NoAnswer("the answer is too large")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer takes too long")
    return bytes(content)
