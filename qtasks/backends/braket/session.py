"""An account's clients of AWS: one set per process, made on first use, made anew when credentials are refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from qtasks.backends.braket.refusals import meaning, refuses_credentials
from qtasks.backends.protocol import CredentialsRefused
from qtasks.backends.registry import Credentials
from qtasks.config import Account
from qtasks.telemetry import provider_requests

CONNECT_SECONDS, READ_SECONDS = 3.0, 15.0
_DEFAULT_REGION = "us-east-1"
_T = TypeVar("_T")


class _Made:
    """What one process has made. A client made before a fork mixes up answers silently."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session: Any = None
        self.region = ""
        self.clients: dict[tuple[str, str], Any] = {}


class Session:
    """Requests of one account. Each is sent once: what to repeat, and when, is the caller's matter.

    A refusal of the credentials is the exception: they are read again, and the request is sent a second time.
    """

    def __init__(self, account: Account, credentials: Credentials) -> None:
        self._account = account
        self._credentials = credentials
        self._by_process: dict[int, _Made] = {}

    @property
    def region(self) -> str:
        """The account's region: its own, its secret's, or boto3's."""
        made = self._made()
        with made.lock:
            self._open(made)
            return made.region

    def refresh(self) -> None:
        """Forget clients and credentials; the next request reads them again."""
        self._by_process[os.getpid()] = _Made()

    def call(
        self,
        operation: str,
        *,
        doing: str,
        service: str = "braket",
        region: str | None = None,
        device: str | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """The answer to a request, such as `get_device`. `doing` and `device`: as `refusals.meaning` wants them.

        Raises ProviderUnavailable, Throttled, CredentialsRefused or BackendError.
        """
        return self._twice(doing, device, lambda: getattr(self._client(service, region), operation)(**request))

    def read(self, bucket: str, key: str, *, region: str | None) -> bytes | None:
        """The content of an object in S3; None when there is none. Raises as `call` does."""

        def get() -> bytes | None:
            client = self._client("s3", region)
            try:
                content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except (client.exceptions.NoSuchKey, client.exceptions.NoSuchBucket):
                return None
            return content

        return self._twice(f"read s3://{bucket}", None, get)

    def _twice(self, doing: str, device: str | None, send: Callable[[], _T]) -> _T:
        from botocore.exceptions import BotoCoreError, ClientError

        for again in (True, False):
            try:
                with provider_requests.measured("aws_braket") as outcome:
                    answer = send()
                    outcome.status = 200
                return answer
            except (BotoCoreError, ClientError, OSError, ValueError) as error:
                if again and refuses_credentials(error):
                    self.refresh()
                    continue
                raise meaning(error, doing, self._account.name, device) from None
        raise AssertionError("unreachable")

    def _made(self) -> _Made:
        return self._by_process.setdefault(os.getpid(), _Made())

    def _client(self, service: str, region: str | None) -> Any:
        made = self._made()
        with made.lock:
            self._open(made)
            where = region or made.region
            client = made.clients.get((service, where))
            if client is None:
                client = made.clients[service, where] = made.session.client(
                    service, region_name=where, endpoint_url=self._endpoint(service), config=_config()
                )
            return client

    def _endpoint(self, service: str) -> str | None:
        """Braket's address where it is not the public one; None leaves it to boto3, which has variables of its own."""
        if service != "braket":
            return None
        return self._account.endpoint or os.environ.get("BRAKET_ENDPOINT") or None

    def _open(self, made: _Made) -> None:
        if made.session is not None:
            return
        import boto3

        secret = self._credentials()
        region = self._account.region or secret.get("region") or os.environ.get("AWS_REGION") or None
        made.session = boto3.session.Session(region_name=region, **self._keys(secret))
        made.region = made.session.region_name or _DEFAULT_REGION

    def _keys(self, secret: Mapping[str, str]) -> dict[str, str]:
        """What boto3's session takes; nothing, and so its own chain, where the secret holds no key."""
        names = {
            "access-key-id": "aws_access_key_id",
            "secret-access-key": "aws_secret_access_key",
            "session-token": "aws_session_token",
        }
        found = {argument: secret[key].strip() for key, argument in names.items() if secret.get(key)}
        if found and not {"aws_access_key_id", "aws_secret_access_key"} <= found.keys():
            raise CredentialsRefused(
                f"The secret of account {self._account.name} must hold access-key-id and secret-access-key."
            )
        return found


def _config() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="qtasks",
    )
