"""HTTPS to one device whose certificate is known beforehand: no other certificate will do, whoever issued it."""

import ssl
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from requests.adapters import HTTPAdapter

from kiosk.config import ConfigError, require


class _Pinned(HTTPAdapter):
    """Besides the usual verification, the certificate itself must be the one. Then its name need not match."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """The pool of connections, with our rules."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the device's own certificate is anchor enough
        context.load_verify_locations(cadata=self._certificate.public_bytes(Encoding.DER))
        fingerprint = self._certificate.fingerprint(hashes.SHA256()).hex()
        options |= {"ssl_context": context, "assert_fingerprint": fingerprint, "assert_hostname": False}
        super().init_poolmanager(*arguments, **options)


def pinned_session(certificate: Path) -> requests.Session:
    """A session that talks to the owner of this certificate (PEM) only; raises ConfigError if it cannot be used."""
    content = require(certificate, "the card reader's certificate").read_bytes()
    try:
        owner = x509.load_pem_x509_certificate(content)
    except ValueError:
        raise ConfigError(f"{certificate}: is not a certificate; allowed: the card reader's own, PEM") from None
    session = requests.Session()
    session.trust_env = False  # no proxy and no other authorities from the environment
    session.verify = str(certificate)
    session.mount("https://", _Pinned(owner))
    return session
