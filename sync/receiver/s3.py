"""Ciphertexts in an object store that speaks S3. The store must answer a PUT only when the object is durable.

    incoming/<sha256>/<offset, 12 digits>           one piece
    blobs/<aa>/<sha256>                             complete, hash-checked; never changed

A piece is written under a condition (`If-None-Match: *`), so of two requests for one place one is taken.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kiosk.config import ConfigError, ReceiverSettings, secret
from sync.envelope import Blob, EnvelopeError
from sync.receiver.blobs import Damaged, TooMuch, WrongOffset

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_THERE = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})


class S3Blobs:
    """One bucket. Usable from any thread. Raises ConfigError if it cannot be reached."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._bucket = urlsplit(settings.blobs).netloc
        user, _, word = secret(settings.blobs_user_file, "the user of the object store").partition(":")
        patience = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2, "mode": "standard"})
        self._store: Any = boto3.client(
            "s3",
            endpoint_url=settings.blobs_endpoint or None,
            aws_access_key_id=user,
            aws_secret_access_key=word,
            region_name="us-east-1",
            config=patience,
        )
        try:
            self._store.head_bucket(Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            raise ConfigError(f"{settings.blobs}: the object store cannot be used ({_short(error)})") from None

    def offset(self, blob: Blob) -> int:
        """How many of its bytes are here."""
        if self.holds(blob.sha256):
            return blob.size
        have = sum(size for _, size in self._pieces(blob))
        if have == blob.size:
            return blob.size if self._finish(blob) else 0
        return blob.size if self.holds(blob.sha256) else have  # another request may have finished it meanwhile

    def append(self, blob: Blob, offset: int, piece: bytes) -> int:
        """The next piece; the new offset."""
        have = self.offset(blob)
        if offset != have:
            raise WrongOffset(have)
        if have + len(piece) > blob.size:
            raise TooMuch
        if piece:
            self._keep(blob, offset, piece)
        if have + len(piece) == blob.size and not self.holds(blob.sha256) and not self._finish(blob):
            raise Damaged
        return have + len(piece)

    def _keep(self, blob: Blob, offset: int, piece: bytes) -> None:
        """Raises WrongOffset if another request has put a piece there meanwhile."""
        with _as_os_error():
            try:
                self._store.put_object(Bucket=self._bucket, Key=self._piece(blob, offset), Body=piece, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) not in _THERE:
                    raise
                raise WrongOffset(self.offset(blob)) from None

    def holds(self, sha256: str) -> bool:
        """Whether it has its name."""
        with _as_os_error():
            try:
                self._store.head_object(Bucket=self._bucket, Key=_name(sha256))
            except ClientError as error:
                if _code(error) not in _GONE:
                    raise
                return False
        return True

    def read(self, sha256: str) -> bytes:
        """A whole one."""
        with _as_os_error():
            content = self._body(_name(sha256))
        if content is None:
            raise EnvelopeError("a blob is missing in the store")
        return content

    def free(self) -> int | None:
        """The store does not tell."""
        return None

    def _pieces(self, blob: Blob) -> list[tuple[str, int]]:
        """Key and size of the pieces that follow each other without a gap."""
        prefix, found, reached = f"incoming/{blob.sha256}/", [], 0
        with _as_os_error():
            pages = self._store.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for listed in (one for page in pages for one in page.get("Contents", ())):
                if listed["Key"] != self._piece(blob, reached):
                    break
                found.append((listed["Key"], listed["Size"]))
                reached += listed["Size"]
        return found

    def _finish(self, blob: Blob) -> bool:
        """Put the whole under its name; False and gone if it is not the announced one.

        Another request may do so too, and takes the pieces away when the whole has its name.
        """
        pieces = self._pieces(blob)
        with _as_os_error():
            content = b"".join(filter(None, (self._body(key) for key, _ in pieces)))
            true = len(content) == blob.size and hashlib.sha256(content).hexdigest() == blob.sha256
            if true:
                self._store.put_object(Bucket=self._bucket, Key=_name(blob.sha256), Body=content)
            for key, _ in pieces:
                self._store.delete_object(Bucket=self._bucket, Key=key)
        return true or self.holds(blob.sha256)

    def _body(self, key: str) -> bytes | None:
        """None if it is not there."""
        try:
            content: bytes = self._store.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) not in _GONE:
                raise
            return None
        return content

    @staticmethod
    def _piece(blob: Blob, offset: int) -> str:
        return f"incoming/{blob.sha256}/{offset:012d}"


def _name(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256}"


@contextmanager
def _as_os_error() -> Iterator[None]:
    """The callers know one kind of storage failure."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"object store: {_short(error)}") from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {_code(error) if isinstance(error, ClientError) else ''}".strip()
