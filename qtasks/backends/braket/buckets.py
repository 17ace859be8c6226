"""Where Braket puts an account's results."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from qtasks.backends.braket.session import Session
from qtasks.backends.protocol import BackendError
from qtasks.config import Account


class Buckets:
    """The account's bucket, or the default one of each region, which is made on first use, as Braket's SDK does."""

    def __init__(self, account: Account, session: Session) -> None:
        self._account = account
        self._session = session
        self._made: dict[str, str] = {}

    def of(self, region: str) -> tuple[str, str]:
        """Bucket and prefix; the prefix is empty or ends in a slash. Raises as Session.call does."""
        if self._account.bucket:
            address = urlsplit(self._account.bucket)
            if address.scheme != "s3" or not address.netloc:
                raise BackendError(
                    f"The bucket of account {self._account.name} must look like s3://bucket/prefix.",
                    reason="ProviderMisconfigured",
                )
            prefix = address.path.strip("/")
            return address.netloc, f"{prefix}/" if prefix else ""
        if region not in self._made:
            self._made[region] = self._make(region)
        return self._made[region], ""

    def forget(self) -> None:
        """Other credentials may be another AWS account's, which has other buckets."""
        self._made.clear()

    def _make(self, region: str) -> str:
        who = self._session.call("get_caller_identity", doing="tell who it is", service="sts", region=region)
        bucket = f"amazon-braket-{region}-{who['Account']}"
        where: dict[str, Any] = {}
        if region != "us-east-1":  # S3 refuses to be told of its default
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._session.call(
                "create_bucket", doing=f"make s3://{bucket}", service="s3", region=region, Bucket=bucket, **where
            )
        except BackendError as error:
            if error.details.get("code") != "BucketAlreadyOwnedByYou":
                raise
        return bucket
