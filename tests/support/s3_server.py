"""An S3 server in a process of its own (moto) that checks signatures, with a bucket and a user who may write to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.servers import Server, free_port

_SETTING_UP = 4  # requests that are taken without a signature: those of `create`


class S3Server(Server):
    """`key_id` and `secret` are the user's; `read` and `names` look at what is there."""

    def __init__(self, folder: Path, bucket: str) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.bucket = bucket
        self.key_id = self.secret = ""
        self._clients: dict[tuple[str, str], Any] = {}

    def command(self) -> list[str]:
        return [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def popen(self) -> dict[str, Any]:
        return {"env": {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(_SETTING_UP)}}

    def answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/moto-api/data.json", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def create(self) -> S3Server:
        self.start()
        iam = self._client("iam", "a", "b")
        iam.create_user(UserName="tenant")
        key = iam.create_access_key(UserName="tenant")["AccessKey"]
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
        iam.put_user_policy(UserName="tenant", PolicyName="s3", PolicyDocument=policy)
        self._client("s3", "a", "b").create_bucket(Bucket=self.bucket)
        self.key_id, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        return self

    def read(self, key: str) -> dict[str, Any]:
        """Body and headers of an object."""
        found = self._client("s3", self.key_id, self.secret).get_object(Bucket=self.bucket, Key=key)
        return {**found, "Body": found["Body"].read()}

    def names(self, prefix: str = "") -> list[str]:
        found = self._client("s3", self.key_id, self.secret).list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", ())]

    def _client(self, service: str, key_id: str, secret: str) -> Any:
        import boto3

        if (service, key_id) not in self._clients:
            session = boto3.session.Session(key_id, secret, region_name="us-east-1")
            self._clients[service, key_id] = session.client(service, endpoint_url=f"http://127.0.0.1:{self.port}")
        return self._clients[service, key_id]
