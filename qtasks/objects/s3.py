"""Objects in an S3 bucket, or in anything that speaks S3 (radosgw, MinIO, …), through boto3."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.objects.lifecycle import Rule, s3_rules, with_others_in_s3
from qtasks.objects.protocol import Stored, is_key, not_found, probe, valid_key, valid_prefix, valid_range

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORBIDDEN = {
    "AccessDenied",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}


class S3Store:
    """An ObjectStore in `bucket` under `prefix` (may be empty), with boto3's credentials, region and endpoint.

    Bounded: 5 s to connect, 30 s between bytes, three tries. A PUT is atomic in S3 and carries its MD5, which the
    server checks. One client per process id: a client made before a fork mixes up answers silently.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        if not _BUCKET.fullmatch(bucket):
            raise InvalidInput(
                "The object store's address names no valid bucket.",
                reason="InvalidObjectStoreUrl",
                hint="Use s3://bucket/prefix (QTASKS_OBJECT_STORE_URL).",
            )
        prefix = prefix.strip("/")
        self._bucket = bucket
        self._prefix = f"{valid_key(prefix)}/" if prefix else ""
        # By process id. A parent's client is kept, unused: closing it here could speak on the parent's connections.
        self._clients: dict[int, Any] = {}

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        name = self._name(key)
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        with self._errors("put", key) as client:
            client.put_object(Bucket=self._bucket, Key=name, Body=data, ContentMD5=digest)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        name = self._name(key)
        valid_range(offset, length)
        if length == 0:
            if not self.exists(key):
                raise not_found(self, key)
            return b""
        wanted: dict[str, str] = {}
        if offset or length is not None:
            wanted["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        try:
            with self._errors("get", key) as client:
                data: bytes = client.get_object(Bucket=self._bucket, Key=name, **wanted)["Body"].read()
                return data
        except _PastEndError:
            return b""

    def delete(self, key: str) -> None:
        name = self._name(key)
        with self._errors("delete", key) as client:
            client.delete_object(Bucket=self._bucket, Key=name)

    def exists(self, key: str) -> bool:
        """Whether there is an object; S3 says no as well when there is no such bucket (`check` tells)."""
        name = self._name(key)
        try:
            with self._errors("head", key) as client:
                client.head_object(Bucket=self._bucket, Key=name)
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        return (found.key for found in self._pages(valid_prefix(prefix), ""))

    def walk(self, prefix: str = "", *, after: str = "") -> Iterator[Stored]:
        return self._pages(valid_prefix(prefix), after)

    def check(self) -> None:
        probe(self)

    def lifecycle(self, rules: Sequence[Rule]) -> dict[str, Any]:
        """The store's rules, as `put-bucket-lifecycle-configuration` takes them; it replaces those of others."""
        return {"Rules": s3_rules(rules, self._prefix)}

    def apply_lifecycle(self, rules: Sequence[Rule]) -> int:
        """Set the bucket's rules: these, and those of others as they are; returns how many those are."""
        with self._errors("read the rules of", self._bucket) as client:
            there = _rules_of(client, self._bucket)
        together = with_others_in_s3(there.get("Rules", ()), s3_rules(rules, self._prefix))
        # Goes with the rules: left out, S3 would fall back to its default.
        kept = {name: there[name] for name in ("TransitionDefaultMinimumObjectSize",) if name in there}
        with self._errors("set the rules of", self._bucket) as client:
            client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket, LifecycleConfiguration={"Rules": together}, **kept
            )
        return len(together) - len(rules)

    def _name(self, key: str) -> str:
        return self._prefix + valid_key(key)

    def _pages(self, prefix: str, after: str) -> Iterator[Stored]:
        more: dict[str, str] = {"StartAfter": self._prefix + after} if after else {}
        while True:
            with self._errors("list", prefix) as client:
                page = client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + prefix, **more)
            for entry in page.get("Contents", ()):
                key = entry["Key"][len(self._prefix) :]
                if is_key(key):
                    yield Stored(key, entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _client(self) -> Any:
        client = self._clients.get(os.getpid())
        if client is None:
            import boto3
            from botocore.config import Config

            # A session of its own: boto3's default one is not safe between threads. Two threads may each make a
            # client here; the last one stays, both work. Checksum trailers are off: older radosgw refuse them.
            client = boto3.session.Session().client(
                "s3",
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "total_max_attempts": 3},
                    max_pool_connections=32,
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    user_agent_extra="qtasks",
                ),
            )
            self._clients[os.getpid()] = client
        return client

    @contextmanager
    def _errors(self, operation: str, key: str) -> Iterator[Any]:
        """The client; what it raises, in this library's errors and words (botocore's may repeat an address)."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield self._client()
        except ClientError as error:
            raise self._meaning(operation, key, error.response) from None
        except (BotoCoreError, OSError, ValueError) as error:
            raise self._trouble(operation, key, error) from None

    def _meaning(self, operation: str, key: str, response: dict[str, Any]) -> QTasksError:
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "InvalidRange" or status == 416:
            return _PastEndError("The object ends before the range.")
        if code == "NoSuchBucket":
            return NotFound(
                f"There is no bucket {self._bucket}.",
                reason="BucketNotFound",
                hint="Create it, or correct QTASKS_OBJECT_STORE_URL.",
            )
        if code in ("NoSuchKey", "NotFound", "404") or (status == 404 and operation in ("get", "head")):
            return not_found(self, key)
        what = f"The object store {self.url} refused to {operation} {key!r} ({code or 'no code'}, HTTP {status})."
        if code in _FORBIDDEN or status in (401, 403):
            return Forbidden(
                what, reason="ObjectStoreForbidden", hint="Check the credentials and what they may do in this bucket."
            )
        return Unavailable(what, reason="ObjectStoreUnavailable")

    def _trouble(self, operation: str, key: str, error: Exception) -> QTasksError:
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError, ProfileNotFound

        kind = type(error).__name__
        if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
            return Forbidden(
                f"No complete credentials were found for {self.url} ({kind}).",
                reason="ObjectStoreForbidden",
                hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role that boto3 finds.",
            )
        if isinstance(error, ValueError):
            return InvalidInput(
                "boto3's settings for S3 are wrong: most likely the endpoint is not an http address.",
                reason="InvalidObjectStoreUrl",
                hint="Check AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.",
            )
        client = self._clients.get(os.getpid())
        address = urlsplit(client.meta.endpoint_url) if client else None
        at = f" at {address.hostname}{f':{address.port}' if address.port else ''}" if address else ""
        return Unavailable(
            f"The object store {self.url}{at} did not answer to {operation} {key!r} ({kind}).",
            reason="ObjectStoreUnavailable",
        )


def _rules_of(client: Any, bucket: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchLifecycleConfiguration":
            raise
        return {}
    return found


class _PastEndError(QTasksError):
    """The range begins where the object has ended; never leaves this module."""
