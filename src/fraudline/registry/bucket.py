"""Requests to an object store, with bounded waits, and what it refuses in words of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotModifiedError, PreconditionError
from obstore.store import GCSStore, S3Store

from fraudline.errors import RegistryError
from fraudline.registry.store import Held

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ListResult, ObjectMeta, PutMode
    from obstore.store import ClientConfig, RetryConfig

# One request: a small file, and a version's. A scorer that looks for its champion waits no longer.
_SMALL_S, _LARGE_S = 5, 60
_CONNECT_S = 2
_RETRIES = 2
_MOST_SMALL_BYTES = 2**20
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
}
# They are sent in a request's head, where a line end cannot be.
_SENT = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ),
    "gs": (),
}


class Bucket:
    """The objects below a prefix of a bucket.

    Credentials, region and endpoint come from the environment, as `obstore` reads them.

    Args:
        url: `s3://bucket/prefix` or `gs://bucket/prefix`; the prefix may be missing.

    Raises:
        RegistryError: from each method: it cannot be reached, or refuses; and a variable of the
            environment has something that is no endpoint or credential.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        _require_variables(url)
        with self._asking("opened"):
            self._small, self._large = (_open(url, timeout_s) for timeout_s in (_SMALL_S, _LARGE_S))

    def get(self, name: str, most_bytes: int, known: Held | None = None) -> Held | None:
        """What an object holds; None if there is none.

        Args:
            name: Its name.
            most_bytes: It is refused if it is larger.
            known: What it held before; that is given again if it still does, and not sent anew.
        """
        options: GetOptions = {}
        if known is not None and "e_tag" in known.mark:
            options["if_none_match"] = known.mark["e_tag"]
        try:
            found = self._get(self._small, name, most_bytes, options)
        except NotModifiedError:
            return known
        if found is None:
            return None
        with self._asking("read", name):
            content = bytes(found.bytes())
        marks = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
        mark = {key: value for key, value in marks.items() if value is not None}
        return Held(content, found.meta["last_modified"], mark)

    def pieces(self, name: str, most_bytes: int) -> Iterator[bytes] | None:
        """What an object holds, piece by piece; None if there is none."""
        found = self._get(self._large, name, most_bytes, {})
        return None if found is None else self._stream(name, found)

    def put(self, name: str, content: bytes, mode: PutMode) -> None:
        """Write an object whole.

        Raises:
            AlreadyExistsError: it was to be created, and is there.
            PreconditionError: it is not any more what it was to be.
        """
        store = self._small if len(content) <= _MOST_SMALL_BYTES else self._large
        with self._asking("written", name):
            # In one piece: a part of an upload that was cut short would stay, unseen and paid for.
            obstore.put(store, name, content, mode=mode, use_multipart=False)

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects, the first one before the others; one that is not there is none to it."""
        for name in names:
            with self._asking("deleted", name), suppress(FileNotFoundError):
                obstore.delete(self._small, name)

    def list(self) -> tuple[list[str], list[str]]:
        """Names of the objects right below the prefix, and of the prefixes there."""
        with self._asking("listed"):
            found: ListResult[Sequence[ObjectMeta]] = obstore.list_with_delimiter(self._small)
        return [each["path"] for each in found["objects"]], list(found["common_prefixes"])

    def _get(
        self, store: S3Store | GCSStore, name: str, most_bytes: int, options: GetOptions
    ) -> GetResult | None:
        try:
            with self._asking("read", name):
                found = obstore.get(store, name, options=options)
        except FileNotFoundError:
            return None
        if found.meta["size"] > most_bytes:
            raise RegistryError(
                f"{self._url}/{name} has {found.meta['size']:,} bytes, at most {most_bytes:,} are "
                "read. It is none of ours: look what wrote it."
            )
        return found

    def _stream(self, name: str, found: GetResult) -> Iterator[bytes]:
        pieces = iter(found.stream())
        while True:
            with self._asking("read", name):
                piece = next(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    @contextmanager
    def _asking(self, done: str, name: str = "") -> Iterator[None]:
        """Let refusals through that the caller expects, and put all others into words."""
        try:
            yield
        except (NotModifiedError, AlreadyExistsError, PreconditionError):
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):  # else it would pass for an empty registry
                raise
            raise self._away(done, name, _reason(error)) from None
        except (BaseError, OSError, ValueError) as error:
            raise self._away(done, name, _reason(error)) from None
        except BaseException as error:
            # The library cannot go on: a variable with something that it cannot use. It is no
            # `Exception`, so it would end a thread unseen, and what it says may repeat the value.
            if type(error).__name__ != "PanicException":
                raise
            why = "obstore cannot use what one of its variables has"
            raise self._away(done, name, why) from None

    def _away(self, done: str, name: str, why: str) -> RegistryError:
        what = f"{name} of the registry {self._url}" if name else f"the registry {self._url}"
        return RegistryError(
            f"{what} could not be {done} ({why}). Look at the setting `registry.url` and at the "
            "variables with credentials, region and endpoint (AWS_…, GOOGLE_…)."
        )


def _open(url: str, timeout_s: int) -> S3Store | GCSStore:
    scheme, _, path = url.partition("://")
    bucket, _, prefix = path.strip("/").partition("/")
    client: ClientConfig = {
        "timeout": timedelta(seconds=timeout_s),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        # Who names an endpoint by http:// means it.
        "allow_http": any(
            os.environ.get(each, "").lower().startswith("http://") for each in _ENDPOINTS[scheme]
        ),
    }
    retry: RetryConfig = {
        "max_retries": _RETRIES,
        "retry_timeout": timedelta(seconds=timeout_s),
    }
    kind: type[S3Store | GCSStore] = S3Store if scheme == "s3" else GCSStore
    return kind(bucket, prefix=prefix or None, client_options=client, retry_config=retry)


def _require_variables(url: str) -> None:
    """Refuse what obstore would end on, by the variable's name; its value may be a secret."""
    scheme = url.partition("://")[0]
    for name in _ENDPOINTS[scheme]:
        value = os.environ.get(name)
        if value is not None and not _is_endpoint(value):
            raise RegistryError(
                f"the variable {name} is {'empty' if not value else 'no address'}, expected "
                "http:// or https:// with a host, such as https://minio.example:9000. Mend it, or "
                f"unset it for the store's own address; the registry is {url}."
            )
    for name in _SENT[scheme]:
        if not os.environ.get(name, "").isprintable():
            raise RegistryError(
                f"the variable {name} has a line end, or another character that cannot be sent. "
                f"Set it without; the registry is {url}."
            )


def _is_endpoint(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return (
            value.isprintable()
            and " " not in value
            and parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
        )
    except ValueError:  # of the port, or of an address in brackets
        return False


def _reason(error: Exception) -> str:
    """Why a request failed, in a few words. What a store answers may repeat an access key's id."""
    text = str(error).partition("\n\nDebug source")[0]
    if status := re.search(r"status code: (\d{3}[A-Za-z ]*)", text):
        code = re.search(r"<Code>(\w+)</Code>", text)
        return f"HTTP {status[1]}" + (f", {code[1]}" if code else "")
    took = re.search(r" in (\d[\d.]*(?:s|ms)\b)", text)
    last = text.rpartition(" - ")[2].strip().partition("\n")[0]
    why = re.sub(r"//[^/\s]*@", "//", last)[:200] or type(error).__name__
    return f"{why}, after {took[1]}" if took else why
