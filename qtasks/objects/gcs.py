"""Objects in a bucket of Google Cloud Storage, through google-cloud-storage."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.objects.lifecycle import Rule, gcs_rules, with_others_in_gcs
from qtasks.objects.protocol import Stored, is_key, not_found, probe, valid_key, valid_prefix, valid_range

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_CONNECT_SECONDS, _READ_SECONDS, _RETRY_SECONDS = 5.0, 30.0, 15.0
_PAST_END = 416
_UNREADABLE = (ValueError, AttributeError, KeyError, TypeError)
"""What Google's library raises over an answer that is not of the form it expects, as a proxy's may be."""


class GCSStore:
    """An ObjectStore in `bucket` under `prefix` (may be empty), with the credentials that google.auth finds; at an
    emulator, without any, where STORAGE_EMULATOR_HOST names one.

    Bounded: 5 s to connect, 30 s between bytes, tried again for 15 s. An upload is atomic in GCS and carries its MD5,
    which the server checks. One client per process id: a client made before a fork mixes up answers silently.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        if not _BUCKET.fullmatch(bucket):
            raise InvalidInput(
                "The object store's address names no valid bucket.",
                reason="InvalidObjectStoreUrl",
                hint="Use gs://bucket/prefix (QTASKS_OBJECT_STORE_URL).",
            )
        prefix = prefix.strip("/")
        self._bucket = bucket
        self._prefix = f"{valid_key(prefix)}/" if prefix else ""
        # By process id. A parent's client is kept, unused: closing it here could speak on the parent's connections.
        self._buckets: dict[int, Any] = {}

    @property
    def url(self) -> str:
        return f"gs://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        name = self._name(key)
        with self._errors("put", key) as bucket:
            bucket.blob(name).upload_from_string(
                data, content_type="application/octet-stream", checksum="md5", **_patience()
            )

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        name = self._name(key)
        valid_range(offset, length)
        if length == 0:
            if not self.exists(key):
                raise not_found(self, key)
            return b""
        # A range has no checksum of its own; results have theirs in their rows.
        wanted: dict[str, Any] = {"checksum": "md5"}
        if offset or length is not None:
            wanted = {"start": offset, "end": None if length is None else offset + length - 1, "checksum": None}
        try:
            with self._errors("get", key) as bucket:
                data: bytes = bucket.blob(name).download_as_bytes(**wanted, **_patience())
                return data
        except _PastEndError:
            return b""

    def delete(self, key: str) -> None:
        name = self._name(key)
        try:
            with self._errors("delete", key) as bucket:
                bucket.blob(name).delete(**_patience())
        except NotFound as error:
            if error.reason != "ObjectNotFound":
                raise

    def exists(self, key: str) -> bool:
        """Whether there is an object; no as well when there is no such bucket (`check` tells)."""
        name = self._name(key)
        with self._errors("head", key) as bucket:
            return bool(bucket.blob(name).exists(**_patience()))

    def list(self, prefix: str = "") -> Iterator[str]:
        return (found.key for found in self._pages(valid_prefix(prefix), ""))

    def walk(self, prefix: str = "", *, after: str = "") -> Iterator[Stored]:
        return self._pages(valid_prefix(prefix), after)

    def check(self) -> None:
        probe(self)

    def lifecycle(self, rules: Sequence[Rule]) -> dict[str, Any]:
        """The store's rules, as `gcloud storage buckets update --lifecycle-file` takes them; it replaces those of
        others."""
        return {"rule": gcs_rules(rules, self._prefix)}

    def apply_lifecycle(self, rules: Sequence[Rule]) -> int:
        """Set the bucket's rules: these, and those of others as they are; returns how many those are."""
        own = gcs_rules(rules, self._prefix)
        with self._errors("read the rules of", self._bucket) as bucket:
            bucket.reload(**_patience())
            together = with_others_in_gcs(list(bucket.lifecycle_rules), own)
        with self._errors("set the rules of", self._bucket) as bucket:
            bucket.lifecycle_rules = together
            # Nobody's change since then is written over.
            bucket.patch(if_metageneration_match=bucket.metageneration, **_patience())
        return len(together) - len(own)

    def _name(self, key: str) -> str:
        return self._prefix + valid_key(key)

    def _pages(self, prefix: str, after: str) -> Iterator[Stored]:
        with self._errors("list", prefix) as bucket:
            start = {"start_offset": self._prefix + after} if after else {}
            fields = "items(name,updated),nextPageToken"
            pages = bucket.list_blobs(prefix=self._prefix + prefix, fields=fields, **start, **_patience()).pages
        while True:
            with self._errors("list", prefix):
                page = next(pages, None)
                if page is None:
                    return
                listed = [Stored(blob.name[len(self._prefix) :], blob.updated) for blob in page]
            # The first may be the offset itself.
            yield from (each for each in listed if is_key(each.key) and each.key > after)

    def _open(self) -> Any:
        bucket = self._buckets.get(os.getpid())
        if bucket is None:
            from google.cloud.storage import Client  # type: ignore[import-untyped]

            # Two threads may each make a client here; the last one stays, both work.
            bucket = self._buckets[os.getpid()] = Client().bucket(self._bucket)
        return bucket

    @contextmanager
    def _errors(self, operation: str, key: str) -> Iterator[Any]:
        """The bucket; what it raises, in this library's errors and words (Google's may repeat an address)."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud.exceptions import GoogleCloudError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse  # type: ignore[import-untyped]
        from requests import RequestException

        try:
            yield self._open()
        except TransportError as error:
            raise self._trouble(operation, key, error) from None
        except GoogleAuthError as error:
            raise Forbidden(
                f"No credentials were found for {self.url} that Google takes ({type(error).__name__}).",
                reason="ObjectStoreForbidden",
                hint="Set GOOGLE_APPLICATION_CREDENTIALS, or give the workload an account of its own.",
            ) from None
        except (GoogleAPICallError, GoogleCloudError) as error:
            raise self._meaning(operation, key, int(error.code or 0), str(error)) from None
        except InvalidResponse as error:
            raise self._meaning(operation, key, int(error.response.status_code), "") from None
        except (RetryError, RequestException, DataCorruption, OSError, *_UNREADABLE) as error:
            raise self._trouble(operation, key, error) from None

    def _meaning(self, operation: str, key: str, status: int, said: str) -> QTasksError:
        if status == _PAST_END:
            return _PastEndError("The object ends before the range.")
        if status == 404 and (operation == "put" or "bucket does not exist" in said):
            return NotFound(
                f"There is no bucket {self._bucket}.",
                reason="BucketNotFound",
                hint="Create it, or correct QTASKS_OBJECT_STORE_URL.",
            )
        if status == 404:
            return not_found(self, key)
        what = f"The object store {self.url} refused to {operation} {key!r} (HTTP {status})."
        if status in (401, 403):
            return Forbidden(
                what, reason="ObjectStoreForbidden", hint="Check the credentials and what they may do in this bucket."
            )
        return Unavailable(what, reason="ObjectStoreUnavailable")

    def _trouble(self, operation: str, key: str, error: Exception) -> QTasksError:
        return Unavailable(
            f"The object store {self.url} did not answer to {operation} {key!r} ({type(error).__name__}).",
            reason="ObjectStoreUnavailable",
        )


def _patience() -> dict[str, Any]:
    """Every request here bears repetition."""
    from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped]

    return {
        "timeout": (_CONNECT_SECONDS, _READ_SECONDS),
        "retry": DEFAULT_RETRY.with_timeout(_RETRY_SECONDS),
    }


class _PastEndError(QTasksError):
    """The range begins where the object has ended; never leaves this module."""
