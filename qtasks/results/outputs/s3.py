"""A result as an object of an S3 bucket, wherever S3 is spoken: one signed PUT, which is atomic there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from qtasks.errors import Forbidden, InvalidInput
from qtasks.results.formats import MEDIA_TYPES
from qtasks.results.outputs import objects
from qtasks.results.outputs.places import bucket_and_key
from qtasks.results.outputs.protocol import Answer, Ask, Delivery, Means, Question

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_AMAZON = re.compile(r"s3(?:[.-](?:dualstack\.)?([a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?")
_TOLD = re.compile(rb"<Region>([a-z0-9-]{1,32})</Region>")
_DEFAULT_REGION = "us-east-1"
_KEY, _SECRET = "access-key-id", "secret-access-key"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and with what it is written to. `endpoint` is empty for Amazon's own."""

    name: str
    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str
    endpoint: str

    def url(self, key: str) -> str:
        """Amazon's buckets have hosts of their own; elsewhere, and where a dot would spoil the certificate, the bucket
        is the first part of the path, which every server knows."""
        path = quote(key, safe="/~")
        if self.endpoint:
            return f"{self.endpoint}/{self.name}/{path}"
        host = f"s3.{self.region}.amazonaws.com" + (".cn" if self.region.startswith("cn-") else "")
        return f"https://{host}/{self.name}/{path}" if "." in self.name else f"https://{self.name}.{host}/{path}"


class S3Output:
    """An Output that puts `<bucket>/<key>`; the credentials are the ones of the secret that the job names, and in the
    embedded stack, where it names none, those that boto3 finds.

    `template`: the location before its fields were filled in.
    """

    def __init__(self, means: Means, template: str = "") -> None:
        self._means = means
        self._template = template

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Put it, and give its address.

        Raises InvalidInput (`InvalidOutput`, `InvalidSecret`, `OutputTooLarge`), NotFound (`BucketNotFound`),
        Forbidden (`NoOutputCredentials`, `OutputForbidden`) or Unavailable (`OutputUnavailable`).
        """
        name, key = bucket_and_key(job.location, job, self._template or job.location)
        if not _BUCKET.fullmatch(name) or ".." in name:
            raise InvalidInput(
                f"{name[:80]!r} is not the name of a bucket.",
                reason="InvalidOutput",
                hint="Use 3 to 63 lower-case letters, digits, `-` and `.`.",
            )
        bucket, ask = self._bucket(name)
        answer = self._put(bucket, ask, key, job, rendered)
        region = _region_told(answer, bucket)
        if region is not None:
            answer = self._put(replace(bucket, region=region), ask, key, job, rendered)
        shown = f"s3://{name}/{key}"
        objects.check(answer, shown, name)
        return shown

    def _put(self, bucket: Bucket, ask: Ask, key: str, job: Delivery, rendered: bytes) -> Answer:
        headers = {"Content-Type": MEDIA_TYPES[job.format], "Content-MD5": objects.md5(rendered)}
        question = Question("PUT", bucket.url(key), headers, rendered)
        return ask(replace(question, headers=_signed(question, bucket)))

    def _bucket(self, name: str) -> tuple[Bucket, Ask]:
        if self._means.secret is not None:
            return _of_secret(name, self._means.secret), objects.known(self._means.ask)
        if self._means.settings.embedded:
            return _own(name), objects.known(self._means.ask_own)
        raise objects.no_credentials(f"{_KEY}, {_SECRET} and, if need be, session-token, region and endpoint")


def _of_secret(name: str, secret: Mapping[str, str]) -> Bucket:
    missing = [key for key in (_KEY, _SECRET) if not secret.get(key)]
    if missing:
        raise InvalidInput(
            f"The secret for the output has no key {' and no key '.join(missing)}.",
            reason="InvalidSecret",
            hint="Name one for the output alone in output.credentials.",
        )
    for key in (_KEY, _SECRET, "session-token"):
        if re.search(r"[^\x21-\x7e]", secret.get(key, "")):
            raise InvalidInput(f"The secret's {key} has a blank or a strange character.", reason="InvalidSecret")
    region, endpoint = secret.get("region", "").strip(), secret.get("endpoint", "").strip().rstrip("/")
    amazon = _AMAZON.fullmatch((urlsplit(endpoint).hostname or "") if endpoint.startswith("https://") else "")
    if amazon:
        endpoint, region = "", region or amazon[1] or ""
    if region and not _REGION.fullmatch(region):
        raise InvalidInput("The secret's region is not the name of one.", reason="InvalidSecret", hint="Use eu-west-1.")
    token = secret.get("session-token") or None
    return Bucket(name, secret[_KEY], secret[_SECRET], token, region or _DEFAULT_REGION, endpoint)


def _own(name: str) -> Bucket:
    """With what the user of an embedded stack has in their own environment and home."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    session = Session()
    try:
        found, region = session.get_credentials(), session.get_config_variable("region")
        keys = None if found is None else found.get_frozen_credentials()
    except BotoCoreError as error:
        raise Forbidden(
            f"Your credentials for S3 cannot be used ({type(error).__name__}).", reason="NoOutputCredentials"
        ) from None
    if keys is None:
        raise objects.no_credentials(f"{_KEY} and {_SECRET}", also=", or set AWS_ACCESS_KEY_ID, or a profile")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = str(region or _DEFAULT_REGION)
    return Bucket(name, keys.access_key, keys.secret_key, keys.token, region, endpoint.rstrip("/"))


def _signed(question: Question, bucket: Bucket) -> dict[str, str]:
    """The question's headers with those of Signature Version 4 over them and the body."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {**question.headers, "Content-Length": str(len(question.body))}
    request: Any = AWSRequest(question.method, question.url, headers=headers, data=question.body)
    S3SigV4Auth(Credentials(bucket.key_id, bucket.secret, bucket.token), "s3", bucket.region).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


def _region_told(answer: Answer, bucket: Bucket) -> str | None:
    """The region in which the bucket really is, where the server says so and it is another."""
    if answer.status not in (301, 307, 400, 403):
        return None
    body = _TOLD.search(answer.body)
    region = answer.headers.get("x-amz-bucket-region") or (body[1].decode() if body else "")
    return region if _REGION.fullmatch(region) and region != bucket.region else None
